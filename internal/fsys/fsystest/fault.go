package fsystest

import (
	"slices"
	"syscall"
)

// Op is a kind of operation that can be made to fail.
type Op int

// The operations. OpMkdir and OpSyncDir are also what MkdirAll is made of.
const (
	OpOpen Op = iota
	OpRead
	OpWrite
	OpSync
	OpTruncate
	OpMkdir
	OpRename
	OpRemove
	OpSyncDir
	OpReadDir
	OpStat
)

func (o Op) String() string {
	return [...]string{"open", "read", "write", "sync", "truncate", "mkdir", "rename", "remove", "syncdir", "readdir", "stat"}[o]
}

type fault struct {
	op   Op
	left int
	err  error
}

// Fail makes the nth operation of the kind from now fail with err, once; the
// next one is n = 1. A write that fails has written half of its bytes. A sync
// that fails has written nothing, and what it should have written is lost.
func (c *Crash) Fail(op Op, n int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults = append(c.faults, fault{op: op, left: n, err: err})
}

// ClearFaults takes back what Fail, Hook and SetFree set.
func (c *Crash) ClearFaults() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults, c.hook, c.capacity = nil, nil, -1
}

// Hook has fn called before each operation but ReadDir, Stat and Close, outside
// all locks, so that it may wait or end this machine. The operation fails with
// the error it returns, without any effect. nil ends it.
func (c *Crash) Hook(fn func(op Op, name string) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hook = fn
}

// SetFree makes the disk full after n more bytes of file content: a write
// beyond it is short and fails with ENOSPC. Negative: no bound.
func (c *Crash) SetFree(n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.capacity = -1
	if n >= 0 {
		c.capacity = c.used + n
	}
}

// fault counts op and returns the error that is due. mu is held.
func (c *Crash) fault(op Op) error {
	var due error
	c.faults = slices.DeleteFunc(c.faults, func(f fault) bool { return f.left <= 0 })
	for i := range c.faults {
		f := &c.faults[i]
		if f.op != op {
			continue
		}
		if f.left--; f.left == 0 && due == nil {
			due = f.err
		}
	}
	return due
}

// room returns how many of n bytes the disk takes. mu is held.
func (c *Crash) room(n int64) (int64, error) {
	if c.capacity < 0 || c.used+n <= c.capacity {
		return n, nil
	}
	return max(0, c.capacity-c.used), syscall.ENOSPC
}
