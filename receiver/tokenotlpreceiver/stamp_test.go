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

func forgedTraces() ptrace.Traces {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	forge(rs.Resource().Attributes())
	ss := rs.ScopeSpans().AppendEmpty()
	forge(ss.Scope().Attributes())
	span := ss.Spans().AppendEmpty()
	span.SetTraceID([16]byte{1})
	span.SetSpanID([8]byte{1})
	forge(span.Attributes())
	forge(span.Events().AppendEmpty().Attributes())
	forge(span.Links().AppendEmpty().Attributes())
	return td
}

func forgedLogs() plog.Logs {
	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	forge(rl.Resource().Attributes())
	sl := rl.ScopeLogs().AppendEmpty()
	forge(sl.Scope().Attributes())
	record := sl.LogRecords().AppendEmpty()
	forge(record.Attributes())
	forge(record.Body().SetEmptyMap())
	return ld
}

func forgedMetrics() pmetric.Metrics {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	forge(rm.Resource().Attributes())
	sm := rm.ScopeMetrics().AppendEmpty()
	forge(sm.Scope().Attributes())
	add := func() pmetric.Metric {
		m := sm.Metrics().AppendEmpty()
		forge(m.Metadata())
		return m
	}
	gauge := add().SetEmptyGauge().DataPoints().AppendEmpty()
	forge(gauge.Attributes())
	forge(gauge.Exemplars().AppendEmpty().FilteredAttributes())
	forge(add().SetEmptySum().DataPoints().AppendEmpty().Attributes())
	forge(add().SetEmptyHistogram().DataPoints().AppendEmpty().Attributes())
	forge(add().SetEmptyExponentialHistogram().DataPoints().AppendEmpty().Attributes())
	forge(add().SetEmptySummary().DataPoints().AppendEmpty().Attributes())
	return md
}

func TestReservedKeysOfClientsAreRemovedEverywhere(t *testing.T) {
	for _, test := range []struct {
		signal signal
		req    marshaler
		kept   int // maps that were forged
	}{
		{traces, ptraceotlp.NewExportRequestFromTraces(forgedTraces()), 5},
		{logs, plogotlp.NewExportRequestFromLogs(forgedLogs()), 4},
		{metrics, pmetricotlp.NewExportRequestFromMetrics(forgedMetrics()), 13},
	} {
		for name, send := range map[string]func(h *harness){
			"http json": func(h *harness) {
				require.Equal(t, 200, h.post(paths[test.signal], jsonType, jsonOf(t, test.req)).status)
			},
			"http json with escapes": func(h *harness) {
				body := strings.ReplaceAll(string(jsonOf(t, test.req)), "spanlake.", `\u0073panlake\u002e`)
				require.Equal(t, 200, h.post(paths[test.signal], jsonType, []byte(body)).status)
			},
			"http protobuf": func(h *harness) {
				require.Equal(t, 200, h.post(paths[test.signal], protoType, protoOf(t, test.req)).status)
			},
			"grpc": func(h *harness) {
				_, err := h.send(h.withToken(shopToken), exportMethod(test.signal), protoOf(t, test.req))
				require.NoError(t, err)
			},
		} {
			t.Run(test.signal.String()+"/"+name, func(t *testing.T) {
				h := start(t, options{})
				send(h)
				got := h.received(test.signal)
				require.Equal(t, 1, strings.Count(got, "spanlake."), "the stamp alone: %s", got)
				require.Contains(t, got, `{"key":"spanlake.source","value":{"stringValue":"shop"}}`)
				require.Equal(t, test.kept, strings.Count(got, `"kept"`))
			})
		}
	}
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
