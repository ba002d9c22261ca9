package logcorrelationprocessor

import (
	"encoding/binary"
	"math/bits"
)

// Room for the ends of the usual number of keys with few bits set.
const (
	endBits  = 12
	endWords = 1 << endBits / 64
)

// keyDelimiters are what may stand before a key in a text: in JSON its quote, in
// logfmt a blank.
const keyDelimiters = "\" \t\n\r"

// indexEnds sets the bits of what the keys end in.
func (l *level) indexEnds() {
	add := func(end string) {
		word, bit := endHash("\x00" + end)
		l.ends[word] |= bit
	}
	for _, e := range l.entries[1:] {
		for _, delimiter := range keyDelimiters {
			text := string(delimiter) + e.key
			if len(text) >= 3 {
				add(text[len(text)-3:])
				continue
			}
			for c := range 256 { // any byte may stand before the delimiter
				add(string([]byte{byte(c)}) + text)
			}
		}
	}
}

// endHash is of the last three of four bytes.
func endHash(end string) (word uint32, bit uint64) {
	h := binary.LittleEndian.Uint32([]byte(end)) >> 8 * 2654435769 >> (32 - endBits)
	return h / 64, 1 << (h % 64)
}

// mayEnd reports whether a known key may end at s[:end], by the last three bytes:
// few of the keys that are not known share them with one that is.
func (l *level) mayEnd(s string, end int) bool {
	if end < 4 {
		return true
	}
	word, bit := endHash(s[end-4 : end])
	return l.ends[word]&bit != 0
}

// nextEnd is the position, at from or behind, of the next c that may stand behind
// a known key and as many bytes as gap, or has a blank before it; it is negative
// where there is none. What it looks at is so close together that the calls of
// strings.IndexByte would cost more than what they do.
func (l *level) nextEnd(s string, from int, c byte, gap int) int {
	const lowest, highest = 0x0101010101010101, 0x8080808080808080
	each := uint64(c) * lowest
	i := from
	for ; i+8 <= len(s); i += 8 {
		x := binary.LittleEndian.Uint64([]byte(s[i:i+8])) ^ each // zero where there is c
		for zeros := (x - lowest) &^ x & highest; zeros != 0; zeros &= zeros - 1 {
			// Behind a c, another byte may be taken for one.
			if at := i + bits.TrailingZeros64(zeros)/8; l.mayEnd(s, at-gap) || s[at-1] <= ' ' {
				return at
			}
		}
	}
	for ; i < len(s); i++ {
		if s[i] == c && (l.mayEnd(s, i-gap) || s[i-1] <= ' ') {
			return i
		}
	}
	return -1
}
