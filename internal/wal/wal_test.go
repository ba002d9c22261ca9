package wal

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/fsys"
	"github.com/spanlake/spanlake/internal/fsys/fsystest"
)

func TestRecordsComeBackInOrderAfterSealAndAfterReopen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "wal")
	want := numbered(300)
	l := open(t, fsys.OS, dir)
	id := l.ID()
	require.Regexp(t, `^[0-9a-f]{16}$`, id)

	p := add(t, l, want[:100]...)
	s := seal(t, l)
	require.Equal(t, Sealed(p), s)
	require.Equal(t, want[:100], readAll(t, l))
	_, ok, err := l.Seal()
	require.NoError(t, err)
	require.False(t, ok, "nothing to seal")
	p2 := add(t, l, want[100:200]...)
	require.Greater(t, p2.Segment, p.Segment)
	require.NoError(t, l.Close())

	l = open(t, fsys.OS, dir)
	require.Equal(t, id, l.ID())
	require.Equal(t, []Sealed{s, {Segment: p2.Segment, End: p2.End}}, l.Sealed(), "what was active is sealed")
	require.Equal(t, want[:200], readAll(t, l))
	require.Zero(t, l.TornBytes())
	p3 := add(t, l, want[200:]...)
	require.Greater(t, p3.Segment, p2.Segment)
	seal(t, l)
	require.Equal(t, want, readAll(t, l))
}

func TestAppendJoinsPartsAndCopiesThem(t *testing.T) {
	l := open(t, fsystest.NewCrash(), "/wal")
	part := []byte("one ")
	p, err := l.Append(part, nil, []byte("record"))
	require.NoError(t, err)
	copy(part, "XXXX")
	require.NoError(t, l.Sync(t.Context(), p))
	_, err = l.Append()
	require.NoError(t, err)
	seal(t, l)
	require.Equal(t, []string{"one record", ""}, readAll(t, l))
}

func TestRecordsLargerThanEveryBuffer(t *testing.T) {
	l := open(t, fsystest.NewCrash(), "/wal")
	l.buffer = 1000
	want := []string{strings.Repeat("a", 900), strings.Repeat("b", 900), "c", strings.Repeat("d", 3*window+17), "e", strings.Repeat("f", 5000)}
	for _, r := range want {
		_, err := l.Append([]byte(r))
		require.NoError(t, err)
	}
	seal(t, l)
	require.Equal(t, want, readAll(t, l))
}

func TestOneOwnerPerDirectory(t *testing.T) {
	dir := t.TempDir()
	l := open(t, nil, dir)
	_, err := Open(Options{Dir: dir})
	require.ErrorIs(t, err, fsys.ErrInUse)
	require.ErrorContains(t, err, dir)
	require.NoError(t, l.Close())
	require.NoError(t, open(t, nil, dir).Close())
}

func TestFileModes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "wal")
	l := open(t, nil, dir)
	add(t, l, "x")
	seal(t, l)
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := d.Info()
		require.NoError(t, err)
		most := fsys.FileMode
		if d.IsDir() {
			most = fsys.DirMode
		}
		require.Zero(t, info.Mode().Perm()&^most, "%s has mode %v", path, info.Mode())
		return nil
	}))
}

