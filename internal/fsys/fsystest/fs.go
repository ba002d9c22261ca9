package fsystest

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spanlake/spanlake/internal/fsys"
)

// begin is the start of every operation: it asks the hook and the faults.
func (c *Crash) begin(op Op, name string) error {
	c.mu.Lock()
	hook := c.hook
	c.mu.Unlock()
	if hook != nil {
		if err := hook(op, name); err != nil {
			return &fs.PathError{Op: op.String(), Path: name, Err: err}
		}
	}
	return nil
}

// enter is called with mu held, after begin.
func (c *Crash) enter(op Op, name string) error {
	err := c.fault(op)
	if c.dead {
		err = ErrDead
	}
	if err != nil {
		return &fs.PathError{Op: op.String(), Path: name, Err: err}
	}
	return nil
}

// find resolves a path; its parent is nil for the root, its node where only
// the last element is missing.
func (c *Crash) find(name string) (parent, node *inode, base string, err error) {
	node = c.root
	for elem := range strings.SplitSeq(filepath.ToSlash(filepath.Clean(name)), "/") {
		switch {
		case elem == "" || elem == ".":
			continue
		case node == nil:
			return nil, nil, "", fs.ErrNotExist
		case !node.dir:
			return nil, nil, "", syscall.ENOTDIR
		}
		parent, base, node = node, elem, node.entries[elem]
	}
	return parent, node, base, nil
}

// findDir is find for operations that need a directory.
func (c *Crash) findDir(name string) (*inode, error) {
	_, node, _, err := c.find(name)
	switch {
	case err != nil:
	case node == nil:
		err = fs.ErrNotExist
	case !node.dir:
		err = syscall.ENOTDIR
	}
	return node, err
}

// OpenFile implements fsys.FS.
func (c *Crash) OpenFile(name string, flag int, perm fs.FileMode) (fsys.File, error) {
	if err := c.begin(OpOpen, name); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.enter(OpOpen, name); err != nil {
		return nil, err
	}
	fail := func(err error) (fsys.File, error) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	parent, node, base, err := c.find(name)
	write := flag&(os.O_WRONLY|os.O_RDWR) != 0
	switch {
	case err != nil:
		return fail(err)
	case node == nil && flag&os.O_CREATE == 0:
		return fail(fs.ErrNotExist)
	case node == nil:
		node = newFile(perm)
		parent.set(base, node)
	case flag&os.O_CREATE != 0 && flag&os.O_EXCL != 0:
		return fail(fs.ErrExist)
	case node.dir && write:
		return fail(syscall.EISDIR)
	case write && flag&os.O_TRUNC != 0:
		c.used -= int64(len(node.data))
		node.truncate(0)
	}
	return &file{fs: c, node: node, name: name, write: write, read: flag&os.O_WRONLY == 0, appends: flag&os.O_APPEND != 0}, nil
}

// MkdirAll implements fsys.FS.
func (c *Crash) MkdirAll(dir string) error {
	c.mu.Lock()
	_, err := c.findDir(dir)
	c.mu.Unlock()
	parent := filepath.Dir(filepath.Clean(dir))
	if errors.Is(err, fs.ErrNotExist) {
		if err := c.MkdirAll(parent); err != nil {
			return err
		}
	}
	if err := c.mkdir(dir); err != nil {
		return err
	}
	return c.SyncDir(parent)
}

func (c *Crash) mkdir(dir string) error {
	if err := c.begin(OpMkdir, dir); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.enter(OpMkdir, dir); err != nil {
		return err
	}
	parent, node, base, err := c.find(dir)
	if err == nil && node != nil && !node.dir {
		err = syscall.ENOTDIR
	}
	if err != nil {
		return &fs.PathError{Op: "mkdir", Path: dir, Err: err}
	}
	if node == nil {
		parent.set(base, newDir())
	}
	return nil
}

// ReadDir implements fsys.FS.
func (c *Crash) ReadDir(dir string) ([]fs.DirEntry, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.enter(OpReadDir, dir); err != nil {
		return nil, err
	}
	node, err := c.findDir(dir)
	if err != nil {
		return nil, &fs.PathError{Op: "readdir", Path: dir, Err: err}
	}
	var list []fs.DirEntry
	for _, name := range node.names() {
		list = append(list, fs.FileInfoToDirEntry(node.entries[name].info(name)))
	}
	return list, nil
}

// Stat implements fsys.FS.
func (c *Crash) Stat(name string) (fs.FileInfo, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.enter(OpStat, name); err != nil {
		return nil, err
	}
	_, node, base, err := c.find(name)
	if err == nil && node == nil {
		err = fs.ErrNotExist
	}
	if err != nil {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: err}
	}
	return node.info(base), nil
}

// Rename implements fsys.FS. Between two directories a power cut may leave
// the entry in both or in none.
func (c *Crash) Rename(oldpath, newpath string) error {
	if err := c.begin(OpRename, newpath); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.enter(OpRename, newpath); err != nil {
		return err
	}
	fromDir, node, from, err := c.find(oldpath)
	toDir, replaced, to, err2 := c.find(newpath)
	if err = errors.Join(err, err2); err == nil {
		switch {
		case node == nil || toDir == nil:
			err = fs.ErrNotExist
		case replaced != nil && (replaced.dir || node.dir):
			err = fs.ErrExist
		}
	}
	if err != nil {
		return &os.LinkError{Op: "rename", Old: oldpath, New: newpath, Err: err}
	}
	if replaced != nil && replaced != node {
		c.used -= int64(len(replaced.data))
	}
	if fromDir == toDir {
		fromDir.change(func(entries map[string]*inode) {
			delete(entries, from)
			entries[to] = node
		})
		return nil
	}
	toDir.set(to, node)
	fromDir.remove(from)
	return nil
}

// Remove implements fsys.FS.
func (c *Crash) Remove(name string) error {
	if err := c.begin(OpRemove, name); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.enter(OpRemove, name); err != nil {
		return err
	}
	parent, node, base, err := c.find(name)
	switch {
	case err != nil:
	case node == nil:
		err = fs.ErrNotExist
	case node.dir && len(node.entries) > 0:
		err = syscall.ENOTEMPTY
	}
	if err != nil {
		return &fs.PathError{Op: "remove", Path: name, Err: err}
	}
	c.used -= int64(len(node.data))
	parent.remove(base)
	return nil
}

// SyncDir implements fsys.FS.
func (c *Crash) SyncDir(dir string) error {
	if err := c.begin(OpSyncDir, dir); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.enter(OpSyncDir, dir); err != nil {
		return err
	}
	node, err := c.findDir(dir)
	if err != nil {
		return &fs.PathError{Op: "syncdir", Path: dir, Err: err}
	}
	node.syncEntries()
	return nil
}

// Lock implements fsys.FS.
func (c *Crash) Lock(dir string) (io.Closer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.enter(OpOpen, dir); err != nil {
		return nil, err
	}
	node, err := c.findDir(dir)
	if err == nil && c.locks[node] {
		err = fsys.ErrInUse
	}
	if err != nil {
		return nil, &fs.PathError{Op: "lock", Path: dir, Err: err}
	}
	c.locks[node] = true
	if node.entries[fsys.LockName] == nil {
		node.set(fsys.LockName, newFile(fsys.FileMode))
	}
	return unlock(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.locks, node)
	}), nil
}

type unlock func()

func (u unlock) Close() error {
	u()
	return nil
}
