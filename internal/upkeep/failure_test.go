package upkeep

import (
	"context"
	"errors"
	"path"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/fsys"
	"github.com/spanlake/spanlake/internal/fsys/fsystest"
	"github.com/spanlake/spanlake/internal/lake"
	"github.com/spanlake/spanlake/internal/parquetfile"
)

// While the manifest cannot be written, its version in memory runs ahead of that
// on disk. A crash in a merge leaves no file that is newer than the manifest,
// which would stop the next start.
func TestMergeIsPlannedAtAVersionOnDisk(t *testing.T) {
	disk := fsystest.NewCrash()
	r := startRig(t, disk)
	for i := range 10 {
		require.NoError(t, r.write(row{uint64(i), noon.Add(-3 * time.Hour), "7d"}))
	}
	broken := errors.New("broken")
	manifest := true
	var after *fsystest.Crash
	disk.Hook(func(op fsystest.Op, name string) error {
		switch {
		case manifest && strings.Contains(name, "MANIFEST"):
			return broken
		case op == fsystest.OpSyncDir && strings.Contains(name, "hour=") && after == nil:
			after = disk.Kill()
		}
		return nil
	})
	for range 3 {
		require.ErrorIs(t, r.Lake.Commit(lake.Commit{Remove: []string{r.Lake.Snapshot().Files[0].Path}}), lake.ErrUnsettled)
	}
	require.ErrorIs(t, r.Pass(t.Context()), broken)
	require.Nil(t, after, "a merge was begun")
	manifest = false
	r.clock.Advance(retryAfter)
	require.Error(t, r.Pass(t.Context()))
	require.NoError(t, r.Lake.Close())

	r = startRig(t, after) // which judges the file
	require.Len(t, onDisk(t, after, "traces"), 11)
	require.Len(t, readIDs(t, after, r.Lake.Snapshot().Files), 10)
	require.NoError(t, r.Lake.Close())
}

