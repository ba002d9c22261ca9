package engine_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/class"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/engine"
)

func TestTraceWithoutRootWaitsForDecisionWait(t *testing.T) {
	h := newT(t, keepAll())
	h.mustIngest(child(1, 1))
	h.pass(decisionWait - 1)
	h.mustIngest(child(1, 2))
	h.drain()
	require.Empty(t, h.out)
	h.pass(1)
	h.drain()
	require.Len(t, h.out, 2)
	require.Equal(t, []time.Duration{decisionWait}, h.waits)
	h.requireBalanced()
}

func TestRootShortensTheWait(t *testing.T) {
	h := newT(t, keepAll())
	h.mustIngest(child(1, 1))
	h.pass(time.Second)
	h.mustIngest(root(1, 2))
	h.pass(rootWait - 1)
	h.mustIngest(root(1, 3)) // a second root begins no second wait
	h.drain()
	require.Empty(t, h.out)
	h.pass(1)
	h.drain()
	require.Len(t, h.out, 3)
	h.requireBalanced()
}

func TestRootNeverLengthensTheWait(t *testing.T) {
	h := newT(t, keepAll())
	h.mustIngest(child(1, 1))
	h.pass(decisionWait - 1)
	h.mustIngest(root(1, 2))
	h.pass(1)
	h.drain()
	require.Len(t, h.out, 2)
}

func TestSpanInProgressIsDroppedAndHoldsItsTraceOpen(t *testing.T) {
	h := newT(t, keepAll())
	pending := child(1, 9)
	pending.end = 0
	h.mustIngest(pending)
	traces, _, _ := h.Undecided()
	require.Zero(t, traces, "it begins no wait")

	h.mustIngest(root(1, 1))
	h.pass(rootWait - 1)
	h.mustIngest(pending)
	h.pass(rootWait - 1)
	h.drain()
	require.Empty(t, h.out, "something of the trace is still running")
	h.pass(1)
	h.drain()
	require.Contains(t, h.out, uint64(1))
	require.Len(t, h.out, 1)
	require.Equal(t, 2, h.reasons[engine.InProgress])
	h.requireBalanced()
}

func TestSpansInProgressHoldATraceOpenNoLongerThanDecisionWait(t *testing.T) {
	h := newT(t, keepAll())
	pending := child(1, 9)
	pending.end = 0
	h.mustIngest(root(1, 1))
	for range int(decisionWait / time.Second) {
		h.mustIngest(pending)
		h.pass(time.Second)
	}
	h.drain()
	require.Len(t, h.out, 1)
}

func TestInvalidIDsAreDroppedAndCounted(t *testing.T) {
	h := newT(t, keepAll())
	noTrace, noSpan := root(1, 1), root(1, 0)
	noTrace.trace = [16]byte{}
	h.mustIngest(noTrace, noSpan, root(1, 2))
	h.DecideAll(h.now)
	h.drain()
	require.Len(t, h.out, 1)
	require.Equal(t, map[engine.Reason]int{engine.InvalidID: 2}, h.reasons)
	h.requireBalanced()
}

func TestOneBadSpanCostsNoOther(t *testing.T) {
	h := newT(t, keepAll())
	require.Error(t, h.Ingest(0, []byte{0x0a, 0x05, 0x01}), "not OTLP at all")
	require.Zero(t, h.received)
	require.Zero(t, h.Held())
}

func TestVerdictIsTheTracesNotTheSpans(t *testing.T) {
	h := newT(t,
		class.Config{Name: "errors", Keep: "100%", Retention: "30d", Match: &class.Match{Status: "error", Services: []string{"pay"}}},
		class.Config{Name: "rest", Keep: "0%"})
	failing, pay := child(1, 2), child(1, 3)
	failing.status = 2
	pay.service = "pay"
	h.mustIngest(root(1, 1), root(2, 10))
	h.mustIngest(failing)
	h.mustIngest(pay)
	h.pass(decisionWait)
	h.drain()
	require.Len(t, h.out, 3)
	for _, o := range h.out {
		require.Equal(t, "errors", o.class)
		require.Equal(t, "30d", o.retention)
	}
	require.Equal(t, "pay", h.out[3].service)
	require.Equal(t, map[decided]int{{0, true}: 1, {1, false}: 1}, h.traces)
	h.requireBalanced()
}

