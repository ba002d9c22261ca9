package traceid

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
)

const decimals = "0123456789"

var (
	padded   = base64.StdEncoding.Strict()
	unpadded = base64.RawStdEncoding.Strict()
)

func paddedLen(n int) int   { return padded.EncodedLen(n) }
func unpaddedLen(n int) int { return unpadded.EncodedLen(n) }

// decodeHex fills dst from exactly 2*len(dst) hexadecimal digits.
func decodeHex(dst []byte, s string) bool {
	n, err := hex.Decode(dst, []byte(s))
	return err == nil && n == len(dst)
}

// decodeBase64 fills dst from base64 of either alphabet, padded or not as the
// length of s says.
func decodeBase64(dst []byte, s string) bool {
	encoding := padded
	if len(s) == unpaddedLen(len(dst)) {
		if strings.Trim(s, decimals) == "" {
			return false
		}
		encoding = unpadded
	}
	var standard [maxTextLen]byte
	var decoded [maxTextLen]byte // Decode may want more room than it fills
	for i := range len(s) {
		switch c := s[i]; c {
		case '-':
			standard[i] = '+'
		case '_':
			standard[i] = '/'
		case '\r', '\n':
			return false // which Decode ignores
		default:
			standard[i] = c
		}
	}
	n, err := encoding.Decode(decoded[:], standard[:len(s)])
	if err != nil || n != len(dst) {
		return false
	}
	copy(dst, decoded[:n])
	return true
}

// encodeBase64 fills dst from src, whose length is a multiple of three.
func encodeBase64(dst, src []byte) { padded.Encode(dst, src) }
