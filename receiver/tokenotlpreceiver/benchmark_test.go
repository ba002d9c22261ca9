package tokenotlpreceiver

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/metadata"
	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/otlptest"
	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/wire"
)

func benchIngest(b *testing.B) *tokenReceiver {
	b.Helper()
	r, err := newTokenReceiver(testConfig(), receivertest.NewNopSettings(metadata.Type), nowForTests, func() {})
	require.NoError(b, err)
	nop := consumertest.NewNop()
	r.next = consumers{traces: nop, logs: nop, metrics: nop}
	b.Cleanup(func() { require.NoError(b, r.Shutdown(context.Background())) })
	return r
}

// BenchmarkExport is what a request costs behind the servers, copied once; "decode only" is
// what pdata alone would take, as in the stock receiver.
func BenchmarkExport(b *testing.B) {
	for s := range signals {
		for _, e := range []encoding{inProtobuf, inJSON} {
			body := protoOf(b, otlptest.Usual(wireSignals[s]))
			if e == inJSON {
				body = jsonOf(b, otlptest.Usual(wireSignals[s]))
			}
			r := benchIngest(b)
			req := request{source: newSource("shop"), signal: s, transport: overHTTP, encoding: e}
			b.Run(fmt.Sprintf("%s/%s", s, e), func(b *testing.B) {
				b.SetBytes(int64(len(body)))
				b.ReportAllocs()
				for b.Loop() {
					var err error
					if req.body, err = r.bodies.Read("", bytes.NewReader(body), int64(len(body))); err != nil {
						b.Fatal(err)
					}
					if _, err = r.ingest.export(context.Background(), req); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.Run(fmt.Sprintf("%s/%s decode only", s, e), func(b *testing.B) {
				b.SetBytes(int64(len(body)))
				b.ReportAllocs()
				for b.Loop() {
					if err := decode(s, e, body); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func decode(s signal, e encoding, body []byte) error {
	req := otlptest.New(wireSignals[s])
	if e == inJSON {
		return req.UnmarshalJSON(body)
	}
	return req.UnmarshalProto(body)
}

// BenchmarkHTTP includes the handler and decompression.
func BenchmarkHTTP(b *testing.B) {
	events := []byte(strings.Repeat(`{"dt":"2026-11-21T09:30:00Z","level":"info","message":"order paid","context":{"trace_id":"0123456789abcdef0123456789abcdef"}}`+"\n", otlptest.Items))
	for _, test := range []struct {
		name, path, contentType, coding string
		body                            []byte
	}{
		{"traces/protobuf", "/v1/traces", protoType, "", protoOf(b, otlptest.Usual(wire.Traces))},
		{"traces/protobuf+gzip", "/v1/traces", protoType, "gzip", protoOf(b, otlptest.Usual(wire.Traces))},
		{"traces/protobuf+zstd", "/v1/traces", protoType, "zstd", protoOf(b, otlptest.Usual(wire.Traces))},
		{"events", "/", jsonType, "", events},
	} {
		r := benchIngest(b)
		handler := &httpHandler{ingest: r.ingest, tokens: r.tokens, bodies: r.bodies}
		body := test.body
		if test.coding != "" {
			body = compress(b, test.coding, body)
		}
		b.Run(test.name, func(b *testing.B) {
			b.SetBytes(int64(len(test.body)))
			b.ReportAllocs()
			for b.Loop() {
				req := httptest.NewRequestWithContext(context.Background(), http.MethodPost, test.path, bytes.NewReader(body))
				req.Header.Set("Authorization", "Bearer "+shopToken)
				req.Header.Set("Content-Type", test.contentType)
				req.Header.Set("Content-Encoding", test.coding)
				rec := httptest.NewRecorder()
				handler.ServeHTTP(rec, req)
				if rec.Code >= 300 {
					b.Fatal(rec.Code, rec.Body)
				}
			}
		})
	}
}
