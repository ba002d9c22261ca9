// Package body reads request bodies into memory: decompressed, and bounded as
// they came, as they are, and over all requests at once.
package body

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
)

// Reasons to refuse a body.
var (
	// ErrTooLarge is for a body over a size limit, of which no more was read.
	ErrTooLarge = errors.New("request body too large")
	// ErrBusy is for a body that would exceed the budget of all bodies.
	ErrBusy = errors.New("too many requests in flight")
	// ErrEncoding is for a compression that is not known.
	ErrEncoding = errors.New("unsupported content encoding")
	// ErrSlow is for a body that did not come in time.
	ErrSlow = errors.New("the request took too long to arrive")
	// ErrCorrupt is for a body that cannot be decompressed, or did not come whole.
	ErrCorrupt = errors.New("unreadable request body")
)

const (
	// chunk is how much of the budget a body takes at a time, and at first, however
	// long it is said to be: memory doubles as it arrives, so that an announcement
	// costs nothing.
	chunk = 64 << 10
)

// Reader reads bodies. It is safe for concurrent use.
type Reader struct {
	// MaxReceived bounds a body in bytes as it came.
	MaxReceived int64
	// MaxPlain bounds a body in bytes after decompression.
	MaxPlain int64
	// Budget is shared by all bodies.
	Budget *Budget
}

var bodies = sync.Pool{New: func() any { return new(Body) }}

// Body is a body in memory, as it came or rewritten. It holds part of the budget
// until Close.
type Body struct {
	budget   *Budget
	reserved int64
	data     []byte
	probe    [1]byte
}

// Bytes returns the body. It must not be used after Close.
func (b *Body) Bytes() []byte { return b.data }

// Close gives memory and budget back. It must be called once.
func (b *Body) Close() {
	b.budget.Release(b.reserved)
	give(b.data)
	b.budget, b.reserved, b.data = nil, 0, nil
	bodies.Put(b)
}

