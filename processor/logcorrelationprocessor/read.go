package logcorrelationprocessor

import (
	"math"
	"strconv"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/spanlake/spanlake/internal/traceid"
)

// value is what a field says, in the same terms for all its spellings: an ID
// in id (a span ID in its first 8 bytes), a number in num (flags, Unix
// nanoseconds, a severity number).
type value struct {
	id  [16]byte
	num uint64
}

type readResult uint8

const (
	// readNone is a field that says there is nothing: it is left alone.
	readNone readResult = iota
	readOK
	readNot
)

// reading is what one field says.
type reading struct {
	value
	result readResult
}

// read reads a field of kind k.
func read(k kind, v pcommon.Value) reading {
	if v.Type() == pcommon.ValueTypeEmpty || v.Type() == pcommon.ValueTypeStr && v.Str() == "" {
		return reading{result: readNone}
	}
	r, ok := reading{}, false
	switch k {
	case kindTraceID, kindSpanID:
		if v.Type() != pcommon.ValueTypeStr {
			break
		}
		// Loggers write zeros, of any number, outside of a span.
		if onlyZeros(v.Str()) {
			return reading{result: readNone}
		}
		if r.id, ok = readID(k, v.Str()); ok && r.id == [16]byte{} { // in base64
			return reading{result: readNone}
		}
	case kindTraceFlags:
		r.num, ok = readFlags(v)
	case kindTimestamp:
		r.num, ok = readTime(v)
	default: // kindSeverity
		if v.Type() == pcommon.ValueTypeStr {
			r.num = severityByName(v.Str())
			ok = r.num != 0
		}
	}
	if !ok {
		return reading{result: readNot}
	}
	r.result = readOK
	return r
}

// onlyZeros reports whether s has nothing but zeros and a UUID's dashes.
func onlyZeros(s string) bool {
	for i := range len(s) {
		if s[i] != '0' && s[i] != '-' {
			return false
		}
	}
	return true
}

func readID(k kind, s string) ([16]byte, bool) {
	if k == kindTraceID {
		return traceid.ParseTrace(s)
	}
	var id [16]byte
	span, ok := traceid.ParseSpan(s)
	copy(id[:], span[:])
	return id, ok
}

// readFlags reads the W3C trace flags, one byte: as two hexadecimal digits or
// as a number.
func readFlags(v pcommon.Value) (uint64, bool) {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		if len(v.Str()) != 2 {
			return 0, false
		}
		n, err := strconv.ParseUint(v.Str(), 16, 8)
		return n, err == nil
	case pcommon.ValueTypeInt:
		return uint64(v.Int()), v.Int() >= 0 && v.Int() <= math.MaxUint8
	case pcommon.ValueTypeDouble:
		d := v.Double()
		return uint64(d), d >= 0 && d <= math.MaxUint8 && d == math.Trunc(d)
	default:
		return 0, false
	}
}
