package fsys

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMkdirAllSyncsEachParentBeforeTheNextLevel(t *testing.T) {
	var trace []string
	exists := map[string]bool{"/data": true}
	stat := func(d string) (fs.FileInfo, error) {
		if !exists[d] {
			return nil, fs.ErrNotExist
		}
		return os.Stat(t.TempDir())
	}
	mkdir := func(d string) error { trace = append(trace, "mkdir "+d); return nil }
	syncDir := func(d string) error { trace = append(trace, "sync "+d); return nil }

	require.NoError(t, mkdirAll("/data/a/b/", stat, mkdir, syncDir))
	require.Equal(t, []string{"sync /", "mkdir /data/a", "sync /data", "mkdir /data/a/b", "sync /data/a"}, trace)

	trace = nil
	exists["/data/a"], exists["/data/a/b"] = true, true
	require.NoError(t, mkdirAll("/data/a/b", stat, mkdir, syncDir))
	require.Equal(t, []string{"sync /data/a"}, trace, "an interrupted call may have left the last entry unsynced")

	syncDir = func(string) error { return fs.ErrPermission }
	require.NoError(t, mkdirAll("/data", stat, mkdir, syncDir), "the parent of the administrator's directory may be unreadable")
	broken := errors.New("broken")
	syncDir = func(d string) error {
		if d == "/data/a/b" {
			return broken
		}
		return nil
	}
	require.ErrorIs(t, mkdirAll("/data/a/b/c", stat, mkdir, syncDir), broken)
}

func TestMkdirAllRefusesAFileInTheWay(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "f"), nil, 0o600))
	require.Error(t, OS.MkdirAll(filepath.Join(dir, "f")))
	require.Error(t, OS.MkdirAll(filepath.Join(dir, "f", "g")))
}

func TestModesOfWhatIsCreated(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	require.NoError(t, OS.MkdirAll(dir))
	require.NoError(t, WriteFile(OS, filepath.Join(dir, "f"), []byte("x")))
	lock, err := OS.Lock(dir)
	require.NoError(t, err)
	require.NoError(t, lock.Close())
	for name, most := range map[string]fs.FileMode{"": DirMode, "..": DirMode, "f": FileMode, LockName: FileMode} {
		info, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Zero(t, info.Mode().Perm()&^most, "%q has mode %v", name, info.Mode())
	}
}

// The lock must hold against another process, and go with it.
func TestLockHoldsAgainstAnotherProcess(t *testing.T) {
	const env = "FSYS_TEST_LOCK_DIR"
	if dir := os.Getenv(env); dir != "" {
		_, err := OS.Lock(dir)
		if errors.Is(err, ErrInUse) {
			os.Exit(7)
		}
		os.Exit(0)
	}
	dir := t.TempDir()
	child := func() int {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestLockHoldsAgainstAnotherProcess$")
		cmd.Env = append(os.Environ(), env+"="+dir)
		_ = cmd.Run()
		return cmd.ProcessState.ExitCode()
	}
	require.Equal(t, 0, child(), "free, and given back by a process that ends without closing it")
	lock, err := OS.Lock(dir)
	require.NoError(t, err)
	require.Equal(t, 7, child())
	require.NoError(t, lock.Close())
	require.Equal(t, 0, child())
}

func TestIsFull(t *testing.T) {
	for _, err := range []error{syscall.ENOSPC, syscall.EDQUOT} {
		require.True(t, IsFull(&fs.PathError{Op: "write", Err: err}))
	}
	require.False(t, IsFull(syscall.EIO))
	require.False(t, IsFull(nil))
}
