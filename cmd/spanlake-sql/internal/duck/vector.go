package duck

import (
	"unsafe"

	duckdb "github.com/duckdb/duckdb-go-bindings"
)

// Row is one row of a result, valid only during the call that received it.
type Row struct {
	vectors []vector
	index   int
}

// IsNull reports whether the value of a column is NULL.
func (r Row) IsNull(column int) bool { return r.vectors[column].isNull(r.index) }

// AppendText appends the value of a column as plain text, nothing for NULL:
// strings bare, lists and structs as JSON.
func (r Row) AppendText(dst []byte, column int) []byte {
	return r.vectors[column].appendText(dst, r.index)
}

// AppendJSON appends the value of a column as JSON.
func (r Row) AppendJSON(dst []byte, column int) []byte {
	return r.vectors[column].appendJSON(dst, r.index)
}

// vector is the values of a column, or of a part of a nested one, in the chunk
// that it is bound to. The memory is the engine's and goes with the chunk.
type vector struct {
	typ      *logicalType
	data     unsafe.Pointer
	validity unsafe.Pointer // nil: no value is NULL; else one bit each, 0 for NULL
	children []vector
}

func newVectors(columns []Column) []vector {
	vectors := make([]vector, len(columns))
	for i := range columns {
		vectors[i] = newVector(&columns[i].typ)
	}
	return vectors
}

func newVector(t *logicalType) vector {
	v := vector{typ: t, children: make([]vector, len(t.children))}
	for i := range t.children {
		v.children[i] = newVector(&t.children[i])
	}
	return v
}

func (v *vector) bind(vec duckdb.Vector) {
	v.data = duckdb.VectorGetData(vec)
	v.validity = duckdb.VectorGetValidity(vec)
	switch v.typ.id {
	case duckdb.TypeList, duckdb.TypeMap:
		v.children[0].bind(duckdb.ListVectorGetChild(vec))
	case duckdb.TypeArray:
		v.children[0].bind(duckdb.ArrayVectorGetChild(vec))
	case duckdb.TypeStruct:
		for i := range v.children {
			v.children[i].bind(duckdb.StructVectorGetChild(vec, duckdb.IdxT(i)))
		}
	}
}

func (v *vector) isNull(row int) bool {
	if v.typ.id == duckdb.TypeSQLNull {
		return true
	}
	if v.validity == nil {
		return false
	}
	word := *(*uint64)(unsafe.Add(v.validity, row/64*8))
	return word&(1<<(row%64)) == 0
}

func (v *vector) appendText(dst []byte, row int) []byte {
	switch {
	case v.isNull(row):
		return dst
	case len(v.children) > 0:
		return v.appendJSON(dst, row)
	default:
		return v.appendScalar(dst, row)
	}
}

// at reads the value of a row. T must be as wide as what the engine stores for
// the type.
func at[T any](v *vector, row int) T {
	return *(*T)(unsafe.Add(v.data, uintptr(row)*unsafe.Sizeof(*new(T))))
}

// span is where the elements of a list are in its child.
type span struct{ offset, length uint64 }

// stringHeader is duckdb_string_t: the bytes follow the length where 12 are
// enough, else a pointer to them lies at offset 8.
type stringHeader struct {
	length uint32
	inline [4]byte
	_      [8]byte
}

const inlineLength = 12

// bytes are the engine's own: the caller copies them.
func (v *vector) bytes(row int) []byte {
	at := unsafe.Add(v.data, uintptr(row)*unsafe.Sizeof(stringHeader{}))
	header := (*stringHeader)(at)
	data := unsafe.Pointer(&header.inline)
	if header.length > inlineLength {
		data = *(*unsafe.Pointer)(unsafe.Add(at, 8))
	}
	return unsafe.Slice((*byte)(data), header.length)
}
