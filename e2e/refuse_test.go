package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/spanlake/spanlake/internal/scrape"
)

// spanJSON is an OTLP request with one span, which has no end where end is zero.
func spanJSON(traceID, spanID, parent, name string, start, end time.Time) string {
	ends := ""
	if !end.IsZero() {
		ends = fmt.Sprintf(`, "endTimeUnixNano": "%d"`, end.UnixNano())
	}
	return fmt.Sprintf(`{"resourceSpans": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "e2e"}}]},
		"scopeSpans": [{"spans": [{"traceId": %q, "spanId": %q, "parentSpanId": %q, "name": %q, "kind": 2, "startTimeUnixNano": "%d"%s}]}]}]}`,
		traceID, spanID, parent, name, start.UnixNano(), ends)
}

// logJSON is an OTLP request with one log record for each body.
func logJSON(at time.Time, bodies ...string) string {
	var records []string
	for _, body := range bodies {
		records = append(records, fmt.Sprintf(`{"timeUnixNano": "%d", "body": {"stringValue": %q}}`, at.UnixNano(), body))
	}
	return `{"resourceLogs": [{"scopeLogs": [{"logRecords": [` + strings.Join(records, ",") + `]}]}]}`
}

func TestASpanInProgressIsCountedAndNotStored(t *testing.T) {
	c := startCollector(t, t.TempDir())
	const traceID = "11111111111111111111111111111111"
	now := time.Now()
	for _, body := range []string{
		spanJSON(traceID, "aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb", "in progress", now, time.Time{}),
		spanJSON(traceID, "bbbbbbbbbbbbbbbb", "", "done", now, now.Add(time.Millisecond)),
	} {
		got := c.post(t, "/v1/traces", body)
		require.Equal(t, "200 {}", got.line())
		require.Equal(t, contentType, got.header.Get("Content-Type"))
	}
	require.Equal(t, []row{{"name": "done"}}, waitRows(t, c.lake(), 1, "select name from spans"))
	require.Equal(t, 1, c.sum(t, "otelcol_processor_trace_sampling_dropped_spans", `reason="in_progress"`))

	c.stop(t)
	require.Equal(t, []row{{"name": "done"}}, mustQuery(t, c.lake(), "select name from spans"))
}

// sum adds up a metric of the collector itself over its series that have all of
// the labels. One that is not there is zero.
func (c *collector) sum(t *testing.T, name string, labels ...string) int {
	t.Helper()
	metrics, err := scrape.Get(t.Context(), c.ports.telemetry)
	require.NoError(t, err)
	return metrics.Sum(name, labels...)
}

func TestAWrongTokenStoresNothing(t *testing.T) {
	c := startCollector(t, t.TempDir())
	now := time.Now()
	span := spanJSON("22222222222222222222222222222222", "cccccccccccccccc", "", "secret", now, now.Add(1))
	for name, authorization := range map[string]string{
		"none":         "",
		"wrong":        "Bearer " + token + "x",
		"prefix":       "Bearer " + token[:len(token)-1],
		"empty":        "Bearer ",
		"wrong scheme": "Basic " + token,
		"bare":         token,
	} {
		t.Run(name, func(t *testing.T) {
			for path, body := range map[string]string{"/v1/traces": span, "/v1/logs": logJSON(now, "secret"), "/": `{"message": "secret"}`} {
				got := c.postAs(t, authorization, path, body)
				require.Equal(t, `401 {"message":"Unauthorized"}`, got.line())
				require.Equal(t, "Bearer", got.header.Get("WWW-Authenticate"))
			}
		})
	}
	t.Run("grpc", func(t *testing.T) {
		exporter, err := otlptracegrpc.New(t.Context(), otlptracegrpc.WithEndpoint(c.ports.grpc), otlptracegrpc.WithInsecure(),
			otlptracegrpc.WithHeaders(map[string]string{"Authorization": "Bearer wrong"}))
		require.NoError(t, err)
		spans := tracetest.SpanStubs{{Name: "secret", StartTime: now, EndTime: now.Add(1)}}.Snapshots()
		err = exporter.ExportSpans(t.Context(), spans)
		require.Equal(t, codes.Unauthenticated, status.Code(err), "%v", err)
		require.NoError(t, exporter.Shutdown(t.Context()))
	})

	c.stop(t)
	require.Equal(t, []row{{"spans": number(0), "logs": number(0)}},
		mustQuery(t, c.lake(), "select (select count(*) from spans) as spans, (select count(*) from logs) as logs"))
	require.NotContains(t, c.Said(), token, "a token in the log")
}
