package columnarexporter

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/fsys/fsystest"
)

// restarts are the ways in which a run ends.
var restarts = map[string]func(*fsystest.Crash) *fsystest.Crash{
	"power cut": (*fsystest.Crash).Crash,
	"torn":      func(c *fsystest.Crash) *fsystest.Crash { return c.CrashTorn(1) },
	"kill -9":   (*fsystest.Crash).Kill,
}

// work sends batches and flushes between, and returns the requests that were
// acknowledged before the disk was gone.
func work(t *testing.T, r *rig, named bool) []any {
	t.Helper()
	var acknowledged []any
	for i := range 6 {
		td := batch(byte(i), 3, "")
		if named {
			td = batch(byte(i), 3, fmt.Sprintf("batch-%d", i))
		}
		if r.consumeTraces(t.Context(), td) == nil {
			acknowledged = append(acknowledged, td)
		}
		ld := logBatch(byte(100+i), 2)
		if r.consumeLogs(t.Context(), ld) == nil {
			acknowledged = append(acknowledged, ld)
		}
		if i%2 == 1 {
			r.tick()
		}
	}
	return acknowledged
}

// The disk ends at each of its operations in turn. Afterwards every
// acknowledged row is stored once, and no other more than once; with
// identities, also after the sender has sent everything again.
func TestEndAtEveryStep(t *testing.T) {
	for name, restart := range restarts {
		for _, named := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, named %t", name, named), func(t *testing.T) {
				step := int64(11)
				switch {
				case testing.Short():
					step = 17
				case name == "power cut" && named:
					step = 3
				}
				for at := int64(1); endAt(t, at, restart, named); at += step {
				}
			})
		}
	}
}

// endAt reports false where the run ended before the operation came.
func endAt(t *testing.T, at int64, restart func(*fsystest.Crash) *fsystest.Crash, named bool) bool {
	t.Helper()
	disk := fsystest.NewCrash()
	var n atomic.Int64
	var after atomic.Pointer[fsystest.Crash]
	disk.Hook(func(fsystest.Op, string) error {
		if n.Add(1) == at {
			after.Store(restart(disk))
		}
		return nil
	})
	r := newRig(t, disk)
	var acknowledged []any
	if r.start(noHost) == nil {
		acknowledged = work(t, r, named)
		require.Eventually(t, func() bool { return r.unwritten() == 0 || after.Load() != nil }, 10*time.Second, time.Millisecond)
	}
	r.end()
	next := after.Load()
	if next == nil {
		require.NotEmpty(t, acknowledged)
		return false
	}

	r = startRig(t, next)
	if named {
		acknowledged = work(t, r, true)
		require.Len(t, acknowledged, 12)
	}
	r.written(t)
	require.NoError(t, r.shutdown(t.Context()), "operation %d", at)
	requireEachOnce(t, acknowledged, storedIn(t, next), named, at)
	return true
}

func requireEachOnce(t *testing.T, acknowledged []any, stored []string, named bool, at int64) {
	t.Helper()
	times := map[string]int{}
	for _, id := range stored {
		times[id]++
	}
	for _, id := range ids(acknowledged...) {
		require.Positive(t, times[id], "operation %d: %s is lost", at, id)
	}
	for id, n := range times {
		// Log records have no identity: their second sending is new data.
		if !named || !strings.HasSuffix(id, "ff00000000") {
			require.Equal(t, 1, n, "operation %d: %s", at, id)
		}
	}
}

func TestEndBetweenFilesCommitAndRemove(t *testing.T) {
	for name, tc := range map[string]struct {
		at       func(op fsystest.Op, name string) bool
		replayed int64
	}{
		"before the first file": {func(op fsystest.Op, name string) bool {
			return op == fsystest.OpOpen && strings.HasSuffix(name, "-0.parquet.tmp")
		}, 5},
		"between two files": {func(op fsystest.Op, name string) bool {
			return op == fsystest.OpOpen && strings.HasSuffix(name, "-1.parquet.tmp")
		}, 5},
		"before the rename": {func(op fsystest.Op, name string) bool {
			return op == fsystest.OpRename && strings.Contains(name, "-1.parquet")
		}, 5},
		"after the files, before the commit": {func(op fsystest.Op, name string) bool {
			return op == fsystest.OpWrite && strings.HasSuffix(name, "MANIFEST")
		}, 5},
		"in the commit": {func(op fsystest.Op, name string) bool {
			return op == fsystest.OpSync && strings.HasSuffix(name, "MANIFEST")
		}, 5},
		"after the commit, before the remove": {func(op fsystest.Op, name string) bool {
			return op == fsystest.OpRemove && strings.HasSuffix(name, "0000000001.wal")
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			disk := fsystest.NewCrash()
			r := startRig(t, disk)
			traces, logs := batch(1, 3, ""), logBatch(2, 2)
			require.NoError(t, r.consumeTraces(t.Context(), traces))
			require.NoError(t, r.consumeLogs(t.Context(), logs))
			after := make(chan *fsystest.Crash, 1)
			disk.Hook(func(op fsystest.Op, name string) error {
				if tc.at(op, name) {
					select {
					case after <- disk.Crash():
					default:
					}
				}
				return nil
			})
			r.tick()
			next := <-after
			r.end()

			r = startRig(t, next)
			r.written(t)
			require.Equal(t, tc.replayed, r.count(t, "otelcol_exporter_columnar_rows_replayed"))
			require.NoError(t, r.shutdown(t.Context()))
			require.Equal(t, ids(traces, logs), storedIn(t, next))
		})
	}
}
