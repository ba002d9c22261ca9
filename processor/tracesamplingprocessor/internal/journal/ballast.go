package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/spanlake/spanlake/internal/fsys"
)

const (
	ballastName = "BALLAST"
	// ballastShare of MaxBytes is ballast, and at most maxBallast: the rulings that
	// free a segment of spans take less than a quarter of it.
	ballastShare = 64
	maxBallast   = 32 << 20
	// ballastPause is how many calls of Maintain pass between two attempts to make
	// a ballast, which fills the disk for a moment where there is no room.
	ballastPause = 5
)

// ballast is a file that holds room for rulings. A journal that has filled its
// disk with spans could write none without it, so hand nothing on, and give
// nothing back.
type ballast struct {
	fs   fsys.FS
	dir  string
	size int64
	// there is set while the file is. It is cleared under Journal.gate.
	there atomic.Bool

	// Used by Open, then by Maintain.
	due   bool // room may have come free since there was too little
	pause int  // calls of Maintain before the next attempt
}

func newBallast(o Options) *ballast {
	b := &ballast{fs: o.FS, dir: o.Directory, size: min(o.MaxBytes/ballastShare, maxBallast), due: true}
	if b.fs == nil {
		b.fs = fsys.OS
	}
	return b
}

func (b *ballast) path() string { return filepath.Join(b.dir, ballastName) }

// find takes over the file of an earlier process. The directory is locked.
func (b *ballast) find() {
	// What an interrupted attempt left takes room for nothing.
	_ = b.fs.Remove(b.path() + fsys.TempSuffix)
	info, err := b.fs.Stat(b.path())
	if err == nil && info.Size() != b.size { // of another bound
		_ = b.fs.Remove(b.path())
		return
	}
	b.there.Store(err == nil)
}

// build makes the file where there is none, if the disk has room for as much
// again: else it would have to be given up at the next request.
func (b *ballast) build() error {
	tmp := b.path() + fsys.TempSuffix
	err := b.write(tmp)
	if err == nil {
		err = b.fs.Rename(tmp, b.path())
	}
	if err == nil {
		err = b.fs.SyncDir(b.dir)
	}
	b.pause = ballastPause
	if err != nil {
		b.due = !fsys.IsFull(err)
		for _, name := range []string{tmp, b.path()} {
			_ = b.fs.Remove(name) // else by the next attempt, or start
		}
		return err
	}
	b.there.Store(true)
	return nil
}

// write makes a file of random bytes: zeros may take no room on disk.
func (b *ballast) write(name string) error {
	f, err := b.fs.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, fsys.FileMode)
	if err != nil {
		return err
	}
	random := rand.NewChaCha8([32]byte{})
	block := make([]byte, min(b.size, 1<<20))
	for left := 2 * b.size; left > 0 && err == nil; left -= int64(len(block)) {
		block = block[:min(left, int64(len(block)))]
		_, _ = random.Read(block) // never fails
		_, err = f.Write(block)
	}
	if err == nil {
		err = f.Sync() // some file systems find room only now
	}
	if err == nil {
		err = f.Truncate(b.size)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// drop gives the room to others. It does nothing where there is no file.
func (b *ballast) drop() error {
	err := b.fs.Remove(b.path())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = b.fs.SyncDir(b.dir)
	}
	b.due = false
	return err
}

// giveUp gives the ballast to the rulings. Before, it waits for the requests
// under way, which would take the room, and has all others refused.
func (j *Journal) giveUp() {
	j.gate.Lock()
	j.ballast.there.Store(false)
	j.gate.Unlock()
	if j.ballast.drop() != nil {
		j.starved.Store(true)
	}
}

// restore makes the ballast again once there may be room for it: a segment of
// spans has gone since, or all may.
func (j *Journal) restore(idle bool) {
	b := j.ballast
	if b.pause > 0 {
		b.pause--
	}
	if b.there.Load() || b.pause > 0 || !b.due && !idle {
		return
	}
	j.mu.Lock()
	fits := j.used()+b.size <= j.maxBytes // it counts already, but not as much again
	j.mu.Unlock()
	if fits && b.build() == nil {
		// What found no room while the file was written will find it now.
		j.starved.Store(false)
	}
}

// lacking is the error of Admit while there is no ballast.
func (j *Journal) lacking() error {
	return fmt.Errorf("%w: there is no room on the disk for a ballast of %d bytes; what is held goes first", ErrFull, j.ballast.size)
}
