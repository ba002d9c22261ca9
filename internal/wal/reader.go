package wal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spanlake/spanlake/internal/fsys"
)

// ReadStats counts what Read met.
type ReadStats struct {
	Records        int64
	DamagedRecords int64 // stretches of bytes that are no record
	DamagedBytes   int64
}

// Read calls fn with each record of a sealed segment, in the order of Append.
// Damaged ones are skipped and counted, and so are those that the disk cannot
// read while it can read others. The record is valid only during the call. Any
// other error of the disk, or of fn, ends the reading and is returned.
func (l *Log) Read(number uint64, fn func(record []byte) error) (ReadStats, error) {
	return l.Scan(number, func(_ int64, record []byte) error { return fn(record) })
}

// Scan is Read that tells where each record begins: the offset of its first
// byte in the segment, by which ReadAt finds it.
func (l *Log) Scan(number uint64, fn func(offset int64, record []byte) error) (ReadStats, error) {
	l.mu.Lock()
	i, closed := l.find(number), l.closed
	var end int64
	if i >= 0 {
		end = l.sealed[i].End
	}
	l.mu.Unlock()
	if closed {
		return ReadStats{}, ErrClosed
	}
	if i < 0 {
		return ReadStats{}, fmt.Errorf("read segment %d: %w", number, fs.ErrNotExist)
	}
	f, err := l.fs.OpenFile(l.path(number), os.O_RDONLY, 0)
	if err != nil {
		return ReadStats{}, fmt.Errorf("read segment %d: %w", number, err)
	}
	stats, err := l.readFile(f, number, end, fn)
	return stats, errors.Join(err, f.Close())
}

func (l *Log) readFile(f fsys.File, number uint64, end int64, fn func(int64, []byte) error) (ReadStats, error) {
	size, err := fileSize(f)
	if err != nil {
		return ReadStats{}, fmt.Errorf("read segment %d: %w", number, err)
	}
	r := newReader(f, min(size, end), frameKey(l.id, number))
	whole, err := r.header(l.id, number)
	var stats ReadStats
	if err == nil {
		stats, err = r.each(fn)
	}
	if err == nil {
		err = r.gone()
	}
	if err != nil {
		return stats, fmt.Errorf("read segment %d: %w", number, err)
	}
	if !whole {
		stats.DamagedBytes += headerSize
	}
	// The segment ended with a record when it was sealed or opened, so what is
	// wrong behind the last whole one is damage.
	if tail := end - r.last; tail > 0 {
		stats.DamagedRecords++
		stats.DamagedBytes += tail
	}
	return stats, nil
}

func fileSize(f fsys.File) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// window is how much a reader reads at once.
const window = 256 << 10

// reader walks over the records of a segment.
type reader struct {
	file io.ReaderAt
	size int64 // end of what may hold records
	key  uint32
	buf  []byte // the file from offset at
	at   int64
	last int64 // offset behind the last whole record

	// read is how many bytes behind the first page were, and unreadable the error
	// of the last page that was not.
	read       int64
	unreadable error
}

func newReader(file io.ReaderAt, size int64, key uint32) *reader {
	return &reader{file: file, size: size, key: key, last: headerSize}
}

// header checks the header as checkHeader does.
func (r *reader) header(id identity, number uint64) (bool, error) {
	h, err := r.bytes(0, min(headerSize, r.size))
	if err != nil {
		return false, err
	}
	return checkHeader(h, id, number)
}

// each calls fn with each whole record and its offset. It counts only the damage that has a
// whole record behind it: what follows the last one is for the caller to judge.
func (r *reader) each(fn func(int64, []byte) error) (ReadStats, error) {
	var stats ReadStats
	damaged := int64(0)
	for off := r.last; off < r.size; {
		f, ok, err := r.frame(off)
		if err != nil {
			return stats, err
		}
		if !ok {
			damaged++
			if off, err = r.resync(off + 1); err != nil {
				return stats, err
			}
			continue
		}
		record, err := r.bytes(off+frameSize, f.length)
		if err != nil {
			return stats, err
		}
		begin := off
		off += frameSize + f.length
		if checksum(record) != f.payload {
			damaged++
			continue
		}
		stats.Records++
		stats.DamagedRecords += damaged
		stats.DamagedBytes += begin - r.last
		damaged, r.last = 0, off
		if err := fn(begin+frameSize, record); err != nil {
			return stats, err
		}
	}
	return stats, nil
}

// frame decodes the frame at off, if there is one whose payload is in the file.
func (r *reader) frame(off int64) (frame, bool, error) {
	if r.size-off < frameSize {
		return frame{}, false, nil
	}
	b, err := r.bytes(off, frameSize)
	if err != nil {
		return frame{}, false, err
	}
	f, ok := decodeFrame(b, r.key, off, recordMagic)
	return f, ok && f.length <= r.size-off-frameSize, nil
}

// resync returns the offset of the first frame at off or behind it, or size.
func (r *reader) resync(off int64) (int64, error) {
	for off+frameSize <= r.size {
		b, err := r.bytes(off, min(window, r.size-off))
		if err != nil {
			return 0, err
		}
		starts := len(b) - frameSize + 1 // a frame that begins later is not whole in b
		for i := 0; ; i++ {
			next := bytes.Index(b[i:], recordMagic[:])
			if next < 0 || i+next >= starts {
				break
			}
			i += next
			at := off + int64(i)
			if f, ok := decodeFrame(b[i:], r.key, at, recordMagic); ok && f.length <= r.size-at-frameSize {
				return at, nil
			}
		}
		off += int64(starts)
	}
	return r.size, nil
}

// bytes returns n bytes from off on, which are within size. They are valid
// until the next call.
func (r *reader) bytes(off, n int64) ([]byte, error) {
	if off >= r.at && off+n <= r.at+int64(len(r.buf)) {
		return r.buf[off-r.at:][:n], nil
	}
	want := min(max(n, window), r.size-off)
	var kept []byte
	if off >= r.at && off < r.at+int64(len(r.buf)) {
		kept = r.buf[off-r.at:]
	}
	if int64(cap(r.buf)) < want {
		r.buf = append(make([]byte, 0, want), kept...)
	} else {
		r.buf = append(r.buf[:0], kept...)
	}
	have := len(r.buf)
	r.buf, r.at = r.buf[:want], off
	if err := r.fill(r.buf[have:], off+int64(have)); err != nil {
		r.buf = r.buf[:0]
		return nil, err
	}
	return r.buf[:n], nil
}
