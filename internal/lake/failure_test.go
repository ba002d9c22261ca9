package lake

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/fsys"
	"github.com/spanlake/spanlake/internal/fsys/fsystest"
)

var errDisk = errors.New("disk on fire")

func TestFailedRewriteOfAGrownManifestIsMadeUpFor(t *testing.T) {
	for _, op := range []fsystest.Op{fsystest.OpRename, fsystest.OpSyncDir, fsystest.OpOpen} {
		disk := fsystest.NewCrash()
		s := open(t, "/lake", disk)
		s.base = -slack / 2 // grown
		disk.Fail(op, 1, errDisk)
		require.NoError(t, s.Commit(Commit{Log: logA, Segment: 1, Add: files(1)}))
		require.NoError(t, s.Commit(Commit{Log: logA, Segment: 2, Add: files(2)}))
		require.Equal(t, files(1, 2), open(t, "/lake", disk.Crash()).Snapshot().Files)
	}
}

func TestFailedCommitIsNotInTheLakeAndCanBeRepeated(t *testing.T) {
	for _, op := range []fsystest.Op{fsystest.OpWrite, fsystest.OpSync} {
		t.Run(op.String(), func(t *testing.T) {
			disk := fsystest.NewCrash()
			s := open(t, "/lake", disk)
			require.NoError(t, s.Commit(Commit{Log: logA, Segment: 1, Add: files(1)}))
			disk.Fail(op, 1, errDisk)
			c := Commit{Log: logA, Segment: 2, Batches: []string{"b"}, Add: files(2), Remove: paths(1)}
			err := s.Commit(c)
			require.ErrorIs(t, err, errDisk)
			require.NotErrorIs(t, err, ErrUnsettled)
			require.False(t, s.Committed(logA, 2))
			require.False(t, s.SeenBatch("b"))
			require.Equal(t, files(1), s.Snapshot().Files)
			// In no way of ending is it found again.
			for _, next := range []*fsystest.Crash{copyOf(t, disk).Kill(), copyOf(t, disk).Crash()} {
				require.Equal(t, files(1), open(t, "/lake", next).Snapshot().Files)
			}
			require.NoError(t, s.Commit(c))
			require.Equal(t, files(2), open(t, "/lake", disk.Crash()).Snapshot().Files)
		})
	}
}

// A reader may see a commit that fails then. What it sees next has another
// version, so that it does not take the two for the same.
func TestFailedCommitTakesItsVersionWithIt(t *testing.T) {
	visible := func(disk *fsystest.Crash) Snapshot {
		f, err := disk.OpenFile("/lake/MANIFEST", os.O_RDONLY, 0)
		require.NoError(t, err)
		defer f.Close()
		state, err := readManifest(f)
		require.NoError(t, err)
		return state.snapshot()
	}
	for name, tc := range map[string]struct {
		rewrites int // that fail
		settle   func(s *Store) error
	}{
		"failed":                {0, func(*Store) error { return nil }},
		"unsettled, settled":    {1, func(s *Store) error { _, err := s.Settle(); return err }},
		"settled at the second": {2, func(s *Store) error { _, _ = s.Settle(); _, err := s.Settle(); return err }},
		"by the next commit":    {1, func(s *Store) error { return s.Commit(Commit{}) }},
	} {
		t.Run(name, func(t *testing.T) {
			disk := fsystest.NewCrash()
			s := open(t, "/lake", disk)
			var seen Snapshot
			failing, rewrites := true, tc.rewrites
			disk.Hook(func(op fsystest.Op, name string) error {
				switch {
				case failing && op == fsystest.OpSync && strings.HasSuffix(name, "MANIFEST"):
					failing = false
					disk.Hook(nil)
					seen = visible(disk)
					for n := range rewrites {
						disk.Fail(fsystest.OpRename, n+1, errDisk)
					}
					return errDisk
				default:
					return nil
				}
			})
			require.ErrorIs(t, s.Commit(Commit{Log: logA, Segment: 1, Add: files(1)}), errDisk)
			require.Equal(t, files(1), seen.Files)
			require.NoError(t, tc.settle(s))
			now := visible(disk)
			require.Empty(t, now.Files)
			require.Greater(t, now.Version, seen.Version)
			require.Equal(t, now.Version, s.Snapshot().Version)
		})
	}
}

// copyOf is a machine with the files of another, all synced.
func copyOf(t *testing.T, disk *fsystest.Crash) *fsystest.Crash {
	t.Helper()
	next := fsystest.NewCrash()
	require.NoError(t, next.MkdirAll("/lake"))
	data, err := fsystest.ReadFile(disk, "/lake/MANIFEST")
	require.NoError(t, err)
	require.NoError(t, fsys.WriteFile(next, "/lake/MANIFEST", data))
	return next
}

