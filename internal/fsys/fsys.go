// Package fsys is the file layer under everything durable. Code that must
// survive a power cut reaches its files through FS, so that a test can run it
// on fsystest.Crash, which forgets what was not synced.
package fsys

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Modes of what this layer creates, before the umask.
const (
	FileMode fs.FileMode = 0o640
	DirMode  fs.FileMode = 0o750
)

// LockName is the file in a directory that Lock holds.
const LockName = "LOCK"

// ErrInUse is wrapped by the error of FS.Lock when another owner, in this
// process or another, holds the directory.
var ErrInUse = errors.New("directory is in use by another owner")

// File is an open file. What Write and Truncate did survives a power cut only
// after Sync returned nil. After a failed Sync the file must not be trusted:
// the kernel may have dropped the pages it could not write, and a later Sync
// then succeeds without them.
type File interface {
	io.Reader
	io.ReaderAt
	io.Writer
	io.Closer
	Name() string
	Sync() error
	Truncate(size int64) error
	Stat() (fs.FileInfo, error)
}

// FS is a file system. An entry created, renamed or removed survives a power
// cut only after SyncDir of its directory returned nil. Names are paths of the
// operating system. All methods may be called concurrently.
type FS interface {
	// OpenFile takes the flags of package os; O_APPEND, O_CREATE, O_EXCL and
	// O_TRUNC are supported.
	OpenFile(name string, flag int, perm fs.FileMode) (File, error)
	// MkdirAll creates dir and its missing parents with DirMode. When it
	// returns nil their entries are durable, also those that an interrupted
	// earlier call left behind.
	MkdirAll(dir string) error
	// ReadDir lists dir, sorted by name.
	ReadDir(dir string) ([]fs.DirEntry, error)
	Stat(name string) (fs.FileInfo, error)
	// Rename replaces newpath in one step where it exists.
	Rename(oldpath, newpath string) error
	Remove(name string) error
	SyncDir(dir string) error
	// Lock makes the caller the one owner of dir until the result is closed
	// or the process ends. Its error wraps ErrInUse when there is an owner.
	Lock(dir string) (io.Closer, error)
}

// TempSuffix ends the name of a file that is not whole yet.
const TempSuffix = ".tmp"

// WriteFile makes name hold data, durably and in one step: a reader, and a
// restart after a crash at any moment, finds the old content or the new. After
// an error either may be there, now and after a crash. It has to be the only
// writer of name.
func WriteFile(fsys FS, name string, data []byte) error {
	tmp := name + TempSuffix
	err := writeSynced(fsys, tmp, data)
	if err == nil {
		err = fsys.Rename(tmp, name)
	}
	if err != nil {
		// A leftover is overwritten by the next call; its removal only gives
		// space back early.
		_ = fsys.Remove(tmp)
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := fsys.SyncDir(filepath.Dir(name)); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

func writeSynced(fsys FS, name string, data []byte) error {
	f, err := fsys.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, FileMode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// IsFull reports that err is for want of room, on the disk or in a quota.
func IsFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
