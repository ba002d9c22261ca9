package tokenotlpreceiver

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/metadatatest"
)

const (
	traceDigits = "4bf92f3577b34da6a3ce929d0e0e4736"
	spanDigits  = "00f067aa0ba902b7"
)

// spansJSON is a request of spans that are given as the members of their objects.
func spansJSON(spans ...string) []byte {
	return []byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[{` + strings.Join(spans, "},{") + `}]}]}]}`)
}

// spansProto is a request of spans that are given by IDs as they are on the
// wire, and name.
func spansProto(spans ...[3]string) []byte {
	field := func(n protowire.Number, v []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, n, protowire.BytesType), v)
	}
	var scope []byte
	for _, s := range spans {
		span := append(field(1, []byte(s[0])), field(2, []byte(s[1]))...)
		scope = append(scope, field(2, append(span, field(5, []byte(s[2]))...))...)
	}
	return field(1, field(2, scope))
}

func rawIDs() (trace, span string) {
	t, _ := hex.DecodeString(traceDigits)
	s, _ := hex.DecodeString(spanDigits)
	return string(t), string(s)
}

func TestOneBadSpanOfAThousandCostsOneSpan(t *testing.T) {
	const message = `1 of 1000 spans rejected (span ID zero: 1); the first is resourceSpans[0].scopeSpans[0].spans[417], named "GET /cart"`
	trace, span := rawIDs()
	inProto, inJSON := make([][3]string, 1000), make([]string, 1000)
	for i := range 1000 {
		inProto[i] = [3]string{trace, span, "good"}
		inJSON[i] = fmt.Sprintf(`"traceId":%q,"spanId":%q,"name":"good"`, traceDigits, spanDigits)
	}
	inProto[417] = [3]string{trace, "\x00\x00\x00\x00\x00\x00\x00\x00", "GET /cart"}
	inJSON[417] = fmt.Sprintf(`"traceId":%q,"spanId":"0000000000000000","name":"GET /cart"`, traceDigits)

	for name, send := range map[string]func(t *testing.T, h *harness){
		"http json": func(t *testing.T, h *harness) {
			t.Helper()
			got := h.post("/v1/traces", jsonType, spansJSON(inJSON...))
			require.Equal(t, 200, got.status)
			require.Equal(t, jsonType, got.headers.Get("Content-Type"))
			require.JSONEq(t, fmt.Sprintf(`{"partialSuccess":{"rejectedSpans":"1","errorMessage":%q}}`, message), got.body)
		},
		"http protobuf": func(t *testing.T, h *harness) {
			t.Helper()
			got := h.post("/v1/traces", protoType, spansProto(inProto...))
			require.Equal(t, 200, got.status)
			require.Equal(t, protoType, got.headers.Get("Content-Type"))
			requirePartial(t, []byte(got.body), 1, message)
		},
		"grpc": func(t *testing.T, h *harness) {
			t.Helper()
			got, err := h.send(h.withToken(shopToken), exportMethod(traces), spansProto(inProto...))
			require.NoError(t, err)
			requirePartial(t, got, 1, message)
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := start(t, options{})
			send(t, h)
			require.Equal(t, 999, h.traceSink.SpanCount())
		})
	}
}

func requirePartial(t *testing.T, body []byte, rejected int64, message string) {
	t.Helper()
	response := ptraceotlp.NewExportResponse()
	require.NoError(t, response.UnmarshalProto(body))
	require.Equal(t, rejected, response.PartialSuccess().RejectedSpans())
	require.Equal(t, message, response.PartialSuccess().ErrorMessage())
}

func TestRequestOfBadSpansOnlyIsAnswered(t *testing.T) {
	h := start(t, options{})
	got := h.post("/v1/traces", jsonType, spansJSON(`"name":"a"`, `"name":"b","traceId":null,"spanId":""`))
	require.Equal(t, 200, got.status)
	require.JSONEq(t, `{"partialSuccess":{"rejectedSpans":"2","errorMessage":"2 of 2 spans rejected (trace ID missing: 2); `+
		`the first is resourceSpans[0].scopeSpans[0].spans[0], named \"a\""}}`, got.body)
	require.Empty(t, h.traceSink.AllTraces())
}

func TestRefusedRequestIsNotPartlyTaken(t *testing.T) {
	h := start(t, options{next: failingWith(errors.New("full"))})
	got := h.post("/v1/traces", jsonType, spansJSON(`"name":"a"`, fmt.Sprintf(`"traceId":%q,"spanId":%q`, traceDigits, spanDigits)))
	require.Equal(t, 503, got.status)
	// The client sends all of it again: the bad span is told of then.
	_, err := h.telemetry.GetMetric("otelcol_token_otlp_repairs")
	require.Error(t, err)
}

func TestRepairsAreCounted(t *testing.T) {
	h := start(t, options{})
	trace, span := rawIDs()
	require.Equal(t, 200, h.post("/v1/traces", protoType, spansProto(
		[3]string{traceDigits, span, "n\xffame"}, [3]string{trace, spanDigits, "x"}, [3]string{"?", span, "bad"},
	)).status)
	require.Equal(t, 200, h.post("/v1/logs", jsonType, []byte(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"traceId":"?","spanId":"APBnqgupArc="}]}]}]}`)).status)
	require.Equal(t, 2, h.traceSink.SpanCount())
	spans := h.traceSink.AllTraces()[0].ResourceSpans().At(0).ScopeSpans().At(0).Spans()
	require.Equal(t, pcommon.TraceID([]byte(trace)), spans.At(0).TraceID())
	require.Equal(t, "n\uFFFDame", spans.At(0).Name())
	require.Equal(t, pcommon.SpanID([]byte(span)), spans.At(1).SpanID())
	record := h.logSink.AllLogs()[0].ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
	require.True(t, record.TraceID().IsEmpty())
	require.Equal(t, pcommon.SpanID([]byte(span)), record.SpanID())

	point := func(n int64, signal, last, value string) metricdata.DataPoint[int64] {
		return metricdata.DataPoint[int64]{Value: n, Attributes: attribute.NewSet(
			attribute.String("source", "shop"), attribute.String("signal", signal),
			attribute.String("transport", "http"), attribute.String(last, value),
		)}
	}
	metadatatest.AssertEqualTokenOtlpRepairs(t, h.telemetry, []metricdata.DataPoint[int64]{
		point(2, "traces", "repair", "id_read"),
		point(1, "traces", "repair", "utf8_replaced"),
		point(1, "logs", "repair", "id_read"),
		point(1, "logs", "repair", "id_dropped"),
	}, metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())
	metadatatest.AssertEqualTokenOtlpRejectedItems(t, h.telemetry, []metricdata.DataPoint[int64]{
		point(1, "traces", "reason", "bad_id"),
	}, metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())
}
