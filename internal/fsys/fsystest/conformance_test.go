package fsystest

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/fsys"
)

// system is a file system and an empty directory in it.
type system struct {
	fsys.FS
	dir string
}

// systems are the operating system and Crash: what code sees while nothing
// crashes has to be the same.
func systems(t *testing.T) map[string]system {
	t.Helper()
	c := NewCrash()
	require.NoError(t, c.MkdirAll("/tmp/dir"))
	return map[string]system{"os": {fsys.OS, t.TempDir()}, "crash": {c, "/tmp/dir"}}
}

func write(t *testing.T, fsy fsys.FS, name, data string, flag int) fsys.File {
	t.Helper()
	f, err := fsy.OpenFile(name, flag, fsys.FileMode)
	require.NoError(t, err)
	_, err = f.Write([]byte(data))
	require.NoError(t, err)
	return f
}

func read(t *testing.T, fsy fsys.FS, name string) string {
	t.Helper()
	data, err := ReadFile(fsy, name)
	require.NoError(t, err)
	return string(data)
}

func names(t *testing.T, fsy fsys.FS, dir string) []string {
	t.Helper()
	list, err := fsy.ReadDir(dir)
	require.NoError(t, err)
	out := []string{}
	for _, e := range list {
		out = append(out, e.Name())
	}
	return out
}

func TestOpenFlags(t *testing.T) {
	for name, fsy := range systems(t) {
		t.Run(name, func(t *testing.T) {
			dir := fsy.dir
			name := filepath.Join(dir, "f")
			_, err := fsy.OpenFile(name, os.O_RDWR, 0)
			require.ErrorIs(t, err, fs.ErrNotExist)
			_, err = fsy.OpenFile(filepath.Join(dir, "no", "f"), os.O_RDWR|os.O_CREATE, fsys.FileMode)
			require.ErrorIs(t, err, fs.ErrNotExist)

			require.NoError(t, write(t, fsy, name, "hello", os.O_WRONLY|os.O_CREATE|os.O_EXCL).Close())
			_, err = fsy.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fsys.FileMode)
			require.ErrorIs(t, err, fs.ErrExist)
			require.NoError(t, write(t, fsy, name, " world", os.O_WRONLY|os.O_APPEND).Close())
			require.Equal(t, "hello world", read(t, fsy, name))
			require.NoError(t, write(t, fsy, name, "J", os.O_WRONLY).Close())
			require.Equal(t, "Jello world", read(t, fsy, name))
			require.NoError(t, write(t, fsy, name, "new", os.O_WRONLY|os.O_TRUNC).Close())
			require.Equal(t, "new", read(t, fsy, name))

			f, err := fsy.OpenFile(name, os.O_RDONLY, 0)
			require.NoError(t, err)
			_, err = f.Write([]byte("x"))
			require.Error(t, err, "opened for reading")
			require.NoError(t, f.Close())
			require.ErrorIs(t, f.Close(), os.ErrClosed)
			require.ErrorIs(t, f.Sync(), os.ErrClosed)
			_, err = fsy.OpenFile(dir, os.O_WRONLY, 0)
			require.Error(t, err, "a directory")
		})
	}
}

func TestFileReadsAndTruncates(t *testing.T) {
	for name, fsy := range systems(t) {
		t.Run(name, func(t *testing.T) {
			dir := fsy.dir
			f := write(t, fsy, filepath.Join(dir, "f"), "0123456789", os.O_RDWR|os.O_CREATE)
			p := make([]byte, 4)
			n, err := f.ReadAt(p, 3)
			require.NoError(t, err)
			require.Equal(t, "3456", string(p[:n]))
			n, err = f.ReadAt(p, 8)
			require.ErrorIs(t, err, io.EOF)
			require.Equal(t, "89", string(p[:n]))
			require.NoError(t, f.Truncate(4))
			info, err := f.Stat()
			require.NoError(t, err)
			require.EqualValues(t, 4, info.Size())
			_, err = f.Write([]byte("X"))
			require.NoError(t, err, "the offset stays behind the end: a hole of zeros")
			require.NoError(t, f.Sync())
			require.NoError(t, f.Close())
			require.Equal(t, "0123\x00\x00\x00\x00\x00\x00X", read(t, fsy, filepath.Join(dir, "f")))
		})
	}
}

