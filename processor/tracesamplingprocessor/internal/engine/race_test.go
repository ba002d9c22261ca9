package engine_test

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/class"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/engine"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/otlpwire"
)

// sums is an Observer for many goroutines.
type sums struct{ received, kept, dropped atomic.Int64 }

func (s *sums) Received(n int)                 { s.received.Add(int64(n)) }
func (s *sums) Dropped(_ engine.Reason, n int) { s.dropped.Add(int64(n)) }
func (s *sums) Mended(otlpwire.Fault, int)     {}
func (s *sums) Late(engine.Late, int)          {}
func (s *sums) Early(int)                      {}
func (s *sums) Waited(time.Duration)           {}
func (s *sums) TracesTrimmed(int)              {}
func (s *sums) Decided(_ string, o engine.Outcome, _, spans int) {
	if o == engine.Kept {
		s.kept.Add(int64(spans))
	} else {
		s.dropped.Add(int64(spans))
	}
}

func TestConcurrentUseLosesNothing(t *testing.T) {
	table, err := class.NewTable(designClasses())
	require.NoError(t, err)
	var s sums
	e := engine.New(engine.Options{
		Table: table, DecisionWait: 20 * time.Millisecond, RootWait: 5 * time.Millisecond,
		MemoryLimit: 1 << 20, MaxTraceSize: 1 << 20, VerdictMemory: 1 << 20, BatchSpans: 100, BatchBytes: 1 << 16, Observer: &s,
	})
	var clock atomic.Int64
	var givers, takers sync.WaitGroup
	for g := range uint64(4) {
		givers.Go(func() {
			m := &model{random: rand.New(rand.NewPCG(g, 7)), nextID: g << 40}
			for range 200 {
				var batch []testSpan
				for range 30 {
					batch = append(batch, m.span(1+m.random.Uint64N(200)))
				}
				now := time.Duration(clock.Add(int64(time.Millisecond)))
				if err := e.Ingest(now, encode(t, batch...)); err != nil {
					require.ErrorIs(t, err, engine.ErrFull)
				}
				if g == 0 {
					e.Tick(now)
				}
			}
		})
	}
	var out atomic.Int64
	for range 3 {
		takers.Go(func() {
			encoder := e.NewEncoder()
			for b := e.Next(); b != nil; b = e.Next() {
				otlp, err := encoder.Encode(b)
				require.NoError(t, err)
				td, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(otlp)
				require.NoError(t, err)
				out.Add(int64(td.SpanCount()))
				b.Done()
			}
		})
	}
	givers.Wait()
	e.DecideAll(time.Hour)
	e.Close()
	takers.Wait()
	require.Positive(t, out.Load())
	require.Equal(t, s.kept.Load(), out.Load())
	require.Equal(t, s.received.Load(), s.kept.Load()+s.dropped.Load())
	require.Zero(t, e.Held())
	require.Zero(t, e.Released())
}
