package engine_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/fsys/fsystest"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/engine"
)

// handOn lets everything kept go, unread.
func (h *harness) handOn() {
	h.Tick(h.now)
	for b := h.TryNext(); b != nil; b = h.TryNext() {
		require.NoError(h.t, b.Prepare())
		b.Done()
	}
}

// The fingerprints of a trace that never ends must not push out those of the
// others in its shard.
func TestEndlessTraceMakesItsShardForgetNothing(t *testing.T) {
	h := newHarness(t, func(o *engine.Options) { o.VerdictMemory = 8 << 20 }, keepAll())
	id := uint64(1 << 32)
	endless := func(spans int) {
		request := make([]testSpan, spans)
		for i := range request {
			id++
			request[i] = child(1, id)
		}
		h.mustIngest(request...)
	}
	endless(1)
	h.DecideAll(h.now)
	endless(10_000)
	const others = 1000 // some 16 of them in its shard
	for i := uint64(2); i <= others+1; i++ {
		h.mustIngest(root(i, i))
		h.DecideAll(h.now)
		endless(1)
		h.handOn()
	}
	for i := uint64(2); i <= others+1; i++ {
		h.mustIngest(root(i, i))
		endless(1)
		h.handOn()
	}
	require.Equal(t, others, h.reasons[engine.Duplicate])
	require.Zero(t, h.Held())
}

// As long as the verdict on a trace is known its fingerprints are, whenever the
// generations change: else a span sent again would be stored twice.
func TestVerdictIsNotRememberedWithoutItsFingerprints(t *testing.T) {
	h := newHarness(t, func(o *engine.Options) { o.VerdictMemory = 256 << 10 }, keepAll())
	const traces = 3000
	for _, ago := range []uint64{300, 500, 700} {
		from := ago << 32
		recognised := h.reasons[engine.Duplicate]
		for i := uint64(1); i <= traces; i++ {
			h.mustIngest(root(from+i, from+i))
			h.DecideAll(h.now)
			if i > ago {
				h.mustIngest(root(from+i-ago, from+i-ago))
			}
			h.handOn()
		}
		require.Zero(t, h.lates[engine.LateKept], "sent again %d traces later", ago)
		require.Greater(t, h.reasons[engine.Duplicate], recognised)
	}
}

// Which spans of a chunk are identical to earlier ones takes memory.
func TestWhatIsKnownOfIdenticalSpansIsInTheBooks(t *testing.T) {
	const traces = 8
	held := map[bool]int64{}
	for _, again := range []bool{false, true} {
		h := journaled(t, fsystest.NewCrash(), coldOnly, keepAll())
		for i := uint64(1); i <= traces; i++ {
			first := large(child(i, 4*i))
			h.mustIngest(first)
			second := first
			if !again {
				second.id++
			}
			h.mustIngest(second, large(child(i, 4*i+2)))
		}
		held[again] = h.Held()
		require.Zero(t, h.hurried)
		h.DecideAll(h.now)
		require.Positive(t, h.Released())
		h.drain()
		h.requireBalanced()
		require.NoError(t, h.log.Close())
	}
	const entry = 8 + 12 + 24 // a bitmap of one word, its name in the journal, and the slice
	require.GreaterOrEqual(t, held[true]-held[false], int64(traces*entry))
}
