package tokenotlpreceiver

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
)

// forge puts reserved keys, and one that is not, into m.
func forge(m pcommon.Map) {
	m.PutStr("spanlake.source", "billing")
	m.PutStr("kept", "x")
	m.PutStr("spanlake.retention", "../../x")
	m.PutDouble("spanlake.adjusted_count", 1e9)
}

func forgedTraces(put func(pcommon.Map)) ptrace.Traces {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	put(rs.Resource().Attributes())
	ss := rs.ScopeSpans().AppendEmpty()
	put(ss.Scope().Attributes())
	span := ss.Spans().AppendEmpty()
	span.SetTraceID([16]byte{1})
	span.SetSpanID([8]byte{1})
	put(span.Attributes())
	put(span.Events().AppendEmpty().Attributes())
	put(span.Links().AppendEmpty().Attributes())
	return td
}

func forgedLogs(put func(pcommon.Map)) plog.Logs {
	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	put(rl.Resource().Attributes())
	sl := rl.ScopeLogs().AppendEmpty()
	put(sl.Scope().Attributes())
	record := sl.LogRecords().AppendEmpty()
	put(record.Attributes())
	put(record.Body().SetEmptyMap())
	return ld
}

func forgedMetrics(put func(pcommon.Map)) pmetric.Metrics {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	put(rm.Resource().Attributes())
	sm := rm.ScopeMetrics().AppendEmpty()
	put(sm.Scope().Attributes())
	add := func() pmetric.Metric {
		m := sm.Metrics().AppendEmpty()
		put(m.Metadata())
		return m
	}
	gauge := add().SetEmptyGauge().DataPoints().AppendEmpty()
	put(gauge.Attributes())
	put(gauge.Exemplars().AppendEmpty().FilteredAttributes())
	put(add().SetEmptySum().DataPoints().AppendEmpty().Attributes())
	put(add().SetEmptyHistogram().DataPoints().AppendEmpty().Attributes())
	put(add().SetEmptyExponentialHistogram().DataPoints().AppendEmpty().Attributes())
	put(add().SetEmptySummary().DataPoints().AppendEmpty().Attributes())
	return md
}

// received returns what the sink of a signal has, as JSON.
func (h *harness) received(s signal) string {
	h.t.Helper()
	var all []string
	switch s {
	case traces:
		for _, td := range h.traceSink.AllTraces() {
			all = append(all, string(jsonOf(h.t, ptraceotlp.NewExportRequestFromTraces(td))))
		}
	case logs:
		for _, ld := range h.logSink.AllLogs() {
			all = append(all, string(jsonOf(h.t, plogotlp.NewExportRequestFromLogs(ld))))
		}
	default:
		for _, md := range h.metricSink.AllMetrics() {
			all = append(all, string(jsonOf(h.t, pmetricotlp.NewExportRequestFromMetrics(md))))
		}
	}
	return strings.Join(all, "\n")
}

func TestConformantRequestArrivesAsTheStockReceiverWouldDecodeIt(t *testing.T) {
	stamp := func(m pcommon.Map) { m.PutStr("spanlake.source", "shop") }
	h := start(t, options{})
	for _, body := range conformantJSON {
		require.True(t, json.Valid([]byte(body)))
		want := ptraceotlp.NewExportRequest()
		require.NoError(t, want.UnmarshalJSON([]byte(body)), body)
		wire := protoOf(t, want)
		for _, rs := range want.Traces().ResourceSpans().All() {
			stamp(rs.Resource().Attributes())
		}
		check := func() {
			require.Equal(t, string(jsonOf(t, want)), h.received(traces))
			h.traceSink.Reset()
		}
		require.Equal(t, 200, h.post("/v1/traces", jsonType, []byte(body)).status)
		check()
		require.Equal(t, 200, h.post("/v1/traces", protoType, wire).status)
		check()
		_, err := h.send(h.withToken(shopToken), exportMethod(traces), wire)
		require.NoError(t, err)
		check()
	}
}

// conformantJSON has what senders vary in.
var conformantJSON = []string{
	`{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"cart"}}]},"scopeSpans":[{"scope":{"name":"lib","version":"1"},"spans":[{"traceId":"0102030405060708090a0b0c0d0e0f10","spanId":"0102030405060708","parentSpanId":"","name":"GET","kind":2,"startTimeUnixNano":"1700000000000000001","endTimeUnixNano":"1700000000000000002","attributes":[{"key":"i","value":{"intValue":"9223372036854775807"}},{"key":"d","value":{"doubleValue":1.5}},{"key":"b","value":{"boolValue":true}},{"key":"y","value":{"bytesValue":"AAEC"}},{"key":"a","value":{"arrayValue":{"values":[{"stringValue":"x"},{}]}}},{"key":"m","value":{"kvlistValue":{"values":[{"key":"k","value":{"intValue":1}}]}}}],"events":[{"timeUnixNano":"5","name":"exception","attributes":[{"key":"exception.message","value":{"stringValue":"a \"b\" \\ \u00e9 😀"}}]}],"links":[{"traceId":"0102030405060708090A0B0C0D0E0F10","spanId":"0102030405060709"}],"status":{"code":2,"message":"bad"},"flags":1,"traceState":"a=b"}],"schemaUrl":"x"}]}]}`,
	"{ \"resource_spans\" : [ {\n\t\"scope_spans\": [ {\r\n \"spans\": [ { \"trace_id\": \"0102030405060708090a0b0c0d0e0f10\", \"span_id\": \"0102030405060708\", \"name\": \"snake\", \"kind\": \"SPAN_KIND_SERVER\", \"unknown\": {\"deep\":[[[{}]]]} } ] } ] } ] }",
	`{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"0102030405060708090a0b0c0d0e0f10","spanId":"0102030405060701","name":"a","attributes":[]},{"traceId":"0102030405060708090a0b0c0d0e0f10","spanId":"0102030405060702","name":"b","events":[],"links":[],"droppedAttributesCount":3}]},{"spans":[{"traceId":"0102030405060708090a0b0c0d0e0f10","spanId":"0102030405060703","name":"c"}]}]},{"scopeSpans":[{"spans":[{"traceId":"0102030405060708090a0b0c0d0e0f10","spanId":"0102030405060704","name":"d"}]}]}]}`,
}
