// Package utf8mend makes UTF-8 of text that is to be UTF-8 and is not. How long it
// becomes is known before memory is taken for it.
package utf8mend

import (
	"strings"
	"unicode/utf8"
)

// replacement is U+FFFD. It stands for a run of bytes that are not UTF-8, as in
// strings.ToValidUTF8 and the Unicode standard, section 3.9.
const replacement = "\uFFFD"

// Append appends s to dst with U+FFFD for what is not UTF-8.
func Append(dst, s []byte) []byte {
	for len(s) > 0 {
		valid, invalid := runs(s)
		if dst = append(dst, s[:valid]...); invalid > 0 {
			dst = append(dst, replacement...)
		}
		s = s[valid+invalid:]
	}
	return dst
}

// String is what Append makes of s, whose growth is that of Growth.
func String(s []byte, growth int64) string {
	var sb strings.Builder
	sb.Grow(len(s) + int(growth))
	for len(s) > 0 {
		valid, invalid := runs(s)
		if sb.Write(s[:valid]); invalid > 0 {
			sb.WriteString(replacement)
		}
		s = s[valid+invalid:]
	}
	return sb.String()
}

// Growth is by how many bytes Append makes s longer, negative where it makes it
// shorter.
func Growth(s []byte) int64 {
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
