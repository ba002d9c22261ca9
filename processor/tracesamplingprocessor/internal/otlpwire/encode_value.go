package otlpwire

import (
	"math"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"google.golang.org/protobuf/encoding/protowire"
)

const listValues = 1 // of ArrayValue and KeyValueList

func (e *Encoder) attributes(b []byte, num protowire.Number, m pcommon.Map) []byte {
	for k, v := range m.All() {
		typ := v.Type()
		if typ == pcommon.ValueTypeStr {
			b = putStringAttribute(b, num, k, v.Str())
			continue
		}
		if typ == pcommon.ValueTypeSlice || typ == pcommon.ValueTypeMap {
			e.sizes, e.taken = e.sizes[:0], 0
			e.measure(v, typ)
		}
		b = e.keyValue(b, num, k, v, typ)
	}
	return b
}

// putStringAttribute is keyValue for the most frequent type. Where no length takes
// more than a byte, the sizes are known without a look at them.
func putStringAttribute(b []byte, num protowire.Number, k, s string) []byte {
	const heads = 6 // of the value, the string in it and the key
	size := heads + len(k) + len(s)
	if k == "" || size >= 0x80 {
		value := prefixed(len(s))
		b = appendVarint(append(b, lengthTag(num)), uint64(keyValueSize(k, value)))
		b = appendVarint(append(b, lengthTag(keyValueValue)), uint64(value))
		b = appendText(append(b, lengthTag(anyString)), s)
		return putText(b, keyValueKey, k)
	}
	b = append(b, lengthTag(num), byte(size), lengthTag(keyValueValue), byte(2+len(s)), lengthTag(anyString), byte(len(s)))
	b = append(b, s...)
	b = append(b, lengthTag(keyValueKey), byte(len(k)))
	return append(b, k...)
}

// keyValue writes the value first, as its field has the greater number.
func (e *Encoder) keyValue(b []byte, num protowire.Number, k string, v pcommon.Value, typ pcommon.ValueType) []byte {
	size := e.valueSize(v, typ)
	whole := keyValueSize(k, size)
	if whole < 0x80 {
		b = append(b, lengthTag(num), byte(whole), lengthTag(keyValueValue), byte(size))
	} else {
		b = appendVarint(append(b, lengthTag(num)), uint64(whole))
		b = appendVarint(append(b, lengthTag(keyValueValue)), uint64(size))
	}
	b = e.value(b, v, typ)
	return putText(b, keyValueKey, k)
}

func keyValueSize(k string, value int) int {
	if k == "" {
		return prefixed(value)
	}
	return prefixed(value) + prefixed(len(k))
}

// value writes an AnyValue; what it nests is measured.
func (e *Encoder) value(b []byte, v pcommon.Value, typ pcommon.ValueType) []byte {
	switch typ {
	case pcommon.ValueTypeStr:
		return appendText(append(b, lengthTag(anyString)), v.Str())
	case pcommon.ValueTypeBool:
		return append(b, varintTag(anyBool), byte(protowire.EncodeBool(v.Bool())))
	case pcommon.ValueTypeInt:
		return appendVarint(append(b, varintTag(anyInt)), uint64(v.Int()))
	case pcommon.ValueTypeDouble:
		return protowire.AppendFixed64(append(b, fixed64Tag(anyDouble)), math.Float64bits(v.Double()))
	case pcommon.ValueTypeBytes:
		return protowire.AppendBytes(append(b, lengthTag(anyBytes)), v.Bytes().AsRaw())
	case pcommon.ValueTypeSlice:
		b = appendVarint(append(b, lengthTag(anyArray)), uint64(e.take()))
		for _, v := range v.Slice().All() {
			typ := v.Type()
			b = append(b, lengthTag(listValues))
			b = appendVarint(b, uint64(e.valueSize(v, typ)))
			b = e.value(b, v, typ)
		}
	case pcommon.ValueTypeMap:
		b = appendVarint(append(b, lengthTag(anyMap)), uint64(e.take()))
		for k, v := range v.Map().All() {
			b = e.keyValue(b, listValues, k, v, v.Type())
		}
	default: // empty: of no member
	}
	return b
}

// take returns the size of the array or map that is written next.
func (e *Encoder) take() int {
	e.taken++
	return e.sizes[e.taken-1]
}

// valueSize is the size of the AnyValue that is written next.
func (e *Encoder) valueSize(v pcommon.Value, typ pcommon.ValueType) int {
	switch typ {
	case pcommon.ValueTypeStr:
		return prefixed(len(v.Str()))
	case pcommon.ValueTypeBool:
		return 2
	case pcommon.ValueTypeInt:
		return 1 + protowire.SizeVarint(uint64(v.Int()))
	case pcommon.ValueTypeDouble:
		return 9
	case pcommon.ValueTypeBytes:
		return prefixed(v.Bytes().Len())
	case pcommon.ValueTypeSlice, pcommon.ValueTypeMap:
		return prefixed(e.sizes[e.taken])
	default:
		return 0
	}
}

// measure appends the sizes of an array or a map and of all that nest in it, and
// returns the size of its AnyValue.
func (e *Encoder) measure(v pcommon.Value, typ pcommon.ValueType) int {
	at := len(e.sizes)
	size := 0
	e.sizes = append(e.sizes, 0)
	if typ == pcommon.ValueTypeSlice {
		for _, v := range v.Slice().All() {
			size += prefixed(e.measured(v))
		}
	} else {
		for k, v := range v.Map().All() {
			size += prefixed(keyValueSize(k, e.measured(v)))
		}
	}
	e.sizes[at] = size
	return prefixed(size)
}

func (e *Encoder) measured(v pcommon.Value) int {
	typ := v.Type()
	if typ == pcommon.ValueTypeSlice || typ == pcommon.ValueTypeMap {
		return e.measure(v, typ)
	}
	return e.valueSize(v, typ)
}
