package wal

import (
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/fsys"
	"github.com/spanlake/spanlake/internal/fsys/fsystest"
)

// badSectors fails each ReadAt of a file that touches the bytes from, to.
type badSectors struct {
	fsys.FS
	name     string
	from, to int64
	err      error
}

func (d badSectors) OpenFile(name string, flag int, perm fs.FileMode) (fsys.File, error) {
	f, err := d.FS.OpenFile(name, flag, perm)
	if err != nil || name != d.name {
		return f, err
	}
	return badFile{f, d}, nil
}

type badFile struct {
	fsys.File
	bad badSectors
}

func (f badFile) ReadAt(p []byte, off int64) (int, error) {
	if off < f.bad.to && off+int64(len(p)) > f.bad.from {
		return 0, &fs.PathError{Op: "read", Path: f.bad.name, Err: f.bad.err}
	}
	return f.File.ReadAt(p, off)
}

// newPages has records of 1000 bytes with their frames, and none with a byte of zero.
func newPages(tb testing.TB, trailer bool) *broken {
	tb.Helper()
	var records []string
	for i := range 600 {
		records = append(records, strings.Repeat(string(rune('a'+i%26)), 1000-frameSize))
	}
	return newBroken(tb, trailer, records...)
}

// bad is the disk with unreadable bytes in the segment.
func (b *broken) bad(from, to int64, err error) badSectors {
	b.disk = b.disk.Crash()
	return badSectors{FS: b.disk, name: "/wal/" + segmentName(b.number), from: from, to: to, err: err}
}

func TestAnUnreadableSectorCostsTheRecordsOfItsPage(t *testing.T) {
	for _, trailer := range []bool{true, false} {
		b := newPages(t, trailer)
		size := int64(len(b.data))
		for name, at := range map[string]int64{
			"second page": page, "in the first window": 100_000, "end of the first window": window - 1,
			"second window": window, "last window": size - 20_000, "last page": size - 1,
		} {
			t.Run(name, func(t *testing.T) {
				first, end := at/page*page, min(at/page*page+page, size)
				var lost []int
				for i := range b.records {
					if b.begin(i) < end && b.ends[i] > first {
						lost = append(lost, i)
					}
				}
				disk := b.bad(at, at+1, syscall.EIO)
				for range 2 {
					l := open(t, disk, "/wal")
					require.Zero(t, l.TornBytes())
					records, stats := read(t, l, b.number)
					require.Equal(t, b.without(lost...), records)
					require.Positive(t, stats.DamagedRecords)
					require.LessOrEqual(t, stats.DamagedRecords, int64(len(lost)))
					require.GreaterOrEqual(t, stats.DamagedBytes, int64(len(lost))*1000-trailerSize)
					require.LessOrEqual(t, stats.DamagedBytes, int64(len(lost))*1000+trailerSize)
					require.Equal(t, sizeOnDisk(t, disk, "/wal"), l.Bytes())
					require.NoError(t, l.Close())
				}
				require.Equal(t, b.records, readAll(t, open(t, b.disk, "/wal")), "once the disk reads it again")
			})
		}
	}
}

func TestASectorThatBecomesUnreadableAfterOpening(t *testing.T) {
	b := newPages(t, true)
	l := open(t, b.bad(0, 0, nil), "/wal")
	l.fs = badSectors{FS: b.disk, name: "/wal/" + segmentName(b.number), from: 100_000, to: 100_001, err: syscall.EIO}
	records, stats := read(t, l, b.number)
	require.Len(t, records, 600-5)
	require.Equal(t, ReadStats{Records: 595, DamagedRecords: 2, DamagedBytes: 5000}, stats)
}

// A read that fails once is no loss.
func TestAReadThatFailsOnceIsRepeated(t *testing.T) {
	b := newPages(t, true)
	l := open(t, b.disk.Crash(), "/wal")
	l.fs.(*fsystest.Crash).Fail(fsystest.OpRead, 2, syscall.EIO)
	require.Equal(t, b.records, readAll(t, l))
}

// A disk that has gone is not one without records.
func TestADiskThatIsGoneEndsTheReading(t *testing.T) {
	for _, tc := range []struct {
		name     string
		trailer  bool
		from, to int64
		err      error
	}{
		{"header", true, 0, 1, syscall.EIO},
		{"header of a segment without trailer", false, 10, 11, syscall.EIO},
		{"all", true, 0, 1 << 30, syscall.EIO},
		{"all but the header, trailer", true, page, 1 << 30, syscall.EIO},
		{"all but the header", false, page, 1 << 30, syscall.EIO},
		{"another error", true, 100_000, 100_001, fs.ErrPermission},
		{"another error without trailer", false, 100_000, 100_001, fs.ErrPermission},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newPages(t, tc.trailer)
			disk := b.bad(tc.from, tc.to, tc.err)
			before := readFile(t, b.disk, disk.name)
			l, err := Open(Options{Dir: "/wal", FS: disk})
			if err == nil {
				_, err = l.Read(b.number, func([]byte) error { return nil })
				require.NoError(t, l.Close())
			}
			require.ErrorIs(t, err, tc.err)
			require.Equal(t, before, readFile(t, b.disk, disk.name))
		})
	}
}
