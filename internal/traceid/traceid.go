// Package traceid reads trace and span IDs from the text forms that senders
// use. It is pure: no state, no allocation for a readable ID.
//
// Length decides the form, so that no text has two readings:
//
//	text                                        trace ID                 span ID
//	16 hexadecimal digits                       64-bit ID, left-padded   the 8 bytes
//	32 hexadecimal digits                       the 16 bytes             -
//	36: digits 8-4-4-4-12 with dashes (UUID)    the 16 bytes             -
//
// Hexadecimal digits may be of either case, or mixed. Any other length or
// digit is no ID. Sixteen decimal digits are read as hexadecimal ones: a
// caller that expects decimal IDs must not ask here.
package traceid

import (
	"encoding/hex"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

const (
	traceHexLen = 32
	spanHexLen  = 16
	uuidLen     = 36
)

// ParseTrace reads a trace ID and reports whether s has one of the forms
// above. The all-zero ID is readable and means "no trace": a caller to whom
// that matters asks IsEmpty.
func ParseTrace(s string) (pcommon.TraceID, bool) {
	var id pcommon.TraceID
	ok := false
	switch len(s) {
	case traceHexLen:
		ok = decode(id[:], s)
	case spanHexLen:
		ok = decode(id[8:], s)
	case uuidLen:
		if s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
			break
		}
		ok = decode(id[0:4], s[0:8]) &&
			decode(id[4:6], s[9:13]) &&
			decode(id[6:8], s[14:18]) &&
			decode(id[8:10], s[19:23]) &&
			decode(id[10:16], s[24:36])
	}
	if !ok {
		return pcommon.TraceID{}, false
	}
	return id, true
}

// ParseSpan reads a span ID and reports whether s has one of the forms above.
// The all-zero ID is readable and means "no span".
func ParseSpan(s string) (pcommon.SpanID, bool) {
	var id pcommon.SpanID
	if len(s) != spanHexLen || !decode(id[:], s) {
		return pcommon.SpanID{}, false
	}
	return id, true
}

// decode fills dst from exactly 2*len(dst) hexadecimal digits.
func decode(dst []byte, s string) bool {
	n, err := hex.Decode(dst, []byte(s))
	return err == nil && n == len(dst)
}
