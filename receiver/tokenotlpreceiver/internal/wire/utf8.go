package wire

import (
	"encoding/binary"
	"unicode/utf8"
)

// replacement is U+FFFD. It stands for a run of bytes that are not UTF-8, as in
// strings.ToValidUTF8 and the Unicode standard, section 3.9.
const replacement = "\uFFFD"

// appendUTF8 appends s to dst with replacement for what is not UTF-8.
func appendUTF8(dst, s []byte) []byte {
	for len(s) > 0 {
		valid, invalid := runs(s)
		if dst = append(dst, s[:valid]...); invalid > 0 {
			dst = append(dst, replacement...)
		}
		s = s[valid+invalid:]
	}
	return dst
}

// utf8Growth is by how many bytes appendUTF8 makes s longer, negative where it
// makes it shorter.
func utf8Growth(s []byte) int64 {
	growth := 0
	for len(s) > 0 {
		valid, invalid := runs(s)
		if invalid > 0 {
			growth += len(replacement) - invalid
		}
		s = s[valid+invalid:]
	}
	return int64(growth)
}

// runs are how many bytes at the start of s are UTF-8, and how many after them
// are not.
func runs(s []byte) (valid, invalid int) {
	for valid < len(s) {
		r, size := utf8.DecodeRune(s[valid:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		valid += size
	}
	for valid+invalid < len(s) {
		r, size := utf8.DecodeRune(s[valid+invalid:])
		if r != utf8.RuneError || size != 1 {
			break
		}
		invalid++
	}
	return valid, invalid
}

// ascii reports whether s has ASCII characters only.
func ascii(s []byte) bool {
	const highs = 0x8080808080808080
	var seen uint64
	if len(s) < 8 {
		for _, b := range s {
			seen |= uint64(b)
		}
		return seen < 0x80
	}
	for rest := s; len(rest) >= 8; rest = rest[8:] {
		seen |= binary.LittleEndian.Uint64(rest)
	}
	return (seen|binary.LittleEndian.Uint64(s[len(s)-8:]))&highs == 0
}
