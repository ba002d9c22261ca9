// Package traceid reads trace and span IDs from the forms that senders use. It
// is pure: no state, no allocation.
//
// An ID comes as text (a JSON string, a field of a log) or as the content of a
// bytes field of protobuf, which may hold text by mistake. Length and alphabet
// decide the form. Lengths of text are in characters:
//
//	form                                     trace ID         span ID    example of a span ID
//	hexadecimal digits, either case          text 32          text 16    00f067aa0ba902b7
//	64-bit trace ID in digits, left-padded   text 16          -
//	UUID, digits 8-4-4-4-12                  text 36          -
//	base64 of the bytes, padded              text 24          text 12    APBnqgupArc=
//	base64 of the digits, padded             text 44          text 24    MDBmMDY3YWEwYmE5MDJiNw==
//	digits once read as base64, in digits    text 48          text 24
//	the bytes                                16 bytes         8 bytes
//	64-bit trace ID, left-padded             8 bytes          -
//	digits once read as base64               24 bytes         12 bytes
//	any of the texts but the 64-bit one      as above         as above
//
// Where two forms share a length, this is why the reading is unambiguous:
//
//   - 16 or 8 bytes in protobuf are always the bytes: that is what OTLP says.
//   - Base64 of 16 bytes ends in two padding signs, base64 of 8 in one, and no
//     digit is a padding sign: 24 characters are either base64 or digits.
//   - Digits that were read as base64 give bytes whose base64 has nothing but
//     digits, and those in lower case. Of the IDs written as padded base64 into a bytes
//     field fewer than one in 2^30 look like that.
//   - Base64 without padding is not read: words and names such as db-query-08
//     are base64, too.
//
// Base64 may use either alphabet of RFC 4648, but not both; its unused bits must
// be zero.
// Sixteen decimal digits are read as hexadecimal ones: a caller that expects
// decimal IDs must not ask here. The all-zero ID is readable and means that
// there is none: a caller to whom that matters asks IsEmpty.
package traceid

import "go.opentelemetry.io/collector/pdata/pcommon"

const (
	traceSize = len(pcommon.TraceID{})
	spanSize  = len(pcommon.SpanID{})
	uuidLen   = 36

	maxTextLen = 48 // the longest text above
)

// ParseTrace reads a trace ID from text and reports whether s has one of the
// forms above.
func ParseTrace(s string) (pcommon.TraceID, bool) {
	var id pcommon.TraceID
	if len(s) == 2*spanSize && decodeHex(id[spanSize:], s) || text(id[:], s) || uuid(id[:], s) {
		return id, true
	}
	return pcommon.TraceID{}, false
}

// ParseSpan reads a span ID from text and reports whether s has one of the forms
// above.
func ParseSpan(s string) (pcommon.SpanID, bool) {
	var id pcommon.SpanID
	if text(id[:], s) {
		return id, true
	}
	return pcommon.SpanID{}, false
}

// TraceFromBytes reads a trace ID from a bytes field and reports whether b has
// one of the forms above.
func TraceFromBytes(b []byte) (pcommon.TraceID, bool) {
	var id pcommon.TraceID
	switch len(b) {
	case traceSize:
		copy(id[:], b)
		return id, true
	case spanSize:
		copy(id[spanSize:], b)
		return id, true
	}
	if misread(id[:], b) || len(b) <= maxTextLen && (text(id[:], string(b)) || uuid(id[:], string(b))) {
		return id, true
	}
	return pcommon.TraceID{}, false
}

// SpanFromBytes reads a span ID from a bytes field and reports whether b has one
// of the forms above.
func SpanFromBytes(b []byte) (pcommon.SpanID, bool) {
	var id pcommon.SpanID
	if len(b) == spanSize {
		copy(id[:], b)
		return id, true
	}
	if misread(id[:], b) || len(b) <= maxTextLen && text(id[:], string(b)) {
		return id, true
	}
	return pcommon.SpanID{}, false
}

// text fills dst from one of the forms whose lengths follow from its own.
func text(dst []byte, s string) bool {
	n := len(dst)
	if len(s) == 2*n {
		return decodeHex(dst, s)
	}
	if len(s) == base64Len(n) && decodeBase64(dst, s) {
		return true
	}
	if len(s) == base64Len(2*n) {
		var digits [2 * traceSize]byte
		if decodeBase64(digits[:2*n], s) {
			return decodeHex(dst, string(digits[:2*n]))
		}
	}
	var bytes [maxTextLen / 2]byte
	return len(s) == 3*n && decodeHex(bytes[:3*n/2], s) && misread(dst, bytes[:3*n/2])
}

// misread fills dst from the bytes that its hexadecimal digits give when they
// are taken for base64.
func misread(dst, b []byte) bool {
	if len(b)*2 != len(dst)*3 {
		return false
	}
	var digits [2 * traceSize]byte
	text := digits[:2*len(dst)]
	encodeBase64(text, b)
	return lower(text) && decodeHex(dst, string(text))
}

// lower reports whether there is no upper-case digit, as in text that was
// written by a program. Zeros, once read as base64, are upper-case digits.
func lower(digits []byte) bool {
	for _, c := range digits {
		if 'A' <= c && c <= 'Z' {
			return false
		}
	}
	return true
}

func uuid(dst []byte, s string) bool {
	if len(s) != uuidLen || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return false
	}
	return decodeHex(dst[0:4], s[0:8]) &&
		decodeHex(dst[4:6], s[9:13]) &&
		decodeHex(dst[6:8], s[14:18]) &&
		decodeHex(dst[8:10], s[19:23]) &&
		decodeHex(dst[10:16], s[24:36])
}
