package footer

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Types of the Thrift compact protocol
// (https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md).
const (
	typeStop   = 0
	typeTrue   = 1
	typeFalse  = 2
	typeByte   = 3
	typeI16    = 4
	typeI32    = 5
	typeI64    = 6
	typeDouble = 7
	typeBinary = 8
	typeList   = 9
	typeSet    = 10
	typeMap    = 11
	typeStruct = 12
	typeUUID   = 13
)

// maxDepth bounds nesting: no structure of Parquet's is half as deep.
const maxDepth = 16

var errCut = errors.New("ends early")

// thrift reads the compact protocol from memory. After the first error every
// read gives zeros.
type thrift struct {
	data []byte
	at   int
	err  error
}

func (t *thrift) fail(err error) {
	if t.err == nil {
		t.err = err
	}
	t.at = len(t.data)
}

func (t *thrift) byte() byte {
	if t.at >= len(t.data) {
		t.fail(errCut)
		return 0
	}
	t.at++
	return t.data[t.at-1]
}

func (t *thrift) uvarint() uint64 {
	v, n := binary.Uvarint(t.data[t.at:])
	if n <= 0 {
		t.fail(errCut)
		return 0
	}
	t.at += n
	return v
}

// integer reads an i16, i32 or i64.
func (t *thrift) integer() int64 {
	v := t.uvarint()
	return int64(v>>1) ^ -int64(v&1)
}

func (t *thrift) skipBytes(n uint64) []byte {
	if n > uint64(len(t.data)-t.at) {
		t.fail(errCut)
		return nil
	}
	from := t.at
	t.at += int(n)
	return t.data[from:t.at]
}

// binary is valid as long as the data.
func (t *thrift) binary() []byte { return t.skipBytes(t.uvarint()) }

// list reads the header of a list or set.
func (t *thrift) list() (size int, element byte) {
	h := t.byte()
	n := uint64(h >> 4)
	if n == 15 {
		n = t.uvarint()
	}
	// Every element takes a byte at least, so that a wrong size ends here.
	if n > uint64(len(t.data)-t.at) {
		t.fail(errCut)
		return 0, 0
	}
	return int(n), h & 15
}

// structure calls field for each field of a struct; field reads the value or
// returns false, and it is skipped.
func (t *thrift) structure(field func(id int64, kind byte) bool) {
	for id := int64(0); t.err == nil; {
		h := t.byte()
		if h == typeStop {
			return
		}
		if delta := int64(h >> 4); delta != 0 {
			id += delta
		} else {
			id = t.integer()
		}
		if !field(id, h&15) {
			t.skip(h&15, 0)
		}
	}
}

func (t *thrift) skip(kind byte, depth int) {
	if depth > maxDepth {
		t.fail(errors.New("is nested too deeply"))
		return
	}
	switch kind {
	case typeTrue, typeFalse:
	case typeByte:
		t.byte()
	case typeI16, typeI32, typeI64:
		t.uvarint()
	case typeDouble:
		t.skipBytes(8)
	case typeUUID:
		t.skipBytes(16)
	case typeBinary:
		t.binary()
	case typeList, typeSet:
		n, element := t.list()
		for range n {
			t.skipElement(element, depth)
		}
	case typeMap:
		t.skipMap(depth)
	case typeStruct:
		for t.err == nil {
			h := t.byte()
			if h == typeStop {
				return
			}
			if h>>4 == 0 {
				t.integer()
			}
			t.skip(h&15, depth+1)
		}
	default:
		t.fail(fmt.Errorf("has the unknown type %d", kind))
	}
}

func (t *thrift) skipMap(depth int) {
	n := t.uvarint()
	if n == 0 {
		return
	}
	kinds := t.byte()
	for i := uint64(0); i < n && t.err == nil; i++ {
		t.skipElement(kinds>>4, depth)
		t.skipElement(kinds&15, depth)
	}
}

// skipElement skips an element of a list or map, where a boolean is a byte and
// not part of the header of its field.
func (t *thrift) skipElement(kind byte, depth int) {
	if kind == typeTrue || kind == typeFalse {
		t.byte()
		return
	}
	t.skip(kind, depth+1)
}
