package body

import (
	"math/bits"
	"sync"
)

// Buffers are kept for other bodies by size: chunk bytes, doubled, up to maxKept.
// One that a small body could take from a large one would hold more memory than
// the body is charged for.
const (
	maxKept = 1 << 20
	classes = 5
)

var kept [classes]sync.Pool

// roomFor is the capacity of a buffer that take returns for n bytes.
func roomFor(n int64) int64 {
	if n > maxKept {
		return n
	}
	room := int64(chunk)
	for room < n {
		room *= 2
	}
	return room
}

// class is the index in kept of buffers with that capacity, negative for none.
func class(room int64) int {
	if room < chunk || room > maxKept || room&(room-1) != 0 {
		return -1
	}
	return bits.TrailingZeros64(uint64(room / chunk))
}

// take returns an empty buffer for n bytes.
func take(n int64) []byte {
	room := roomFor(n)
	if c := class(room); c >= 0 {
		if buf, ok := kept[c].Get().(*[]byte); ok {
			return *buf
		}
	}
	return make([]byte, 0, room)
}

// give gives back a buffer, which must not be used afterwards.
func give(buf []byte) {
	if c := class(int64(cap(buf))); c >= 0 {
		buf = buf[:0]
		kept[c].Put(&buf)
	}
}
