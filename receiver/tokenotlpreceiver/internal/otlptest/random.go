package otlptest

import (
	"math"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/xpdata/entity"
	"pgregory.net/rapid"
)

// generator fills pdata with all that it can hold.
type generator struct{ *rapid.T }

func (g generator) often() bool { return g.n(3) > 0 }

// n is not IntRange's, which prefers small numbers: then there is hardly a span.
func (g generator) n(limit int) int {
	all := make([]int, limit+1)
	for i := range all {
		all[i] = i
	}
	return rapid.SampledFrom(all).Draw(g.T, "n")
}

func (g generator) u64() uint64 { return rapid.Uint64().Draw(g.T, "u64") }
func (g generator) u32() uint32 { return rapid.Uint32().Draw(g.T, "u32") }
func (g generator) i64() int64  { return rapid.Int64().Draw(g.T, "i64") }
func (g generator) i32() int32  { return rapid.Int32().Draw(g.T, "i32") }

func (g generator) f64() float64 {
	if g.n(9) == 0 {
		return rapid.SampledFrom([]float64{math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1)}).Draw(g.T, "f64")
	}
	return rapid.Float64().Draw(g.T, "f64")
}

func (g generator) str() string {
	if g.n(19) == 0 {
		return rapid.StringN(100, 300, 20_000).Draw(g.T, "long")
	}
	return rapid.String().Draw(g.T, "str")
}

func (g generator) bytes() []byte {
	return rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(g.T, "bytes")
}

// traceID may be zero, which it is in a log record of no trace.
func (g generator) traceID() (id pcommon.TraceID) {
	if g.often() {
		copy(id[:], rapid.SliceOfN(rapid.Byte(), len(id), len(id)).Draw(g.T, "trace"))
	}
	return id
}

// spanID may be zero, which it is in the parent of a root.
func (g generator) spanID() (id pcommon.SpanID) {
	if g.often() {
		copy(id[:], rapid.SliceOfN(rapid.Byte(), len(id), len(id)).Draw(g.T, "span"))
	}
	return id
}

// ownIDs are those of a span, which are not zero.
func (g generator) ownIDs() (trace pcommon.TraceID, span pcommon.SpanID) {
	trace, span = g.traceID(), g.spanID()
	trace[0] |= 1
	span[0] |= 1
	return trace, span
}

func (g generator) time() pcommon.Timestamp { return pcommon.Timestamp(g.u64()) }

func (g generator) value(v pcommon.Value, depth int) {
	switch g.n(8) {
	case 0, 1:
		v.SetStr(g.str())
	case 2:
		v.SetInt(g.i64())
	case 3:
		v.SetDouble(g.f64())
	case 4:
		v.SetBool(g.often())
	case 5:
		v.SetEmptyBytes().FromRaw(g.bytes())
	case 6:
		s := v.SetEmptySlice()
		for range g.n(min(3, depth)) {
			g.value(s.AppendEmpty(), depth-1)
		}
	case 7:
		g.attributes(v.SetEmptyMap(), depth-1)
	}
}

func (g generator) attributes(m pcommon.Map, depth int) {
	for range g.n(min(3, max(depth, 0))) {
		g.value(m.PutEmpty(g.str()), depth)
	}
}

// attributeDepth is how deep values nest.
const attributeDepth = 7

func (g generator) resource(r pcommon.Resource) {
	g.attributes(r.Attributes(), attributeDepth)
	r.SetDroppedAttributesCount(g.u32())
	refs := entity.ResourceEntityRefs(r)
	for range g.n(2) {
		ref := refs.AppendEmpty()
		ref.SetSchemaUrl(g.str())
		ref.SetType(g.str())
		for range g.n(3) {
			ref.IdKeys().Append(g.str())
			ref.DescriptionKeys().Append(g.str())
		}
	}
}

func (g generator) scope(s pcommon.InstrumentationScope) {
	s.SetName(g.str())
	s.SetVersion(g.str())
	g.attributes(s.Attributes(), attributeDepth)
	s.SetDroppedAttributesCount(g.u32())
}