func TestMaxBytesBoundsAllFilesAndRemoveMakesRoom(t *testing.T) {
	disk := fsystest.NewCrash()
	const most = 2000
	l, err := Open(Options{Dir: "/wal", FS: disk, MaxBytes: most})
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	fill := func() int {
		for n := 0; ; n++ {
			p, err := l.Append(make([]byte, 100))
			if err != nil {
				require.ErrorIs(t, err, ErrFull)
				return n
			}
			require.NoError(t, l.Sync(t.Context(), p))
		}
	}
	require.Equal(t, 16, fill())
	first := seal(t, l)
	require.LessOrEqual(t, sizeOnDisk(t, disk, "/wal"), int64(most))
	require.Equal(t, sizeOnDisk(t, disk, "/wal"), l.Bytes())
	require.Zero(t, fill(), "the next segment is full too")
	_, ok, err := l.Seal()
	require.NoError(t, err)
	require.False(t, ok)

	require.NoError(t, l.Remove(first.Segment))
	require.Equal(t, sizeOnDisk(t, disk, "/wal"), l.Bytes())
	require.Positive(t, fill())
	require.NoError(t, l.Close())

	l, err = Open(Options{Dir: "/wal", FS: disk, MaxBytes: 100})
	require.NoError(t, err, "a lower bound does not keep what is there from being read")
	require.Equal(t, sizeOnDisk(t, disk, "/wal"), l.Bytes())
	require.Len(t, readAll(t, l), 16)
	_, err = l.Append([]byte("x"))
	require.Error(t, err)
	require.NoError(t, l.Close())
}

func TestMaxBytesHoldsWhateverItIs(t *testing.T) {
	for most := int64(300); most < 440; most++ {
		disk := fsystest.NewCrash()
		l, err := Open(Options{Dir: "/wal", FS: disk, MaxBytes: most})
		require.NoError(t, err)
		for range 3 {
			for err = nil; err == nil; {
				_, err = l.Append(make([]byte, 20))
			}
			require.ErrorIs(t, err, ErrFull)
			_, _, err = l.Seal()
			require.NoError(t, err)
			require.LessOrEqual(t, sizeOnDisk(t, disk, "/wal"), most)
			require.Equal(t, sizeOnDisk(t, disk, "/wal"), l.Bytes())
		}
		require.NoError(t, l.Close())
	}
}

func TestRecordsThatCanNeverFitAreToldApartFromAFullLog(t *testing.T) {
	l, err := Open(Options{Dir: "/wal", FS: fsystest.NewCrash(), MaxBytes: 1000})
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	_, err = l.Append(make([]byte, 1000-2*headerSize-reserve-frameSize+1))
	require.ErrorIs(t, err, ErrTooLarge)
	require.NotErrorIs(t, err, ErrFull)
	_, err = l.Append(make([]byte, 1000-2*headerSize-reserve-frameSize))
	require.NoError(t, err)

	unbounded := open(t, fsystest.NewCrash(), "/wal")
	_, err = unbounded.Append(make([]byte, maxRecord/2), make([]byte, maxRecord/2), []byte("x"))
	require.ErrorIs(t, err, ErrTooLarge)
}

func TestRemoveIsForGood(t *testing.T) {
	disk := fsystest.NewCrash()
	l := open(t, disk, "/wal")
	for _, r := range []string{"a", "b", "c"} {
		add(t, l, r)
		seal(t, l)
	}
	middle := l.Sealed()[1].Segment
	require.NoError(t, l.Remove(middle))
	require.ErrorIs(t, l.Remove(middle), fs.ErrNotExist)
	require.ErrorIs(t, l.Remove(99), fs.ErrNotExist)
	_, err := l.Read(middle, nil)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.Equal(t, []string{"a", "c"}, readAll(t, l))
	require.Equal(t, []string{"a", "c"}, readAll(t, open(t, disk.Crash(), "/wal")))
}

func TestActiveSegmentCanNeitherBeReadNorRemoved(t *testing.T) {
	l := open(t, fsystest.NewCrash(), "/wal")
	p := add(t, l, "x")
	_, err := l.Read(p.Segment, nil)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorIs(t, l.Remove(p.Segment), fs.ErrNotExist)
}

func TestReadEndsWithTheErrorOfItsCallback(t *testing.T) {
	l := open(t, fsystest.NewCrash(), "/wal")
	add(t, l, "a", "b", "c")
	s := seal(t, l)
	stop, calls := errors.New("stop"), 0
	_, err := l.Read(s.Segment, func([]byte) error {
		calls++
		return stop
	})
	require.ErrorIs(t, err, stop)
	require.Equal(t, 1, calls)
}

