package class

import (
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/otlpwire"
)

// extraction sorts the conditions by what of a span they look at, so that what
// nobody asks for is not read.
type extraction struct {
	routes, services []*condition
	expressions      []expression

	// kinds are the conditions met by kind, of any span and of a root.
	kinds      [2][6]Bits
	wantsKinds bool

	attributes map[string][]*condition
	// keyLengths has the bit of each key's length modulo 64: most attributes are
	// passed over without a look into the map.
	keyLengths uint64

	// Whether conditions look at any span, and at the root only.
	anyRoutes, anyAttributes   bool
	rootRoutes, rootAttributes bool
}

func (x *extraction) extract(c *condition) error {
	switch c.subject {
	case ofRoute:
		x.routes = append(x.routes, c)
		x.anyRoutes = x.anyRoutes || !c.rootOnly
		x.rootRoutes = x.rootRoutes || c.rootOnly
	case ofService:
		x.services = append(x.services, c)
	case ofKind:
		x.extractKinds(c)
	case ofAttribute:
		if x.attributes == nil {
			x.attributes = map[string][]*condition{}
		}
		x.attributes[c.key] = append(x.attributes[c.key], c)
		x.keyLengths |= 1 << (len(c.key) % 64)
		x.anyAttributes = x.anyAttributes || !c.rootOnly
		x.rootAttributes = x.rootAttributes || c.rootOnly
	case ofExpression:
		compiled, err := parseExpression(c.text)
		if err != nil {
			return err
		}
		x.expressions = append(x.expressions, expression{c, compiled})
	}
	return nil
}

func (x *extraction) extractKinds(c *condition) {
	x.wantsKinds = true
	for kind := range x.kinds[0] {
		if c.kinds&(1<<kind) == 0 {
			continue
		}
		x.kinds[1][kind].set(c.number)
		if !c.rootOnly {
			x.kinds[0][kind].set(c.number)
		}
	}
}

// Services adds the service conditions that a service.name meets.
func (x *extraction) Services(name []byte, met *Bits) {
	for _, c := range x.services {
		if anyMatch(c.globs, name) {
			met.set(c.number)
		}
	}
}

// WantsRoutes reports whether Routes can add anything for such a span.
func (x *extraction) WantsRoutes(root bool) bool { return x.anyRoutes || (root && x.rootRoutes) }

// Routes adds the route conditions that a span with this route, or name, meets.
func (x *extraction) Routes(route []byte, root bool, met *Bits) {
	for _, c := range x.routes {
		if c.looksAt(root) && !met.has(c.number) && anyMatch(c.globs, route) {
			met.set(c.number)
		}
	}
}

// Kind adds the kind conditions that a span meets.
func (x *extraction) Kind(kind uint64, root bool, met *Bits) {
	if !x.wantsKinds || kind >= uint64(len(x.kinds[0])) {
		return
	}
	i := 0
	if root {
		i = 1
	}
	met.Merge(&x.kinds[i][kind])
}

// WantsAttributes reports whether Attribute can add anything for such a span, or
// for the resource of one.
func (x *extraction) WantsAttributes(root bool) bool {
	return x.anyAttributes || (root && x.rootAttributes)
}

// WantsRootAttributes reports whether Attribute can add more for the resource
// of a root than for any resource.
func (x *extraction) WantsRootAttributes() bool { return x.rootAttributes }

// Attribute adds the attribute conditions that a span meets by an attribute, its
// own or its resource's, with an encoded AnyValue.
func (x *extraction) Attribute(key, anyValue []byte, root bool, met *Bits) error {
	if x.keyLengths&(1<<(len(key)%64)) == 0 {
		return nil
	}
	asked := x.attributes[string(key)]
	if asked == nil {
		return nil
	}
	var v otlpwire.Value
	if err := v.Parse(anyValue); err != nil {
		return err
	}
	for _, c := range asked {
		if c.looksAt(root) && !met.has(c.number) && c.metBy(&v) {
			met.set(c.number)
		}
	}
	return nil
}
