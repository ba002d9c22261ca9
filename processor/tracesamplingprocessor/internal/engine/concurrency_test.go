package engine_test

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/class"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/engine"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/journal"
)

// Windows, trimming, spill and identical spans, with every goroutine that a
// processor has, and memory that is short.
func TestConcurrentUseWithAJournalAndWindowsLosesNothing(t *testing.T) {
	classes := []class.Config{
		errorsFirst(20),
		{Name: "slow", Keep: "50%", MaxTracesPerSecond: 10, Match: &class.Match{MinDuration: time.Second}},
		bounded("90%", 30),
	}
	table, err := class.NewTable(classes)
	require.NoError(t, err)
	j, err := journal.Open(journal.Options{Directory: t.TempDir(), MaxBytes: 64 << 20, VerdictBytes: 1 << 20, SegmentBytes: 1 << 20})
	require.NoError(t, err)
	var s sums
	e := engine.New(engine.Options{
		Table: table, DecisionWait: 400 * time.Millisecond, RootWait: 100 * time.Millisecond,
		MemoryLimit: 1 << 19, MaxTraceSize: 16 << 10, VerdictMemory: 1 << 20, BatchSpans: 100, BatchBytes: 1 << 16,
		Observer: &s, Journal: j, Origin: time.Unix(1_800_000_000, 0),
	})
	_, err = e.Recover()
	require.NoError(t, err)
	var clock, out, refused atomic.Int64
	var givers, ticker, takers sync.WaitGroup
	stop := make(chan struct{})
	for g := range uint64(4) {
		givers.Go(func() {
			m := &model{random: rand.New(rand.NewPCG(g, 7)), nextID: g << 40}
			for range 100 {
				var batch []testSpan
				for range 30 {
					span := m.span(1 + m.random.Uint64N(300))
					span.name = string(make([]byte, m.random.IntN(1500)))
					batch = append(batch, span)
				}
				otlp := encode(t, append(batch, batch[:3]...)...)
				for range 2 { // half of it resent
					if err := e.Ingest(time.Duration(clock.Load()), otlp); err != nil {
						require.ErrorIs(t, err, engine.ErrFull)
						refused.Add(1)
					}
					if m.random.IntN(2) == 0 {
						break
					}
				}
			}
		})
	}
	ticker.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				e.Tick(time.Duration(clock.Add(int64(50 * time.Millisecond))))
				j.Maintain()
			}
		}
	})
	for range 3 {
		takers.Go(func() {
			encoder := e.NewEncoder()
			for b := e.Next(); b != nil; b = e.Next() {
				require.NoError(t, b.Prepare())
				_, err := encoder.Encode(b)
				require.NoError(t, err)
				out.Add(int64(b.Spans()))
				b.Done()
			}
		})
	}
	givers.Wait()
	close(stop)
	ticker.Wait()
	e.DecideAll(time.Duration(clock.Load()))
	e.Close()
	takers.Wait()
	require.Positive(t, out.Load())
	require.Equal(t, s.kept.Load(), out.Load())
	require.Equal(t, s.received.Load(), s.kept.Load()+s.dropped.Load())
	require.Zero(t, e.Held())
	require.Zero(t, e.Released())
	j.Maintain()
	_, held := j.OldestHeld()
	require.False(t, held)
	require.NoError(t, j.Close())
	require.Less(t, refused.Load(), int64(400))
}
