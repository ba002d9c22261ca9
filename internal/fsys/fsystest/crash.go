// Package fsystest has a file layer for tests that forgets what was not synced.
package fsystest

import (
	"errors"
	"math/rand/v2"
	"sync"

	"github.com/spanlake/spanlake/internal/fsys"
)

// ErrDead is wrapped by every error of a Crash that crashed or was killed.
var ErrDead = errors.New("this machine is down")

// Crash is a file system in memory that knows what of it is on disk. Crash,
// CrashTorn and Kill end it, with its open files and locks, and hand over what
// the next start finds; so a goroutine of the life before cannot write into
// the life after.
//
// On disk is, strictly: of a file what the last File.Sync covered, of a
// directory what the last SyncDir covered. A failed Sync loses what it should
// have written for good: later Syncs succeed without it, as on Linux.
//
// The directories that lead to a path are made by MkdirAll; the root exists.
// Relative paths begin at the root. All methods may be called concurrently.
type Crash struct {
	mu       sync.Mutex // guards everything below, all inodes and open files
	root     *inode
	locks    map[*inode]bool
	dead     bool
	faults   []fault
	hook     func(op Op, name string) error
	used     int64 // bytes of all files
	capacity int64 // bytes, or negative: no bound
}

var _ fsys.FS = (*Crash)(nil)

// NewCrash returns an empty disk without bound.
func NewCrash() *Crash {
	return &Crash{root: newDir(), locks: map[*inode]bool{}, capacity: -1}
}

// Crash cuts the power: nothing survives that was not synced.
func (c *Crash) Crash() *Crash { return c.restart(func(n *inode) *inode { return n.strict() }) }

// CrashTorn cuts the power as a real disk may answer: of what was not synced a
// random part survives. Of a directory that is a prefix of its changes; of a
// file any of its old and new sizes with any of its 512-byte sectors, the
// others holding their old content or zeros.
func (c *Crash) CrashTorn(seed uint64) *Crash {
	rnd := rand.New(rand.NewPCG(seed, 1))
	return c.restart(func(n *inode) *inode { return n.torn(rnd) })
}

// Kill ends the process but not the operating system: everything written is
// found again, and is still as durable as it was.
func (c *Crash) Kill() *Crash {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dead = true
	return &Crash{root: c.root, locks: map[*inode]bool{}, capacity: c.capacity, used: c.used}
}

// restart builds the tree that is found after the power is back. copyOf makes
// the inode that survives of one; an inode with two names keeps both.
func (c *Crash) restart(copyOf func(*inode) *inode) *Crash {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dead = true
	next := NewCrash()
	next.capacity = c.capacity
	seen := map[*inode]*inode{}
	var walk func(n *inode) *inode
	walk = func(n *inode) *inode {
		if m, ok := seen[n]; ok {
			return m
		}
		m := copyOf(n)
		seen[n] = m
		next.used += int64(len(m.data))
		for _, name := range m.names() {
			m.entries[name] = walk(m.entries[name])
		}
		m.markSynced()
		return m
	}
	next.root = walk(c.root)
	return next
}
