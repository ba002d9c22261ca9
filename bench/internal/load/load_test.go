package load

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func config(spans int) Config {
	return Config{Seed: 1, Spans: spans, Start: time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC), Rate: 50_000}
}

func digest(t *testing.T, cfg Config) [32]byte {
	t.Helper()
	h := sha256.New()
	_, err := Generate(cfg, func(b []byte, _ int) error {
		_, err := h.Write(b)
		return err
	})
	require.NoError(t, err)
	return [32]byte(h.Sum(nil))
}

func TestTheSameConfigGivesTheSameBytes(t *testing.T) {
	one, again := digest(t, config(10_000)), digest(t, config(10_000))
	require.Equal(t, one, again)
	other := config(10_000)
	other.Seed++
	require.NotEqual(t, one, digest(t, other))
}

// seen is what the requests say about one trace.
type seen struct {
	spans    map[pcommon.SpanID]ptrace.Span
	requests map[int]bool
}

func generate(t *testing.T, cfg Config) (map[pcommon.TraceID]*seen, Stats, []ptrace.Traces) {
	t.Helper()
	traces := make(map[pcommon.TraceID]*seen)
	var requests []ptrace.Traces
	var size int64
	stats, err := Generate(cfg, func(b []byte, spans int) error {
		size += int64(len(b))
		req := ptraceotlp.NewExportRequest()
		require.NoError(t, req.UnmarshalProto(b))
		require.Equal(t, spans, req.Traces().SpanCount())
		requests = append(requests, req.Traces())
		for _, rs := range req.Traces().ResourceSpans().All() {
			for _, ss := range rs.ScopeSpans().All() {
				require.NotZero(t, ss.Spans().Len(), "no SDK sends an empty scope")
				for _, s := range ss.Spans().All() {
					tr := traces[s.TraceID()]
					if tr == nil {
						tr = &seen{spans: map[pcommon.SpanID]ptrace.Span{}, requests: map[int]bool{}}
						traces[s.TraceID()] = tr
					}
					_, twice := tr.spans[s.SpanID()]
					require.False(t, twice)
					tr.spans[s.SpanID()] = s
					tr.requests[len(requests)] = true
				}
			}
		}
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, size, stats.Bytes)
	require.Len(t, requests, stats.Requests)
	return traces, stats, requests
}

// classify reads a trace's class back from its spans.
func classify(t *testing.T, tr *seen) Class {
	t.Helper()
	var root ptrace.Span
	roots, failed := 0, false
	var first, last pcommon.Timestamp
	for _, s := range tr.spans {
		if s.ParentSpanID().IsEmpty() {
			root = s
			roots++
		}
		failed = failed || s.Status().Code() == ptrace.StatusCodeError
		if first == 0 || s.StartTimestamp() < first {
			first = s.StartTimestamp()
		}
		last = max(last, s.EndTimestamp())
	}
	require.Equal(t, 1, roots)
	route, ok := root.Attributes().Get("http.route")
	require.True(t, ok)
	duration := last.AsTime().Sub(first.AsTime())
	switch {
	case failed:
		require.Less(t, duration, time.Second)
		return Error
	case route.Str() == "/healthz":
		require.Less(t, duration, time.Second)
		return Health
	case duration > time.Second:
		require.GreaterOrEqual(t, duration, MinSlow)
		return Slow
	default:
		require.LessOrEqual(t, duration, MaxNormal)
		return Normal
	}
}

func TestProportions(t *testing.T) {
	traces, stats, requests := generate(t, config(60_000))

	var byClass, spansByClass [Classes]int
	spans, spread := 0, 0
	for _, tr := range traces {
		c := classify(t, tr)
		byClass[c]++
		spansByClass[c] += len(tr.spans)
		spans += len(tr.spans)
		if c == Health {
			require.LessOrEqual(t, len(tr.spans), 2)
			continue
		}
		require.GreaterOrEqual(t, len(tr.spans), MinTraceSpans)
		require.LessOrEqual(t, len(tr.spans), MaxTraceSpans)
		if len(tr.requests) > 1 {
			spread++
		}
	}
	require.Equal(t, stats.Traces, byClass)
	require.Equal(t, stats.ClassSpans, spansByClass)
	require.Equal(t, stats.Spans, spans)
	require.GreaterOrEqual(t, spans, 60_000)
	require.Less(t, spans, 60_000+MaxTraceSpans)

	n := float64(len(traces))
	require.InDelta(t, ErrorPercent, 100*float64(byClass[Error])/n, 0.6)
	require.InDelta(t, SlowPercent, 100*float64(byClass[Slow])/n, 0.5)
	require.InDelta(t, HealthPercent, 100*float64(byClass[Health])/n, 1.5)
	require.InDelta(t, 24, float64(spans-spansByClass[Health])/(n-float64(byClass[Health])), 0.5)
	require.Greater(t, float64(spread)/(n-float64(byClass[Health])), 0.95, "a trace is spread over requests")

	names := map[string]bool{}
	for _, r := range requests {
		require.Equal(t, 1, r.ResourceSpans().Len())
		require.LessOrEqual(t, r.SpanCount(), maxRequestSpans+MaxTraceSpans)
		name, ok := r.ResourceSpans().At(0).Resource().Attributes().Get("service.name")
		require.True(t, ok)
		names[name.Str()] = true
	}
	require.Len(t, names, 12)
}

func TestSpansAreWellFormed(t *testing.T) {
	traces, stats, _ := generate(t, config(10_000))
	counts, events := map[int]int{}, 0
	for id, tr := range traces {
		require.False(t, id.IsEmpty())
		for _, s := range tr.spans {
			require.False(t, s.SpanID().IsEmpty())
			require.NotEmpty(t, s.Name())
			require.NotEqual(t, ptrace.SpanKindUnspecified, s.Kind())
			require.Less(t, s.StartTimestamp(), s.EndTimestamp())
			if !s.ParentSpanID().IsEmpty() {
				parent, ok := tr.spans[s.ParentSpanID()]
				require.True(t, ok, "the parent is in the trace")
				require.GreaterOrEqual(t, s.StartTimestamp(), parent.StartTimestamp())
				require.LessOrEqual(t, s.EndTimestamp(), parent.EndTimestamp())
			}
			counts[s.Attributes().Len()]++
			require.Len(t, s.Attributes().AsRaw(), s.Attributes().Len(), "no key twice")
			if s.Status().Code() == ptrace.StatusCodeError {
				require.Equal(t, 1, s.Events().Len())
				require.Equal(t, "exception", s.Events().At(0).Name())
			}
			events += s.Events().Len()
		}
	}
	require.Equal(t, stats.Events, events)
	for n := MinAttributes; n <= MaxAttributes; n++ {
		require.Positive(t, counts[n], "%d attributes", n)
		delete(counts, n)
	}
	require.Empty(t, counts, "attributes out of bounds")
}

func TestGenerateEndsAtTheFirstErrorOfEmit(t *testing.T) {
	full, calls := errors.New("full"), 0
	_, err := Generate(config(50_000), func([]byte, int) error {
		calls++
		return full
	})
	require.ErrorIs(t, err, full)
	require.Equal(t, 1, calls)
}

func TestReaderReturnsWhatWriterWrote(t *testing.T) {
	var file bytes.Buffer
	w := NewWriter(&file)
	type request struct {
		bytes string
		spans int
	}
	var want, got []request
	_, err := Generate(config(10_000), func(b []byte, spans int) error {
		want = append(want, request{string(b), spans})
		return w.Write(b, spans)
	})
	require.NoError(t, err)
	require.NoError(t, w.Flush())

	stored := file.Bytes()
	r := NewReader(bytes.NewReader(stored))
	for {
		b, spans, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		got = append(got, request{string(b), spans})
	}
	require.Equal(t, want, got)

	cut := NewReader(bytes.NewReader(stored[:len(stored)-1]))
	for err = nil; err == nil; {
		_, _, err = cut.Next()
	}
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
}

func BenchmarkGenerate(b *testing.B) {
	b.ReportAllocs()
	var spans int
	var size int64
	for b.Loop() {
		stats, err := Generate(config(20_000), func([]byte, int) error { return nil })
		require.NoError(b, err)
		spans, size = spans+stats.Spans, size+stats.Bytes
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(spans), "ns/span")
	b.ReportMetric(float64(size)/float64(spans), "wire-B/span")
}
