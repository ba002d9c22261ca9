package engine_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/fsys/fsystest"
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