func TestEntries(t *testing.T) {
	for name, fsy := range systems(t) {
		t.Run(name, func(t *testing.T) {
			dir := fsy.dir
			in := func(name string) string { return filepath.Join(dir, name) }
			require.NoError(t, fsy.MkdirAll(in("a/b")))
			require.NoError(t, fsy.MkdirAll(in("a/b")))
			require.NoError(t, fsys.WriteFile(fsy, in("y"), []byte("y")))
			require.NoError(t, fsys.WriteFile(fsy, in("x"), []byte("x")))
			require.Equal(t, []string{"a", "x", "y"}, names(t, fsy, dir))
			info, err := fsy.Stat(in("a"))
			require.NoError(t, err)
			require.True(t, info.IsDir())
			require.Equal(t, "a", info.Name())

			open, err := fsy.OpenFile(in("y"), os.O_RDONLY, 0)
			require.NoError(t, err)
			require.NoError(t, fsy.Rename(in("x"), in("y")))
			require.Equal(t, "x", read(t, fsy, in("y")))
			old, err := io.ReadAll(open)
			require.NoError(t, err)
			require.Equal(t, "y", string(old), "a reader keeps the file it opened")
			require.NoError(t, open.Close())

			require.NoError(t, fsy.Rename(in("y"), in("a/b/z")))
			require.Equal(t, []string{"a"}, names(t, fsy, dir))
			require.ErrorIs(t, fsy.Rename(in("y"), in("z")), fs.ErrNotExist)
			require.Error(t, fsy.Remove(in("a")), "not empty")
			require.NoError(t, fsy.Remove(in("a/b/z")))
			require.ErrorIs(t, fsy.Remove(in("a/b/z")), fs.ErrNotExist)
			require.NoError(t, fsy.Remove(in("a/b")))
			require.NoError(t, fsy.SyncDir(in("a")))
			_, err = fsy.ReadDir(in("a/b"))
			require.ErrorIs(t, err, fs.ErrNotExist)
			require.ErrorIs(t, fsy.SyncDir(in("a/b")), fs.ErrNotExist)
			_, err = fsy.Stat(in("a/b"))
			require.ErrorIs(t, err, fs.ErrNotExist)
		})
	}
}

func TestLockHasOneOwner(t *testing.T) {
	for name, fsy := range systems(t) {
		t.Run(name, func(t *testing.T) {
			dir := fsy.dir
			lock, err := fsy.Lock(dir)
			require.NoError(t, err)
			_, err = fsy.Lock(dir)
			require.ErrorIs(t, err, fsys.ErrInUse)
			require.ErrorContains(t, err, dir)
			require.Equal(t, []string{fsys.LockName}, names(t, fsy, dir))
			require.NoError(t, lock.Close())
			lock, err = fsy.Lock(dir)
			require.NoError(t, err)
			require.NoError(t, lock.Close())
			_, err = fsy.Lock(filepath.Join(dir, "none"))
			require.ErrorIs(t, err, fs.ErrNotExist)
		})
	}
}

func TestWriteFileLeavesOldOrNewWhereverItStops(t *testing.T) {
	broken := errors.New("broken")
	for _, op := range []Op{OpOpen, OpWrite, OpSync, OpRename, OpSyncDir} {
		t.Run(op.String(), func(t *testing.T) {
			for seed := range uint64(20) {
				c := NewCrash()
				require.NoError(t, c.MkdirAll("/d"))
				require.NoError(t, fsys.WriteFile(c, "/d/f", []byte("old")))
				c.Fail(op, 1, broken)
				require.ErrorIs(t, fsys.WriteFile(c, "/d/f", []byte("new!")), broken)
				require.Equal(t, []string{"f"}, names(t, c, "/d"), "no temporary file stays")
				want := []string{"old"}
				if op == OpSyncDir {
					want = append(want, "new!")
				}
				require.Contains(t, want, read(t, c, "/d/f"))
				require.Contains(t, want, read(t, c.CrashTorn(seed), "/d/f"))
			}
		})
	}
	c := NewCrash()
	require.NoError(t, c.MkdirAll("/d"))
	require.NoError(t, fsys.WriteFile(c, "/d/f", []byte("old")))
	require.NoError(t, fsys.WriteFile(c, "/d/f", []byte("new")))
	require.Equal(t, "new", read(t, c.Crash(), "/d/f"))
}
