package lake

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/fsys"
	"github.com/spanlake/spanlake/internal/fsys/fsystest"
)

func TestCommitsAddUp(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data", "lake")
	s := open(t, dir, nil)
	require.Equal(t, Snapshot{}, s.Snapshot())
	require.False(t, s.Committed(logA, 1))

	require.NoError(t, s.Commit(Commit{Log: logA, Segment: 3, Batches: []string{"one", "two"}, Add: files(1, 2)}))
	require.NoError(t, s.Commit(Commit{Log: logB, Segment: 1, Add: files(3)}))
	require.NoError(t, s.Commit(Commit{Add: files(4), Remove: paths(1, 3)}))
	require.NoError(t, s.Commit(Commit{Log: logA, Segment: 5}), "a segment without rows")

	check := func(s *Store) {
		snapshot := Snapshot{Version: 4, Files: files(2, 4)}
		require.Equal(t, snapshot, s.Snapshot())
		read, err := ReadSnapshot(dir)
		require.NoError(t, err)
		require.Equal(t, snapshot, read)
		for segment, committed := range map[uint64]bool{1: true, 4: true, 5: true, 6: false} {
			require.Equal(t, committed, s.Committed(logA, segment), segment)
		}
		require.False(t, s.Committed(logB, 2))
		require.False(t, s.Committed("ffffffffffffffff", 1))
		require.True(t, s.SeenBatch("one"))
		require.True(t, s.SeenBatch("two"))
		require.False(t, s.SeenBatch("three"))
	}
	check(s)
	require.NoError(t, s.Close())
	s = open(t, dir, nil)
	check(s)
	require.NoError(t, s.Close())
	require.NoError(t, s.Close(), "idempotent")
	require.ErrorIs(t, s.Commit(Commit{Log: logA, Segment: 6}), ErrClosed)
	check(open(t, dir, nil))

	info, err := os.Stat(filepath.Join(dir, manifestName))
	require.NoError(t, err)
	require.Zero(t, info.Mode().Perm()&^fsys.FileMode)
}

func TestSnapshotStaysAsItWas(t *testing.T) {
	s := open(t, "/lake", fsystest.NewCrash())
	var snapshots []Snapshot
	var want [][]File
	for n := 1; n <= 20; n++ {
		c := Commit{Add: files(n)}
		if n%6 == 0 {
			c.Remove = paths(n-1, n-3)
		}
		require.NoError(t, s.Commit(c))
		snapshots = append(snapshots, s.Snapshot())
		want = append(want, slices.Clone(s.Snapshot().Files))
		for i, old := range snapshots {
			require.Equal(t, want[i], old.Files)
			_ = append(old.Files, file(99)) // what a careless caller may do
		}
	}
	require.Equal(t, want[19], s.Snapshot().Files)
	require.Equal(t, files(1, 2, 4, 6, 7, 8, 10, 12, 13, 14, 16, 18, 19, 20), want[19])
}

func TestCommitRefusesWhatTheManifestMustNotHold(t *testing.T) {
	with := func(change func(*File)) Commit {
		f := file(7)
		change(&f)
		return Commit{Log: logA, Segment: 9, Add: []File{f}}
	}
	at := func(path string) Commit { return with(func(f *File) { f.Path = path }) }
	for name, tc := range map[string]struct {
		commit Commit
		want   string
	}{
		"absolute path":       {at("/traces/x.parquet"), "clean relative"},
		"path that climbs":    {at("traces/../../x.parquet"), "clean relative"},
		"path not clean":      {at("traces//x.parquet"), "clean relative"},
		"path with dot":       {at("traces/./x.parquet"), "clean relative"},
		"backslash":           {at(`traces/..\x.parquet`), "clean relative"},
		"zero byte":           {at("traces/x\x00.parquet"), "clean relative"},
		"not UTF-8":           {at("traces/\xff.parquet"), "clean relative"},
		"empty path":          {at(""), "clean relative"},
		"other signal's path": {at("logs/x.parquet"), "below its signal"},
		"temporary file":      {at("traces/x.parquet.tmp"), "does not end in .parquet"},
		"unknown signal":      {with(func(f *File) { f.Signal = "metrics" }), `signal "metrics"`},
		"schema":              {with(func(f *File) { f.Schema = 0 }), "schema 0"},
		"rows":                {with(func(f *File) { f.Rows = -1 }), "negative"},
		"bytes":               {with(func(f *File) { f.Bytes = -1 }), "negative"},
		"times":               {with(func(f *File) { f.MinTime = f.MaxTime + 1 }), "min_time is after max_time"},
		"added before":        {Commit{Log: logA, Segment: 9, Add: files(1)}, "in the lake already"},
		"added twice":         {Commit{Log: logA, Segment: 9, Add: files(7, 7)}, "added twice"},
		"removed unknown":     {Commit{Remove: paths(7)}, "not in the lake"},
		"removed twice":       {Commit{Remove: paths(1, 1)}, "removed twice"},
		"added and removed":   {Commit{Add: files(7), Remove: paths(7)}, "not in the lake"},
		"segment again":       {Commit{Log: logA, Segment: 5}, "segment 5 of log 0123456789abcdef does not follow 5"},
		"segment before":      {Commit{Log: logA, Segment: 4}, "does not follow 5"},
		"segment 0":           {Commit{Log: logB}, "segment 0"},
		"segment of no log":   {Commit{Segment: 1}, "of no log"},
		"log name":            {Commit{Log: "../etc/passwd", Segment: 1}, "16 hex digits"},
		"empty batch":         {Commit{Log: logA, Segment: 9, Batches: []string{"x", ""}}, "no identity"},
		"long batch":          {Commit{Log: logA, Segment: 9, Batches: []string{strings.Repeat("x", MaxBatchID+1)}}, "257 bytes"},
		"batch not UTF-8":     {Commit{Log: logA, Segment: 9, Batches: []string{"\xff"}}, "not UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			disk := fsystest.NewCrash()
			s := open(t, "/lake", disk)
			require.NoError(t, s.Commit(Commit{Log: logA, Segment: 5, Add: files(1)}))
			before := s.Snapshot()
			err := s.Commit(tc.commit)
			require.ErrorContains(t, err, tc.want)
			require.NotErrorIs(t, err, ErrUnsettled)
			require.Equal(t, before, s.Snapshot())
			require.Equal(t, before, open(t, "/lake", disk.Crash()).Snapshot())
		})
	}
}

