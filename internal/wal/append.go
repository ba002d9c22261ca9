package wal

import (
	"context"
	"fmt"
	"io"
	"slices"
)

// Append adds one record, the concatenation of parts, and returns where it
// ends. The record is durable once Sync of that position returned nil. The
// parts are copied.
//
// Errors wrap ErrFull, ErrFailed, ErrClosed or ErrTooLarge; the record is then
// not in the log.
func (l *Log) Append(parts ...[]byte) (Position, error) {
	length := 0
	for _, p := range parts {
		length += len(p)
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
	start := len(s.buf)
	s.buf = slices.Grow(s.buf, int(size))[:start+frameSize]
	for _, p := range parts {
		s.buf = append(s.buf, p...)
	}
	// One run over the copy is cheaper than one over each of many short parts.
	sum := checksum(s.buf[start+frameSize:])
	appendFrame(s.buf[:start], s.key, s.end, recordMagic, length, sum)
	s.end += size
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
			s.hurry()
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
	l.active.join(p, l.buffer)
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
	s.buf, s.swap = s.swap, nil
	if sync {
		s.company, s.joined = s.joined, 0
	}
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
	if cap(buf) <= l.buffer+l.buffer/2 { // what one large record took is given back
		s.swap = buf[:0]
	}
	switch {
	case err != nil:
		s.err = err
	case sync:
		s.durable = end
		s.expect()
	}
	s.release()
}
