package wal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
)

// Seal ends the active segment, with everything in it on disk, and begins the
// next. It reports false where there was nothing to seal. Append waits
// meanwhile.
//
// After a failed write or sync, of Seal itself too, the segment is cut behind
// the last record that was synced, so that no record is in it that was refused.
// Seal returns an error where that, or making the next segment, fails; it may
// be called again.
func (l *Log) Seal() (Sealed, bool, error) {
	l.shape.Lock()
	defer l.shape.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return Sealed{}, false, ErrClosed
	}
	s := l.active
	if s.empty() {
		return Sealed{}, false, nil
	}
	if err := l.prepare(s.number + 1); err != nil {
		return Sealed{}, false, fmt.Errorf("begin segment %d: %w", s.number+1, err)
	}
	l.sealing = true
	end, err := l.finish(s)
	if err == nil {
		l.next.buf, l.next.swap, l.next.company = s.buf[:0], s.swap, s.company
		l.active, l.next = l.next, nil
	}
	l.sealing = false
	s.release()
	if err != nil {
		return Sealed{}, false, err
	}
	_ = s.file.Close() // synced
	result := Sealed{Segment: s.number, End: end}
	if end > headerSize {
		l.sealed = append(l.sealed, sealed{Sealed: result, size: s.end})
	} else {
		l.bytes -= s.end
		// A leftover holds no record; the next start removes it.
		_ = l.fs.Remove(l.path(s.number))
		l.closeHandle(s.number)
	}
	// Made now to be there on a full disk; the next Seal makes it, or says why
	// not, where this fails.
	_ = l.prepare(l.active.number + 1)
	return result, end > headerSize, nil
}

// prepare makes the next segment where there is none. shape and mu are held;
// mu is given up.
func (l *Log) prepare(number uint64) error {
	if l.next != nil {
		return nil
	}
	l.mu.Unlock()
	next, err := l.create(number)
	l.mu.Lock()
	if err == nil {
		l.next = next
		l.bytes += headerSize
	}
	return err
}

// finish writes and syncs the rest of a segment and its trailer, or cuts it
// where that fails, and returns the end of the records. shape and mu are held,
// mu is given up; nothing appends.
func (l *Log) finish(s *segment) (int64, error) {
	s.hurry()
	for s.busy {
		l.wait(context.Background(), s)
	}
	end := s.end
	if s.err == nil {
		s.buf = appendFrame(s.buf, s.key, s.end, trailerMagic, 0, 0)
		s.end += trailerSize
		l.bytes += trailerSize
		l.flush(s, true)
	}
	if s.err != nil {
		if err := l.cut(s); err != nil {
			return 0, l.wrap(s.number, err)
		}
		end = s.durable
		l.cuts = append(l.cuts, Sealed{Segment: s.number, End: end})
		l.cuts = l.cuts[max(0, len(l.cuts)-maxCuts):]
	}
	return end, nil
}

// cut shortens a failed segment to what was synced before it failed. It may be
// called again after an error.
func (l *Log) cut(s *segment) error {
	for s.busy {
		l.wait(context.Background(), s)
	}
	s.busy = true
	l.mu.Unlock()
	err := s.file.Truncate(s.durable)
	if err == nil {
		err = s.file.Sync()
	}
	l.mu.Lock()
	s.busy = false
	if err == nil {
		l.bytes -= s.end - s.durable
		s.end = s.durable
	}
	return err
}

// Remove gives a sealed segment up. When it returns nil the segment is gone for
// good; after an error it may be called again.
func (l *Log) Remove(number uint64) error {
	l.shape.Lock()
	defer l.shape.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	i := l.find(number)
	if i < 0 {
		return fmt.Errorf("remove segment %d: %w", number, fs.ErrNotExist)
	}
	l.mu.Unlock()
	err := l.fs.Remove(l.path(number))
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		err = l.fs.SyncDir(l.dir)
	}
	l.mu.Lock()
	if err != nil {
		return fmt.Errorf("remove segment %d: %w", number, err)
	}
	l.bytes -= l.sealed[i].size
	l.sealed = slices.Delete(l.sealed, i, i+1)
	l.closeHandle(number)
	return nil
}

// Close writes and syncs what was appended and gives the directory back. The
// log must not be in use by Read. Calls after the first do nothing.
func (l *Log) Close() error {
	l.shape.Lock()
	defer l.shape.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	for number := range l.handles {
		l.closeHandle(number)
	}
	var errs []error
	if s := l.active; s != nil {
		if !s.empty() {
			errs = append(errs, l.closeSegment(s))
		}
		errs = append(errs, s.file.Close())
	}
	if l.next != nil {
		errs = append(errs, l.next.file.Close())
	}
	return errors.Join(append(errs, l.lock.Close())...)
}

// closeSegment finishes the active segment for good. A failure that callers
// have been told of is none of Close, as long as the cut succeeds.
func (l *Log) closeSegment(s *segment) error {
	known := s.err != nil
	_, err := l.finish(s)
	if err == nil && s.err != nil && !known {
		err = l.wrap(s.number, s.err)
	}
	return err
}
