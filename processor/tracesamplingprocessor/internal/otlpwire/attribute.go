package otlpwire

import (
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

const (
	keyValueKey   = 1
	keyValueValue = 2
)

// keyValue returns the key of a KeyValue, and its encoded AnyValue.
func keyValue(b []byte) ([]byte, []byte, error) {
	var key, anyValue []byte
	var f field
	for len(b) > 0 {
		n := f.read(b)
		if n < 0 {
			return nil, nil, ErrMalformed
		}
		switch {
		case f.typ != protowire.BytesType:
		case f.num == keyValueKey:
			key = f.bytes
		case f.num == keyValueValue && anyValue == nil:
			anyValue = f.bytes
		case f.num == keyValueValue:
			// A message that comes in parts is the parts put together.
			anyValue = slices.Concat(anyValue, f.bytes)
		}
		b = b[n:]
	}
	return key, anyValue, nil
}

// EachAttribute calls fn for every attribute of an encoded span, with its
// encoded AnyValue.
func EachAttribute(span []byte, fn func(key, anyValue []byte) error) error {
	return eachKeyValue(span, spanAttributes, fn)
}

// EachResourceAttribute calls fn for every attribute of a resource head, as
// Visitor.Resource gets it.
func EachResourceAttribute(head []byte, fn func(key, anyValue []byte) error) error {
	var f field
	for len(head) > 0 {
		n := f.read(head)
		if n < 0 {
			return ErrMalformed
		}
		if f.num == resourceSpansResource && f.typ == protowire.BytesType {
			if err := eachKeyValue(f.bytes, resourceAttributes, fn); err != nil {
				return err
			}
		}
		head = head[n:]
	}
	return nil
}

// eachKeyValue is a loop of its own rather than a call of each: most of the
// bytes of a span are attributes.
func eachKeyValue(b []byte, attributes protowire.Number, fn func(key, anyValue []byte) error) error {
	var f field
	for len(b) > 0 {
		n := f.read(b)
		if n < 0 {
			return ErrMalformed
		}
		if f.num == attributes && f.typ == protowire.BytesType {
			key, anyValue, err := keyValue(f.bytes)
			if err != nil {
				return err
			}
			if err := fn(key, anyValue); err != nil {
				return err
			}
		}
		b = b[n:]
	}
	return nil
}

// Routes are the string attributes of a span that say where a request went.
// The slices alias the encoded span.
type Routes struct {
	Route  []byte // http.route
	Path   []byte // url.path
	Target []byte // http.target, path and query
}

// Take notes an attribute if it is one of them.
func (r *Routes) Take(key, anyValue []byte) error {
	switch string(key) {
	case "http.route":
		return takeText(&r.Route, anyValue)
	case "url.path":
		return takeText(&r.Path, anyValue)
	case "http.target":
		return takeText(&r.Target, anyValue)
	default:
		return nil
	}
}

func takeText(to *[]byte, anyValue []byte) error {
	var v Value
	if err := v.Parse(anyValue); err != nil {
		return err
	}
	if v.Kind == KindString {
		*to = v.Text
	}
	return nil
}

// AppendWithout appends an encoded span to dst, but for the attributes with the
// given keys.
func AppendWithout(dst, span []byte, keys ...string) ([]byte, error) {
	var f field
	for len(span) > 0 {
		n := f.read(span)
		if n < 0 {
			return nil, ErrMalformed
		}
		drop := false
		if f.num == spanAttributes && f.typ == protowire.BytesType {
			key, _, err := keyValue(f.bytes)
			if err != nil {
				return nil, err
			}
			drop = slices.Contains(keys, string(key))
		}
		if !drop {
			dst = append(dst, span[:n]...)
		}
		span = span[n:]
	}
	return dst, nil
}

// AppendStringAttribute appends an attribute to an encoded span.
func AppendStringAttribute(span []byte, key, value string) []byte {
	var a []byte
	a = protowire.AppendTag(a, anyString, protowire.BytesType)
	a = protowire.AppendString(a, value)
	return appendAttribute(span, key, a)
}

// AppendDoubleAttribute appends an attribute to an encoded span.
func AppendDoubleAttribute(span []byte, key string, value float64) []byte {
	var a []byte
	a = protowire.AppendTag(a, anyDouble, protowire.Fixed64Type)
	a = protowire.AppendFixed64(a, math.Float64bits(value))
	return appendAttribute(span, key, a)
}

// AppendBoolAttribute appends an attribute to an encoded span.
func AppendBoolAttribute(span []byte, key string, value bool) []byte {
	var a []byte
	a = protowire.AppendTag(a, anyBool, protowire.VarintType)
	a = protowire.AppendVarint(a, protowire.EncodeBool(value))
	return appendAttribute(span, key, a)
}

func appendAttribute(span []byte, key string, anyValue []byte) []byte {
	span = protowire.AppendTag(span, spanAttributes, protowire.BytesType)
	return protowire.AppendBytes(span, newKeyValue(key, anyValue))
}

func newKeyValue(key string, anyValue []byte) []byte {
	var kv []byte
	kv = protowire.AppendTag(kv, keyValueKey, protowire.BytesType)
	kv = protowire.AppendString(kv, key)
	kv = protowire.AppendTag(kv, keyValueValue, protowire.BytesType)
	return protowire.AppendBytes(kv, anyValue)
}
