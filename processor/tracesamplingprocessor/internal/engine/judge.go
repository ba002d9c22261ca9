package engine

import (
	"bytes"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/class"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/otlpwire"
)

// otlpStatus maps the codes of opentelemetry.proto.trace.v1.Status.
var otlpStatus = [...]class.Status{1: class.StatusOK, 2: class.StatusError}

func (in *intake) judge(g *group, encoded []byte) error {
	s := &in.span
	facts := class.Facts{Start: s.Start, End: s.End, Spans: 1}
	if s.StatusCode < uint64(len(otlpStatus)) {
		facts.Status = otlpStatus[s.StatusCode]
	}
	in.table.Kind(s.Kind, s.Root, &facts.Met)
	if err := in.attributes(encoded, &facts.Met); err != nil {
		return err
	}
	g.facts.Merge(&facts)
	g.root = g.root || s.Root
	if len(s.TraceState) > 0 {
		g.randomness.merge(readOT(s.TraceState).randomness)
	}
	return nil
}

// attributes notes the conditions on routes and attributes that the span meets.
// It reads the attributes once for both, and not at all where nobody asks.
func (in *intake) attributes(encoded []byte, met *class.Bits) error {
	t, root := in.table, in.span.Root
	routes, attributes := t.WantsRoutes(root), t.WantsAttributes(root)
	in.routes = otlpwire.Routes{}
	var err error
	switch {
	case routes && attributes:
		err = otlpwire.EachAttribute(encoded, func(key, anyValue []byte) error {
			if err := in.routes.Take(key, anyValue); err != nil {
				return err
			}
			return t.Attribute(key, anyValue, root, met)
		})
	case routes:
		err = otlpwire.EachAttribute(encoded, in.routes.Take)
	case attributes:
		err = otlpwire.EachAttribute(encoded, func(key, anyValue []byte) error {
			return t.Attribute(key, anyValue, root, met)
		})
	}
	if err != nil {
		return err
	}
	if routes {
		in.judgeRoutes(met)
	}
	if root && t.WantsRootAttributes() {
		// What any span of the resource meets is noted once, with the head.
		return resourceMeets(t, in.heads[in.resource.from:in.resource.to], true, met)
	}
	return nil
}

func (in *intake) judgeRoutes(met *class.Bits) {
	s := &in.span
	path, _, _ := bytes.Cut(in.routes.Target, []byte{'?'})
	for _, route := range [...][]byte{in.routes.Route, in.routes.Path, path, s.Name} {
		if len(route) > 0 {
			in.table.Routes(route, s.Root, met)
		}
	}
}

// resourceMeets notes the conditions on services and attributes that a span
// meets by its resource.
func resourceMeets(t *class.Table, head []byte, root bool, met *class.Bits) error {
	return otlpwire.EachResourceAttribute(head, func(key, anyValue []byte) error {
		if string(key) == "service.name" {
			var v otlpwire.Value
			if err := v.Parse(anyValue); err != nil {
				return err
			}
			if v.Kind == otlpwire.KindString {
				t.Services(v.Text, met)
			}
		}
		return t.Attribute(key, anyValue, root, met)
	})
}

// conditions notes the OTTL conditions that each group meets.
func (in *intake) conditions() error {
	if !in.table.WantsPdata() {
		return nil
	}
	for i := range in.groups {
		g := &in.groups[i]
		for k := g.from; k < g.to; k++ {
			c := &in.chunks[k]
			if err := conditions(in.table, c.scope.resource.bytes, c.scope.bytes, c.frames, &g.facts); err != nil {
				return err
			}
		}
	}
	return nil
}

// conditions notes the OTTL conditions that spans, framed as in a ScopeSpans,
// meet. They need decoded data, so it is called only where the table wants
// that.
func conditions(t *class.Table, resourceHead, scopeHead string, frames []byte, f *class.Facts) error {
	otlp := otlpwire.AppendResourceSpans(nil, resourceHead, otlpwire.AppendScopeSpans(nil, scopeHead, frames))
	td, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(otlp)
	if err != nil {
		return err
	}
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, span := range ss.Spans().All() {
				t.Conditions(rs, ss, span, span.ParentSpanID().IsEmpty(), &f.Met)
			}
		}
	}
	return nil
}
