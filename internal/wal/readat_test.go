package wal

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/fsys"
	"github.com/spanlake/spanlake/internal/fsys/fsystest"
)

func TestReadAtReadsWhatWasSynced(t *testing.T) {
	disk := fsystest.NewCrash()
	for name, layer := range map[string]fsys.FS{"os": fsys.OS, "crash": disk} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			l := open(t, layer, dir)
			p := add(t, l, "first", "second")
			pending, err := l.Append([]byte("pending"))
			require.NoError(t, err)

			b := make([]byte, 6)
			require.NoError(t, l.ReadAt(p.Segment, b, p.End-6), "of the active segment")
			require.Equal(t, "second", string(b))
			require.ErrorIs(t, l.ReadAt(p.Segment, b, pending.End-6), io.ErrUnexpectedEOF, "not synced")
			seal(t, l)
			require.NoError(t, l.ReadAt(p.Segment, b, pending.End-6), "synced by Seal")
			require.Equal(t, "ending", string(b))
			require.ErrorIs(t, l.ReadAt(p.Segment, b, pending.End-5), io.ErrUnexpectedEOF, "the trailer is no record")
			require.NoError(t, l.ReadAt(p.Segment+1, b, 0), "the header of the active segment")
			require.ErrorIs(t, l.ReadAt(p.Segment+9, b, 0), fs.ErrNotExist)

			require.NoError(t, l.Remove(p.Segment))
			require.ErrorIs(t, l.ReadAt(p.Segment, b, p.End-6), fs.ErrNotExist)
			require.Len(t, l.handles, 1, "that of the active segment")
			require.NoError(t, l.Close())
			require.ErrorIs(t, l.ReadAt(p.Segment, b, p.End-6), ErrClosed)
			require.Empty(t, l.handles)
		})
	}
}

func TestReadAtOfAFileThatShrankOrFails(t *testing.T) {
	disk := fsystest.NewCrash()
	l := open(t, disk, "/wal")
	p := add(t, l, "first", "second")
	b := make([]byte, 6)
	disk.Fail(fsystest.OpOpen, 1, errDisk)
	require.ErrorIs(t, l.ReadAt(p.Segment, b, p.End-6), errDisk)
	disk.Fail(fsystest.OpRead, 1, errDisk)
	require.ErrorIs(t, l.ReadAt(p.Segment, b, p.End-6), errDisk)
	require.NoError(t, l.ReadAt(p.Segment, b, p.End-6))
	f, err := disk.OpenFile(l.path(p.Segment), os.O_WRONLY, 0)
	require.NoError(t, err)
	require.NoError(t, f.Truncate(p.End-1))
	require.ErrorIs(t, l.ReadAt(p.Segment, b, p.End-6), io.ErrUnexpectedEOF)
}

func TestReadAtBesideRemove(t *testing.T) {
	for name, layer := range map[string]fsys.FS{"os": fsys.OS, "crash": fsystest.NewCrash()} {
		t.Run(name, func(t *testing.T) {
			l := open(t, layer, t.TempDir())
			text := strings.Repeat("0123456789", 100)
			for range 50 {
				p := add(t, l, text)
				var wg sync.WaitGroup
				for range 4 {
					wg.Go(func() {
						b := make([]byte, len(text))
						for range 20 {
							err := l.ReadAt(p.Segment, b, p.End-int64(len(text)))
							if err == nil && string(b) != text || err != nil && !errors.Is(err, fs.ErrNotExist) {
								t.Error(err)
							}
						}
					})
				}
				wg.Go(func() {
					_, _, err := l.Seal()
					if err = errors.Join(err, l.Remove(p.Segment)); err != nil {
						t.Error(err)
					}
				})
				wg.Wait()
				require.Empty(t, l.handles)
			}
		})
	}
}

func TestScanTellsWhereRecordsBegin(t *testing.T) {
	l := open(t, fsystest.NewCrash(), "/wal")
	records := numbered(40)
	add(t, l, records...)
	s := seal(t, l)
	n := 0
	_, err := l.Scan(s.Segment, func(offset int64, record []byte) error {
		b := make([]byte, len(record))
		require.NoError(t, l.ReadAt(s.Segment, b, offset))
		require.Equal(t, records[n], string(b))
		n++
		return nil
	})
	require.NoError(t, err)
	require.Len(t, records, n)
}
