package tokenotlpreceiver

import (
	"iter"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanlake/spanlake/internal/attr"
)

// stampAll names the source on every resource.
func stampAll[R interface{ Resource() pcommon.Resource }](resources iter.Seq2[int, R], source string) {
	for _, r := range resources {
		r.Resource().Attributes().PutStr(attr.Source, source)
	}
}

// Keys that begin with attr.Prefix steer what the pipeline does with an item. A
// client's are removed wherever attributes are.

func strip(attributes pcommon.Map) {
	attributes.RemoveIf(func(key string, _ pcommon.Value) bool { return attr.Reserved(key) })
}

func stripTraces(td ptrace.Traces) {
	for _, rs := range td.ResourceSpans().All() {
		strip(rs.Resource().Attributes())
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
		strip(rl.Resource().Attributes())
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
		strip(rm.Resource().Attributes())
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
