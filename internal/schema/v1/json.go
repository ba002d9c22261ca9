package v1

import (
	"encoding/base64"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// Tags of values that JSON has no form for; FORMAT.md tells the convention.
const (
	tagBytes  = "@bytes"
	tagDouble = "@double"
)

// appendValue appends v as JSON.
func appendValue(b []byte, v pcommon.Value) []byte {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		return appendString(b, v.Str())
	case pcommon.ValueTypeBool:
		return strconv.AppendBool(b, v.Bool())
	case pcommon.ValueTypeInt:
		return strconv.AppendInt(b, v.Int(), 10)
	case pcommon.ValueTypeDouble:
		return appendDouble(b, v.Double())
	case pcommon.ValueTypeBytes:
		b = append(b, `{"`+tagBytes+`":"`...)
		b = base64.StdEncoding.AppendEncode(b, v.Bytes().AsRaw())
		return append(b, `"}`...)
	case pcommon.ValueTypeSlice:
		b = append(b, '[')
		for i, s := 0, v.Slice(); i < s.Len(); i++ {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendValue(b, s.At(i))
		}
		return append(b, ']')
	case pcommon.ValueTypeMap:
		return appendMapValue(b, v.Map())
	default:
		return append(b, "null"...)
	}
}

// appendMapValue appends a map that is a value, so that it could be taken for
// a tagged object.
func appendMapValue(b []byte, m pcommon.Map) []byte {
	b = append(b, '{')
	for k, v := range m.All() {
		if m.Len() == 1 && isTag(k) {
			k = "@" + k
		}
		b = appendMember(b, k, v)
	}
	return append(b, '}')
}

// appendMember appends a key and its value to an open object.
func appendMember(b []byte, key string, v pcommon.Value) []byte {
	if b[len(b)-1] != '{' {
		b = append(b, ',')
	}
	b = appendString(b, key)
	b = append(b, ':')
	return appendValue(b, v)
}

// isTag reports whether key is a tag, or one behind further '@'.
func isTag(key string) bool {
	name := strings.TrimLeft(key, "@")
	return len(name) < len(key) && (name == tagBytes[1:] || name == tagDouble[1:])
}

func appendDouble(b []byte, v float64) []byte {
	switch {
	case math.IsNaN(v):
		return append(b, `{"`+tagDouble+`":"NaN"}`...)
	case math.IsInf(v, 1):
		return append(b, `{"`+tagDouble+`":"Infinity"}`...)
	case math.IsInf(v, -1):
		return append(b, `{"`+tagDouble+`":"-Infinity"}`...)
	}
	// Plain digits where they stay short, as encoding/json has it.
	format := byte('f')
	if a := math.Abs(v); a != 0 && (a < 1e-6 || a >= 1e21) {
		format = 'e'
	}
	from := len(b)
	b = strconv.AppendFloat(b, v, format, -1, 64)
	for _, c := range b[from:] {
		if c == '.' || c == 'e' {
			return b
		}
	}
	return append(b, ".0"...)
}

const hexDigits = "0123456789abcdef"

// plain are the bytes that a JSON string holds as they are.
var plain = func() [256]bool {
	var t [256]bool
	for c := ' '; c < utf8.RuneSelf; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

// appendString appends s as a JSON string, mended as mend does it where it is
// not UTF-8.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	from, broken := 0, -1 // broken is the end of the last invalid bytes
	for i := 0; i < len(s); {
		c := s[i]
		if plain[c] {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r != utf8.RuneError || n > 1 {
				i += n
				continue
			}
		}
		b = append(b, s[from:i]...)
		if c < utf8.RuneSelf || i != broken {
			b = appendEscaped(b, c)
		}
		i++
		from = i
		if c >= utf8.RuneSelf {
			broken = i
		}
	}
	b = append(b, s[from:]...)
	return append(b, '"')
}

func appendEscaped(b []byte, c byte) []byte {
	switch {
	case c >= utf8.RuneSelf:
		return append(b, "\uFFFD"...)
	case c == '"' || c == '\\':
		return append(b, '\\', c)
	case c == '\n':
		return append(b, `\n`...)
	case c == '\r':
		return append(b, `\r`...)
	case c == '\t':
		return append(b, `\t`...)
	default:
		return append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xf])
	}
}
