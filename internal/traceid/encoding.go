package traceid

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
)

var (
	standard = base64.StdEncoding.Strict()
	forURLs  = base64.URLEncoding.Strict()
)

func base64Len(n int) int { return standard.EncodedLen(n) }

// decodeHex fills dst from exactly 2*len(dst) hexadecimal digits.
func decodeHex(dst []byte, s string) bool {
	n, err := hex.Decode(dst, []byte(s))
	return err == nil && n == len(dst)
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
