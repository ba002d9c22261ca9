package otlpwire

import (
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

const (
	keyValueKey   = 1
	keyValueValue = 2
	anyString     = 1
	anyBool       = 2
	anyDouble     = 4
)

// attribute returns the key of a KeyValue, and its value where that is a string.
func attribute(keyValue []byte) ([]byte, []byte, error) {
	var key, text []byte
	err := each(keyValue, func(num protowire.Number, value []byte) error {
		switch num {
		case keyValueKey:
			key = value
		case keyValueValue:
			var err error
			text, err = anyText(value)
			return err
		default:
		}
		return nil
	})
	return key, text, err
}

func anyText(anyValue []byte) ([]byte, error) {
	var text []byte
	err := each(anyValue, func(num protowire.Number, value []byte) error {
		if num == anyString {
			text = value
		}
		return nil
	})
	return text, err
}

// ServiceName returns service.name of a resource head as Visitor.Resource gets
// it; nil where there is none.
func ServiceName(head []byte) ([]byte, error) {
	var name []byte
	err := each(head, func(num protowire.Number, resource []byte) error {
		if num != resourceSpansResource {
			return nil
		}
		return each(resource, func(num protowire.Number, keyValue []byte) error {
			if num != resourceAttributes {
				return nil
			}
			key, text, err := attribute(keyValue)
			if string(key) == "service.name" {
				name = text
			}
			return err
		})
	})
	return name, err
}

// Routes are the string attributes of a span that say where a request went.
// The slices alias the encoded span.
type Routes struct {
	Route  []byte // http.route
	Path   []byte // url.path
	Target []byte // http.target, path and query
}

// Parse reads the attributes of an encoded span.
func (r *Routes) Parse(span []byte) error {
	*r = Routes{}
	return each(span, func(num protowire.Number, keyValue []byte) error {
		if num != spanAttributes {
			return nil
		}
		key, text, err := attribute(keyValue)
		switch string(key) {
		case "http.route":
			r.Route = text
		case "url.path":
			r.Path = text
		case "http.target":
			r.Target = text
		}
		return err
	})
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
			key, _, err := attribute(f.bytes)
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
	return protowire.AppendBytes(span, keyValue(key, anyValue))
}

func keyValue(key string, anyValue []byte) []byte {
	var kv []byte
	kv = protowire.AppendTag(kv, keyValueKey, protowire.BytesType)
	kv = protowire.AppendString(kv, key)
	kv = protowire.AppendTag(kv, keyValueValue, protowire.BytesType)
	return protowire.AppendBytes(kv, anyValue)
}