// Rewritten returns a body of what write appends to the empty buffer it is given.
// size is how many bytes that may be. write asks, by calling hold, before it makes
// the capacity of the buffer larger by so many bytes, and is to return an error of
// hold as it is.
func (b *Budget) Rewritten(size int64, write func(buf []byte, hold func(more int64) error) ([]byte, error)) (*Body, error) {
	w := bodies.Get().(*Body)
	w.budget = b
	if err := w.grow(size, size); err != nil {
		w.Close()
		return nil, err
	}
	first := w.data
	room := int64(cap(first))
	data, err := write(first, func(more int64) error {
		room += more
		return w.hold(room)
	})
	if w.data = data; cap(data) != cap(first) {
		give(first)
	}
	if err == nil {
		err = w.hold(int64(cap(data))) // write may have been wrong by a little
	}
	if err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

// Read reads src to its end. encoding is a content coding of RFC 9110 in lower
// case, empty for none; length is the number of bytes in src, negative where it
// is not known. A body announced as too long is refused unread.
func (r *Reader) Read(encoding string, src io.Reader, length int64) (*Body, error) {
	if length > r.MaxReceived {
		return nil, fmt.Errorf("%w: %d bytes, limit %d", ErrTooLarge, length, r.MaxReceived)
	}
	b := bodies.Get().(*Body)
	b.budget = r.Budget
	in := &source{src: src, left: r.MaxReceived}
	if err := r.read(b, encoding, in, length); err != nil {
		err = &UnreadError{Plain: int64(len(b.data)), reason: in.explain(err)}
		b.Close()
		return nil, err
	}
	return b, nil
}

// UnreadError is why a body could not be read.
type UnreadError struct {
	// Plain is how many bytes it had by then, decompressed.
	Plain  int64
	reason error
}

// Error implements error.
func (u *UnreadError) Error() string { return u.reason.Error() }

// Unwrap returns the reason.
func (u *UnreadError) Unwrap() error { return u.reason }

func (r *Reader) read(b *Body, encoding string, in *source, length int64) error {
	if encoding == "" || encoding == "identity" {
		limit := r.MaxPlain
		if length >= 0 {
			limit = length // both servers end the body there
			if err := b.grow(min(length, chunk), limit); err != nil {
				return err
			}
		}
		return b.fill(in, limit)
	}
	if encoding == "x-gzip" { // RFC 9110, section 8.4.1.3
		encoding = "gzip"
	}
	var src io.Reader = in
	if encoding == "snappy" {
		// By its registration the block format, but many send frames.
		buffered := bufio.NewReader(in)
		if start, _ := buffered.Peek(len(snappyStreamStart)); string(start) != snappyStreamStart {
			return decodeSnappyBlock(buffered, r.MaxPlain, b)
		}
		src, encoding = buffered, "x-snappy-framed"
	}
	cost := costs[encoding]
	if cost > maxStreaming {
		packed := bodies.Get().(*Body)
		packed.budget = r.Budget
		defer packed.Close()
		if err := packed.fill(in, r.MaxReceived); err != nil {
			return err
		}
		src = bytes.NewReader(packed.data)
	}
	if !r.Budget.Reserve(cost) {
		return ErrBusy
	}
	defer r.Budget.Release(cost)
	d, err := newDecoder(encoding, src)
	if err != nil {
		return err
	}
	defer d.close()
	return b.fill(d, r.MaxPlain)
}

// grow makes room for up to n more bytes, with the budget's leave, and not for
// more than limit in all.
func (b *Body) grow(n, limit int64) error {
	needed := min(int64(len(b.data))+n, limit)
	have := int64(cap(b.data))
	if needed <= have {
		return nil
	}
	needed = max(needed, min(2*have, limit))
	if err := b.hold(roomFor(needed)); err != nil {
		return err
	}
	data := append(take(needed), b.data...)
	give(b.data)
	b.data = data
	return nil
}

// hold takes from the budget what is lacking to n bytes.
func (b *Body) hold(n int64) error {
	lacking := n - b.reserved
	if lacking <= 0 {
		return nil
	}
	if !b.budget.Reserve(lacking) {
		return ErrBusy
	}
	b.reserved = n
	return nil
}

// keep gives back to the budget what is held beyond n bytes.
func (b *Body) keep(n int64) {
	if n < b.reserved {
		b.budget.Release(b.reserved - n)
		b.reserved = n
	}
}

// fill appends what src holds, limit bytes at most in all.
func (b *Body) fill(src io.Reader, limit int64) error {
	for {
		room := b.data[len(b.data):cap(b.data)]
		room = room[:min(int64(len(room)), chunk, limit-int64(len(b.data)))]
		if len(room) == 0 {
			// The body may be just as long as announced: ask before growing.
			room = b.probe[:]
		} else if err := b.grow(int64(len(room)), limit); err != nil {
			return err
		}
		n, err := src.Read(room)
		if n > 0 && &room[0] == &b.probe[0] {
			if int64(len(b.data)) >= limit {
				return fmt.Errorf("%w: over %d bytes when decompressed", ErrTooLarge, limit)
			}
			if growErr := b.grow(chunk, limit); growErr != nil {
				return growErr
			}
			b.data = append(b.data, b.probe[0])
		} else {
			b.data = b.data[:len(b.data)+n]
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// source is the body as it comes. It remembers why it could not be read on,
// which decoders tend to hide.
type source struct {
	src  io.Reader
	left int64
	err  error
}

// Read stops at the limit, having asked for one byte beyond it.
func (s *source) Read(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	if int64(len(p)) > s.left+1 {
		p = p[:s.left+1]
	}
	n, err := s.src.Read(p)
	var tooLarge *http.MaxBytesError
	switch s.left -= int64(n); {
	case s.left < 0 || errors.As(err, &tooLarge):
		s.err = ErrTooLarge
		return 0, s.err
	case err != nil && !errors.Is(err, io.EOF):
		s.err = err
	}
	return n, err
}

// explain turns the error of a decoder into one of this package.
func (s *source) explain(err error) error {
	switch {
	case errors.Is(s.err, ErrTooLarge):
		return fmt.Errorf("%w: over the limit as received", ErrTooLarge)
	case errors.Is(s.err, os.ErrDeadlineExceeded):
		return ErrSlow
	case s.err != nil:
		return fmt.Errorf("%w: %w", ErrCorrupt, s.err)
	case errors.Is(err, ErrTooLarge), errors.Is(err, ErrBusy), errors.Is(err, ErrEncoding):
		return err
	default:
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
}
