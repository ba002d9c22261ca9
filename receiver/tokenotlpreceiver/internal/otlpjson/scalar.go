package otlpjson

import (
	"encoding/binary"
	"math"
)

// scalar writes a field that is no message. It needs scalarRoom.
func (t *transcoder) scalar(f *field) bool {
	switch f.kind {
	case text:
		return t.text(f)
	case traceID, spanID:
		return t.id(f)
	case base64s:
		return t.base64(f)
	case boolean:
		t.tag(f)
		switch {
		case t.has("true"):
			t.pos += len("true")
			t.out = append(t.out, 1)
		case t.has("false"):
			t.pos += len("false")
			t.out = append(t.out, 0)
		default:
			return t.fail(t.pos, "not a boolean")
		}
		return true
	default:
		t.tag(f)
		return t.number(f)
	}
}

// number writes a number without its tag. It needs scalarRoom.
func (t *transcoder) number(f *field) bool {
	var v uint64
	ok := false
	switch f.kind {
	case double:
		var d float64
		if d, ok = t.double(); ok {
			t.out = binary.LittleEndian.AppendUint64(t.out, math.Float64bits(d))
		}
	case fixed64s:
		if v, ok = t.integer(0, math.MaxUint64, "not an unsigned 64-bit integer"); ok {
			t.out = binary.LittleEndian.AppendUint64(t.out, v)
		}
	case sfixed64s:
		if v, ok = t.integer(-math.MinInt64, math.MaxInt64, "not a 64-bit integer"); ok {
			t.out = binary.LittleEndian.AppendUint64(t.out, v)
		}
	case fixed32s:
		if v, ok = t.integer(0, math.MaxUint32, "not an unsigned 32-bit integer"); ok {
			t.out = binary.LittleEndian.AppendUint32(t.out, uint32(v))
		}
	case uint64s:
		if v, ok = t.integer(0, math.MaxUint64, "not an unsigned 64-bit integer"); ok {
			t.varint(v)
		}
	case int64s:
		if v, ok = t.integer(-math.MinInt64, math.MaxInt64, "not a 64-bit integer"); ok {
			t.varint(v)
		}
	case uint32s:
		if v, ok = t.integer(0, math.MaxUint32, "not an unsigned 32-bit integer"); ok {
			t.varint(v)
		}
	case int32s:
		if v, ok = t.integer(-math.MinInt32, math.MaxInt32, "not a 32-bit integer"); ok {
			t.varint(v)
		}
	case sint32s:
		if v, ok = t.integer(-math.MinInt32, math.MaxInt32, "not a 32-bit integer"); ok {
			n := int32(v)
			t.varint(uint64(uint32(n<<1) ^ uint32(n>>31)))
		}
	case enum:
		if v, ok = t.enum(f.names); ok {
			t.varint(v)
		}
	default:
	}
	return ok
}

// enum reads a number of an enum or one of its names.
func (t *transcoder) enum(names map[string]int32) (uint64, bool) {
	const what = "neither a 32-bit integer nor a name of the enum"
	at := t.pos
	if t.has(`"`) {
		name, ok := t.quoted()
		if !ok {
			return 0, false
		}
		if n, ok := names[string(name)]; ok {
			return uint64(n), true
		}
		t.pos = at
	}
	return t.integer(-math.MinInt32, math.MaxInt32, what)
}
