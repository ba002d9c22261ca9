package otlpwire

import (
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

const (
	anyString = 1
	anyBool   = 2
	anyInt    = 3
	anyDouble = 4
	anyArray  = 5
	anyMap    = 6
	anyBytes  = 7
	anyIndex  = 8 // into the string table of profiles: nothing in a trace
)

// Kind is the type of an attribute's value.
type Kind uint8

// Kinds of a Value. KindOther is an array, a map or bytes.
const (
	KindEmpty Kind = iota
	KindString
	KindBool
	KindInt
	KindDouble
	KindOther
)

// Value is a decoded AnyValue of a scalar type.
type Value struct {
	Kind   Kind
	Text   []byte // of KindString; it aliases the encoded value
	number uint64
}

// Bool is the value of a KindBool.
func (v *Value) Bool() bool { return v.number != 0 }

// Int is the value of a KindInt.
func (v *Value) Int() int64 { return int64(v.number) }

// Double is the value of a KindDouble.
func (v *Value) Double() float64 { return math.Float64frombits(v.number) }

// Parse reads an encoded AnyValue. Of several members of the oneof the last
// counts.
func (v *Value) Parse(anyValue []byte) error {
	*v = Value{}
	var f field
	for len(anyValue) > 0 {
		n := f.read(anyValue)
		if n < 0 {
			return ErrMalformed
		}
		switch {
		case f.typ == protowire.BytesType && f.num == anyString:
			*v = Value{Kind: KindString, Text: f.bytes}
		case f.typ == protowire.BytesType && (f.num == anyArray || f.num == anyMap || f.num == anyBytes):
			*v = Value{Kind: KindOther}
		case f.typ == protowire.VarintType && f.num == anyBool:
			*v = Value{Kind: KindBool, number: f.number}
		case f.typ == protowire.VarintType && f.num == anyInt:
			*v = Value{Kind: KindInt, number: f.number}
		case f.typ == protowire.VarintType && f.num == anyIndex:
			*v = Value{}
		case f.typ == protowire.Fixed64Type && f.num == anyDouble:
			*v = Value{Kind: KindDouble, number: f.number}
		}
		anyValue = anyValue[n:]
	}
	return nil
}
