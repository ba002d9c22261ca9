package engine

import (
	"bytes"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/sampling"

	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/class"
)

// otlpStatus maps the codes of opentelemetry.proto.trace.v1.Status.
var otlpStatus = [...]class.Status{1: class.StatusOK, 2: class.StatusError}

func (in *intake) judge(g *group, encoded []byte) error {
	s := &in.span
	facts := class.Facts{Start: s.Start, End: s.End}
	if s.StatusCode < uint64(len(otlpStatus)) {
		facts.Status = otlpStatus[s.StatusCode]
	}
	if in.table.WantsRoutes(s.Root) {
		if err := in.routes.Parse(encoded); err != nil {
			return err
		}
		path, _, _ := bytes.Cut(in.routes.Target, []byte{'?'})
		for _, route := range [...][]byte{in.routes.Route, in.routes.Path, path, s.Name} {
			if len(route) > 0 {
				in.table.Routes(route, s.Root, &facts.Met)
			}
		}
	}
	g.facts.Merge(&facts)
	g.root = g.root || s.Root
	if len(s.TraceState) > 0 {
		g.randomness.merge(explicitRandomness(s.TraceState))
	}
	return nil
}

// explicitRandomness reads ot=rv of a tracestate.
func explicitRandomness(state []byte) randomness {
	if !bytes.Contains(state, []byte("rv:")) {
		return randomness{}
	}
	parsed, err := sampling.NewW3CTraceState(string(state))
	if err != nil {
		return randomness{}
	}
	given, ok := parsed.OTelValue().RValueRandomness()
	return randomness{value: given.Unsigned(), explicit: ok}
}
