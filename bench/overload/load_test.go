package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanlake/spanlake/bench/internal/load"
	"github.com/spanlake/spanlake/bench/internal/pool"
)

// The server answers in turn with each of the codes that a Collector has, and
// takes what it answers with 200.
func TestOfferCountsEveryAnswer(t *testing.T) {
	answers := []int{http.StatusOK, http.StatusOK, http.StatusServiceUnavailable, http.StatusTooManyRequests, http.StatusBadRequest}
	var mu sync.Mutex // guards the next three
	requests, spans := 0, 0
	traces := map[pcommon.TraceID]int{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		status := answers[requests%len(answers)]
		requests++
		if status == http.StatusOK {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			td, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(body)
			if err != nil {
				t.Error(err)
			}
			spans += td.SpanCount()
			for _, rs := range td.ResourceSpans().All() {
				for _, ss := range rs.ScopeSpans().All() {
					for _, s := range ss.Spans().All() {
						traces[s.TraceID()]++
					}
				}
			}
		}
		w.WriteHeader(status)
	}))
	defer server.Close()
	p, err := pool.New(load.Config{Seed: 1, Spans: 20_000, Start: time.Now(), Rate: 1000})
	require.NoError(t, err)
	l := newLoader(strings.TrimPrefix(server.URL, "http://"), token, p, 1, 4)
	l.grow(1 * mib)
	require.NoError(t, l.offer(t.Context(), 40_000, time.Second))
	l.close()

	c := l.counts()
	require.Equal(t, spans, c.accepted)
	require.Positive(t, c.refusals[http.StatusServiceUnavailable])
	require.Positive(t, c.refusals[http.StatusTooManyRequests])
	require.Positive(t, c.wrong["status 400"])
	require.Zero(t, c.unanswered)
	require.GreaterOrEqual(t, c.offered, 40_000)
	require.Equal(t, 1, l.grown())
	require.GreaterOrEqual(t, traces[pcommon.TraceID(l.giants[0].id)], 1500, "spans of the giant")
}
