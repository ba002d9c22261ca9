package engine_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/class"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/engine"
)

const smallLimit = 1 << 19

func small(t require.TestingT, classes ...class.Config) *harness {
	return newHarness(t, func(o *engine.Options) { o.MemoryLimit = smallLimit }, classes...)
}

func TestAboveTheLimitTheOldestTracesAreDecidedEarly(t *testing.T) {
	h := small(t,
		class.Config{Name: "errors", Keep: "100%", Match: &class.Match{Status: "error"}},
		class.Config{Name: "rest", Keep: "0%"})
	const traces = 5000
	for i := uint64(1); i <= traces; i++ {
		s := root(i, i)
		if i == 1 {
			s.status = 2
		}
		h.mustIngest(s)
		h.now++
		require.LessOrEqual(t, h.Held(), int64(smallLimit))
	}
	require.Positive(t, h.hurried)
	h.Tick(h.now)
	h.drain()
	require.Equal(t, "errors", h.out[1].class, "the oldest is decided by its facts, not lost")
	undecided, _, _ := h.Undecided()
	require.EqualValues(t, traces-h.hurried, undecided)
	h.pass(decisionWait)
	h.drain()
	require.Equal(t, map[decided]int{{0, true}: 1, {1, false}: traces - 1}, h.traces)
	h.requireBalanced()
}

func TestEarlyDecisionsTakeTheOldestFirst(t *testing.T) {
	h := small(t, keepAll())
	for i := uint64(1); i <= 3000; i++ {
		h.mustIngest(child(i, i))
		h.pass(1)
		h.drain()
	}
	require.Positive(t, h.hurried)
	require.Len(t, h.out, h.hurried)
	for i := range uint64(h.hurried) {
		_, ok := h.out[i+1]
		require.True(t, ok, "trace %d was overtaken", i+1)
	}
}

// What an early decision puts into the window of its class is freed within a
// second: others need not be hurried for it.
func TestAWideBoundHurriesNoMoreTracesThanNone(t *testing.T) {
	hurried := map[int]int{}
	for _, bound := range []int{0, 1_000_000} {
		h := small(t, class.Config{Name: "all", Keep: "100%", MaxTracesPerSecond: bound})
		for i := uint64(1); i <= 1500; i++ {
			if h.ingest(child(i, i)) == nil && i%10 == 0 {
				h.pass(time.Millisecond)
				h.drain()
			}
		}
		hurried[bound] = h.hurried
	}
	require.Positive(t, hurried[0])
	require.LessOrEqual(t, hurried[1_000_000], hurried[0]+100)
}

func TestBatchIsRefusedWholeWhenNothingIsTaken(t *testing.T) {
	h := small(t, keepAll())
	accepted := 0
	var err error
	for i := uint64(1); err == nil; i += 2 {
		err = h.ingest(root(i, i), root(i+1, i+1))
		require.LessOrEqual(t, h.Held(), int64(smallLimit))
		if err == nil {
			accepted += 2
		}
		h.pass(time.Second)
	}
	require.ErrorIs(t, err, engine.ErrFull)
	require.Equal(t, accepted, h.received)

	h.drain() // somebody takes the kept ones: there is room again
	h.mustIngest(root(1<<40, 1<<40))
	h.pass(decisionWait)
	h.drain()
	require.Len(t, h.out, accepted+1)
	h.requireBalanced()
}

func TestStuckDownstreamDoesNotSpoilDecisions(t *testing.T) {
	h := small(t, keepAll())
	for i := uint64(1); h.Released() < smallLimit/2; i++ {
		h.mustIngest(root(i, i))
		h.DecideAll(h.now)
	}
	for i := uint64(1 << 32); h.ingest(child(i, i)) == nil; i++ {
		continue
	}
	require.Zero(t, h.hurried)
	h.pass(decisionWait)
	h.drain()
	h.requireBalanced()
}

func TestBatchLargerThanTheLimitIsRefusedForGood(t *testing.T) {
	h := small(t, keepAll())
	s := root(1, 1)
	s.name = string(make([]byte, smallLimit))
	require.ErrorIs(t, h.ingest(s), engine.ErrTooLarge)
	require.Zero(t, h.Held())
}

