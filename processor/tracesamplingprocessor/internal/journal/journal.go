// Package journal keeps on disk what the sampler has acknowledged and not yet
// handed on, and what it decided. FORMAT.md is its layout on disk.
package journal

import (
	"errors"

	"github.com/spanlake/spanlake/internal/fsys"
)

var (
	// ErrFull refuses a request for which there is no room now.
	ErrFull = errors.New("journal is full")
	// ErrFailed says that the disk failed. It may work again after Maintain.
	ErrFailed = errors.New("journal could not be written")
	// ErrTooLarge refuses a request that can never be taken.
	ErrTooLarge = errors.New("request is too large for the journal")
	// ErrClosed says that the journal was closed.
	ErrClosed = errors.New("journal is closed")
	// ErrDamaged says that a chunk is not, or not any more, what was admitted.
	ErrDamaged = errors.New("journal is damaged")
)

// Options of Open.
type Options struct {
	// Directory is created where it is missing. It has one owner at a time.
	Directory string
	// MaxBytes bounds the files of both logs together.
	MaxBytes int64
	// VerdictBytes is how much of the newest rulings to keep beyond what the held
	// chunks need, for remembering decisions. At most a quarter of MaxBytes is.
	VerdictBytes int64
	// SegmentBytes is when a segment is full. Zero: a sixteenth of MaxBytes,
	// within 1 MiB and 64 MiB.
	SegmentBytes int64
	// FS is the file layer. Nil: fsys.OS.
	FS fsys.FS
}

// Journal is the sampler's journal. Recover comes first, and Close last; Maintain
// has one caller, the other methods may be called concurrently.
type Journal struct{}

// Open opens the journal in a directory, or makes a new one, and becomes its
// one owner.
func Open(Options) (*Journal, error) { return &Journal{}, nil }

// Seed is random, and stays with the directory.
func (j *Journal) Seed() uint64 { return 0 }

// Recover gives r what the journal holds. It is called once, before anything
// else. After an error, which is one of the disk, the journal is of no use.
func (j *Journal) Recover(Recoverer) (Stats, error) { return Stats{}, nil }

// Admit makes a request durable and sets the Refs of its chunks. After an error
// nothing of it was taken. ErrFull and ErrFailed may be retried, ErrTooLarge not.
func (j *Journal) Admit(*Arrival) error { return nil }

// Rule records what was decided. It does not wait for the disk and cannot fail:
// what is lost in a crash is decided again. The pieces of dropped rulings are
// free.
func (j *Journal) Rule([]Ruling) {}

// Discard frees chunks of which nothing is left. Like Rule it does not wait.
func (j *Journal) Discard([]Ref) {}

// Release makes it durable that a batch of kept rulings is about to be handed
// on, and returns the ID to do it under. Fingerprints are not recorded. ErrFailed
// may be retried.
func (j *Journal) Release([]Ruling) (string, error) { return "", nil }

// Done records that a batch was handed on and frees its pieces. Like Rule it
// does not wait.
func (j *Journal) Done(string, []Ruling) {}

// Fetch appends the frames of a chunk, which are size bytes, to dst. ErrDamaged
// says that they are lost; any other error is one of the disk.
func (j *Journal) Fetch([16]byte, Ref, int, []byte) ([]byte, error) { return nil, nil }

// Maintain seals segments that are full or failed and removes what is free. It
// is meant to be called several times a second.
func (j *Journal) Maintain() {}

// Bytes is the size of both logs.
func (j *Journal) Bytes() int64 { return 0 }

// Near reports that more than 7/8 of MaxBytes is taken or spoken for.
func (j *Journal) Near() bool { return false }

// OldestHeld is the oldest segment of the log of spans that still holds chunks
// while a younger one exists: what keeps the journal from giving space back.
func (j *Journal) OldestHeld() (uint32, bool) { return 0, false }

// Unwritten counts the rulings, refs and batches that Rule, Discard and Done
// could not record, and the failed attempts to sync them.
func (j *Journal) Unwritten() int64 { return 0 }

// Close writes what was recorded and gives the directory back.
func (j *Journal) Close() error { return nil }
