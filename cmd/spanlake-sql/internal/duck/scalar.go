package duck

import (
	"bytes"
	"encoding/hex"
	"math"
	"math/big"
	"strconv"
	"strings"

	duckdb "github.com/duckdb/duckdb-go-bindings"
)

// hugeint and uhugeint are the engine's 128-bit integers.
type (
	hugeint struct {
		lower uint64
		upper int64
	}
	uhugeint struct{ lower, upper uint64 }
)

func (h hugeint) big() *big.Int {
	n := new(big.Int).Lsh(big.NewInt(h.upper), 64)
	return n.Add(n, new(big.Int).SetUint64(h.lower))
}

func (h uhugeint) big() *big.Int {
	n := new(big.Int).Lsh(new(big.Int).SetUint64(h.upper), 64)
	return n.Add(n, new(big.Int).SetUint64(h.lower))
}

// appendScalar appends a value that is neither NULL nor nested.
func (v *vector) appendScalar(dst []byte, row int) []byte {
	switch v.typ.id {
	case duckdb.TypeBoolean:
		return strconv.AppendBool(dst, at[bool](v, row))
	case duckdb.TypeTinyInt, duckdb.TypeSmallInt, duckdb.TypeInteger, duckdb.TypeBigInt:
		return strconv.AppendInt(dst, v.signed(v.typ.id, row), 10)
	case duckdb.TypeUTinyInt, duckdb.TypeUSmallInt, duckdb.TypeUInteger, duckdb.TypeUBigInt:
		return strconv.AppendUint(dst, v.unsigned(v.typ.id, row), 10)
	case duckdb.TypeHugeInt:
		return at[hugeint](v, row).big().Append(dst, 10)
	case duckdb.TypeUHugeInt:
		return at[uhugeint](v, row).big().Append(dst, 10)
	case duckdb.TypeFloat:
		return appendFloat(dst, float64(at[float32](v, row)), 32)
	case duckdb.TypeDouble:
		return appendFloat(dst, at[float64](v, row), 64)
	case duckdb.TypeDecimal:
		return v.appendDecimal(dst, row)
	case duckdb.TypeEnum:
		return append(dst, v.enum(row)...)
	case duckdb.TypeBlob:
		return hex.AppendEncode(dst, v.bytes(row))
	case duckdb.TypeUUID:
		return appendUUID(dst, at[hugeint](v, row))
	case duckdb.TypeVarchar:
		return append(dst, v.bytes(row)...)
	default:
		return v.appendTime(dst, row)
	}
}

func (v *vector) signed(stored duckdb.Type, row int) int64 {
	switch stored {
	case duckdb.TypeTinyInt:
		return int64(at[int8](v, row))
	case duckdb.TypeSmallInt:
		return int64(at[int16](v, row))
	case duckdb.TypeInteger:
		return int64(at[int32](v, row))
	default:
		return at[int64](v, row)
	}
}

func (v *vector) unsigned(stored duckdb.Type, row int) uint64 {
	switch stored {
	case duckdb.TypeUTinyInt:
		return uint64(at[uint8](v, row))
	case duckdb.TypeUSmallInt:
		return uint64(at[uint16](v, row))
	case duckdb.TypeUInteger:
		return uint64(at[uint32](v, row))
	default:
		return at[uint64](v, row)
	}
}

func (v *vector) enum(row int) string {
	return v.typ.values[v.unsigned(v.typ.physical, row)]
}

// appendFloat writes the shortest text that reads back as the same number, with
// a point or an exponent in it, so that a double is never taken for an integer.
func appendFloat(dst []byte, f float64, bits int) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	}
	format := byte('f')
	if a := math.Abs(f); a != 0 && (a < 1e-6 || a >= 1e21) {
		format = 'e'
	}
	start := len(dst)
	dst = strconv.AppendFloat(dst, f, format, -1, bits)
	if format == 'f' && bytes.IndexByte(dst[start:], '.') < 0 {
		dst = append(dst, ".0"...)
	}
	return dst
}

func (v *vector) appendDecimal(dst []byte, row int) []byte {
	var n *big.Int
	if v.typ.physical == duckdb.TypeHugeInt {
		n = at[hugeint](v, row).big()
	} else {
		n = big.NewInt(v.signed(v.typ.physical, row))
	}
	if n.Sign() < 0 {
		dst = append(dst, '-')
		n.Neg(n)
	}
	digits := n.String()
	if missing := v.typ.scale + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	point := len(digits) - v.typ.scale
	dst = append(dst, digits[:point]...)
	if v.typ.scale > 0 {
		dst = append(dst, '.')
		dst = append(dst, digits[point:]...)
	}
	return dst
}

// appendUUID undoes the flipped sign bit with which the engine makes UUIDs sort
// as signed integers.
func appendUUID(dst []byte, h hugeint) []byte {
	var raw [16]byte
	upper := uint64(h.upper) ^ 1<<63
	for i := range 8 {
		raw[i] = byte(upper >> (56 - 8*i))
		raw[8+i] = byte(h.lower >> (56 - 8*i))
	}
	for i, part := range [][]byte{raw[:4], raw[4:6], raw[6:8], raw[8:10], raw[10:]} {
		if i > 0 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, part)
	}
	return dst
}
