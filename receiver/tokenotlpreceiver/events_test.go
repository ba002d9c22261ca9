package tokenotlpreceiver

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/spanlake/spanlake/internal/attr"
)

func TestEventsBecomeRecords(t *testing.T) {
	h := start(t, options{})
	for _, contentType := range []string{"", "application/json", "application/x-ndjson", "application/x-www-form-urlencoded", "text/plain", "application/x-protobuf", "nonsense"} {
		h.logSink.Reset()
		got := h.post("/", contentType, []byte("{\"message\":\"hello\",\"context\":{\"trace_id\":\"0123\"},\"spanlake.source\":\"other\"}\n{\"message\":\"bye\"}\n"))
		require.Equal(t, http.StatusAccepted, got.status)
		require.Equal(t, "application/json", got.headers.Get("Content-Type"))
		require.Equal(t, "{}", got.body)

		require.Equal(t, 2, h.items())
		rl := h.logSink.AllLogs()[0].ResourceLogs().At(0)
		require.Equal(t, map[string]any{attr.Source: "shop"}, rl.Resource().Attributes().AsRaw())
		record := rl.ScopeLogs().At(0).LogRecords().At(0)
		require.Equal(t, map[string]any{"message": "hello", "context": map[string]any{"trace_id": "0123"}}, record.Body().Map().AsRaw())
		require.Equal(t, pcommon.NewTimestampFromTime(testTime), record.ObservedTimestamp())
		require.Zero(t, record.Timestamp(), "set by log_correlation, from the event")
		require.Zero(t, record.Attributes().Len())
	}
}

func TestEventAnswers(t *testing.T) {
	for _, test := range []struct {
		name, body string
		status     int
		answer     string
		items      int
	}{
		{"object", `{"a":1}`, 202, `{}`, 1},
		{"array", `[{"a":1},{"a":2}]`, 202, `{}`, 2},
		{"lines", "{\"a\":1}\n{\"a\":2}\n", 202, `{}`, 2},
		{"nothing", "", 202, `{}`, 0},
		{"empty array", "[]", 202, `{}`, 0},
		{"some bad", "{\"a\":1}\nhello\n{\"a\":2}\n{\"a\":\n", 202, `{"accepted":2,"rejected":2,"errors":[{"line":2,"message":"an event must be a JSON object"},{"line":4,"message":"unexpected end"}]}`, 2},
		{"one, bad", "\n\n{\"a\":tru}", 400, `{"code":3,"message":"no event could be read: line 3: unexpected 't' where true, false or null should be"}`, 0},
		{"all bad", "a\nb\nc", 400, `{"code":3,"message":"no event could be read: line 1: an event must be a JSON object (and 2 more)"}`, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := start(t, options{})
			got := h.post("/", "", []byte(test.body))
			require.Equal(t, test.status, got.status)
			require.Equal(t, test.answer, got.body)
			require.Equal(t, "application/json", got.headers.Get("Content-Type"))
			require.Equal(t, test.items, h.items())
		})
	}
}
