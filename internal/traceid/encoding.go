package traceid

import (
	"encoding/base64"
	"strings"
	"unicode"
)

var (
	standard = base64.StdEncoding.Strict()
	forURLs  = base64.URLEncoding.Strict()
)

func base64Len(n int) int { return standard.EncodedLen(n) }

// digitValues are the values of hexadecimal digits; what is none has notDigit.
var digitValues = func() (values [256]byte) {
	for i := range values {
		values[i] = notDigit
	}
	for i, c := range []byte("0123456789abcdef") {
		values[c] = byte(i)
		values[unicode.ToUpper(rune(c))] = byte(i)
	}
	return values
}()

const notDigit = 0xff

// decodeHex fills dst from exactly 2*len(dst) hexadecimal digits.
func decodeHex(dst []byte, s string) bool {
	if len(s) != 2*len(dst) {
		return false
	}
	all := byte(0)
	for i := range dst {
		high, low := digitValues[s[2*i]], digitValues[s[2*i+1]]
		all |= high | low
		dst[i] = high<<4 | low
	}
	return all < 16
}

// decodeBase64 fills dst from padded base64.
func decodeBase64(dst []byte, s string) bool {
	encoding := standard
	if strings.ContainsAny(s, "-_") {
		encoding = forURLs
	}
	if strings.ContainsAny(s, "\r\n") { // which Decode ignores
		return false
	}
	var decoded [maxTextLen]byte // Decode may want more room than it fills
	n, err := encoding.Decode(decoded[:], []byte(s))
	if err != nil || n != len(dst) {
		return false
	}
	copy(dst, decoded[:n])
	return true
}

// encodeBase64 fills dst from src, whose length is a multiple of three.
func encodeBase64(dst, src []byte) { standard.Encode(dst, src) }
