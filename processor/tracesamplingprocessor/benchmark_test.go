package tracesamplingprocessor

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/tailsamplingprocessor"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processortest"
)

// The same classes in the words of each. Contrib is spared the exclusions that
// make its decisions equal to first-match-wins; it stops at the first match.
const (
	ourClasses = `
decision_wait: 1h
root_wait: 1h
shutdown_timeout: 10m
memory_limit_mib: 4096
classes:
  - {name: errors, match: {status: error}, keep: 100%}
  - {name: slow, match: {min_duration: 1s}, keep: 100%}
  - {name: health, match: {routes: ["/health"]}, keep: 0.1%}
  - {name: checkout, match: {routes: ["/checkout"], services: [service-0]}, keep: 50%}
  - {name: normal, keep: 5%}
`
	contribPolicies = `
decision_wait: 1h
num_traces: 1000000
sample_on_first_match: true
policies:
  - {name: errors, type: status_code, status_code: {status_codes: [ERROR]}}
  - {name: slow, type: latency, latency: {threshold_ms: 1000}}
  - name: health
    type: and
    and: {and_sub_policy: [
      {name: r, type: string_attribute, string_attribute: {key: http.route, values: [/health]}},
      {name: p, type: probabilistic, probabilistic: {sampling_percentage: 0.1}}]}
  - name: checkout
    type: and
    and: {and_sub_policy: [
      {name: r, type: string_attribute, string_attribute: {key: http.route, values: [/checkout]}},
      {name: s, type: string_attribute, string_attribute: {key: service.name, values: [service-0]}},
      {name: p, type: probabilistic, probabilistic: {sampling_percentage: 50}}]}
  - {name: normal, type: probabilistic, probabilistic: {sampling_percentage: 5}}
`
)

// BenchmarkAgainstTailSampling runs the same requests through both processors, one
// after the other, from the decoded request to the next component. It reports CPU
// time, garbage collection included, less that of decoding, and the live heap
// while every trace is undecided. The third run is ours with a journal, where
// requests that come at the same time share a sync. With a -benchtime of several
// times, medians are reported, those of ratios over what ran one after the other:
// what else runs on the machine disturbs single runs, and whole minutes alike.
func BenchmarkAgainstTailSampling(b *testing.B) {
	requests, spans := realisticRequests(b, 12000)
	for _, senders := range []int{1, 32} {
		b.Run(fmt.Sprintf("senders=%d", senders), func(b *testing.B) {
			var decode, ours, journaled, theirs cost
			for b.Loop() {
				liveHeap()
				start := cpuTime(b)
				send(requests, senders, func(request []byte) { decodeRequest(b, request) })
				decode.cpu = append(decode.cpu, float64(cpuTime(b)-start))
				ours.measure(b, NewFactory(), ourClasses, requests, senders)
				journal := fmt.Sprintf("journal: {directory: %q}\n", b.TempDir())
				journaled.measure(b, NewFactory(), journal+ourClasses, requests, senders)
				theirs.measure(b, tailsamplingprocessor.NewFactory(), contribPolicies, requests, senders)
			}
			n := float64(spans)
			cpu := func(c *cost) []float64 { return less(c.cpu, decode.cpu) }
			heap := func(c *cost) float64 { return median(c.heap) / n }
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(median(decode.cpu)/n, "decode-ns/span")
			b.ReportMetric(median(cpu(&ours))/n, "cpu-ns/span")
			b.ReportMetric(median(cpu(&journaled))/n, "journal-cpu-ns/span")
			b.ReportMetric(median(cpu(&theirs))/n, "contrib-cpu-ns/span")
			b.ReportMetric(median(ratios(cpu(&ours), cpu(&theirs))), "cpu-ratio")
			b.ReportMetric(median(ratios(cpu(&journaled), cpu(&ours))), "journal-ratio")
			b.ReportMetric(heap(&ours), "heap-B/span")
			b.ReportMetric(heap(&theirs), "contrib-heap-B/span")
			b.ReportMetric(heap(&ours)/heap(&theirs), "heap-ratio")
			b.ReportMetric(heap(&journaled)/heap(&theirs), "journal-heap-ratio")
			b.ReportMetric(float64(ours.kept)/float64(theirs.kept), "kept-ratio")
		})
	}
}

