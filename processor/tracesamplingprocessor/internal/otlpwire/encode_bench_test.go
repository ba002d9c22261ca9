package otlpwire_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/otlpwire"
)

const (
	benchmarkRequests = 200
	requestSpans      = 100
)

// BenchmarkEncode takes requests in turn, so that they are no more in the CPU's
// caches than a request just decoded is.
func BenchmarkEncode(b *testing.B) {
	requests := make([]ptrace.Traces, benchmarkRequests)
	random := rand.New(rand.NewPCG(1, 1))
	for i := range requests {
		requests[i] = unmarshal(b, marshal(b, serviceRequest(random)))
	}
	b.Run("encoder", func(b *testing.B) {
		var e otlpwire.Encoder
		benchmarkEncode(b, requests, e.Encode)
	})
	b.Run("pdata", func(b *testing.B) {
		benchmarkEncode(b, requests, func(td ptrace.Traces) []byte { return marshal(b, td) })
	})
}

func benchmarkEncode(b *testing.B, requests []ptrace.Traces, encode func(ptrace.Traces) []byte) {
	b.Helper()
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		b.SetBytes(int64(len(encode(requests[i%len(requests)]))))
		i++
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N*requestSpans), "ns/span")
}

// serviceRequest is what a service exports at a time: two scopes, 8 to 15
// attributes a span, an event in one of a hundred.
func serviceRequest(random *rand.Rand) ptrace.Traces {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	a := rs.Resource().Attributes()
	a.PutStr("service.name", "service-1")
	a.PutStr("service.version", "1.14.2")
	a.PutStr("k8s.pod.name", "service-1-6b9f7c5d8-x2x9q")
	a.PutStr("telemetry.sdk.name", "opentelemetry")
	a.PutStr("telemetry.sdk.language", "go")
	rs.ScopeSpans().AppendEmpty().Scope().SetName("go.opentelemetry.io/contrib/net/http/otelhttp")
	rs.ScopeSpans().AppendEmpty().Scope().SetName("database/sql")
	for i := range requestSpans {
		fillServerSpan(rs.ScopeSpans().At(i%2).Spans().AppendEmpty(), random)
	}
	return td
}

func fillServerSpan(s ptrace.Span, random *rand.Rand) {
	s.SetTraceID([16]byte{1: byte(random.Uint32()), 15: 1})
	s.SetSpanID([8]byte{1: byte(random.Uint32()), 7: 1})
	s.SetParentSpanID([8]byte{7: 2})
	s.SetName("GET /items/{id}")
	s.SetKind(ptrace.SpanKindServer)
	start := pcommon.Timestamp(1_700_000_000_000_000_000 + random.Int64N(8e8))
	s.SetStartTimestamp(start)
	s.SetEndTimestamp(start + pcommon.Timestamp(random.Int64N(5e7)))
	a := s.Attributes()
	a.PutStr("http.request.method", "GET")
	a.PutInt("http.response.status_code", 200)
	a.PutStr("server.address", "service.default.svc.cluster.local")
	a.PutInt("server.port", 8080)
	a.PutStr("network.protocol.version", "1.1")
	a.PutStr("user_agent.original", "Go-http-client/1.1")
	a.PutStr("client.address", "10.4.17.221")
	a.PutInt("thread.id", random.Int64N(64))
	for j := range random.IntN(6) {
		a.PutStr(fmt.Sprintf("app.attribute.%d", j), fmt.Sprintf("value-%d", random.Uint32()))
	}
	if random.IntN(100) == 0 {
		s.Status().SetCode(ptrace.StatusCodeError)
		e := s.Events().AppendEmpty()
		e.SetName("exception")
		e.SetTimestamp(start)
		e.Attributes().PutStr("exception.type", "TimeoutError")
		e.Attributes().PutStr("exception.message", "deadline exceeded after 5000 ms")
	}
}

func unmarshal(tb testing.TB, otlp []byte) ptrace.Traces {
	tb.Helper()
	td, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(otlp)
	require.NoError(tb, err)
	return td
}
