package wire

import "encoding/binary"

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
