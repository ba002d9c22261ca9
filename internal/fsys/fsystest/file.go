package fsystest

import (
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/spanlake/spanlake/internal/fsys"
)

// file is an open file; it stays usable after its name is removed. Its fields
// are guarded by Crash.mu.
type file struct {
	fs                   *Crash
	node                 *inode
	name                 string
	read, write, appends bool
	off                  int
	closed               bool
}

var _ fsys.File = (*file)(nil)

func (f *file) Name() string { return f.name }

// enter begins an operation; where it returns nil, mu is held.
func (f *file) enter(op Op, allowed bool) error {
	if err := f.fs.begin(op, f.name); err != nil {
		return err
	}
	f.fs.mu.Lock()
	err := f.check(op, allowed)
	if err != nil {
		f.fs.mu.Unlock()
	}
	return err
}

func (f *file) check(op Op, allowed bool) error {
	fail := func(err error) error { return &fs.PathError{Op: op.String(), Path: f.name, Err: err} }
	switch {
	case f.closed:
		return fail(os.ErrClosed)
	case !allowed:
		return fail(syscall.EBADF)
	case f.node.dir && op != OpStat:
		return fail(syscall.EISDIR)
	case f.fs.dead:
		return fail(ErrDead)
	}
	return nil
}

func (f *file) fault(op Op) error {
	if err := f.fs.fault(op); err != nil {
		return &fs.PathError{Op: op.String(), Path: f.name, Err: err}
	}
	return nil
}

func (f *file) Read(p []byte) (int, error) {
	if err := f.enter(OpRead, f.read); err != nil {
		return 0, err
	}
	defer f.fs.mu.Unlock()
	n, err := f.readAt(p, f.off)
	f.off += n
	if n > 0 {
		err = nil
	}
	return n, err
}

func (f *file) ReadAt(p []byte, off int64) (int, error) {
	if err := f.enter(OpRead, f.read); err != nil {
		return 0, err
	}
	defer f.fs.mu.Unlock()
	return f.readAt(p, int(off))
}

func (f *file) readAt(p []byte, off int) (int, error) {
	if err := f.fault(OpRead); err != nil {
		return 0, err
	}
	if off >= len(f.node.data) {
		return 0, io.EOF
	}
	n := copy(p, f.node.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *file) Write(p []byte) (int, error) {
	if err := f.enter(OpWrite, f.write); err != nil {
		return 0, err
	}
	defer f.fs.mu.Unlock()
	if f.appends {
		f.off = len(f.node.data)
	}
	err := f.fault(OpWrite)
	if err != nil {
		p = p[:len(p)/2]
	}
	before := len(f.node.data)
	grow := max(0, f.off+len(p)-before)
	room, full := f.fs.room(int64(grow))
	if full != nil {
		p = p[:max(0, len(p)-grow+int(room))]
		err = &fs.PathError{Op: "write", Path: f.name, Err: full}
	}
	if len(p) > 0 {
		f.node.writeAt(p, f.off)
		f.off += len(p)
		f.fs.used += int64(len(f.node.data) - before)
	}
	return len(p), err
}

func (f *file) Sync() error {
	if err := f.enter(OpSync, true); err != nil {
		return err
	}
	defer f.fs.mu.Unlock()
	if err := f.fault(OpSync); err != nil {
		f.node.forgetDirty()
		return err
	}
	f.node.sync()
	return nil
}

func (f *file) Truncate(size int64) error {
	if err := f.enter(OpTruncate, f.write); err != nil {
		return err
	}
	defer f.fs.mu.Unlock()
	if err := f.fault(OpTruncate); err != nil {
		return err
	}
	before := len(f.node.data)
	f.node.truncate(int(size))
	f.fs.used += int64(len(f.node.data) - before)
	return nil
}

func (f *file) Stat() (fs.FileInfo, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.check(OpStat, true); err != nil {
		return nil, err
	}
	return f.node.info(f.name), nil
}

// Close works after a crash too: tests close what they opened.
func (f *file) Close() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if f.closed {
		return &fs.PathError{Op: "close", Path: f.name, Err: os.ErrClosed}
	}
	f.closed = true
	return nil
}
