package wal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/spanlake/spanlake/internal/fsys"
)

// Open opens the log in a directory, or makes a new one, and becomes its one
// owner. What earlier processes wrote is sealed: a segment that a crash ended
// is replaced by a synced copy up to its last whole record, one without a record
// goes.
func Open(o Options) (*Log, error) {
	l := &Log{fs: o.FS, dir: o.Dir, maxBytes: o.MaxBytes, buffer: bufferSize}
	if l.fs == nil {
		l.fs = fsys.OS
	}
	if err := l.fs.MkdirAll(l.dir); err != nil {
		return nil, fmt.Errorf("open write-ahead log: %w", err)
	}
	lock, err := l.fs.Lock(l.dir)
	if err != nil {
		return nil, fmt.Errorf("open write-ahead log: %w", err)
	}
	l.lock = lock
	if err := l.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("open write-ahead log %s: %w", l.dir, err), l.Close())
	}
	return l, nil
}

func (l *Log) load() error {
	numbers, err := l.list()
	if err != nil {
		return err
	}
	if err := l.identify(len(numbers) == 0); err != nil {
		return err
	}
	var empty []uint64
	highest := uint64(0)
	for _, n := range numbers {
		s, err := l.inspect(n)
		if err != nil {
			return fmt.Errorf("segment %s: %w", segmentName(n), err)
		}
		highest = n
		if s.End == headerSize {
			empty = append(empty, n)
			continue
		}
		l.sealed = append(l.sealed, s)
		l.bytes += s.size
	}
	if err := l.begin(highest, empty); err != nil {
		return err
	}
	for _, n := range empty {
		if n != l.active.number {
			_ = l.fs.Remove(l.path(n)) // holds nothing; the next start tries again
		}
	}
	return nil
}

// list returns the numbers of the segments, ascending.
func (l *Log) list() ([]uint64, error) {
	entries, err := l.fs.ReadDir(l.dir)
	if err != nil {
		return nil, err
	}
	var numbers []uint64
	for _, e := range entries {
		if n := segmentNumber(e.Name()); n > 0 {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers) // names grow beyond ten digits
	return numbers, nil
}

// identify reads who the log is, or decides it for a new one.
func (l *Log) identify(isNew bool) error {
	name := filepath.Join(l.dir, identityName)
	f, err := l.fs.OpenFile(name, os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		if !isNew {
			return fmt.Errorf("there are segments, but the file %s is missing: put it back, or move them away", identityName)
		}
		l.id = newIdentity()
		return fsys.WriteFile(l.fs, name, l.id.encode())
	}
	if err != nil {
		return err
	}
	data, err := io.ReadAll(io.LimitReader(f, 4096))
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if l.id, err = decodeIdentity(data); err != nil {
		return fmt.Errorf("file %s %w", identityName, err)
	}
	return nil
}

// inspect finds the end of a segment that an earlier process wrote.
func (l *Log) inspect(number uint64) (sealed, error) {
	f, err := l.fs.OpenFile(l.path(number), os.O_RDWR, 0)
	if err != nil {
		return sealed{}, err
	}
	s, err := l.repair(f, number)
	return s, errors.Join(err, f.Close())
}

// repair cuts a torn tail off, and makes sure that what is read from here on is
// on disk: the process that wrote it may have died before its own sync, or after
// one that failed.
func (l *Log) repair(f fsys.File, number uint64) (sealed, error) {
	s := sealed{Sealed: Sealed{Segment: number, End: headerSize}}
	size, err := fileSize(f)
	if err != nil {
		return s, err
	}
	r := newReader(f, size, frameKey(l.id, number))
	if _, err := r.header(l.id, number); err != nil {
		return s, err
	}
	if end := size - trailerSize; end > headerSize {
		b, err := r.bytes(end, trailerSize)
		if err != nil {
			return s, err
		}
		if _, ok := decodeFrame(b, r.key, end, trailerMagic); ok {
			s.End, s.size = end, size
			return s, f.Sync()
		}
	}
	_, err = r.each(func(int64, []byte) error { return nil })
	if err == nil {
		err = r.gone()
	}
	if err != nil {
		return s, err
	}
	if r.unreadable != nil {
		// What cannot be read may be records, also behind the last. Nothing is cut
		// that the disk may read the next time.
		s.End, s.size = size, size
		return s, f.Sync()
	}
	s.End, s.size = r.last, r.last
	l.torn += max(0, size-r.last)
	if r.last > headerSize && l.rewrite(r, number) == nil {
		s.size += trailerSize
		return s, nil
	}
	// There may be no room for a copy.
	if size > r.last {
		if err := f.Truncate(r.last); err != nil {
			return s, err
		}
	}
	return s, f.Sync()
}

// rewrite replaces a segment by a copy that ends behind the last record that r
// found, with a trailer, so that the next start need not do it again. To sync what
// is there would not do: after a failed sync the kernel shows pages that it could
// not write as if it had, until it forgets them, and syncs without them.
func (l *Log) rewrite(r *reader, number uint64) error {
	name := l.path(number)
	tmp := name + fsys.TempSuffix
	trailer := appendFrame(nil, r.key, r.last, trailerMagic, 0, 0)
	err := l.copySynced(tmp, io.MultiReader(io.NewSectionReader(r.file, 0, r.last), bytes.NewReader(trailer)))
	if err == nil {
		err = l.fs.Rename(tmp, name)
	}
	if err == nil {
		err = l.fs.SyncDir(l.dir)
	}
	if err != nil {
		_ = l.fs.Remove(tmp) // the next start overwrites it
	}
	return err
}

func (l *Log) copySynced(name string, from io.Reader) error {
	f, err := l.fs.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, fsys.FileMode)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// begin makes the segment that takes records. Where the disk is too full for
// one, the highest serves again if it never took any, so that what is in the
// log can be taken out and make room.
func (l *Log) begin(highest uint64, empty []uint64) error {
	var err error
	l.active, err = l.create(highest + 1)
	if err != nil && slices.Contains(empty, highest) {
		l.active, err = l.reuse(highest)
	}
	if err != nil {
		return err
	}
	l.first = l.active.number
	l.bytes += headerSize
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.prepare(l.active.number + 1) // Seal makes it, or says why not, where this fails
	return nil
}

func (l *Log) reuse(number uint64) (*segment, error) {
	f, err := l.fs.OpenFile(l.path(number), os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return nil, err
	}
	size, err := fileSize(f)
	if err == nil {
		whole, herr := newReader(f, size, 0).header(l.id, number)
		if err = herr; err == nil && (!whole || size != headerSize) {
			err = errors.New("the empty segment has no header")
		}
	}
	if err == nil {
		err = l.fs.SyncDir(l.dir)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return l.segment(number, f), nil
}