// randomTraces returns a request of any traces.
func randomTraces(t *rapid.T) ptrace.Traces {
	g := generator{t}
	td := ptrace.NewTraces()
	for range g.n(2) {
		rs := td.ResourceSpans().AppendEmpty()
		g.resource(rs.Resource())
		rs.SetSchemaUrl(g.str())
		for range g.n(2) {
			ss := rs.ScopeSpans().AppendEmpty()
			g.scope(ss.Scope())
			ss.SetSchemaUrl(g.str())
			for range g.n(3) {
				g.span(ss.Spans().AppendEmpty())
			}
		}
	}
	return td
}

func (g generator) span(s ptrace.Span) {
	trace, span := g.ownIDs()
	s.SetTraceID(trace)
	s.SetSpanID(span)
	s.SetParentSpanID(g.spanID())
	s.TraceState().FromRaw(g.str())
	s.SetFlags(g.u32())
	s.SetName(g.str())
	s.SetKind(ptrace.SpanKind(g.i32()))
	s.SetStartTimestamp(g.time())
	s.SetEndTimestamp(g.time())
	g.attributes(s.Attributes(), attributeDepth)
	s.SetDroppedAttributesCount(g.u32())
	s.SetDroppedEventsCount(g.u32())
	s.SetDroppedLinksCount(g.u32())
	s.Status().SetCode(ptrace.StatusCode(g.i32()))
	s.Status().SetMessage(g.str())
	for range g.n(2) {
		e := s.Events().AppendEmpty()
		e.SetName(g.str())
		e.SetTimestamp(g.time())
		g.attributes(e.Attributes(), attributeDepth)
		e.SetDroppedAttributesCount(g.u32())
		l := s.Links().AppendEmpty()
		l.SetTraceID(g.traceID())
		l.SetSpanID(g.spanID())
		l.TraceState().FromRaw(g.str())
		l.SetFlags(g.u32())
		g.attributes(l.Attributes(), attributeDepth)
		l.SetDroppedAttributesCount(g.u32())
	}
}

// randomLogs returns a request of any logs.
func randomLogs(t *rapid.T) plog.Logs {
	g := generator{t}
	ld := plog.NewLogs()
	for range g.n(2) {
		rl := ld.ResourceLogs().AppendEmpty()
		g.resource(rl.Resource())
		rl.SetSchemaUrl(g.str())
		for range g.n(2) {
			sl := rl.ScopeLogs().AppendEmpty()
			g.scope(sl.Scope())
			sl.SetSchemaUrl(g.str())
			for range g.n(3) {
				r := sl.LogRecords().AppendEmpty()
				r.SetTimestamp(g.time())
				r.SetObservedTimestamp(g.time())
				r.SetSeverityNumber(plog.SeverityNumber(g.i32()))
				r.SetSeverityText(g.str())
				g.value(r.Body(), attributeDepth)
				g.attributes(r.Attributes(), attributeDepth)
				r.SetDroppedAttributesCount(g.u32())
				r.SetFlags(plog.LogRecordFlags(g.u32()))
				r.SetTraceID(g.traceID())
				r.SetSpanID(g.spanID())
				r.SetEventName(g.str())
			}
		}
	}
	return ld
}

// randomMetrics returns a request of any metrics.
func randomMetrics(t *rapid.T) pmetric.Metrics {
	g := generator{t}
	md := pmetric.NewMetrics()
	for range g.n(2) {
		rm := md.ResourceMetrics().AppendEmpty()
		g.resource(rm.Resource())
		rm.SetSchemaUrl(g.str())
		for range g.n(2) {
			sm := rm.ScopeMetrics().AppendEmpty()
			g.scope(sm.Scope())
			sm.SetSchemaUrl(g.str())
			for range g.n(3) {
				g.metric(sm.Metrics().AppendEmpty())
			}
		}
	}
	return md
}