// send hands each request to fn, as many at a time as there are senders.
func send(requests [][]byte, senders int, fn func([]byte)) {
	queue := make(chan []byte)
	var running sync.WaitGroup
	for range senders {
		running.Go(func() {
			for r := range queue {
				fn(r)
			}
		})
	}
	for _, r := range requests {
		queue <- r
	}
	close(queue)
	running.Wait()
}

// cost is what a processor took: in each run, and spans kept over all.
type cost struct {
	cpu, heap []float64 // ns, bytes
	kept      uint64
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// less subtracts b from a, run by run.
func less(a, b []float64) []float64 {
	rest := make([]float64, len(a))
	for i := range a {
		rest[i] = a[i] - b[i]
	}
	return rest
}

// ratios divides a by b, run by run.
func ratios(a, b []float64) []float64 {
	quotients := make([]float64, len(a))
	for i := range a {
		quotients[i] = a[i] / b[i]
	}
	return quotients
}

func (c *cost) measure(b *testing.B, f processor.Factory, config string, requests [][]byte, senders int) {
	b.Helper()
	sink := &countingSink{}
	p := startProcessor(b, f, config, sink)
	before := liveHeap()
	start := cpuTime(b)
	send(requests, senders, func(request []byte) {
		if err := p.ConsumeTraces(b.Context(), decodeRequest(b, request)); err != nil {
			b.Error(err)
		}
	})
	cpu := cpuTime(b) - start
	for range 2 * runtime.NumCPU() { // contrib's queue is empty once these are in
		require.NoError(b, p.ConsumeTraces(b.Context(), traces(0, 1, 1)))
	}
	c.heap = append(c.heap, float64(liveHeap()-before))
	start = cpuTime(b)
	if s, ok := p.(*sampler); ok { // with a journal it would leave them undecided
		s.engine.DecideAll(s.now())
	}
	require.NoError(b, p.Shutdown(b.Context()))
	c.cpu = append(c.cpu, float64(cpu+cpuTime(b)-start))
	c.kept += sink.spans.Load()
}

// BenchmarkIngest is the hot path alone: encoding and taking in one request.
func BenchmarkIngest(b *testing.B) {
	requests, spans := realisticRequests(b, 1000)
	decoded := make([]ptrace.Traces, 0, len(requests))
	for _, r := range requests {
		decoded = append(decoded, decodeRequest(b, r))
	}
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		p := startProcessor(b, NewFactory(), ourClasses, &countingSink{})
		b.StartTimer()
		for _, td := range decoded {
			require.NoError(b, p.ConsumeTraces(b.Context(), td))
		}
		b.StopTimer()
		require.NoError(b, p.Shutdown(b.Context()))
		b.StartTimer()
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N*spans), "ns/span")
}

type countingSink struct{ spans atomic.Uint64 }

func (*countingSink) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (s *countingSink) ConsumeTraces(_ context.Context, td ptrace.Traces) error {
	s.spans.Add(uint64(td.SpanCount()))
	return nil
}

func startProcessor(b testing.TB, f processor.Factory, yaml string, sink consumer.Traces) processor.Traces {
	b.Helper()
	retrieved, err := confmap.NewRetrievedFromYAML([]byte(yaml))
	require.NoError(b, err)
	conf, err := retrieved.AsConf()
	require.NoError(b, err)
	cfg := f.CreateDefaultConfig()
	require.NoError(b, conf.Unmarshal(cfg))
	require.NoError(b, confmap.Validate(cfg))
	p, err := f.CreateTraces(b.Context(), processortest.NewNopSettings(f.Type()), cfg, sink)
	require.NoError(b, err)
	require.NoError(b, p.Start(b.Context(), componenttest.NewNopHost()))
	return p
}

func decodeRequest(tb testing.TB, request []byte) ptrace.Traces {
	tb.Helper()
	td, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(request)
	require.NoError(tb, err)
	return td
}

