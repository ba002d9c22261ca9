package otlpjson

import (
	"bytes"
	"encoding/base64"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/spanlake/spanlake/internal/traceid"
)

// base64 writes bytes.
func (t *transcoder) base64(f *field) bool {
	at := t.pos
	from, to, escaped, ok := t.token()
	if !ok {
		return false
	}
	s := t.src[from:to]
	room := scalarRoom + base64.StdEncoding.DecodedLen(len(s))
	if escaped {
		// Some senders write "\/". The escapes are resolved behind the place
		// where the bytes go.
		if !t.reserve(room + len(s)) {
			return false
		}
		end := len(t.out)
		t.out = t.out[:end+room]
		ok = t.unescape(from, to)
		s, t.out = t.out[end+room:], t.out[:end]
		if !ok {
			return false
		}
	} else if !t.reserve(room) {
		return false
	}
	encoding := base64.RawStdEncoding
	if bytes.ContainsAny(s, "-_") {
		encoding = base64.RawURLEncoding
	}
	for range 2 {
		s = bytes.TrimSuffix(s, []byte{'='})
	}
	t.tag(f)
	width := varintLen(encoding.DecodedLen(len(s)))
	start := t.open(width)
	n, err := encoding.Decode(t.out[len(t.out):cap(t.out)], s)
	if err != nil {
		return t.fail(at, "not base64")
	}
	t.out = t.out[:len(t.out)+n]
	return t.close(start, width)
}

const (
	traceIDSize = len(pcommon.TraceID{})
	spanIDSize  = len(pcommon.SpanID{})
)

// maxID is a length in bytes that no form of an ID has.
const maxID = 256

// id writes the ID at pos. An empty one is absent.
func (t *transcoder) id(f *field) bool {
	if t.plainID(f) {
		return true
	}
	s, ok := t.quoted()
	if !ok || len(s) == 0 {
		return ok
	}
	if len(s) <= maxID {
		if f.kind == traceID {
			if id, ok := traceid.ParseTrace(string(s)); ok {
				t.idsRead++
				t.bytes(f, id[:])
				return true
			}
		} else if id, ok := traceid.ParseSpan(string(s)); ok {
			t.idsRead++
			t.bytes(f, id[:])
			return true
		}
	}
	t.bytes(f, []byte{UnreadableID})
	return true
}

func (t *transcoder) bytes(f *field, b []byte) {
	t.tag(f)
	t.out = append(t.out, byte(len(b)))
	t.out = append(t.out, b...)
}

// plainID writes an ID of the form that the specification wants, and reports
// whether it is of that form.
func (t *transcoder) plainID(f *field) bool {
	size := spanIDSize
	if f.kind == traceID {
		size = traceIDSize
	}
	end := t.pos + 1 + 2*size
	if end >= len(t.src) || t.src[t.pos] != '"' || t.src[end] != '"' {
		return false
	}
	before := len(t.out)
	t.tag(f)
	t.out = append(t.out, byte(size))
	var wrong byte
	for digits := t.src[t.pos+1 : end]; len(digits) >= 2; digits = digits[2:] {
		high, low := hexDigits[digits[0]], hexDigits[digits[1]]
		wrong |= high | low
		t.out = append(t.out, high<<4|low)
	}
	if wrong == notHex {
		t.out = t.out[:before]
		return false
	}
	t.pos = end + 1
	return true
}

// notHex marks a byte that is no hexadecimal digit in hexDigits.
const notHex = 0xff

var hexDigits = func() (digits [256]byte) {
	for c := range digits {
		digits[c] = notHex
	}
	for i := range 16 {
		digits["0123456789abcdef"[i]] = byte(i)
		digits["0123456789ABCDEF"[i]] = byte(i)
	}
	return digits
}()
