package wal

import (
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"time"
)

// Append adds one record, the concatenation of parts, and returns where it
// ends. The record is durable once Sync of that position returned nil. The
// parts are copied.
//
// Errors wrap ErrFull, ErrFailed, ErrClosed or ErrTooLarge; the record is then
// not in the log.
func (l *Log) Append(parts ...[]byte) (Position, error) {
	length, sum := 0, uint32(0)
	for _, p := range parts {
		length += len(p)
		sum = crc32.Update(sum, castagnoli, p)
	}
	size := int64(frameSize + length)
	if length > maxRecord || l.maxBytes > 0 && 2*headerSize+size+reserve > l.maxBytes {
		return Position{}, fmt.Errorf("%w: %d bytes", ErrTooLarge, length)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s, err := l.room(size)
	if err != nil {
		return Position{}, err
	}
	s.buf = slices.Grow(s.buf, int(size))
	s.buf = appendFrame(s.buf, s.key, s.end, recordMagic, length, sum)
	for _, p := range parts {
		s.buf = append(s.buf, p...)
	}
	s.end += size
	s.waiting++
	l.bytes += size
	return Position{Segment: s.number, End: s.end}, nil
}

// reserve is what Seal adds to the bytes of a log: a trailer, and the header of
// the segment after the next.
const reserve = trailerSize + headerSize

// room waits until the active segment has room in memory. mu is held; it is
// given up while waiting.
func (l *Log) room(size int64) (*segment, error) {
	for {
		s := l.active
		buffered := len(s.buf) > 0 && len(s.buf)+int(size) > l.buffer
		switch {
		case l.closed:
			return nil, ErrClosed
		case l.sealing, buffered && s.busy:
			l.wait(context.Background(), s)
		case s.err != nil:
			return nil, l.wrap(s.number, s.err)
		case l.maxBytes > 0 && l.bytes+size+reserve > l.maxBytes:
			return nil, fmt.Errorf("%w: %d bytes of %d are taken", ErrFull, l.bytes, l.maxBytes)
		case buffered:
			l.flush(s, false)
		default:
			return s, nil
		}
	}
}

// Sync returns nil when every record up to p is on disk. Of concurrent callers
// one writes and syncs for all; what is appended meanwhile goes with the next
// sync. Once a write or sync failed, all records not synced before are refused
// with ErrFailed, and are in no segment that this process seals. After an error
// of ctx, or ErrClosed, the record may be in the log or not.
func (l *Log) Sync(ctx context.Context, p Position) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		s := l.active
		switch {
		case p.Segment < l.first || p.Segment > s.number || p.Segment == s.number && p.End > s.end && s.err == nil:
			return fmt.Errorf("sync write-ahead log: position %d in segment %d is not of this Log", p.End, p.Segment)
		case p.Segment < s.number:
			return l.sealedFate(p)
		case p.End <= s.durable:
			return nil
		case s.err != nil:
			return l.wrap(s.number, s.err)
		case ctx.Err() != nil:
			return ctx.Err()
		case s.busy:
			l.wait(ctx, s)
		case l.closed:
			return ErrClosed
		default:
			l.gather(s)
			l.flush(s, true)
		}
	}
}

// A sync costs about the same for one record as for many. Where several wait for
// the next one, more are on their way: a short wait for those makes the syncs
// fewer. A record that is alone waits for nobody.
const (
	several    = 2
	gatherTime = time.Millisecond
)

// gather waits for company. mu is held and s is not busy; mu is given up
// meanwhile.
func (l *Log) gather(s *segment) {
	if s.waiting < several || len(s.buf) >= l.buffer/2 {
		return
	}
	s.busy = true
	l.mu.Unlock()
	time.Sleep(gatherTime)
	l.mu.Lock()
	s.busy = false // and no waiter woken: flush does that
}

// sealedFate tells what became of a record in a segment before the active one:
// it is durable, unless the segment was cut before it.
func (l *Log) sealedFate(p Position) error {
	for _, cut := range l.cuts {
		if cut.Segment == p.Segment && p.End > cut.End {
			return fmt.Errorf("%w: segment %d was cut", ErrFailed, p.Segment)
		}
	}
	return nil
}

// wait gives mu up until the file of s is idle or ctx ends.
func (l *Log) wait(ctx context.Context, s *segment) {
	idle := s.idle
	l.mu.Unlock()
	defer l.mu.Lock()
	select {
	case <-idle:
	case <-ctx.Done():
	}
}

// flush hands what was appended to the file, and syncs it where sync is set.
// mu is held and s is not busy; mu is given up during the work, so that others
// append meanwhile.
func (l *Log) flush(s *segment, sync bool) {
	buf, end := s.buf, s.end
	s.buf, s.swap, s.waiting = s.swap, nil, 0
	s.busy = true
	l.mu.Unlock()

	var err error
	if len(buf) > 0 {
		var n int
		if n, err = s.file.Write(buf); err == nil && n < len(buf) {
			err = io.ErrShortWrite
		}
	}
	if err == nil && sync {
		err = s.file.Sync()
	}

	l.mu.Lock()
	if cap(buf) <= 2*l.buffer { // what one large record took is given back
		s.swap = buf[:0]
	}
	switch {
	case err != nil:
		s.err = err
	case sync:
		s.durable = end
	}
	s.release()
}
