// Package journal keeps on disk what the sampler has acknowledged and not yet
// handed on, and what it decided. FORMAT.md is its layout on disk.
package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/spanlake/spanlake/internal/fsys"
	"github.com/spanlake/spanlake/internal/wal"
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
	// MaxBytes bounds the files of both logs and the ballast together.
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
type Journal struct {
	spans, rulings *wal.Log
	id             identity // of the log of spans
	maxBytes       int64
	verdictBytes   int64
	segmentBytes   int64

	// spansFailed and rulingsFailed are set where a log refuses records until it
	// is sealed.
	spansFailed, rulingsFailed atomic.Bool
	// starved is set where the disk has no room for rulings.
	starved   atomic.Bool
	unwritten atomic.Int64

	ballast *ballast
	// gate is held shared while Admit writes. Taken before mu.
	gate sync.RWMutex

	arrivals sync.Pool // of *arrivalEncoder
	buffers  sync.Pool // of *[]byte

	mu    sync.Mutex // guards everything below; never held while the disk works
	ready bool       // Recover succeeded, so the books below are true
	books books
	// lost are the refs of chunks lost to damage, by the batch that is open
	// without them: they count as held until it is done, because a removed
	// segment says that all batches which name it are done.
	lost map[string][]Ref
	// highest is the highest segment of spans that a segment of rulings names.
	highest map[uint64]uint32
	// spansEnd and rulingsEnd are the ends of the last records.
	spansEnd, rulingsEnd wal.Position
}

// Open opens the journal in a directory, or makes a new one, and becomes its
// one owner.
func Open(o Options) (*Journal, error) {
	j := &Journal{
		maxBytes:     o.MaxBytes,
		verdictBytes: min(o.VerdictBytes, o.MaxBytes/4),
		segmentBytes: o.SegmentBytes,
		lost:         map[string][]Ref{},
		highest:      map[uint64]uint32{},
		books:        books{held: map[uint32]holding{}},
		ballast:      newBallast(o),
	}
	if j.segmentBytes == 0 {
		j.segmentBytes = min(max(o.MaxBytes/16, 1<<20), 64<<20)
	}
	j.arrivals.New = func() any { return new(arrivalEncoder) }
	j.buffers.New = func() any { return new([]byte) }
	var err error
	j.spans, err = j.openLog("spans")
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	j.rulings, err = j.openLog("rulings")
	if err == nil {
		err = j.id.parse(j.spans.ID())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open journal: %w", err), j.Close())
	}
	j.ballast.find()
	j.restore(false)
	return j, nil
}

// openLog opens one of the logs, with the room of the ballast where there is no
// other. It has no bound of its own: that of both together is kept by Admit.
func (j *Journal) openLog(name string) (*wal.Log, error) {
	o := wal.Options{Dir: filepath.Join(j.ballast.dir, name), FS: j.ballast.fs}
	log, err := wal.Open(o)
	if fsys.IsFull(err) {
		if err := j.ballast.drop(); err != nil {
			return nil, err
		}
		log, err = wal.Open(o)
	}
	return log, err
}

// Seed is random, and stays with the directory.
func (j *Journal) Seed() uint64 { return binary.LittleEndian.Uint64(j.id[:]) }

// Bytes is the size of both logs and the ballast.
func (j *Journal) Bytes() int64 {
	bytes := j.spans.Bytes() + j.rulings.Bytes()
	if j.ballast.there.Load() {
		bytes += j.ballast.size
	}
	return bytes
}

// Near reports that more than 7/8 of MaxBytes is taken or spoken for, or that
// the disk is full.
func (j *Journal) Near() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.used() > j.maxBytes/8*7 || !j.ballast.there.Load()
}

// OldestHeld is the oldest segment of the log of spans that still holds chunks
// while a younger one exists: what keeps the journal from giving space back.
func (j *Journal) OldestHeld() (uint32, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	oldest, ok := j.books.oldest()
	return oldest, ok && uint64(oldest) < j.spans.Active()
}

// Unwritten counts the rulings, refs and batches that Rule, Discard and Done
// could not record, and the failed attempts to sync them.
func (j *Journal) Unwritten() int64 { return j.unwritten.Load() }

// Close writes what was recorded and gives the directory back.
func (j *Journal) Close() error {
	err := j.spans.Close()
	if j.rulings != nil {
		err = errors.Join(err, j.rulings.Close())
	}
	return err
}

// failure tells what an error of a log means, and has the log sealed where that
// mends it.
func failure(err error, failed *atomic.Bool) error {
	switch {
	case errors.Is(err, wal.ErrClosed):
		return fmt.Errorf("%w: %w", ErrClosed, err)
	case errors.Is(err, wal.ErrTooLarge):
		return fmt.Errorf("%w: %w", ErrTooLarge, err)
	}
	failed.Store(true)
	return fmt.Errorf("%w: %w", ErrFailed, err)
}
