// Package wal is an append-only log in segments, for what must survive a power
// cut before it is acknowledged. Records are appended, synced in groups, and
// given up by whole segments. FORMAT.md is its layout on disk.
package wal

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"sync"

	"github.com/spanlake/spanlake/internal/fsys"
)

var (
	// ErrFull says that a record would take the log beyond Options.MaxBytes. It
	// may fit after Remove.
	ErrFull = errors.New("write-ahead log is full")
	// ErrClosed says that the log was closed.
	ErrClosed = errors.New("write-ahead log is closed")
	// ErrFailed says that a write or sync of the active segment failed. The
	// records in it that were not synced before are refused, and Append refuses
	// all others until Seal has succeeded.
	ErrFailed = errors.New("write-ahead log could not be written")
	// ErrTooLarge says that a record can never be taken.
	ErrTooLarge = errors.New("record is too large for the write-ahead log")
)

// Options of Open.
type Options struct {
	// Dir is created where it is missing. It has one owner at a time.
	Dir string
	// MaxBytes bounds the files of all segments together. Zero: no bound.
	MaxBytes int64
	// FS is the file layer. Nil: fsys.OS.
	FS fsys.FS
}

// Position is where a record ends.
type Position struct {
	Segment uint64
	End     int64 // offset behind the record
}

// Sealed is a segment that takes no more records.
type Sealed struct {
	Segment uint64
	// End is the offset behind the last record in it. Of the records appended
	// to it, those that end beyond were refused, and are not in it.
	End int64
}

// bufferSize is how many appended bytes wait in memory before Append waits for
// the disk; a larger record waits alone. Two such buffers are held: one fills
// while the other is written. Half of one is as much as a sync waits for: a
// sync of 1 MiB costs half the CPU a byte of one of 384 KiB, and a larger one
// hardly less.
const bufferSize = 2 << 20

// Log is a write-ahead log. Its methods may be called concurrently.
type Log struct {
	fs       fsys.FS
	dir      string
	id       identity
	maxBytes int64
	torn     int64
	first    uint64 // segment that was active first
	buffer   int    // bufferSize, less in tests
	lock     io.Closer

	// shape is held by the one Seal, Remove or Close that changes which
	// segments there are; taken before mu.
	shape sync.Mutex
	// next is the empty segment that Seal moves on to, made in advance so that
	// a full disk cannot keep a failed segment from being sealed. Nil where
	// making it failed. Guarded by shape.
	next *segment

	mu      sync.Mutex // guards everything below
	active  *segment
	sealing bool     // Append waits until the active segment is replaced
	sealed  []sealed // ascending
	cuts    []Sealed // the last segments that lost refused records, ascending
	bytes   int64    // files of all segments, with what is still in memory
	closed  bool
	// handles are the open files of ReadAt, by segment.
	handles map[uint64]fsys.File
}

type sealed struct {
	Sealed
	size int64 // of the file
}

// maxCuts bounds the memory of cut segments. It has to outlast callers that
// appended to such a segment and have not called Sync yet.
const maxCuts = 1024

// ID names the log: 16 lower-case hex digits, random, drawn with its directory.
func (l *Log) ID() string { return l.id.String() }

// TornBytes is how much Open cut off behind the last whole records: what a
// crash left of records that nobody was told were safe.
func (l *Log) TornBytes() int64 { return l.torn }

// Active is the number of the segment that takes records. It is above those of
// all sealed segments.
func (l *Log) Active() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.active.number
}

// Bytes is the size of all segments.
func (l *Log) Bytes() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bytes
}

// Sealed lists the sealed segments that were not removed, ascending.
func (l *Log) Sealed() []Sealed {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]Sealed, len(l.sealed))
	for i, s := range l.sealed {
		list[i] = s.Sealed
	}
	return list
}

// find returns the index of a sealed segment, or -1. mu is held.
func (l *Log) find(number uint64) int {
	return slices.IndexFunc(l.sealed, func(s sealed) bool { return s.Segment == number })
}

func (l *Log) path(number uint64) string {
	return filepath.Join(l.dir, segmentName(number))
}

func (l *Log) wrap(number uint64, err error) error {
	return fmt.Errorf("%w: segment %d: %w", ErrFailed, number, err)
}
