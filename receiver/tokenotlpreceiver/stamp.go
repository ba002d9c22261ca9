package tokenotlpreceiver

import (
	"iter"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanlake/spanlake/internal/attr"
)

// stampAll names the source on every resource, once: pdata lets a client send a
// key twice.
func stampAll[R interface{ Resource() pcommon.Resource }](resources iter.Seq2[int, R], s *source) {
	for _, r := range resources {
		attributes := r.Resource().Attributes()
		name := s.name
		if s.relay {
			if stamped := handedOn(attributes); stamped != "" {
				name = stamped
			}
		}
		attributes.RemoveIf(func(key string, _ pcommon.Value) bool { return key == attr.Source })
		attributes.PutStr(attr.Source, name)
	}
}

// handedOn returns the source that a relay stamped on a resource, empty unless
// it is the name of one, and the only one.
func handedOn(attributes pcommon.Map) string {
	name, found := "", 0
	for key, value := range attributes.All() {
		if key != attr.Source {
			continue
		}
		found++
		if value.Type() == pcommon.ValueTypeStr {
			name = value.Str()
		}
	}
	if found != 1 || !nameRule.MatchString(name) {
		return ""
	}
	return name
}

// Keys that begin with attr.Prefix steer what the pipeline does with an item. A
// client's are removed wherever attributes are.

func strip(attributes pcommon.Map) {
	attributes.RemoveIf(func(key string, _ pcommon.Value) bool { return attr.Reserved(key) })
}

// stripResource leaves the source to stampAll.
func stripResource(r pcommon.Resource) {
	r.Attributes().RemoveIf(func(key string, _ pcommon.Value) bool { return attr.Reserved(key) && key != attr.Source })
}

func stripTraces(td ptrace.Traces) {
	for _, rs := range td.ResourceSpans().All() {
		stripResource(rs.Resource())
		for _, ss := range rs.ScopeSpans().All() {
			strip(ss.Scope().Attributes())
			for _, span := range ss.Spans().All() {
				strip(span.Attributes())
				for _, event := range span.Events().All() {
					strip(event.Attributes())
				}
				for _, link := range span.Links().All() {
					strip(link.Attributes())
				}
			}
		}
	}
}

// stripLogs also takes the keys of map bodies, which become attributes.
func stripLogs(ld plog.Logs) {
	for _, rl := range ld.ResourceLogs().All() {
		stripResource(rl.Resource())
		for _, sl := range rl.ScopeLogs().All() {
			strip(sl.Scope().Attributes())
			for _, record := range sl.LogRecords().All() {
				strip(record.Attributes())
				if record.Body().Type() == pcommon.ValueTypeMap {
					strip(record.Body().Map())
				}
			}
		}
	}
}

func stripMetrics(md pmetric.Metrics) {
	for _, rm := range md.ResourceMetrics().All() {
		stripResource(rm.Resource())
		for _, sm := range rm.ScopeMetrics().All() {
			strip(sm.Scope().Attributes())
			for _, m := range sm.Metrics().All() {
				strip(m.Metadata())
				stripPoints(m)
			}
		}
	}
}

func stripPoints(m pmetric.Metric) {
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		stripEach(m.Gauge().DataPoints().All())
	case pmetric.MetricTypeSum:
		stripEach(m.Sum().DataPoints().All())
	case pmetric.MetricTypeHistogram:
		stripEach(m.Histogram().DataPoints().All())
	case pmetric.MetricTypeExponentialHistogram:
		stripEach(m.ExponentialHistogram().DataPoints().All())
	case pmetric.MetricTypeSummary:
		for _, p := range m.Summary().DataPoints().All() {
			strip(p.Attributes())
		}
	default:
	}
}

func stripEach[P interface {
	Attributes() pcommon.Map
	Exemplars() pmetric.ExemplarSlice
}](points iter.Seq2[int, P],
) {
	for _, p := range points {
		strip(p.Attributes())
		for _, e := range p.Exemplars().All() {
			strip(e.FilteredAttributes())
		}
	}
}
