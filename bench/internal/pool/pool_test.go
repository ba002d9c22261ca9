package pool

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/goleak"

	"github.com/spanlake/spanlake/bench/internal/load"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func testPool(tb testing.TB, spans int) *Pool {
	tb.Helper()
	p, err := New(load.Config{Seed: 1, Spans: spans, Start: time.Unix(1_800_000_000, 0), Rate: 1000})
	require.NoError(tb, err)
	return p
}

// ids returns the trace IDs of a message and the traces without them.
func ids(t *testing.T, m Message) ([]TraceID, ptrace.Traces) {
	t.Helper()
	td, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(m.AppendTo([]byte("before"))[len("before"):])
	require.NoError(t, err)
	var list []TraceID
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, s := range ss.Spans().All() {
				list = append(list, TraceID(s.TraceID()))
				s.SetTraceID([16]byte{})
			}
		}
	}
	require.Len(t, list, m.Spans)
	return list, td
}

func TestEachRoundHasTracesOfItsOwn(t *testing.T) {
	p := testPool(t, 3000)
	c := p.Cursor(1)
	spans := map[TraceID]int{}
	sizes := func() map[int]int {
		sizes := map[int]int{}
		for _, n := range spans {
			sizes[n]++
		}
		return sizes
	}
	var first map[int]int
	for round := 1; round <= 3; round++ {
		for range p.requests {
			list, _ := ids(t, c.Next())
			for _, id := range list {
				spans[id]++
			}
		}
		if round == 1 {
			first = sizes()
			continue
		}
		for size, n := range sizes() {
			require.Equal(t, round*first[size], n, "traces of %d spans", size)
		}
	}
}

func TestOnlyTheTraceIDsChange(t *testing.T) {
	p := testPool(t, 500)
	one, other := p.Cursor(1).Next(), p.Cursor(2).Next()
	oneIDs, oneRest := ids(t, one)
	otherIDs, otherRest := ids(t, other)
	require.NotEqual(t, oneIDs, otherIDs)
	require.Equal(t, oneRest, otherRest)
	again, _ := ids(t, p.Cursor(1).Next())
	require.Equal(t, oneIDs, again, "the same seed")
}

func TestOneTrace(t *testing.T) {
	c := testPool(t, 500).Cursor(1)
	m, id := c.Next(), c.TraceID()
	m.OneTrace(id)
	list, _ := ids(t, m)
	for _, got := range list {
		require.Equal(t, id, got)
	}
}

func FuzzTraceIDs(f *testing.F) {
	p := testPool(f, 1)
	f.Add(p.requests[0].body)
	f.Add([]byte{0x0a, 0x06, 0x12, 0x04, 0x12, 0x02, 0x0a, 0x00})
	f.Fuzz(func(t *testing.T, b []byte) {
		found, err := traceIDs(nil, b, 0, pathToTraceID)
		if err != nil {
			return
		}
		for _, at := range found {
			require.LessOrEqual(t, at+len(TraceID{}), len(b))
		}
	})
}
