package duck

import (
	"math"
	"unicode/utf8"

	duckdb "github.com/duckdb/duckdb-go-bindings"
)

// appendJSON appends a value as JSON. A JSON column stays the text it is, in a
// string: its numbers and the order of its keys are the sender's, and a reader
// that parses the row must not change them. What JSON has no number for is a
// string: "NaN", "Infinity".
func (v *vector) appendJSON(dst []byte, row int) []byte {
	if v.isNull(row) {
		return append(dst, "null"...)
	}
	switch v.typ.id {
	case duckdb.TypeBoolean:
		return v.appendScalar(dst, row)
	case duckdb.TypeList:
		s := at[span](v, row)
		return v.appendElements(dst, int(s.offset), int(s.length))
	case duckdb.TypeArray:
		return v.appendElements(dst, row*v.typ.size, v.typ.size)
	case duckdb.TypeMap:
		return v.appendMap(dst, at[span](v, row))
	case duckdb.TypeStruct:
		return v.appendStruct(dst, row)
	case duckdb.TypeVarchar:
		return AppendQuoted(dst, v.bytes(row))
	case duckdb.TypeEnum:
		return AppendQuoted(dst, []byte(v.enum(row)))
	}
	if v.typ.numeric() && v.finite(row) {
		return v.appendScalar(dst, row)
	}
	// Times, UUIDs and the like have no character that JSON escapes.
	dst = append(dst, '"')
	dst = v.appendScalar(dst, row)
	return append(dst, '"')
}

// finite is false for the floats that are no JSON numbers.
func (v *vector) finite(row int) bool {
	f := 0.0
	switch v.typ.id {
	case duckdb.TypeFloat:
		f = float64(at[float32](v, row))
	case duckdb.TypeDouble:
		f = at[float64](v, row)
	}
	return !math.IsNaN(f) && !math.IsInf(f, 0)
}

func (v *vector) appendElements(dst []byte, offset, length int) []byte {
	dst = append(dst, '[')
	for i := range length {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = v.children[0].appendJSON(dst, offset+i)
	}
	return append(dst, ']')
}

func (v *vector) appendStruct(dst []byte, row int) []byte {
	dst = append(dst, '{')
	for i, key := range v.typ.keys {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, key...)
		dst = v.children[i].appendJSON(dst, row)
	}
	return append(dst, '}')
}

func (v *vector) appendMap(dst []byte, s span) []byte {
	pair := &v.children[0]
	keys, values := &pair.children[0], &pair.children[1]
	dst = append(dst, '{')
	for i := range int(s.length) {
		if i > 0 {
			dst = append(dst, ',')
		}
		at := int(s.offset) + i
		dst = AppendQuoted(dst, keys.appendText(nil, at))
		dst = append(dst, ':')
		dst = values.appendJSON(dst, at)
	}
	return append(dst, '}')
}

const hexDigits = "0123456789abcdef"

// AppendQuoted appends text as a JSON string, with U+FFFD for what is not UTF-8.
func AppendQuoted(dst, text []byte) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(text); {
		c := text[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRune(text[i:])
			if r < 0xa0 { // terminals take these for controls, too
				dst = append(dst, '\\', 'u', '0', '0', hexDigits[r>>4], hexDigits[r&15])
			} else {
				dst = utf8.AppendRune(dst, r)
			}
			i += size
			continue
		}
		i++
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\r':
			dst = append(dst, '\\', 'r')
		case c == '\t':
			dst = append(dst, '\\', 't')
		case c < ' ' || c == 0x7f:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}
