package engine_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/fsys/fsystest"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/engine"
)

// manyScopes is a request of one trace that has one resource of a size and one
// span in each of many scopes.
func manyScopes(size, scopes int) []testSpan {
	request := make([]testSpan, scopes)
	for i := range request {
		request[i] = child(1<<40, uint64(1<<40+i))
		request[i].service = string(make([]byte, size))
		request[i].scope = fmt.Sprint(i)
	}
	return request
}

// Room for a resource is wanted once: as often as it has scopes, it would refuse
// the request or have others decided early.
func TestLargeResourceWithManyScopesTakesRoomOnce(t *testing.T) {
	const size, scopes = 100_000, 200
	for name, open := range map[string]func(*testing.T) *harness{
		"in memory": func(t *testing.T) *harness { t.Helper(); return newHarness(t, fewMiB, keepAll()) },
		"in memory and journal": func(t *testing.T) *harness {
			t.Helper()
			return journaled(t, fsystest.NewCrash(), fewMiB, keepAll())
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t)
			const others = 1000
			for i := uint64(1); i <= others; i++ {
				h.mustIngest(child(i, i))
			}
			before := h.Held()
			h.mustIngest(manyScopes(size, scopes)...)
			require.Less(t, h.Held()-before, int64(2*size))
			require.Zero(t, h.hurried)
			undecided, _, _ := h.Undecided()
			require.EqualValues(t, others+1, undecided)
			h.DecideAll(h.now)
			h.drain()
			require.Len(t, h.out, others+scopes)
			h.requireBalanced()
		})
	}
}

func fewMiB(o *engine.Options) { o.MemoryLimit = 4 << 20 }

// The journal writes it once, makes no room for more, and gives it back once.
func TestLargeResourceWithManyScopesIsInTheJournalOnce(t *testing.T) {
	const size, scopes = 100_000, 200
	disk := fsystest.NewCrash()
	h := journaled(t, disk, fewMiB, keepAll())
	request := encode(t, manyScopes(size, scopes)...)
	var before, after runtime.MemStats
	written := h.log.Bytes()
	runtime.ReadMemStats(&before)
	require.NoError(t, h.Ingest(h.now, request))
	runtime.ReadMemStats(&after)
	require.Less(t, h.log.Bytes()-written, int64(2*size))
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(scopes*size/2))

	h.log.Maintain()
	h = journaled(t, disk.Crash(), fewMiB, keepAll())
	require.Less(t, h.Held(), int64(2*size))
	h.DecideAll(h.now)
	h.drain()
	require.Len(t, h.out, scopes)
	require.Len(t, h.out[1<<40].service, size)
	h.requireBooks(scopes, scopes)
	require.NoError(t, h.log.Close())
}
