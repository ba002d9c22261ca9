package wal

import (
	"errors"
	"io"
	"syscall"
)

// page is what an unreadable sector costs at most: disks, and the page cache, fail
// and are read in such blocks.
const page = 4 << 10

// fill reads b from the file. Pages that the disk cannot read become zeros, so
// that the records in them are damaged. The error stands for all else, and for
// the first page, which has the header.
func (r *reader) fill(b []byte, off int64) error {
	err := r.fillAt(b, off)
	if !errors.Is(err, syscall.EIO) {
		return err
	}
	for len(b) > 0 {
		n := min(int64(len(b)), page-off%page)
		err := r.fillAt(b[:n], off)
		switch {
		case err == nil:
		case off < page || !errors.Is(err, syscall.EIO):
			return err
		default:
			clear(b[:n])
			r.unreadable = err
		}
		b, off = b[n:], off+n
	}
	return nil
}

func (r *reader) fillAt(b []byte, off int64) error {
	n, err := r.file.ReadAt(b, off)
	switch {
	case n == len(b):
		r.read += max(0, off+int64(n)-max(off, page))
		return nil
	case err == nil, errors.Is(err, io.EOF):
		return io.ErrUnexpectedEOF // the file has shrunk under the reader
	}
	return err
}

// gone returns the error of the disk where nothing behind the first page could be
// read: a disk that has gone must not look like one that holds nothing.
func (r *reader) gone() error {
	if r.read > 0 {
		return nil
	}
	return r.unreadable
}