func TestResourceIsHeldOnceForAllRequestsAndTraces(t *testing.T) {
	h := newT(t, keepAll())
	s := root(1, 1)
	s.service = string(make([]byte, 100_000))
	h.mustIngest(s)
	first := h.Held()
	require.Greater(t, first, int64(100_000))
	for i := uint64(2); i <= 100; i++ {
		s.trace, s.id = traceID(i), i
		h.mustIngest(s)
	}
	require.Less(t, h.Held()-first, int64(100_000))
	h.DecideAll(0)
	h.drain()
	h.requireBalanced()
}

func TestBatchesAreBoundedAndATraceMayBeSplit(t *testing.T) {
	h := newT(t, keepAll())
	const spans = 1000
	for i := uint64(1); i <= spans; i++ {
		h.mustIngest(child(1, i))
	}
	h.DecideAll(0)
	n := 0
	for b := h.TryNext(); b != nil; b = h.TryNext() {
		require.LessOrEqual(t, b.Spans(), 64)
		n++
		h.note(b)
		b.Done()
	}
	require.Equal(t, (spans+63)/64, n)
	h.requireBalanced()
}

// A batch is as large as its encoding, which has the resource and the scope of
// each span.
func TestBatchesAreBoundedWithTheirResources(t *testing.T) {
	h := newT(t, keepAll())
	const traces, size = 60, 100_000
	for i := uint64(1); i <= traces; i++ {
		s := root(i, i)
		s.service = fmt.Sprint(i, string(make([]byte, size)))
		h.mustIngest(s)
	}
	h.DecideAll(0)
	batches := 0
	for b := h.TryNext(); b != nil; b = h.TryNext() {
		batches++
		otlp, err := h.encoder.Encode(b)
		require.NoError(t, err)
		require.LessOrEqual(t, len(otlp), 1<<20+size)
		h.note(b)
		b.Done()
	}
	require.LessOrEqual(t, batches, traces*size>>20+2)
	h.requireBalanced()
}

func TestFullBatchGoesOutWithoutWaitingForATick(t *testing.T) {
	h := newT(t, keepAll())
	h.mustIngest(root(1, 1))
	h.DecideAll(0)
	h.drain()
	for i := uint64(2); i <= 63; i++ {
		h.mustIngest(child(1, i)) // late
	}
	require.Nil(t, h.TryNext(), "fewer than a batch wait for company")
	h.mustIngest(child(1, 64), child(1, 65))
	b := h.TryNext()
	require.NotNil(t, b)
	require.Equal(t, 64, b.Spans())
	h.note(b)
	b.Done()
	require.Nil(t, h.TryNext())
	h.Tick(0)
	h.drain()
	h.requireBalanced()
}

func TestNextWaitsUntilCloseAndGivesOutWhatIsLeft(t *testing.T) {
	h := newT(t, keepAll())
	taken := make(chan int)
	go func() {
		defer close(taken)
		for b := h.Next(); b != nil; b = h.Next() {
			taken <- b.Spans()
			b.Done()
		}
	}()
	h.mustIngest(root(1, 1))
	h.DecideAll(0)
	require.Equal(t, 1, <-taken)
	h.mustIngest(child(1, 2)) // late, and not ripe
	h.Close()
	require.Equal(t, 1, <-taken)
	_, more := <-taken
	require.False(t, more)
	require.Zero(t, h.Held())
}

// Under pressure the engine may decide early and refuse, but never holds more
// than it may, and every span it accepted ends in one place.
func TestBooksBalanceUnderPressure(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &model{h: small(t, designClasses()...), random: rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))}
		refused := 0
		t.Repeat(map[string]func(*rapid.T){
			"ingest": func(t *rapid.T) {
				var batch []testSpan
				for range rapid.IntRange(1, 150).Draw(t, "spans") {
					s := m.span(1 + m.random.Uint64N(300))
					s.name += string(make([]byte, m.random.IntN(400)))
					batch = append(batch, s)
				}
				before := m.h.received
				if err := m.h.ingest(batch...); err != nil {
					require.ErrorIs(t, err, engine.ErrFull)
					require.Equal(t, before, m.h.received)
					refused++
				}
			},
			"pass": func(t *rapid.T) {
				m.h.pass(time.Duration(rapid.Int64Range(0, int64(10*time.Second)).Draw(t, "by")))
			},
			"drain": func(*rapid.T) { m.h.drain() },
			"":      func(t *rapid.T) { require.LessOrEqual(t, m.h.Held(), int64(smallLimit)) },
		})
		m.h.DecideAll(m.h.now)
		m.h.drain()
		m.h.requireBalanced()
	})
}
