package tokenotlpreceiver

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/spanlake/spanlake/internal/attr"
	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/metadata"
)

// FuzzHTTP sends any body to every path: the answer is one of the contract, and
// what arrives bears no reserved key but the stamp.
func FuzzHTTP(f *testing.F) {
	for s := range signals {
		f.Add(uint8(s), false, jsonOf(f, requestOf(s)))
		f.Add(uint8(s), true, protoOf(f, requestOf(s)))
	}
	f.Add(uint8(3), false, []byte("{\"a\":1}\n[{\"spanlake.source\":2}]\nx"))
	f.Add(uint8(0), true, deepBody(100))
	h := newFuzzed(f)
	f.Fuzz(func(t *testing.T, path uint8, proto bool, body []byte) {
		h.traceSink.Reset()
		h.logSink.Reset()
		h.metricSink.Reset()
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, append(paths[:], eventsPath)[int(path)%4], bytes.NewReader(body))
		req.Header.Set("Authorization", "Bearer "+shopToken)
		req.Header.Set("Content-Type", jsonType)
		if proto {
			req.Header.Set("Content-Type", protoType)
		}
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, req)
		require.Contains(t, []int{200, 202, 400, 413}, rec.Code)
		if rec.Code >= 400 {
			require.Zero(t, h.items())
		}
		h.checkStamps(t)
		require.Zero(t, h.bodies.Budget.Used())
	})
}

type fuzzed struct {
	*harness
	*httpHandler
}

// newFuzzed is a handler without a server.
func newFuzzed(f *testing.F) fuzzed {
	f.Helper()
	h := &harness{t: f}
	h.cfg = testConfig()
	h.cfg.MaxDecodedSizeMiB = 1
	r, err := newTokenReceiver(h.cfg, receivertest.NewNopSettings(metadata.Type), nowForTests, func() {})
	require.NoError(f, err)
	h.newSinks()
	r.next = consumers{traces: h.traceSink, logs: h.logSink, metrics: h.metricSink}
	h.receiver = r
	f.Cleanup(func() { require.NoError(f, r.Shutdown(context.Background())) })
	return fuzzed{h, &httpHandler{ingest: r.ingest, tokens: r.tokens, bodies: r.bodies}}
}

func (h fuzzed) checkStamps(t *testing.T) {
	t.Helper()
	resource := func(r pcommon.Resource) {
		for key, value := range r.Attributes().All() {
			if strings.HasPrefix(key, attr.Prefix) {
				require.Equal(t, attr.Source, key)
				require.Equal(t, "shop", value.Str())
			}
		}
	}
	none := func(m pcommon.Map) {
		for key := range m.All() {
			require.False(t, attr.Reserved(key), key)
		}
	}
	for _, td := range h.traceSink.AllTraces() {
		for _, rs := range td.ResourceSpans().All() {
			resource(rs.Resource())
			for _, ss := range rs.ScopeSpans().All() {
				none(ss.Scope().Attributes())
				for _, span := range ss.Spans().All() {
					none(span.Attributes())
				}
			}
		}
	}
	for _, ld := range h.logSink.AllLogs() {
		for _, rl := range ld.ResourceLogs().All() {
			resource(rl.Resource())
			for _, sl := range rl.ScopeLogs().All() {
				none(sl.Scope().Attributes())
				for _, record := range sl.LogRecords().All() {
					none(record.Attributes())
					if record.Body().Type() == pcommon.ValueTypeMap {
						none(record.Body().Map())
					}
				}
			}
		}
	}
	for _, md := range h.metricSink.AllMetrics() {
		for _, rm := range md.ResourceMetrics().All() {
			resource(rm.Resource())
		}
	}
}