func (g generator) metric(m pmetric.Metric) {
	m.SetName(g.str())
	m.SetDescription(g.str())
	m.SetUnit(g.str())
	g.attributes(m.Metadata(), attributeDepth)
	temporality := pmetric.AggregationTemporality(g.i32())
	points := g.n(3)
	switch g.n(5) {
	case 0:
		g.numbers(m.SetEmptyGauge().DataPoints(), points)
	case 1:
		data := m.SetEmptySum()
		data.SetAggregationTemporality(temporality)
		data.SetIsMonotonic(g.often())
		g.numbers(data.DataPoints(), points)
	case 2:
		data := m.SetEmptyHistogram()
		data.SetAggregationTemporality(temporality)
		for range points {
			g.histogramPoint(data.DataPoints().AppendEmpty())
		}
	case 3:
		data := m.SetEmptyExponentialHistogram()
		data.SetAggregationTemporality(temporality)
		for range points {
			g.exponentialPoint(data.DataPoints().AppendEmpty())
		}
	case 4:
		data := m.SetEmptySummary()
		for range points {
			p := data.DataPoints().AppendEmpty()
			g.attributes(p.Attributes(), attributeDepth)
			p.SetStartTimestamp(g.time())
			p.SetTimestamp(g.time())
			p.SetCount(g.u64())
			p.SetSum(g.f64())
			p.SetFlags(pmetric.DataPointFlags(g.u32()))
			for range g.n(3) {
				q := p.QuantileValues().AppendEmpty()
				q.SetQuantile(g.f64())
				q.SetValue(g.f64())
			}
		}
	}
}

func (g generator) numbers(points pmetric.NumberDataPointSlice, n int) {
	for range n {
		p := points.AppendEmpty()
		g.attributes(p.Attributes(), attributeDepth)
		p.SetStartTimestamp(g.time())
		p.SetTimestamp(g.time())
		switch g.n(2) {
		case 0:
			p.SetIntValue(g.i64())
		case 1:
			p.SetDoubleValue(g.f64())
		}
		p.SetFlags(pmetric.DataPointFlags(g.u32()))
		g.exemplars(p.Exemplars())
	}
}

func (g generator) exemplars(exemplars pmetric.ExemplarSlice) {
	for range g.n(2) {
		e := exemplars.AppendEmpty()
		g.attributes(e.FilteredAttributes(), attributeDepth)
		e.SetTimestamp(g.time())
		switch g.n(2) {
		case 0:
			e.SetIntValue(g.i64())
		case 1:
			e.SetDoubleValue(g.f64())
		}
		e.SetTraceID(g.traceID())
		e.SetSpanID(g.spanID())
	}
}

func (g generator) histogramPoint(p pmetric.HistogramDataPoint) {
	g.attributes(p.Attributes(), attributeDepth)
	p.SetStartTimestamp(g.time())
	p.SetTimestamp(g.time())
	p.SetCount(g.u64())
	p.SetFlags(pmetric.DataPointFlags(g.u32()))
	g.exemplars(p.Exemplars())
	for range g.n(40) {
		p.BucketCounts().Append(g.u64())
		p.ExplicitBounds().Append(g.f64())
	}
	if g.often() {
		p.SetSum(g.f64())
	}
	if g.often() {
		p.SetMin(g.f64())
		p.SetMax(g.f64())
	}
}

func (g generator) exponentialPoint(p pmetric.ExponentialHistogramDataPoint) {
	g.attributes(p.Attributes(), attributeDepth)
	p.SetStartTimestamp(g.time())
	p.SetTimestamp(g.time())
	p.SetCount(g.u64())
	p.SetScale(g.i32())
	p.SetZeroCount(g.u64())
	p.SetZeroThreshold(g.f64())
	p.SetFlags(pmetric.DataPointFlags(g.u32()))
	g.exemplars(p.Exemplars())
	for _, b := range []pmetric.ExponentialHistogramDataPointBuckets{p.Positive(), p.Negative()} {
		b.SetOffset(g.i32())
		for range g.n(40) {
			b.BucketCounts().Append(g.u64())
		}
	}
	if g.often() {
		p.SetSum(g.f64())
	}
	if g.often() {
		p.SetMin(g.f64())
		p.SetMax(g.f64())
	}
}
