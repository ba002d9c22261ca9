package engine_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/fsys/fsystest"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/class"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/engine"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/journal"
)

// Rulings are written after the lock is gone under which they were made, so that
// one that overrules may come to stand before the one it overruled.
func TestOverrulingOutlivesTheProcessInEitherOrder(t *testing.T) {
	classes := []class.Config{
		{Name: "errors", Keep: "100%", Retention: "30d", Match: &class.Match{Status: "error"}},
		{Name: "rest", Keep: "100%", Retention: "7d"},
	}
	over := journal.Ruling{Trace: traceID(1), Class: journal.Class{Name: "errors", Retention: "30d"}, Kept: true}
	for name, first := range map[string]journal.Ruling{
		"a class that drops":   {Trace: traceID(1), Class: journal.Class{Name: "rest", Retention: "7d"}},
		"a class that keeps":   {Trace: traceID(1), Class: journal.Class{Name: "rest", Retention: "7d"}, Kept: true},
		"one class":            {Trace: traceID(1), Class: journal.Class{Name: "errors", Retention: "30d"}},
		"a class that is gone": {Trace: traceID(1), Class: journal.Class{Name: "old", Retention: "1d"}},
	} {
		for order, rulings := range map[string][]journal.Ruling{"in order": {first, over}, "in reverse": {over, first}} {
			t.Run(fmt.Sprintf("%s, %s", name, order), func(t *testing.T) {
				disk := fsystest.NewCrash()
				h := journaled(t, disk, nil, classes...)
				for i := range rulings {
					h.log.Rule(rulings[i : i+1])
				}
				require.NoError(t, h.log.Close())

				h = journaled(t, disk.Crash(), nil, classes...)
				h.mustIngest(child(1, 1))
				h.Tick(h.now)
				h.drain()
				require.Equal(t, map[engine.Late]int{engine.LateKept: 1}, h.lates)
				require.Equal(t, "30d", h.out[1].retention)
				h.requireBalanced()
				require.NoError(t, h.log.Close())
			})
		}
	}
}

// A class of which only the retention was changed is the same class: a span that
// is no error does not lower what an error has decided.
func TestChangedRetentionLeavesLateSpansWithTheirTrace(t *testing.T) {
	for _, retention := range []string{"30d", "60d"} {
		t.Run("from 30d to "+retention, func(t *testing.T) {
			disk := fsystest.NewCrash()
			classes := func(retention string) []class.Config {
				return []class.Config{
					{Name: "errors", Keep: "100%", Retention: retention, Match: &class.Match{Status: "error"}},
					{Name: "shop", Keep: "0%", Match: &class.Match{Services: []string{"shop"}}},
					{Name: "rest", Keep: "0%"},
				}
			}
			h := journaled(t, disk, nil, classes("30d")...)
			h.mustIngest(failed(child(1, 1)))
			h.DecideAll(h.now)
			h.drain()
			h.log.Maintain()

			h = journaled(t, disk.Crash(), nil, classes(retention)...)
			h.mustIngest(child(1, 2))
			h.Tick(h.now)
			h.drain()
			require.Equal(t, map[engine.Late]int{engine.LateKept: 1}, h.lates)
			require.Equal(t, "errors", h.out[2].class)
			require.Equal(t, "30d", h.out[2].retention, "as the spans before it")
			h.requireBalanced()
			require.NoError(t, h.log.Close())
		})
	}
}

// Recovery reads undecided traces, and errors that came last of them, with what
// is kept, of which early decisions free nothing: the memory it takes is no reason
// to decide before all is read.
func TestRecoveryWithABacklogDecidesNothingEarly(t *testing.T) {
	classes := []class.Config{
		{Name: "errors", Keep: "100%", Match: &class.Match{Status: "error"}},
		{Name: "kept", Keep: "100%", Match: &class.Match{Services: []string{"kept"}}},
		{Name: "rest", Keep: "0%"},
	}
	disk := fsystest.NewCrash()
	var h *harness
	restart := func() {
		h = journaled(t, disk, func(o *engine.Options) { o.MemoryLimit = smallLimit }, classes...)
	}
	restart()
	id := uint64(1 << 32)
	for trace := uint64(1 << 32); h.Released() < smallLimit/100*85; trace++ {
		for range 20 {
			id++
			s := child(trace, id)
			s.service = "kept"
			h.mustIngest(s)
		}
		h.DecideAll(h.now)
	}
	h.log.Maintain()
	disk = disk.Crash()
	restart()
	undecided, failing := uint64(0), uint64(0)
	for h.Held() < smallLimit/100*97 {
		undecided++
		h.mustIngest(child(undecided, undecided))
	}
	for failing < undecided && h.ingest(failed(child(failing+1, 1<<16+failing))) == nil {
		failing++
	}
	require.Positive(t, failing)
	require.Zero(t, h.hurried)
	for range 2 {
		h.log.Maintain()
		disk = disk.Crash()
		restart()
		require.Zero(t, h.hurried)
		require.Empty(t, h.lates)
		traces, _, _ := h.Undecided()
		require.EqualValues(t, undecided, traces)
	}
	h.DecideAll(h.now)
	require.Equal(t, map[decided]int{{0, true}: int(failing), {2, false}: int(undecided - failing)}, h.traces)
	h.handOn()
	require.Zero(t, h.Held())
	require.NoError(t, h.log.Close())
}

// What a recovered trace is known to have sent twice, or had no room for, is
// released as often as it was counted.
func TestBooksBalanceAfterRecoveryOfKeptSpans(t *testing.T) {
	for name, fill := range map[string]func(h *harness){
		"identical spans": func(h *harness) {
			h.mustIngest(child(1, 1))
			h.mustIngest(child(1, 1), child(1, 2))
		},
		"trimmed spans": func(h *harness) {
			h.mustIngest(named(child(1, 1), maxTrace), named(child(1, 2), 1))
		},
	} {
		t.Run(name, func(t *testing.T) {
			disk := fsystest.NewCrash()
			h := journaled(t, disk, trimming, keepAll())
			fill(h)
			h.DecideAll(h.now)
			h.log.Maintain()
			for range 2 { // kept and in no batch, then in a batch that was released
				disk = disk.Crash()
				h = journaled(t, disk, trimming, keepAll())
				require.Positive(t, h.Held())
				h.Tick(h.now)
				b := h.TryNext()
				require.NotNil(t, b)
				require.NoError(t, b.Prepare())
				b.Done()
				require.Nil(t, h.TryNext())
				require.Zero(t, h.Released())
				require.Zero(t, h.Held())
			}
			require.NoError(t, h.log.Close())
		})
	}
}
