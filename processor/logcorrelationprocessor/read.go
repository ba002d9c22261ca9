package logcorrelationprocessor

import (
	"math"
	"strconv"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

type readResult uint8

const (
	// readNone is a field that says there is nothing: it is left alone.
	readNone readResult = iota
	readOK
	readNot
	// readLevel is a number whose meaning the rest of the record tells.
	readLevel
)

// reading is what one field says, in the same terms for all its spellings.
type reading struct {
	id    pcommon.TraceID // of a trace, or in its first bytes that of a span
	num   uint64          // flags, Unix nanoseconds, a severity number
	text  string          // of a severity or a message
	span  pcommon.SpanID  // of a compound form
	flags uint8           // of a compound form
	mask  uint8           // the flags that are told

	result   readResult
	form     form
	hasSpan  bool
	hasFlags bool
	// low: id is the lower half of a trace ID.
	low bool
	// partial: the value says more than a record has room for.
	partial bool
}

func (r *reading) ok(f form) { r.result, r.form = readOK, f }

// reader holds what the reading of values depends on besides them.
type reader struct {
	// offset is that of times without one, in minutes, where there is one to
	// assume; else such times are not read.
	offset    int
	hasOffset bool
	levels    levelScale
}

// read reads the field e into r, which is empty.
func (rd *reader) read(e *entry, v pcommon.Value, r *reading) {
	switch v.Type() {
	case pcommon.ValueTypeEmpty:
	case pcommon.ValueTypeStr:
		rd.readText(e, v.Str(), r)
	default:
		r.result = readNot
		switch e.kind {
		case kindTraceID, kindSpanID, kindTraceIDHigh:
			readID(e, v, r)
		case kindTraceFlags:
			readFlags(v, r)
		case kindTimestamp:
			readTimeValue(v, r)
		case kindSeverity:
			rd.readSeverity(e, v, r)
		default: // kindMessage
			r.result = readNone // such as the event of ECS, which is a map
		}
	}
}

// readText is read for text, of which there need be no value.
func (rd *reader) readText(e *entry, s string, r *reading) {
	if s == "" {
		return
	}
	r.result = readNot
	switch e.kind {
	case kindTraceID, kindSpanID, kindTraceIDHigh:
		readIDText(e, s, r)
	case kindTraceFlags:
		readFlagsText(s, r)
	case kindTimestamp:
		rd.readTimeText(s, r)
	case kindSeverity:
		rd.readSeverityText(e, s, r)
	default: // kindMessage
		r.text = s
		r.ok(formText)
	}
}

func readID(e *entry, v pcommon.Value, r *reading) {
	switch {
	case e.variant == variantDecimal:
		if v.Type() == pcommon.ValueTypeInt && v.Int() >= 0 { // a double has lost digits
			setDecimal(uint64(v.Int()), e.kind, r)
		}
	case v.Type() == pcommon.ValueTypeBytes:
		readIDBytes(e.kind, v.Bytes(), r)
	default:
	}
	dropZeros(r)
}

func readIDText(e *entry, s string, r *reading) {
	switch {
	case e.variant == variantDecimal:
		readDecimal(s, e.kind, r)
	case onlyZeros(s):
		// Loggers write zeros, of any number, outside of a span.
		r.result = readNone
	case e.kind == kindTraceID:
		readTraceID(s, r)
	case e.kind == kindSpanID:
		readSpanID(s, r)
	default:
		readHigh(s, r)
	}
	dropZeros(r)
}

// dropZeros takes back an ID of zeros in another spelling.
func dropZeros(r *reading) {
	if r.result == readOK && r.id == (pcommon.TraceID{}) && !r.hasSpan {
		*r = reading{}
	}
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

const (
	allFlags    = 0xff
	sampledFlag = 1
)

// readFlags reads the W3C trace flags, one byte: as a number, or its lowest bit
// as a truth value.
func readFlags(v pcommon.Value, r *reading) {
	r.mask = allFlags
	switch v.Type() {
	case pcommon.ValueTypeInt:
		if n := v.Int(); 0 <= n && n <= allFlags {
			r.num = uint64(n)
			r.ok(formNumber)
		}
	case pcommon.ValueTypeDouble:
		if d := v.Double(); 0 <= d && d <= allFlags && d == math.Trunc(d) {
			r.num = uint64(d)
			r.ok(formNumber)
		}
	case pcommon.ValueTypeBool:
		r.mask = sampledFlag
		if v.Bool() {
			r.num = sampledFlag
		}
		r.ok(formBool)
	default:
	}
}

// readFlagsText reads them as two hexadecimal digits, or the lowest bit.
func readFlagsText(s string, r *reading) {
	r.mask = allFlags
	switch len(s) {
	case 1:
		if s == "0" || s == "1" {
			r.num, r.mask = uint64(s[0]-'0'), sampledFlag
			r.ok(formBool)
		}
	case 2:
		if n, err := strconv.ParseUint(s, 16, 8); err == nil {
			r.num = n
			r.ok(formHex)
		}
	case 4, 5:
		if truth, is := truths[s]; is {
			r.num, r.mask = truth, sampledFlag
			r.ok(formBool)
		}
	}
}

var truths = map[string]uint64{"true": 1, "True": 1, "false": 0, "False": 0}
