package engine

import (
	"bytes"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/sampling"

	"github.com/spanlake/spanlake/internal/attr"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/class"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/otlpwire"
)

// stamper writes the fields that kept spans get at their end.
type stamper struct {
	engine *Engine
	// made remembers stamps by the verdict, its threshold being that of the span.
	// The spans of a trace, and most traces of a class, share them. It is emptied
	// for every batch.
	made  map[verdict]stamps
	clean []byte // the last span that bore stamps, without them
	// state and fields are the last tracestate written, and the stamps with it.
	state, fields []byte
}

// stamps are the fields of a span that comes without tracestate.
type stamps struct {
	fields     []byte
	attributes int // bytes of fields before the tracestate
	tvalue     string
}

func newStamper(e *Engine) *stamper { return &stamper{engine: e, made: map[verdict]stamps{}} }

func (s *stamper) stamps(v verdict) stamps {
	made, ok := s.made[v]
	if !ok {
		th, err := sampling.UnsignedToThreshold(v.threshold)
		if err != nil {
			th = sampling.AlwaysSampleThreshold
		}
		made.tvalue = th.TValue()
		made.fields = s.attributes(v, th)
		made.attributes = len(made.fields)
		made.fields = otlpwire.AppendTraceState(made.fields, "ot=th:"+made.tvalue)
		s.made[v] = made
	}
	return made
}

// stamp returns the fields for a span with this tracestate, valid until the next
// call. Of its threshold and the verdict's the stricter one holds: with
// consistent sampling a span that passes both has passed the stricter, so that is
// its probability.
func (s *stamper) stamp(v verdict, id traceID, state []byte) []byte {
	if len(state) == 0 {
		return s.stamps(v).fields
	}
	if len(state) > maxState {
		made := s.stamps(v)
		return made.fields[:made.attributes]
	}
	ot := readOT(state)
	v.threshold = max(v.threshold, ot.passed(id))
	made := s.stamps(v)
	s.state = ot.appendState(s.state[:0], state, made.tvalue)
	s.fields = append(s.fields[:0], made.fields[:made.attributes]...)
	s.fields = otlpwire.AppendTraceState(s.fields, s.state)
	return s.fields
}

func (s *stamper) attributes(v verdict, th sampling.Threshold) []byte {
	c := s.engine.classes[v.class]
	fields := otlpwire.AppendStringAttribute(nil, attr.Class, c.Name)
	if c.Retention != "" {
		fields = otlpwire.AppendStringAttribute(fields, attr.Retention, c.Retention)
	}
	fields = otlpwire.AppendDoubleAttribute(fields, attr.AdjustedCount, class.AdjustedCount(th))
	if v.trimmed {
		fields = otlpwire.AppendBoolAttribute(fields, attr.Trimmed, true)
	}
	return fields
}

// stampKeys are the attributes that a span gets here. Where it has them already,
// from a sampler it passed before, they are replaced: what that sampler did is in
// its tracestate too. Only Trimmed is as true as ever.
var stampKeys = []string{attr.Class, attr.Retention, attr.AdjustedCount}

func (s *stamper) appendSpans(dst []byte, p *part) ([]byte, error) {
	stamped := bytes.Contains(p.frames, []byte(attr.Prefix))
	plain := s.stamps(p.verdict).fields
	err := otlpwire.EachSpan(p.frames, func(span []byte) error {
		if stamped {
			var err error
			if s.clean, err = otlpwire.AppendWithout(s.clean[:0], span, stampKeys...); err != nil {
				return err
			}
			span = s.clean
		}
		fields := plain
		if p.stated() {
			state, err := otlpwire.TraceState(span)
			if err != nil {
				return err
			}
			fields = s.stamp(p.verdict, p.trace, state)
		}
		dst = otlpwire.AppendSpan(dst, span, fields)
		return nil
	})
	return dst, err
}
