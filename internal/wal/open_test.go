package wal

import (
	"encoding/binary"
	"fmt"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/fsys"
	"github.com/spanlake/spanlake/internal/fsys/fsystest"
)

func identityFile(text string) []byte {
	return fmt.Appendf(nil, "%08x %s\n", checksum([]byte(text)), text)
}

func TestOpenRefusesWhatIsNotItsOwn(t *testing.T) {
	const name = "/wal/WAL"
	segment := "/wal/" + segmentName(1)
	for _, tc := range []struct {
		name   string
		change func(fs fsys.FS, id identity) error
		want   string
	}{
		{"newer version of the log", func(fs fsys.FS, _ identity) error {
			return fsys.WriteFile(fs, name, identityFile(`{"format":"spanlake-wal","version":2,"key":"x"}`))
		}, "file WAL has format version 2, this program reads version 1"},
		{"newer version of a segment", func(fs fsys.FS, id identity) error {
			h := encodeHeader(id, 1)
			binary.LittleEndian.PutUint32(h[8:], 2)
			binary.LittleEndian.PutUint32(h[28:], checksum(h[:28]))
			return fsys.WriteFile(fs, segment, h)
		}, "segment 0000000001.wal: has format version 2, this program reads version 1"},
		{"segment of another log", func(fs fsys.FS, _ identity) error {
			return fsys.WriteFile(fs, segment, encodeHeader(identity{1}, 1))
		}, "belongs to log 0100000000000000"},
		{"segment under another name", func(fs fsys.FS, id identity) error {
			return fsys.WriteFile(fs, segment, encodeHeader(id, 9))
		}, "is segment 9 under another name"},
		{"identity missing", func(fs fsys.FS, _ identity) error {
			return fs.Remove(name)
		}, "the file WAL is missing"},
		{"identity of another format", func(fs fsys.FS, _ identity) error {
			return fsys.WriteFile(fs, name, identityFile(`{"format":"spanlake-lake","version":1}`))
		}, `has format "spanlake-lake", not "spanlake-wal"`},
		{"identity cut short", func(fs fsys.FS, id identity) error {
			data := id.encode()
			return fsys.WriteFile(fs, name, data[:len(data)-4])
		}, "file WAL is damaged"},
		{"identity empty", func(fs fsys.FS, _ identity) error {
			return fsys.WriteFile(fs, name, nil)
		}, "file WAL is damaged"},
		{"identity with a wrong byte", func(fs fsys.FS, id identity) error {
			data := id.encode()
			data[30] ^= 1
			return fsys.WriteFile(fs, name, data)
		}, "wrong checksum"},
		{"identity with a short id", func(fs fsys.FS, _ identity) error {
			return fsys.WriteFile(fs, name, identityFile(`{"format":"spanlake-wal","version":1,"id":"0123"}`))
		}, `id "0123" is not 8 bytes of hex`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			disk := fsystest.NewCrash()
			l := open(t, disk, "/wal")
			add(t, l, "x")
			require.NoError(t, l.Close())
			require.NoError(t, tc.change(disk, l.id))
			_, err := Open(Options{Dir: "/wal", FS: disk})
			require.ErrorContains(t, err, tc.want)
			require.ErrorContains(t, err, "/wal")
			_, err = Open(Options{Dir: "/wal", FS: disk})
			require.NotErrorIs(t, err, fsys.ErrInUse, "a refused open gives the lock back")
		})
	}
}

func TestOpenLeavesOtherFilesAlone(t *testing.T) {
	disk := fsystest.NewCrash()
	l := open(t, disk, "/wal")
	add(t, l, "x")
	require.NoError(t, l.Close())
	others := []string{"README", "1.wal", "0000000000.wal", "00000000001.wal", "0000000001.wal.bak", "x0000000001.wal", "99999999999999999999.wal"}
	for _, name := range others {
		require.NoError(t, fsys.WriteFile(disk, "/wal/"+name, []byte(name)))
	}
	l = open(t, disk, "/wal")
	require.Equal(t, []string{"x"}, readAll(t, l))
	require.NoError(t, l.Remove(l.Sealed()[0].Segment))
	for _, name := range others {
		require.Equal(t, name, string(readFile(t, disk, "/wal/"+name)))
	}
}

func TestSegmentsAreOrderedByNumberNotByName(t *testing.T) {
	require.Equal(t, "10000000000.wal", segmentName(10_000_000_000))
	disk := fsystest.NewCrash()
	l := open(t, disk, "/wal")
	require.NoError(t, l.Close())
	for _, n := range []uint64{9_999_999_999, 10_000_000_000} {
		record := fmt.Sprint(n)
		data := encodeHeader(l.id, n)
		data = appendFrame(data, frameKey(l.id, n), headerSize, recordMagic, len(record), checksum([]byte(record)))
		require.NoError(t, fsys.WriteFile(disk, "/wal/"+segmentName(n), append(data, record...)))
	}
	l = open(t, disk, "/wal")
	require.Equal(t, []string{"9999999999", "10000000000"}, readAll(t, l))
	require.EqualValues(t, 10_000_000_001, add(t, l, "x").Segment)
}

// A first start that is cut short at any operation must not keep the next one
// from working.
func TestOpenInterruptedAnywhereCanBeRepeated(t *testing.T) {
	ops := []fsystest.Op{
		fsystest.OpOpen, fsystest.OpWrite, fsystest.OpSync, fsystest.OpSyncDir,
		fsystest.OpRename, fsystest.OpMkdir, fsystest.OpTruncate, fsystest.OpReadDir, fsystest.OpRead,
	}
	for _, op := range ops {
		for n := range 8 {
			disk := fsystest.NewCrash()
			disk.Fail(op, n+1, syscall.EIO)
			l, err := Open(Options{Dir: "/wal", FS: disk})
			if err == nil {
				require.NoError(t, l.Close())
			}
			for _, next := range []*fsystest.Crash{disk.Kill(), disk.CrashTorn(uint64(n)), disk.Crash()} {
				l := open(t, next, "/wal")
				add(t, l, "x")
				l = open(t, next.Crash(), "/wal")
				require.Equal(t, []string{"x"}, readAll(t, l), "%v %d", op, n)
				require.Regexp(t, `^[0-9a-f]{16}$`, l.ID())
			}
		}
	}
}

// The way out of a full disk is to read and remove what is in the log; that
// must not need space.
func TestOpenOnAFullDiskLetsTheLogBeEmptied(t *testing.T) {
	disk := fsystest.NewCrash()
	l := open(t, disk, "/wal")
	add(t, l, "one", "two")
	disk = disk.Crash()
	disk.SetFree(0)
	l = open(t, disk, "/wal")
	p, err := l.Append([]byte("three"))
	require.NoError(t, err)
	require.ErrorIs(t, l.Sync(t.Context(), p), syscall.ENOSPC)
	_, _, err = l.Seal()
	require.ErrorIs(t, err, syscall.ENOSPC, "no room for the next segment")

	require.Equal(t, []string{"one", "two"}, readAll(t, l))
	require.NoError(t, l.Remove(l.Sealed()[0].Segment))
	_, ok, err := l.Seal()
	require.NoError(t, err)
	require.False(t, ok, "the refused record is not in it")
	add(t, l, "4")
	seal(t, l)
	require.Equal(t, []string{"4"}, readAll(t, l))
}
