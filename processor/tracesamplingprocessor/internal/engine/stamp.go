package engine

import (
	"bytes"
	"strings"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/sampling"

	"github.com/spanlake/spanlake/internal/attr"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/class"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/otlpwire"
)

// stamper writes the fields that kept spans get at their end.
type stamper struct {
	engine *Engine
	// made remembers stamps, which the spans of a trace, and most traces of a
	// class, share. It is emptied for every batch.
	made  map[stampKey][]byte
	clean []byte // the last span that bore stamps, without them
}

type stampKey struct {
	verdict verdict
	state   string
}

func newStamper(e *Engine) *stamper { return &stamper{engine: e, made: map[stampKey][]byte{}} }

// stamp returns the fields for a span with this tracestate. Of its threshold and
// the verdict's the stricter one holds: with consistent sampling a span that
// passes both has passed the stricter, so that is its probability. A tracestate
// that cannot be read stays as it is.
func (s *stamper) stamp(v verdict, state []byte) []byte {
	fields, ok := s.made[stampKey{v, string(state)}]
	if !ok {
		fields = s.make(v, string(state))
		s.made[stampKey{v, string(state)}] = fields
	}
	return fields
}

func (s *stamper) make(v verdict, state string) []byte {
	th, err := sampling.UnsignedToThreshold(v.threshold)
	if err != nil {
		th = sampling.AlwaysSampleThreshold
	}
	if state == "" {
		return otlpwire.AppendTraceState(s.attributes(v, th), "ot=th:"+th.TValue())
	}
	parsed, err := sampling.NewW3CTraceState(state)
	if err != nil {
		return s.attributes(v, th)
	}
	ot := parsed.OTelValue()
	if upstream, ok := ot.TValueThreshold(); ok && sampling.ThresholdGreater(upstream, th) {
		th = upstream
	}
	var text strings.Builder
	if ot.UpdateTValueWithSampling(th) != nil || parsed.Serialize(&text) != nil {
		return s.attributes(v, th)
	}
	return otlpwire.AppendTraceState(s.attributes(v, th), text.String())
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
	plain := s.stamp(p.verdict, nil)
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
			if len(state) > 0 {
				fields = s.stamp(p.verdict, state)
			}
		}
		dst = otlpwire.AppendSpan(dst, span, fields)
		return nil
	})
	return dst, err
}
