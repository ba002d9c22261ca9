package engine_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/fsys/fsystest"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/class"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/engine"
)

// What a late request writes depends on what is in it, not on how many spans its
// trace has had.
func TestLateSpansOfALargeTraceCostTheJournalLittle(t *testing.T) {
	disk := fsystest.NewCrash()
	h := journaled(t, disk, nil, keepAll())
	const spans, late = 2000, 200 // of which the fingerprints are within what a trace may have
	var request []testSpan
	for i := uint64(1); i <= spans; i++ {
		request = append(request, child(1, i))
	}
	h.mustIngest(request...)
	h.DecideAll(h.now)
	h.drain()
	before := h.log.Bytes()
	for i := uint64(spans + 1); i <= spans+late; i++ {
		h.mustIngest(child(1, i))
	}
	require.Less(t, h.log.Bytes()-before, int64(late*1000))
	h.Tick(h.now)
	h.drain()
	require.Len(t, h.out, spans+late)
	h.requireBalanced()

	h.log.Maintain()
	h = journaled(t, disk.Crash(), nil, keepAll())
	h.mustIngest(request...)
	h.mustIngest(child(1, spans+1), child(1, spans+late), child(1, spans+late+1))
	require.Equal(t, spans+2, h.reasons[engine.Duplicate], "each record adds to what is remembered")
	h.Tick(h.now)
	h.drain()
	require.Len(t, h.out, 1)
	h.requireBalanced()
	require.NoError(t, h.log.Close())
}

// A class that comes earlier and keeps less would have the trace's spans stored in
// part.
func TestLateSpanNeverTurnsKeptIntoDropped(t *testing.T) {
	health := &class.Match{Routes: []string{"/livez"}}
	for name, classes := range map[string][]class.Config{
		"an earlier class that drops": {
			{Name: "health", Keep: "0%", Match: health}, {Name: "rest", Keep: "100%"},
		},
		"an earlier class that would not keep this trace": {
			{Name: "health", Keep: "0.0001%", Match: health}, {Name: "rest", Keep: "100%"},
		},
		"an earlier class with a bound": {
			{Name: "health", Keep: "100%", MaxTracesPerSecond: 1, Match: health}, {Name: "rest", Keep: "100%"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newT(t, classes...)
			h.mustIngest(child(1, 1))
			h.DecideAll(h.now)
			late := root(1, 2)
			late.route = "/livez"
			h.mustIngest(late)
			h.mustIngest(child(1, 3))
			h.Tick(h.now)
			h.drain()
			require.Len(t, h.out, 3)
			for id, o := range h.out {
				require.Equal(t, "rest", o.class, "span %d", id)
			}
			require.Equal(t, map[engine.Late]int{engine.LateKept: 2}, h.lates)
			h.requireBalanced()
		})
	}
}

// Late spans are counted without those that are identical, as others are.
func TestLateSpanThatRepeatsDoesNotProveMinSpans(t *testing.T) {
	inEveryPlace(t, func(t *testing.T, h *harness) {
		t.Helper()
		h.mustIngest(root(1, 1))
		h.DecideAll(h.now)
		h.mustIngest(child(1, 2), child(1, 2), child(1, 2))
		h.Tick(h.now)
		h.drain()
		require.Empty(t, h.out)
		require.Equal(t, map[engine.Late]int{engine.LateDropped: 1}, h.lates)
		require.Equal(t, 2, h.reasons[engine.Duplicate])
		h.mustIngest(child(1, 2), child(1, 3), child(1, 4))
		h.Tick(h.now)
		h.drain()
		require.Len(t, h.out, 3, "three that differ do")
		h.requireBalanced()
	}, class.Config{Name: "big", Keep: "100%", Match: &class.Match{MinSpans: 3}}, class.Config{Name: "rest", Keep: "0%"})
}
