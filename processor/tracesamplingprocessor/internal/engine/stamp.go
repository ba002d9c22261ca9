package engine

import (
	"bytes"
	"strings"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/sampling"

	"github.com/spanlake/spanlake/internal/attr"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/class"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/otlpwire"
)

// stamp is the fields that the kept spans of a class get at their end.
type stamp struct {
	class *class.Class
	plain []byte // for a span without tracestate
}

func newStamp(c *class.Class) stamp {
	s := stamp{class: c}
	if c.Threshold != sampling.NeverSampleThreshold {
		s.plain = otlpwire.AppendTraceState(s.attributes(c.Threshold), "ot=th:"+c.Threshold.TValue())
	}
	return s
}

func (s *stamp) attributes(th sampling.Threshold) []byte {
	fields := otlpwire.AppendStringAttribute(nil, attr.Class, s.class.Name)
	if s.class.Retention != "" {
		fields = otlpwire.AppendStringAttribute(fields, attr.Retention, s.class.Retention)
	}
	return otlpwire.AppendDoubleAttribute(fields, attr.AdjustedCount, class.AdjustedCount(th))
}

// onto is the stamp for a span that has a tracestate. Of its threshold and
// the class's the stricter one holds: with consistent sampling a span that
// passes both has passed the stricter, so that is its probability. A tracestate
// that cannot be read stays as it is.
func (s *stamp) onto(state string) []byte {
	th := s.class.Threshold
	parsed, err := sampling.NewW3CTraceState(state)
	if err != nil {
		return s.attributes(th)
	}
	ot := parsed.OTelValue()
	if upstream, ok := ot.TValueThreshold(); ok && sampling.ThresholdGreater(upstream, th) {
		th = upstream
	}
	var text strings.Builder
	if ot.UpdateTValueWithSampling(th) != nil || parsed.Serialize(&text) != nil {
		return s.attributes(th)
	}
	return otlpwire.AppendTraceState(s.attributes(th), text.String())
}

// stamper stamps the spans of batches.
type stamper struct {
	stamps []stamp
	// stated remembers stamps by class and tracestate, which the spans of a trace
	// usually share. It is emptied for every batch.
	stated map[statedKey][]byte
	clean  []byte // the last span that bore stamps, without them
}

type statedKey struct {
	class uint8
	state string
}

func newStamper(stamps []stamp) *stamper {
	return &stamper{stamps: stamps, stated: map[statedKey][]byte{}}
}

// stampKeys are the attributes that a span gets here. Where it has them already,
// from a sampler it passed before, they are replaced: what that sampler did is in
// its tracestate too.
var stampKeys = []string{attr.Class, attr.Retention, attr.AdjustedCount}

func (s *stamper) appendSpans(dst []byte, p *part) ([]byte, error) {
	stamped := bytes.Contains(p.frames, []byte(attr.Prefix))
	err := otlpwire.EachSpan(p.frames, func(span []byte) error {
		if stamped {
			var err error
			if s.clean, err = otlpwire.AppendWithout(s.clean[:0], span, stampKeys...); err != nil {
				return err
			}
			span = s.clean
		}
		fields := s.stamps[p.class].plain
		if p.stated {
			state, err := otlpwire.TraceState(span)
			if err != nil {
				return err
			}
			if len(state) > 0 {
				fields = s.onto(p.class, string(state))
			}
		}
		dst = otlpwire.AppendSpan(dst, span, fields)
		return nil
	})
	return dst, err
}

func (s *stamper) onto(classIndex uint8, state string) []byte {
	key := statedKey{classIndex, state}
	fields, ok := s.stated[key]
	if !ok {
		fields = s.stamps[classIndex].onto(state)
		s.stated[key] = fields
	}
	return fields
}
