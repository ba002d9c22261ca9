package otlpwire

import (
	"math/bits"

	"google.golang.org/protobuf/encoding/protowire"
)

// Tags of the fields below 16, which are one byte.

func lengthTag(num protowire.Number) byte { return byte(num)<<3 | byte(protowire.BytesType) }
func varintTag(num protowire.Number) byte { return byte(num)<<3 | byte(protowire.VarintType) }
func fixed64Tag(num protowire.Number) byte {
	return byte(num)<<3 | byte(protowire.Fixed64Type)
}

// open begins a message whose length will take width bytes, if the guess is right,
// and returns where the message starts.
func open(b []byte, num protowire.Number, width int) ([]byte, int) {
	b = append(b, lengthTag(num), 0, 0, 0)
	b = b[:len(b)-3+width]
	return b, len(b)
}

// shut ends the message that open began.
func shut(b []byte, start, width int) []byte {
	size := len(b) - start
	if right := varintSize(size); right != width {
		b = append(b, make([]byte, max(right-width, 0))...)
		copy(b[start+right-width:], b[start:start+size])
		b = b[:start+right-width+size]
		start += right - width
		width = right
	}
	at := b[start-width : start]
	for i := range at {
		at[i] = byte(size) | 0x80
		size >>= 7
	}
	at[width-1] &= 0x7f
	return b
}

// putText leaves the default out, as do putCount and putTime.
func putText(b []byte, num protowire.Number, s string) []byte {
	if s == "" {
		return b
	}
	return appendText(append(b, lengthTag(num)), s)
}

func putCount(b []byte, num protowire.Number, n uint32) []byte {
	if n == 0 {
		return b
	}
	return appendVarint(append(b, varintTag(num)), uint64(n))
}

func putTime(b []byte, num protowire.Number, t uint64) []byte {
	if t == 0 {
		return b
	}
	return protowire.AppendFixed64(append(b, fixed64Tag(num)), t)
}

// putID writes a zero ID as an empty one.
func putID(b []byte, num protowire.Number, id []byte, zero bool) []byte {
	if zero {
		id = nil
	}
	b = append(b, lengthTag(num), byte(len(id)))
	return append(b, id...)
}

func appendText(b []byte, s string) []byte {
	return append(appendVarint(b, uint64(len(s))), s...)
}

// appendVarint is small enough to be inlined, most numbers being below 128.
func appendVarint(b []byte, v uint64) []byte {
	if v < 0x80 {
		return append(b, byte(v))
	}
	return protowire.AppendVarint(b, v)
}

func varintSize(n int) int { return (bits.Len64(uint64(n)|1) + 6) / 7 }

// prefixed is the size of n bytes behind a tag and their length.
func prefixed(n int) int { return 1 + varintSize(n) + n }
