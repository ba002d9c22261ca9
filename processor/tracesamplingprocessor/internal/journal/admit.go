package journal

import (
	"context"
	"fmt"
	"math"

	"github.com/spanlake/spanlake/internal/wal"
)

// Admit makes a request durable and sets the Refs of its chunks. After an error
// nothing of it was taken. ErrFull and ErrFailed may be retried, ErrTooLarge not.
// Without a ballast all are refused, so that they do not take the room that
// rulings need.
// After ErrClosed it may be given by the next Recover all the same.
func (j *Journal) Admit(a *Arrival) error {
	if len(a.Chunks) == 0 {
		return nil
	}
	j.gate.RLock()
	defer j.gate.RUnlock()
	if !j.ballast.there.Load() {
		return j.lacking()
	}
	e := j.arrivals.Get().(*arrivalEncoder)
	e.encode(a)
	pos, err := j.admit(e, int64(len(a.Chunks)))
	if err == nil {
		setRefs(a, pos)
	}
	e.release()
	j.arrivals.Put(e)
	return err
}

func (j *Journal) admit(e *arrivalEncoder, chunks int64) (wal.Position, error) {
	size := int64(e.length) + frameBytes
	claimed, err := j.claim(size, chunks, e.spans)
	if err != nil {
		return wal.Position{}, err
	}
	pos, err := j.spans.Append(e.parts...)
	if err == nil {
		j.settle(size, claimed, pos, chunks, e.spans)
		claimed = uint32(pos.Segment)
		if err = j.spans.Sync(context.Background(), pos); err == nil {
			return pos, nil
		}
		size = 0
	}
	j.mu.Lock()
	j.books.reserved -= size
	j.books.hold(claimed, -chunks, -e.spans)
	j.mu.Unlock()
	return pos, failure(err, &j.spansFailed)
}

// claim reserves room and holds the chunks in the segment that is active now.
// That one is no younger than the one they will be in, and segments go oldest
// first, so the latter cannot go before it is known.
func (j *Journal) claim(size, chunks, spans int64) (uint32, error) {
	most := size + owed(chunks, spans)
	if most > j.maxBytes/4 {
		return 0, fmt.Errorf("%w: %d bytes, which is more than a quarter of %d", ErrTooLarge, most, j.maxBytes)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if used := j.used(); used+most > j.maxBytes {
		return 0, fmt.Errorf("%w: %d bytes of %d are taken or spoken for", ErrFull, used, j.maxBytes)
	}
	active := j.spans.Active()
	if j.spansEnd.Segment == active && j.spansEnd.End+j.books.reserved+size > math.MaxUint32 {
		return 0, fmt.Errorf("%w: segment %d is", ErrFull, active) // until Maintain can seal it
	}
	j.books.reserved += size
	j.books.hold(uint32(active), chunks, spans)
	return uint32(active), nil
}

// settle moves a claim to the segment that took the record.
func (j *Journal) settle(size int64, claimed uint32, pos wal.Position, chunks, spans int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.books.reserved -= size
	if uint64(claimed) != pos.Segment {
		j.books.hold(uint32(pos.Segment), chunks, spans)
		j.books.hold(claimed, -chunks, -spans)
	}
	j.spansEnd = later(j.spansEnd, pos)
}

func later(a, b wal.Position) wal.Position {
	if b.Segment > a.Segment || b.Segment == a.Segment && b.End > a.End {
		return b
	}
	return a
}

func setRefs(a *Arrival, pos wal.Position) {
	frames := 0
	for i := range a.Chunks {
		frames += len(a.Chunks[i].Frames)
	}
	at := pos.End - int64(chunkHeader*len(a.Chunks)+frames)
	for i := range a.Chunks {
		c := &a.Chunks[i]
		c.Ref = Ref{Segment: uint32(pos.Segment), Offset: uint32(at)}
		at += int64(chunkHeader + len(c.Frames))
	}
}
