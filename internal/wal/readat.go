package wal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spanlake/spanlake/internal/fsys"
)

// ReadAt fills p from the segment's file, beginning at off. What it reads has
// to be synced: beyond that it fails with io.ErrUnexpectedEOF, as it does where
// the file has shrunk. The segment may be the active one. Where it was removed,
// also meanwhile, the error wraps fs.ErrNotExist.
//
// Nothing is checked: checksums are for Read, or for the caller.
func (l *Log) ReadAt(segment uint64, p []byte, off int64) error {
	f, err := l.handle(segment, off+int64(len(p)))
	if err == nil {
		err = readFull(f, p, off)
	}
	if errors.Is(err, os.ErrClosed) { // by Remove or Close
		if err = ErrClosed; !l.isClosed() {
			err = fs.ErrNotExist
		}
	}
	if err != nil {
		return fmt.Errorf("read segment %d at %d: %w", segment, off, err)
	}
	return nil
}

func readFull(f fsys.File, p []byte, off int64) error {
	n, err := f.ReadAt(p, off)
	if n == len(p) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return err
}

func (l *Log) isClosed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}

// handle returns the file of a segment that is synced up to end. It is opened
// at its first use, without mu; of two that open it at once one gives way.
func (l *Log) handle(number uint64, end int64) (fsys.File, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.readable(number, end); err != nil {
		return nil, err
	}
	if f := l.handles[number]; f != nil {
		return f, nil
	}
	l.mu.Unlock()
	f, err := l.fs.OpenFile(l.path(number), os.O_RDONLY, 0)
	l.mu.Lock()
	if err != nil {
		return nil, err
	}
	err = l.readable(number, end) // it may have gone meanwhile, or the log
	if other := l.handles[number]; err != nil || other != nil {
		_ = f.Close() // only read from
		return other, err
	}
	if l.handles == nil {
		l.handles = map[uint64]fsys.File{}
	}
	l.handles[number] = f
	return f, nil
}

// readable checks that a segment is there and synced up to end. mu is held.
func (l *Log) readable(number uint64, end int64) error {
	var synced int64
	switch i := l.find(number); {
	case l.closed:
		return ErrClosed
	case i >= 0:
		synced = l.sealed[i].End
	case number == l.active.number:
		synced = l.active.durable
	default:
		return fs.ErrNotExist
	}
	if end > synced {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// closeHandle makes reads of a segment that are under way succeed or fail, and
// lets none begin. mu is held.
func (l *Log) closeHandle(number uint64) {
	if f := l.handles[number]; f != nil {
		_ = f.Close() // only read from
		delete(l.handles, number)
	}
}
