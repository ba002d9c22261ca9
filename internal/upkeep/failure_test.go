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