func TestUnsettledCommitIsSettledByTheNext(t *testing.T) {
	build := func(t *testing.T) (*fsystest.Crash, *Store) {
		t.Helper()
		disk := fsystest.NewCrash()
		s := open(t, "/lake", disk)
		require.NoError(t, s.Commit(Commit{Log: logA, Segment: 1, Add: files(1)}))
		disk.Fail(fsystest.OpSync, 1, errDisk)
		disk.Fail(fsystest.OpRename, 1, syscall.ENOSPC)
		err := s.Commit(Commit{Log: logA, Segment: 2, Add: files(2), Remove: paths(1)})
		require.ErrorIs(t, err, ErrUnsettled)
		require.ErrorIs(t, err, errDisk)
		require.ErrorIs(t, err, syscall.ENOSPC)
		require.Equal(t, files(1), s.Snapshot().Files)
		return disk, s
	}
	t.Run("by another commit: it is out", func(t *testing.T) {
		disk, s := build(t)
		require.NoError(t, s.Commit(Commit{Log: logB, Segment: 1, Add: files(3)}))
		require.Equal(t, files(1, 3), s.Snapshot().Files)
		require.Greater(t, s.Snapshot().Version, uint64(2), "a version that was seen is not used again")
		s = open(t, "/lake", disk.Crash())
		require.Equal(t, files(1, 3), s.Snapshot().Files)
		require.False(t, s.Committed(logA, 2))
	})
	t.Run("by the same commit: it is in, once", func(t *testing.T) {
		disk, s := build(t)
		disk.Fail(fsystest.OpRename, 1, errDisk)
		c := Commit{Log: logA, Segment: 2, Add: files(2), Remove: paths(1)}
		require.ErrorIs(t, s.Commit(c), ErrUnsettled, "still broken")
		require.NoError(t, s.Commit(c))
		require.Equal(t, files(2), open(t, "/lake", disk.Crash()).Snapshot().Files)
	})
	t.Run("by another commit, where readers have seen it", func(t *testing.T) {
		disk, s := build(t)
		disk.Fail(fsystest.OpSyncDir, 1, errDisk)
		require.ErrorIs(t, s.Commit(Commit{Log: logA, Segment: 2, Add: files(2)}), ErrUnsettled)
		data, err := fsystest.ReadFile(disk, "/lake/MANIFEST")
		require.NoError(t, err)
		seen, err := decode(data)
		require.NoError(t, err)
		require.Equal(t, files(1, 2), seen.files, "the rename was done")
		require.NoError(t, s.Commit(Commit{Add: files(3)}))
		require.Greater(t, s.Snapshot().Version, seen.version)
	})
	t.Run("by a restart: what is found stays", func(t *testing.T) {
		disk, _ := build(t)
		disk = disk.Kill()
		s := open(t, "/lake", disk)
		require.True(t, s.Committed(logA, 2), "the line is in the page cache")
		want := s.Snapshot()
		require.Equal(t, want, open(t, "/lake", disk.Crash()).Snapshot(), "although its sync had failed")
	})
}

func TestOpenOnAFullDisk(t *testing.T) {
	disk := fsystest.NewCrash()
	s := open(t, "/lake", disk)
	require.NoError(t, s.Commit(Commit{Log: logA, Segment: 1, Add: files(1)}))
	disk = disk.Kill()
	disk.SetFree(0)
	s = open(t, "/lake", disk)
	require.Equal(t, files(1), s.Snapshot().Files)
	c := Commit{Remove: paths(1)}
	require.ErrorIs(t, s.Commit(c), ErrUnsettled)
	disk.SetFree(-1)
	require.NoError(t, s.Commit(c))
	require.Empty(t, open(t, "/lake", disk.Crash()).Snapshot().Files)

	// The old manifest serves then, so it has to be on disk, although the
	// process before died ahead of its sync.
	for op, want := range map[fsystest.Op][]File{fsystest.OpSync: files(1, 2), fsystest.OpSyncDir: files(1)} {
		disk = fsystest.NewCrash()
		s = open(t, "/lake", disk)
		require.NoError(t, s.Commit(Commit{Log: logA, Segment: 1, Add: files(1)}))
		var next *fsystest.Crash
		disk.Hook(func(got fsystest.Op, name string) error {
			if got == op && !strings.HasSuffix(name, ".tmp") {
				next = disk.Kill()
			}
			return nil
		})
		if op == fsystest.OpSync {
			require.Error(t, s.Commit(Commit{Log: logA, Segment: 2, Add: files(2)}))
		} else {
			require.Error(t, s.rewrite(nil))
		}
		next.SetFree(0)
		s = open(t, "/lake", next)
		require.Nil(t, s.file, "could not be written anew")
		require.Equal(t, want, s.Snapshot().Files)
		inode := func(disk *fsystest.Crash) string {
			data, err := fsystest.ReadFile(disk, "/lake/MANIFEST")
			require.NoError(t, err)
			return string(data)
		}
		require.Equal(t, inode(next), inode(next.Crash()))
	}

	disk = fsystest.NewCrash()
	disk.SetFree(0)
	_, err := Open("/lake", disk)
	require.ErrorIs(t, err, syscall.ENOSPC, "a new lake needs its manifest")
}

func TestOpenInterruptedAnywhereCanBeRepeated(t *testing.T) {
	for op := fsystest.OpOpen; op <= fsystest.OpReadDir; op++ {
		for n := 1; n < 6; n++ {
			for _, first := range []bool{true, false} {
				disk := fsystest.NewCrash()
				var want []File
				if !first {
					s := open(t, "/lake", disk)
					want = files(1)
					require.NoError(t, s.Commit(Commit{Log: logA, Segment: 1, Add: want}))
					disk = disk.Kill()
				}
				disk.Fail(op, n, errDisk)
				if s, err := Open("/lake", disk); err == nil {
					require.NoError(t, s.Close())
				}
				disk = disk.CrashTorn(uint64(n))
				require.Equal(t, want, append([]File(nil), open(t, "/lake", disk).Snapshot().Files...), "%v %d", op, n)
			}
		}
	}
}