func TestBatchMemoryIsBoundedAndKeepsTheLast(t *testing.T) {
	disk := fsystest.NewCrash()
	s := open(t, "/lake", disk)
	id := func(n int) string { return fmt.Sprintf("batch-%d", n) }
	const total, each = MaxBatches + 5000, 5000
	segment := uint64(0)
	for n := 0; n < total; n += each {
		segment++
		var ids []string
		for i := n; i < min(n+each, total); i++ {
			ids = append(ids, id(i))
		}
		require.NoError(t, s.Commit(Commit{Log: logA, Segment: segment, Batches: ids}))
	}
	require.NoError(t, s.Commit(Commit{Log: logA, Segment: 100, Batches: []string{id(total - 1)}}), "again: remembered once")
	again := copyOf(t, disk)
	require.NoError(t, open(t, "/lake", again).Close(), "and is written anew by that")
	for _, s := range []*Store{s, open(t, "/lake", again)} {
		require.Len(t, s.state.batches.order, MaxBatches)
		require.Len(t, s.state.batches.set, MaxBatches)
		require.False(t, s.SeenBatch(id(total-MaxBatches-1)))
		require.True(t, s.SeenBatch(id(total-MaxBatches)))
		require.True(t, s.SeenBatch(id(total-1)))
		require.NoError(t, s.Commit(Commit{Log: logA, Segment: 101, Batches: []string{"one more"}}))
		require.False(t, s.SeenBatch(id(total-MaxBatches)), "the oldest goes first")
		require.True(t, s.SeenBatch(id(total-MaxBatches+1)))
	}
}

func TestOneOwner(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, nil)
	_, err := Open(dir, nil)
	require.ErrorIs(t, err, fsys.ErrInUse)
	require.ErrorContains(t, err, dir)
	require.NoError(t, s.Close())
	open(t, dir, nil)
}

func TestLeftoversAreRemovedInTheTreesOnly(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, nil)
	f := file(1)
	require.NoError(t, s.Commit(Commit{Log: logA, Segment: 1, Add: []File{f}}))
	require.NoError(t, s.Close())
	keep := []string{f.Path, "other.tmp", "elsewhere/x.parquet.tmp", "logs/note.txt"}
	drop := []string{"traces/a.parquet.tmp", f.Path + ".tmp", "logs/retention=7d/x.tmp"}
	for _, name := range append(slices.Clone(keep), drop...) {
		name = filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o750))
		require.NoError(t, os.WriteFile(name, nil, 0o600))
	}
	open(t, dir, nil)
	for _, name := range keep {
		require.FileExists(t, filepath.Join(dir, name))
	}
	for _, name := range drop {
		require.NoFileExists(t, filepath.Join(dir, name))
	}
}

func TestLakeWithFilesAndNoManifestIsRefused(t *testing.T) {
	disk := fsystest.NewCrash()
	s := open(t, "/lake", disk)
	require.NoError(t, disk.MkdirAll("/lake/traces/a"))
	require.NoError(t, fsys.WriteFile(disk, "/lake/traces/a/x.parquet", nil))
	require.NoError(t, s.Close())
	require.NoError(t, disk.Remove("/lake/MANIFEST"))
	_, err := Open("/lake", disk)
	require.ErrorContains(t, err, "the file MANIFEST is missing")
	require.ErrorContains(t, err, "x.parquet")
}

func TestReadSnapshotWithoutALake(t *testing.T) {
	_, err := ReadSnapshot(t.TempDir())
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestManifestIsRewrittenWhenItHasGrown(t *testing.T) {
	disk := fsystest.NewCrash()
	s := open(t, "/lake", disk)
	size := func() int64 {
		info, err := disk.Stat("/lake/MANIFEST")
		require.NoError(t, err)
		return info.Size()
	}
	most, rewrites := int64(0), 0
	for n := 1; n < 10_000; n++ {
		before := size()
		c := Commit{Log: logA, Segment: uint64(n), Add: files(n)}
		if n > 10 {
			c.Remove = paths(n - 10)
		}
		require.NoError(t, s.Commit(c))
		most = max(most, size())
		if size() < before {
			rewrites++
			require.Less(t, size(), int64(10_000))
		}
	}
	require.Less(t, most, int64(slack+20_000))
	require.Positive(t, rewrites)
	require.Len(t, s.Snapshot().Files, 10)
	require.Equal(t, s.Snapshot(), open(t, "/lake", disk.Crash()).Snapshot())
}