func cpuTime(tb testing.TB) time.Duration {
	tb.Helper()
	var u syscall.Rusage
	require.NoError(tb, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func liveHeap() uint64 {
	runtime.GC()
	runtime.GC() // what sync.Pool held is gone after the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// realisticRequests are traces of 8 to 40 spans over a dozen services, each
// service exporting 100 spans a request, with 8 to 15 attributes a span, 2 % of
// the traces failing and 10 % health checks.
func realisticRequests(tb testing.TB, traceCount int) ([][]byte, int) {
	tb.Helper()
	var requests [][]byte
	spanCount := 0
	random := rand.New(rand.NewPCG(1, 1))
	const services = 12
	pending := make([]ptrace.Traces, services)
	flush := func(service int) {
		if pending[service] == (ptrace.Traces{}) {
			return
		}
		otlp, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(pending[service])
		require.NoError(tb, err)
		requests = append(requests, otlp)
		pending[service] = ptrace.Traces{}
	}
	for range traceCount {
		var id [16]byte
		binary.BigEndian.PutUint64(id[:], random.Uint64())
		binary.BigEndian.PutUint64(id[8:], random.Uint64())
		route := []string{"/health", "/checkout", "/checkout", "/items/{id}", "/items/{id}", "/", "/", "/", "/", "/"}[random.IntN(10)]
		fails := random.IntN(50) == 0
		n := 8 + random.IntN(33)
		root := random.Uint64()
		for i := range n {
			service := random.IntN(services)
			if i == 0 {
				service = 0
			}
			if pending[service] == (ptrace.Traces{}) {
				pending[service] = newRequest(service)
			}
			scopes := pending[service].ResourceSpans().At(0).ScopeSpans()
			s := scopes.At(random.IntN(scopes.Len())).Spans().AppendEmpty()
			s.SetTraceID(id)
			fillSpan(s, random, i, root, route, fails && i == n-1)
			spanCount++
			if pending[service].SpanCount() == 100 {
				flush(service)
			}
		}
	}
	for service := range services {
		flush(service)
	}
	return requests, spanCount
}

func newRequest(service int) ptrace.Traces {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	a := rs.Resource().Attributes()
	a.PutStr("service.name", fmt.Sprintf("service-%d", service))
	a.PutStr("service.version", "1.14.2")
	a.PutStr("k8s.pod.name", fmt.Sprintf("service-%d-6b9f7c5d8-x2x9q", service))
	a.PutStr("telemetry.sdk.name", "opentelemetry")
	a.PutStr("telemetry.sdk.language", "go")
	rs.ScopeSpans().AppendEmpty().Scope().SetName("go.opentelemetry.io/contrib/net/http/otelhttp")
	rs.ScopeSpans().AppendEmpty().Scope().SetName("database/sql")
	return td
}

func fillSpan(s ptrace.Span, random *rand.Rand, i int, root uint64, route string, fails bool) {
	var id [8]byte
	binary.BigEndian.PutUint64(id[:], random.Uint64()|1)
	if i > 0 {
		var parent [8]byte
		binary.BigEndian.PutUint64(parent[:], root|1)
		s.SetParentSpanID(parent)
	} else {
		binary.BigEndian.PutUint64(id[:], root|1)
	}
	s.SetSpanID(id)
	s.SetName("GET " + route)
	s.SetKind(ptrace.SpanKindServer)
	start := pcommon.Timestamp(1_700_000_000_000_000_000 + random.Int64N(8e8))
	s.SetStartTimestamp(start)
	s.SetEndTimestamp(start + pcommon.Timestamp(random.Int64N(5e7)))
	a := s.Attributes()
	if i == 0 {
		a.PutStr("http.route", route)
		a.PutStr("url.path", route)
	}
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
	if fails {
		s.Status().SetCode(ptrace.StatusCodeError)
		e := s.Events().AppendEmpty()
		e.SetName("exception")
		e.SetTimestamp(start)
		e.Attributes().PutStr("exception.type", "TimeoutError")
		e.Attributes().PutStr("exception.message", "deadline exceeded after 5000 ms")
	}
}
