package otlpjson

import "encoding/binary"

// Everything here needs room that has been reserved, unless it says otherwise.

func (t *transcoder) tag(f *field) { t.varint(f.tag) }

func (t *transcoder) varint(v uint64) {
	if v < 0x80 {
		t.out = append(t.out, byte(v))
		return
	}
	t.out = binary.AppendUvarint(t.out, v)
}

func appendLength(out []byte, n int) []byte {
	if n < 0x80 {
		return append(out, byte(n))
	}
	return binary.AppendUvarint(out, uint64(n))
}

// varintLen is how many bytes v takes.
func varintLen(v int) int {
	n := 1
	for ; v >= 0x80; v >>= 7 {
		n++
	}
	return n
}

var placeholder [containerWidth]byte

// open leaves room for a length of that many bytes and returns where it is.
func (t *transcoder) open(width int) int {
	start := len(t.out)
	t.out = append(t.out, placeholder[:width]...)
	return start
}

// close writes the length of what has been written since open. A short length
// takes one byte, for which little has to be moved. Else what was left for it is
// filled, with leading zeros if need be: any reader of protobuf takes them, and
// nothing is moved. Only where too little was left the content moves. It reserves
// its own room.
func (t *transcoder) close(start, width int) bool {
	begin := start + width
	n := len(t.out) - begin
	if n < 0x80 {
		t.out[start] = byte(n)
		if width > 1 {
			t.out = t.out[:start+1+copy(t.out[start+1:], t.out[begin:])]
		}
		return true
	}
	if need := varintLen(n); need > width {
		if !t.reserve(need - width) {
			return false
		}
		t.out = t.out[:len(t.out)+need-width]
		copy(t.out[start+need:], t.out[begin:begin+n])
		width = need
	}
	for i := range width - 1 {
		t.out[start+i] = byte(n>>(7*i)) | 0x80
	}
	t.out[start+width-1] = byte(n >> (7 * (width - 1)))
	return true
}