// What waits for readers gives way while a commit waits for room.
func TestFullDiskUnlinksWhileACommitWaits(t *testing.T) {
	disk := fsystest.NewCrash()
	r := startRig(t, disk)
	for i := range 10 {
		require.NoError(t, r.write(row{uint64(i), noon.Add(-3 * time.Hour), "7d"}))
	}
	require.NoError(t, r.Pass(t.Context()))
	require.Len(t, onDisk(t, disk, "traces"), 11)
	require.NoError(t, r.write(row{11, noon.Add(-9 * 24 * time.Hour), "7d"}))
	merged := path.Base(r.Lake.Snapshot().Files[0].Path)
	var full atomic.Bool
	full.Store(true)
	disk.Hook(func(op fsystest.Op, name string) error {
		switch {
		case op == fsystest.OpRemove && strings.HasSuffix(name, ".parquet"):
			require.NotEqual(t, merged, path.Base(name))
			full.Store(false)
		case full.Load() && op == fsystest.OpWrite:
			return syscall.ENOSPC
		}
		return nil
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- r.Pass(ctx) }()
	require.NoError(t, r.clock.BlockUntilContext(ctx, 1))
	require.False(t, full.Load())
	r.clock.Advance(settleEvery)
	require.NoError(t, <-done)
	require.Equal(t, 1, r.expired)
	require.NoError(t, r.Lake.Close())
}

// A file that an interrupted merge left, and that is made again under its name,
// is no waste any more; given up again, it outlives that as any other.
func TestFileMadeAgainIsKept(t *testing.T) {
	disk := fsystest.NewCrash()
	r := startRig(t, disk)
	yesterday := noon.Add(-25 * time.Hour) // expires at noon
	for i := range 10 {
		require.NoError(t, r.write(row{uint64(i), yesterday, "1d"}))
	}
	p := hourOf(yesterday)
	p.Retention = "1d"
	left := path.Join(p.Directory(), parquetfile.CompactName(r.Lake.Snapshot().Version, 0))
	require.NoError(t, fsys.WriteFile(disk, path.Join("lake", left), []byte("x")))
	require.NoError(t, r.Lake.Close())

	r, err := openRig(t, disk, clockwork.NewFakeClockAt(noon.Add(-removeAfter/2)), 11)
	require.NoError(t, err)
	defer r.Lake.Close()
	require.NoError(t, r.Pass(t.Context()))
	require.Equal(t, []string{left}, paths(r.Lake.Snapshot().Files))
	r.clock.Advance(removeAfter / 2)
	require.NoError(t, r.Pass(t.Context()))
	require.Empty(t, r.Lake.Snapshot().Files)
	r.clock.Advance(removeAfter - time.Second)
	require.NoError(t, r.Pass(t.Context()))
	require.Contains(t, onDisk(t, disk, "traces"), left)
	r.clock.Advance(time.Second)
	require.NoError(t, r.Pass(t.Context()))
	require.Empty(t, onDisk(t, disk, "traces"))
}

// A partition that cannot be written, or read just now, keeps no other from being
// merged, and is merged once it can be.
func TestFaultOfOnePartitionStopsNoOther(t *testing.T) {
	for name, fails := range map[string]func(op fsystest.Op, name string) error{
		"no permission to write": func(op fsystest.Op, name string) error {
			if op == fsystest.OpOpen && strings.HasSuffix(name, fsys.TempSuffix) {
				return syscall.EACCES
			}
			return nil
		},
		"too many open files": func(op fsystest.Op, name string) error {
			if op == fsystest.OpOpen && strings.HasSuffix(name, ".parquet") {
				return syscall.EMFILE
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			disk := fsystest.NewCrash()
			r := startRig(t, disk)
			defer r.Lake.Close()
			for i := range 12 {
				require.NoError(t, r.write(row{uint64(i), noon.Add(-3 * time.Hour), "7d"}))
			}
			for i := range 10 {
				require.NoError(t, r.write(row{uint64(100 + i), noon.Add(-4 * time.Hour), "7d"}))
			}
			broken := path.Base(hourOf(noon.Add(-3 * time.Hour)).Directory())
			disk.Hook(func(op fsystest.Op, name string) error {
				if strings.Contains(name, broken) {
					return fails(op, name)
				}
				return nil
			})
			require.Error(t, r.Pass(t.Context()))
			require.Equal(t, counts{merges: 1, merged: 10, failed: 1}, r.counts)
			disk.Hook(nil)
			r.clock.Advance(retryAfter)
			require.NoError(t, r.Pass(t.Context()))
			require.Equal(t, counts{merges: 2, merged: 22, failed: 1}, r.counts)
		})
	}
}

// An older manifest that was put back lists files that are gone: what it does
// not list may be the only copy of their rows.
func TestOlderManifestDestroysNothing(t *testing.T) {
	disk := fsystest.NewCrash()
	r := startRig(t, disk)
	for i := range 10 {
		require.NoError(t, r.write(row{uint64(i), noon.Add(-3 * time.Hour), "7d"}))
	}
	version := r.Lake.Snapshot().Version
	old, err := fsystest.ReadFile(disk, "lake/MANIFEST")
	require.NoError(t, err)
	require.NoError(t, r.Pass(t.Context()))
	r.clock.Advance(removeAfter)
	require.NoError(t, r.Pass(t.Context()))
	merged := r.Lake.Snapshot().Files[0].Path
	require.Equal(t, parquetfile.CompactName(version, 0), path.Base(merged))
	require.NoError(t, r.Lake.Close())
	require.NoError(t, fsys.WriteFile(disk, "lake/MANIFEST", old))

	l, err := lake.Open("lake", disk)
	require.NoError(t, err)
	defer l.Close()
	require.Len(t, l.Missing(), 10)
	orphans, err := Judge(l, logID, func(uint64) bool { return false })
	require.NoError(t, err)
	require.Equal(t, Orphans{Foreign: []string{merged}}, orphans)
}

// While there is always more to merge, rows expire all the same.
func TestExpiresBetweenMerges(t *testing.T) {
	disk := fsystest.NewCrash()
	r := startRig(t, disk)
	defer r.Lake.Close()
	require.NoError(t, r.write(row{1, noon.Add(-24*time.Hour - 30*time.Minute), "1d"})) // over in half an hour
	more := func(n int) {
		for i := range 10 {
			require.NoError(t, r.write(row{uint64(10*n + i), noon.Add(-3 * time.Hour), "7d"}))
		}
	}
	more(1)
	r.Observe = &busy{counts: &r.counts, then: func(n int) {
		r.clock.Advance(10 * time.Minute)
		if n < 9 {
			more(n + 1)
		}
		if n == 5 {
			require.Equal(t, 1, r.expired)
		}
	}}
	require.NoError(t, r.Pass(t.Context()))
	require.Equal(t, 9, r.merges)
}

// busy is an Observer after whose merges there is more to do.
type busy struct {
	*counts

	then func(n int)
}

func (b *busy) Merged(signal string, inputs, outputs []lake.File) {
	b.counts.Merged(signal, inputs, outputs)
	b.then(b.merges)
}

func TestSteadyClock(t *testing.T) {
	var s steady
	at := func(wall, passed time.Duration) bool { return s.believed(noon.Add(wall), passed) }
	require.True(t, at(0, 0))
	require.True(t, at(time.Minute, time.Minute))
	require.True(t, at(3*time.Minute, 2*time.Minute), "a small step")
	require.False(t, at(60*24*time.Hour, 3*time.Minute), "set forward")
	require.False(t, at(4*time.Minute, 4*time.Minute), "set back, and doubted still")
	require.False(t, at(62*time.Minute, 62*time.Minute))
	require.True(t, at(63*time.Minute, 63*time.Minute))
}

// Rows of more hours than a segment has files for lie with later or earlier ones:
// the later ones decide.
func TestRowsFiledWithOthersExpireByTheirTime(t *testing.T) {
	disk := fsystest.NewCrash()
	r := startRig(t, disk)
	defer r.Lake.Close()
	rows := []row{{1, noon, "7d"}}
	for i := range 300 {
		at := noon.Add(-time.Duration(i+1) * time.Hour)
		rows = append(rows, row{uint64(2*i + 10), at, "7d"}, row{uint64(2*i + 11), at, "7d"})
	}
	require.NoError(t, r.write(rows...))
	require.NoError(t, r.Pass(t.Context()))
	ids := readIDs(t, disk, r.Lake.Snapshot().Files)
	for _, x := range rows {
		if !x.over(noon) {
			require.Contains(t, ids, x.id, x.time)
		}
	}
}
