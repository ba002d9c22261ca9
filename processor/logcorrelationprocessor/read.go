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
	t := v.Type()
	if t == pcommon.ValueTypeEmpty || t == pcommon.ValueTypeStr && v.Str() == "" {
		return
	}
	r.result = readNot
	switch e.kind {
	case kindTraceID, kindSpanID, kindTraceIDHigh:
		readID(e, v, r)
	case kindTraceFlags:
		readFlags(v, r)
	case kindTimestamp:
		rd.readTime(v, r)
	case kindSeverity:
		rd.readSeverity(e, v, r)
	default: // kindMessage
		if t == pcommon.ValueTypeStr {
			r.text = v.Str()
			r.ok(formText)
		} else {
			r.result = readNone // such as the event of ECS, which is a map
		}
	}
}

func readID(e *entry, v pcommon.Value, r *reading) {
	switch {
	case e.variant == variantDecimal:
		readDecimal(v, e.kind, r)
	case v.Type() == pcommon.ValueTypeBytes:
		readIDBytes(e.kind, v.Bytes(), r)
	case v.Type() != pcommon.ValueTypeStr:
	case onlyZeros(v.Str()):
		// Loggers write zeros, of any number, outside of a span.
		r.result = readNone
	case e.kind == kindTraceID:
		readTraceID(v.Str(), r)
	case e.kind == kindSpanID:
		readSpanID(v.Str(), r)
	default:
		readHigh(v.Str(), r)
	}
	if r.result == readOK && r.id == (pcommon.TraceID{}) && !r.hasSpan { // zeros in another spelling
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

// readFlags reads the W3C trace flags, one byte: as two hexadecimal digits, as
// a number, or its lowest bit as a truth value.
func readFlags(v pcommon.Value, r *reading) {
	const all, sampled = 0xff, 1
	r.mask = all
	switch v.Type() {
	case pcommon.ValueTypeStr:
		switch s := v.Str(); len(s) {
		case 1:
			if s == "0" || s == "1" {
				r.num, r.mask = uint64(s[0]-'0'), sampled
				r.ok(formBool)
			}
		case 2:
			if n, err := strconv.ParseUint(s, 16, 8); err == nil {
				r.num = n
				r.ok(formHex)
			}
		case 4, 5:
			if truth, is := truths[s]; is {
				r.num, r.mask = truth, sampled
				r.ok(formBool)
			}
		}
	case pcommon.ValueTypeInt:
		if n := v.Int(); 0 <= n && n <= all {
			r.num = uint64(n)
			r.ok(formNumber)
		}
	case pcommon.ValueTypeDouble:
		if d := v.Double(); 0 <= d && d <= all && d == math.Trunc(d) {
			r.num = uint64(d)
			r.ok(formNumber)
		}
	case pcommon.ValueTypeBool:
		r.mask = sampled
		if v.Bool() {
			r.num = sampled
		}
		r.ok(formBool)
	default:
	}
}

var truths = map[string]uint64{"true": 1, "True": 1, "false": 0, "False": 0}