func TestLateSpansFollowTheVerdictWithTheSameStamps(t *testing.T) {
	h := newT(t,
		class.Config{Name: "shop", Keep: "100%", Retention: "14d", Match: &class.Match{Services: []string{"shop"}}},
		class.Config{Name: "rest", Keep: "0%"})
	other := root(2, 10)
	other.service = "other"
	h.mustIngest(root(1, 1), other)
	h.pass(decisionWait)
	late, lateOther := child(1, 2), child(2, 11)
	late.service, lateOther.service = "db", "db"
	h.mustIngest(late, lateOther)
	traces, _, _ := h.Undecided()
	require.Zero(t, traces)
	h.pass(time.Second)
	h.drain()
	require.Len(t, h.out, 2)
	want := h.out[1]
	want.service = "db"
	require.Equal(t, want, h.out[2])
	require.Equal(t, map[engine.Late]int{engine.LateKept: 1, engine.LateDropped: 1}, h.lates)
	h.requireBalanced()
}

func TestLateSpanThatProvesAnEarlierClassOverrules(t *testing.T) {
	h := newT(t,
		class.Config{Name: "errors", Keep: "100%", Match: &class.Match{Status: "error"}},
		class.Config{Name: "rest", Keep: "0%"})
	h.mustIngest(root(1, 1))
	h.pass(decisionWait)
	failing := child(1, 2)
	failing.status = 2
	h.mustIngest(failing)
	h.mustIngest(child(1, 3))
	h.pass(time.Second)
	h.drain()
	require.NotContains(t, h.out, uint64(1), "what was dropped is gone")
	require.Equal(t, "errors", h.out[2].class)
	require.Equal(t, "errors", h.out[3].class, "it holds from then on")
	require.Equal(t, map[engine.Late]int{engine.LateKept: 2, engine.LateOverruled: 1}, h.lates)
	h.requireBalanced()
}

func TestRoutesAreLookedForInFourPlaces(t *testing.T) {
	for name, place := range map[string]func(*testSpan){
		"http.route":  func(s *testSpan) { s.route = "/livez" },
		"url.path":    func(s *testSpan) { s.path = "/livez" },
		"http.target": func(s *testSpan) { s.target = "/livez?verbose=1" },
		"name":        func(s *testSpan) { s.name = "/livez" },
	} {
		t.Run(name, func(t *testing.T) {
			h := newT(t,
				class.Config{Name: "health", Keep: "100%", Match: &class.Match{Routes: []string{"/livez"}}},
				class.Config{Name: "rest", Keep: "0%"})
			s, other := root(1, 1), child(2, 2)
			place(&s)
			place(&other) // no root: it does not count
			h.mustIngest(s, other)
			h.pass(decisionWait)
			h.drain()
			require.Len(t, h.out, 1)
			require.Equal(t, "health", h.out[1].class)
		})
	}
}

func TestVerdictOfATraceThatGoesOnIsNotForgotten(t *testing.T) {
	h := newHarness(t, func(o *engine.Options) { o.VerdictMemory = 1 << 18 }, class.Config{Name: "rest", Keep: "0%"})
	const traces = 20_000
	for i := range uint64(traces) {
		h.mustIngest(root(i+1, i+1))
		if i%500 == 499 {
			h.pass(decisionWait)
			h.mustIngest(child(1, 1<<32+i))
		}
	}
	require.Equal(t, traces/500, h.lates[engine.LateDropped])
}

func TestVerdictMemoryIsBoundedAndKeepsTheMostRecent(t *testing.T) {
	h := newHarness(t, func(o *engine.Options) { o.VerdictMemory = 1 << 18 },
		class.Config{Name: "rest", Keep: "0%"})
	const traces = 20_000 // 256 KiB remember about 1,700 to 3,500
	for i := range uint64(traces) {
		h.mustIngest(root(i+1, i+1))
		if i%1000 == 999 {
			h.pass(decisionWait)
		}
	}
	for i := uint64(traces - 1000); i < traces; i++ {
		h.mustIngest(child(i+1, 1<<32+i))
	}
	require.Equal(t, 1000, h.lates[engine.LateDropped])
	h.mustIngest(child(1, 1<<33))
	require.Equal(t, 1000, h.lates[engine.LateDropped], "the first is forgotten")
	n, _, _ := h.Undecided()
	require.EqualValues(t, 1, n, "and begins anew")
}
