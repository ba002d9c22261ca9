package wal

import (
	"errors"
	"io/fs"
	"os"

	"github.com/spanlake/spanlake/internal/fsys"
)

// segment is one that takes records. Its fields but the first three are
// guarded by Log.mu. Only the goroutine that set busy touches the file.
type segment struct {
	number uint64
	key    uint32
	file   fsys.File

	buf     []byte        // appended and not handed to the file
	swap    []byte        // empty; takes the place of buf while that is written
	end     int64         // offset behind what was appended
	durable int64         // offset behind what was synced
	busy    bool          // one goroutine writes and syncs
	idle    chan struct{} // closed, and replaced, when busy ends
	// joined counts the callers of Sync since the last sync began; company is how
	// many of them the next one waits for.
	joined, company int
	gathering       chan struct{} // closed when company is complete; nil: nobody waits for it
	err             error         // of the first write or sync that failed; nothing is written after it
}

// empty reports whether the segment never took a record.
func (s *segment) empty() bool { return s.end == headerSize && s.err == nil }

// release ends busy and wakes all who wait for that.
func (s *segment) release() {
	s.busy = false
	close(s.idle)
	s.idle = make(chan struct{})
}

// create makes an empty segment, durable with its name, before any record in
// it can be acknowledged.
func (l *Log) create(number uint64) (*segment, error) {
	name := l.path(number)
	// A failed attempt may have left this file. The number was never in use.
	if err := l.fs.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	f, err := l.fs.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fsys.FileMode)
	if err != nil {
		return nil, err
	}
	_, err = f.Write(encodeHeader(l.id, number))
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = l.fs.SyncDir(l.dir)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close(), l.fs.Remove(name))
	}
	return l.segment(number, f), nil
}

func (l *Log) segment(number uint64, f fsys.File) *segment {
	return &segment{
		number: number, key: frameKey(l.id, number), file: f,
		end: headerSize, durable: headerSize, idle: make(chan struct{}),
	}
}
