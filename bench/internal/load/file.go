package load

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Writer stores requests, so that they can be sent many times without being
// made again: for each its length and its number of spans, four bytes each,
// little-endian, then its bytes.
type Writer struct{ w *bufio.Writer }

// NewWriter returns a Writer to w. Flush ends it.
func NewWriter(w io.Writer) *Writer { return &Writer{bufio.NewWriterSize(w, 1<<20)} }

// Write stores one request; it fits the emit of Generate.
func (w *Writer) Write(request []byte, spans int) error {
	var head [8]byte
	binary.LittleEndian.PutUint32(head[:4], uint32(len(request)))
	binary.LittleEndian.PutUint32(head[4:], uint32(spans))
	if _, err := w.w.Write(head[:]); err != nil {
		return fmt.Errorf("write request: %w", err)
	}
	if _, err := w.w.Write(request); err != nil {
		return fmt.Errorf("write request: %w", err)
	}
	return nil
}

// Flush writes what is buffered.
func (w *Writer) Flush() error { return w.w.Flush() }

// Reader reads what a Writer stored.
type Reader struct{ r *bufio.Reader }

// NewReader returns a Reader of r.
func NewReader(r io.Reader) *Reader { return &Reader{bufio.NewReaderSize(r, 1<<20)} }

// Next returns the next request, in a slice of its own, and its number of
// spans. It returns io.EOF after the last.
func (r *Reader) Next() ([]byte, int, error) {
	var head [8]byte
	if _, err := io.ReadFull(r.r, head[:]); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, 0, io.EOF
		}
		return nil, 0, fmt.Errorf("read request: %w", err)
	}
	request := make([]byte, binary.LittleEndian.Uint32(head[:4]))
	if _, err := io.ReadFull(r.r, request); err != nil {
		return nil, 0, fmt.Errorf("read request: %w", err)
	}
	return request, int(binary.LittleEndian.Uint32(head[4:])), nil
}
