package engine

import (
	"bytes"
	"errors"
	"slices"

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

// attributes notes the conditions on routes and attributes that the span meets by
// itself; those that it meets by its resource are noted with the head. It reads
// the attributes once for both, and not at all where nobody asks.
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

// conditions notes what the groups meet by more than a span's own bytes. It
// comes after the heads were acquired.
func (in *intake) conditions() error {
	in.rootResources()
	return in.expressions()
}

// rootResources notes the conditions that root spans meet by their resources.
func (in *intake) rootResources() {
	if !in.table.WantsRootAttributes() {
		return
	}
	for i := range in.spans {
		if s := &in.spans[i]; s.root {
			in.groups[s.group].facts.Met.Merge(&in.acquired[s.scope].resource.rootMet)
		}
	}
}

// expressions notes the OTTL conditions that spans meet. They need decoded data.
// All spans of a resource are decoded together, so that the cost of a request
// grows with its size alone, however many traces and scopes share its resource.
func (in *intake) expressions() error {
	if !in.table.WantsPdata() {
		return nil
	}
	in.order = in.order[:0]
	for i := range in.spans {
		in.order = append(in.order, int32(i))
	}
	slices.SortStableFunc(in.order, func(a, b int32) int { return int(in.spans[a].scope - in.spans[b].scope) })
	resource := func(at int32) section { return in.scopes[in.spans[at].scope].resource }
	var errs error
	for rest := in.order; len(rest) > 0; {
		n := 1
		for n < len(rest) && resource(rest[n]) == resource(rest[0]) {
			n++
		}
		errs = errors.Join(errs, in.evaluate(rest[:n]))
		rest = rest[n:]
	}
	return errs
}

// evaluate does so for spans of one resource, ordered by scope.
func (in *intake) evaluate(order []int32) error {
	var frames, scopes []byte
	for i, at := range order {
		s := &in.spans[at]
		frames = otlpwire.AppendSpan(frames, s.encoded, nil)
		if i == len(order)-1 || in.spans[order[i+1]].scope != s.scope {
			scopes = otlpwire.AppendScopeSpans(scopes, in.acquired[s.scope].bytes, frames)
			frames = frames[:0]
		}
	}
	head := in.acquired[in.spans[order[0]].scope].resource.bytes
	td, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(otlpwire.AppendResourceSpans(nil, head, scopes))
	if err != nil {
		return err
	}
	if td.SpanCount() != len(order) {
		return otlpwire.ErrMalformed
	}
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, span := range ss.Spans().All() {
				s := &in.spans[order[0]]
				order = order[1:]
				in.table.Conditions(rs, ss, span, s.root, &in.groups[s.group].facts.Met)
			}
		}
	}
	return nil
}