func TestNumbersGoOnWhenEverythingWasRemoved(t *testing.T) {
	disk := fsystest.NewCrash()
	last := uint64(0)
	for range 5 {
		l := open(t, disk, "/wal")
		require.Empty(t, l.Sealed())
		p := add(t, l, "x")
		require.Greater(t, p.Segment, last)
		last = p.Segment
		require.NoError(t, l.Remove(seal(t, l).Segment))
		disk = disk.Crash()
	}
	entries, err := open(t, disk, "/wal").fs.ReadDir("/wal")
	require.NoError(t, err)
	require.Len(t, entries, 4, "lock, identity, active and next: empty segments do not pile up")
}

func TestCloseWritesWhatWasAppended(t *testing.T) {
	disk := fsystest.NewCrash()
	l := open(t, disk, "/wal")
	p, err := l.Append([]byte("never synced"))
	require.NoError(t, err)
	synced := add(t, l, "synced")
	require.NoError(t, l.Close())
	require.NoError(t, l.Close(), "idempotent")

	require.NoError(t, l.Sync(t.Context(), p))
	require.NoError(t, l.Sync(t.Context(), synced))
	_, err = l.Append([]byte("x"))
	require.ErrorIs(t, err, ErrClosed)
	_, _, err = l.Seal()
	require.ErrorIs(t, err, ErrClosed)
	require.ErrorIs(t, l.Remove(1), ErrClosed)
	_, err = l.Read(1, nil)
	require.ErrorIs(t, err, ErrClosed)
	require.Equal(t, []string{"never synced", "synced"}, readAll(t, open(t, disk.Crash(), "/wal")))
}

func TestSyncRefusesPositionsThatWereNotGivenOut(t *testing.T) {
	l := open(t, fsystest.NewCrash(), "/wal")
	p := add(t, l, "x")
	require.Error(t, l.Sync(t.Context(), Position{Segment: p.Segment, End: p.End + 1}))
	require.Error(t, l.Sync(t.Context(), Position{Segment: p.Segment + 1, End: p.End}))
	require.Error(t, l.Sync(t.Context(), Position{}))
	require.NoError(t, l.Close())
	l = open(t, l.fs, "/wal")
	require.Error(t, l.Sync(t.Context(), p), "of an earlier Log: what became of it is not known")
}

// What one process read is on disk, also where the process before it died
// between write and sync.
func TestWhatIsReadAfterAKillSurvivesAPowerCut(t *testing.T) {
	for name, write := range map[string]func(l *Log){
		"without trailer": func(l *Log) {
			l.mu.Lock()
			l.flush(l.active, false)
			l.mu.Unlock()
		},
		"with trailer": func(l *Log) {
			disk := l.fs.(*fsystest.Crash)
			disk.Hook(func(op fsystest.Op, _ string) error {
				if op == fsystest.OpSync {
					disk.Kill()
				}
				return nil
			})
			require.ErrorIs(t, l.Close(), fsystest.ErrDead)
		},
	} {
		t.Run(name, func(t *testing.T) {
			disk := fsystest.NewCrash()
			l := open(t, disk, "/wal")
			_, err := l.Append([]byte("written, not synced"))
			require.NoError(t, err)
			write(l)
			disk = disk.Kill()
			want := []string{"written, not synced"}
			require.Equal(t, want, readAll(t, open(t, disk, "/wal")))
			require.Equal(t, want, readAll(t, open(t, disk.Crash(), "/wal")))
		})
	}
}

func TestLogOnTheRealDiskSurvivesReopenManyTimes(t *testing.T) {
	dir := t.TempDir()
	var want []string
	for _, r := range numbered(20) {
		l := open(t, nil, dir)
		add(t, l, r)
		want = append(want, r)
		require.NoError(t, l.Close())
	}
	require.Equal(t, want, readAll(t, open(t, nil, dir)))
	require.NoError(t, os.RemoveAll(dir))
}
