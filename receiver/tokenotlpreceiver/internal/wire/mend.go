package wire

import (
	"encoding/binary"
	"unicode/utf8"

	"github.com/spanlake/spanlake/internal/traceid"
	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/utf8mend"
)

// Mended is what Mend did.
type Mended struct {
	// Rejected is what became of the spans whose own IDs cannot be mended.
	Rejected
	// IDsRead are the IDs that were read from another form.
	IDsRead int
	// IDsDropped are the IDs that could not be read, of parents, links, log
	// records and exemplars: they are absent now.
	IDsDropped int
	// StringsReplaced are the strings that were not UTF-8.
	StringsReplaced int
}

// Mend appends to dst the export request in buf, which Proto has found to be
// Faulty, without its faults: IDs in the forms of package traceid are put in
// that of OTLP, or dropped where they cannot be read; spans whose own trace or
// span ID is then missing or zero are left out; strings become UTF-8.
func Mend(s Signal, dst, buf []byte) ([]byte, Mended) {
	m := mender{dst: dst}
	m.message(buf, roots[s])
	return m.dst, m.Mended
}

type mender struct {
	Mended
	dst  []byte
	at   position
	span spanState
}

// spanState is that of the span being mended.
type spanState struct {
	traceID idState
	spanID  idState
	name    []byte
}

type idState uint8

const (
	idMissing idState = iota
	idZero
	idUnreadable
	idGood
)

// message appends the fields of buf. It recurses as deep as Proto did.
func (m *mender) message(buf []byte, n node) {
	for pos := 0; pos < len(buf); {
		f, end := nextField(buf, pos)
		if f.wireType == wireLen {
			m.field(buf[pos:f.start], buf[f.start:end], f.length, child(n, f.number))
		} else {
			m.dst = append(m.dst, buf[pos:end]...)
		}
		pos = end
	}
}

// field appends one field; head is its tag and length, of which the length takes
// the last bytes.
func (m *mender) field(head, val []byte, lengthSize int, n node) {
	tag := head[:len(head)-lengthSize]
	switch n {
	case text, listString, keyText, nameText:
		m.text(tag, head, val, n)
	case ownTraceID:
		m.span.traceID = m.traceID(tag, head, val)
	case ownSpanID:
		m.span.spanID = m.spanID(tag, head, val)
	case otherTraceID:
		if m.traceID(tag, head, val) == idUnreadable {
			m.IDsDropped++
		}
	case otherSpanID:
		if m.spanID(tag, head, val) == idUnreadable {
			m.IDsDropped++
		}
	case skip, packedNumbers:
		m.dst = append(append(m.dst, head...), val...)
	default:
		before := len(m.dst)
		m.dst = append(m.dst, head...)
		m.at.enter(n)
		if n == span {
			m.span = spanState{}
		}
		m.message(val, n)
		if n == span && m.reject() {
			m.dst = m.dst[:before]
			return
		}
		m.setLength(before+len(head), lengthSize)
	}
}

func (m *mender) text(tag, head, val []byte, n node) {
	if n == nameText {
		m.span.name = val
	}
	if utf8.Valid(val) {
		m.dst = append(append(m.dst, head...), val...)
		return
	}
	m.StringsReplaced++
	m.dst = append(m.dst, tag...)
	m.dst = binary.AppendUvarint(m.dst, uint64(int64(len(val))+utf8mend.Growth(val)))
	m.dst = utf8mend.Append(m.dst, val)
}

func (m *mender) traceID(tag, head, val []byte) idState {
	id, ok := traceid.TraceFromBytes(val)
	return m.id(tag, head, val, id[:], ok)
}

func (m *mender) spanID(tag, head, val []byte) idState {
	id, ok := traceid.SpanFromBytes(val)
	return m.id(tag, head, val, id[:], ok)
}

// id appends an ID that could be read, and an empty one for one that could not:
// the last of a field counts.
func (m *mender) id(tag, head, val, id []byte, ok bool) idState {
	switch {
	case len(val) == 0:
		m.dst = append(m.dst, head...)
		return idMissing
	case !ok:
		m.dst = append(append(m.dst, tag...), 0)
		return idUnreadable
	case len(val) == len(id):
		m.dst = append(append(m.dst, head...), val...)
	default:
		m.IDsRead++
		m.dst = append(append(append(m.dst, tag...), byte(len(id))), id...)
	}
	for _, b := range id {
		if b != 0 {
			return idGood
		}
	}
	return idZero
}

// setLength writes how long the message is that begins at start, over the
// lengthSize bytes before it. A length that has become shorter is padded, as
// protobuf allows.
func (m *mender) setLength(start, lengthSize int) {
	length := uint64(len(m.dst) - start)
	size := max(lengthSize, uvarintSize(length))
	if more := size - lengthSize; more > 0 {
		m.dst = append(m.dst, make([]byte, more)...)
		copy(m.dst[start+more:], m.dst[start:len(m.dst)-more])
	}
	for i := range size {
		b := byte(length & 0x7f)
		if length >>= 7; i < size-1 {
			b |= 0x80
		}
		m.dst[start-lengthSize+i] = b
	}
}

func uvarintSize(v uint64) int {
	n := 1
	for ; v >= 0x80; v >>= 7 {
		n++
	}
	return n
}

// wireField is a field of a message that Proto has walked.
type wireField struct {
	number   int32
	wireType uint64
	start    int // of its value
	length   int // how many bytes the length before the value takes
}

// nextField returns the field at pos and where it ends.
func nextField(buf []byte, pos int) (wireField, int) {
	tag, pos := varint(buf, pos)
	f := wireField{number: int32(tag >> 3), wireType: tag & 7, start: pos} //nolint:gosec // as in Proto
	switch f.wireType {
	case wireVarint:
		_, end := varint(buf, pos)
		return f, end
	case wireI64:
		return f, pos + 8
	case wireI32:
		return f, pos + 4
	default:
		length, start := varint(buf, pos)
		f.length, f.start = start-pos, start
		return f, start + int(length) //nolint:gosec // Proto has held it against the buffer
	}
}
