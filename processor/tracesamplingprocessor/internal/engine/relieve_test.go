package engine_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/fsys/fsystest"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/class"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/engine"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/journal"
)

// The oldest trace of a shard, of which nothing is left, must not hide those that
// hold the segments of a full journal.
func TestTrimmedTraceDoesNotBlockTheReliefOfAFullJournal(t *testing.T) {
	for name, size := range map[string]int{"nothing is left of the oldest trace": 1 << 16, "the oldest trace is small": 1} {
		t.Run(name, func(t *testing.T) {
			j, err := journal.Open(journal.Options{
				Directory: "/journal", MaxBytes: 2 << 20, VerdictBytes: 1 << 10, SegmentBytes: 32 << 10, FS: fsystest.NewCrash(),
			})
			require.NoError(t, err)
			h := newHarness(t, func(o *engine.Options) { o.Journal, o.MaxTraceSize = j, 64<<10 }, class.Config{Name: "rest", Keep: "0%"})
			_, err = h.Recover()
			require.NoError(t, err)
			h.mustIngest(named(child(1<<32, 1<<32), size))
			for i := uint64(1); i < 16_000; i += 20 {
				request := make([]testSpan, 20)
				for k := range request {
					request[k] = named(child(i+uint64(k), i+uint64(k)), 200)
				}
				h.mustIngest(request...) // journal.ErrFull is what relief is for
				h.pass(10 * time.Millisecond)
				j.Maintain()
			}
			require.Positive(t, h.hurried)
			h.DecideAll(h.now)
			h.requireBalanced()
			require.NoError(t, j.Close())
		})
	}
}
