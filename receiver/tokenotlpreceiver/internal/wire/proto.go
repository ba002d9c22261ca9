package wire

import (
	"encoding/binary"
	"unicode/utf8"

	"github.com/spanlake/spanlake/internal/attr"
	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/utf8mend"
)

// Wire types of https://protobuf.dev/programming-guides/encoding.
const (
	wireVarint = 0
	wireI64    = 1
	wireLen    = 2
	wireI32    = 5
)

// Proto walks a protobuf export request. It refuses every message pdata would
// refuse for its framing, and groups, which no OTLP message has: pdata loses
// its place in them.
func Proto(s Signal, buf []byte, l Limits) (Result, error) {
	w := protoWalk{left: l.Decoded - int64(len(buf)), maxDepth: l.Depth}
	if w.left < 0 {
		return Result{}, ErrTooLarge
	}
	if err := w.message(buf, roots[s], 0); err != nil {
		return Result{}, err
	}
	if w.left < 0 {
		return Result{}, ErrTooLarge
	}
	return Result{Decoded: l.Decoded - w.left, Reserved: w.reserved, Faulty: w.faulty, Growth: w.growth}, nil
}

type protoWalk struct {
	left     int64 // of the decoded size
	growth   int64
	maxDepth int
	reserved bool
	faulty   bool
	own      ownIDs // of the span being walked
}

// ownIDs are those of a span's own IDs that are good.
type ownIDs uint8

const (
	hasTraceID ownIDs = 1 << iota
	hasSpanID
	hasBoth = hasTraceID | hasSpanID
)

// message walks one message; depth is the number of arrays and maps around it.
// It recurses once for each level, and Limits.Depth bounds the levels.
func (w *protoWalk) message(buf []byte, n node, depth int) error {
	if n == arrayValue || n == keyValueList {
		if depth++; depth >= w.maxDepth {
			return ErrTooDeep
		}
	}
	for pos := 0; pos < len(buf); {
		// Most fields have a tag and a length of one byte each.
		if b := buf[pos]; b > 7 && b < 0x80 && b&7 == wireLen && pos+1 < len(buf) && buf[pos+1] < 0x80 {
			pos += 2
			end := pos + int(buf[pos-1])
			if end > len(buf) {
				return ErrMalformed
			}
			kind := schema[n][b>>3]
			if kind == keyValue && w.plainAttribute(buf[pos:end]) {
				w.left -= cost[keyValue] // looked at with the next other field, and in the end
			} else if err := w.value(buf[pos:end], kind, depth); err != nil {
				return err
			}
			pos = end
			continue
		}
		var tag uint64
		if b := buf[pos]; b < 0x80 {
			tag, pos = uint64(b), pos+1
		} else if tag, pos = varint(buf, pos); pos < 0 {
			return ErrMalformed
		}
		// pdata cuts field numbers to 32 bits: a field it recognises by its low
		// bits must be walked as that field.
		field := int32(tag >> 3) //nolint:gosec // the overflow is the point
		if field <= 0 {
			return ErrMalformed
		}
		switch tag & 7 {
		case wireVarint:
			if _, pos = varint(buf, pos); pos < 0 {
				return ErrMalformed
			}
			if child(n, field) == packedNumbers {
				w.left -= numberCost
			}
		case wireI64:
			if pos += 8; n == histogramPoint { // it may be of a list that is not packed
				w.left -= numberCost
			}
		case wireI32:
			pos += 4
		case wireLen:
			var length uint64
			if length, pos = varint(buf, pos); pos < 0 {
				return ErrMalformed
			}
			if length > uint64(len(buf)-pos) {
				return ErrMalformed
			}
			end := pos + int(length)
			if err := w.value(buf[pos:end], child(n, field), depth); err != nil {
				return err
			}
			pos = end
		default:
			return ErrMalformed
		}
		if pos > len(buf) {
			return ErrMalformed
		}
	}
	return nil
}

// value walks the value of a length-delimited field.
func (w *protoWalk) value(val []byte, n node, depth int) error {
	switch n {
	case skip:
		return nil
	case packedNumbers:
		w.left -= int64(len(val)) * numberCost
	case keyText:
		if hasPrefix(val) {
			w.reserved = true
		}
		w.text(val)
	case text, nameText:
		w.text(val)
	case listString:
		w.text(val)
		w.left -= cost[n]
	case ownTraceID:
		w.ownID(hasTraceID, goodTraceID(val))
		w.id(val, traceIDSize)
	case ownSpanID:
		w.ownID(hasSpanID, goodSpanID(val))
		w.id(val, spanIDSize)
	case otherTraceID:
		w.id(val, traceIDSize)
	case otherSpanID:
		w.id(val, spanIDSize)
	case span:
		w.own = 0
		w.left -= cost[n]
	default:
		w.left -= cost[n]
	}
	if w.left < 0 {
		return ErrTooLarge
	}
	if n <= packedNumbers {
		return nil
	}
	if err := w.message(val, n, depth); err != nil {
		return err
	}
	if n == span && w.own != hasBoth {
		w.faulty = true
	}
	return nil
}

// text looks at a string, which must be UTF-8 in protobuf.
func (w *protoWalk) text(val []byte) {
	if !ascii(val) && !utf8.Valid(val) {
		w.mend(utf8mend.Growth(val))
	}
}

func (w *protoWalk) ownID(id ownIDs, good bool) {
	if w.own |= id; !good {
		w.own &^= id
	}
}

// id looks at an ID, which must be absent or of its size.
func (w *protoWalk) id(val []byte, size int) {
	if len(val) != size && len(val) != 0 {
		w.mend(int64(size - len(val)))
	}
}

// mend notes a fault that makes the request longer by some bytes, or shorter.
func (w *protoWalk) mend(growth int64) {
	w.faulty = true
	if growth > 0 {
		growth += lengthsGrowth
		w.growth += growth
		w.left -= growth
	}
}

// lengthsGrowth is by how many bytes the lengths around a value that grows may
// grow: its own and those of a few messages. Those further out hold so much that
// they seldom do.
const lengthsGrowth = 4

const (
	traceIDSize = 16
	spanIDSize  = 8
)

// goodTraceID reports whether val can be the own trace ID of a span.
func goodTraceID(val []byte) bool {
	return len(val) == traceIDSize && binary.NativeEndian.Uint64(val)|binary.NativeEndian.Uint64(val[8:]) != 0
}

func goodSpanID(val []byte) bool {
	return len(val) == spanIDSize && binary.NativeEndian.Uint64(val) != 0
}

// plainAttribute walks a KeyValue of a short key and a short string or a number,
// and nothing else. Most attributes are of this form, and most of a request is
// attributes. SDKs write the key first, pdata the value.
func (w *protoWalk) plainAttribute(val []byte) bool {
	const (
		keyTag    = 1<<3 | wireLen
		valueTag  = 2<<3 | wireLen
		stringTag = 1<<3 | wireLen
		boolTag   = 2<<3 | wireVarint
		intTag    = 3<<3 | wireVarint
		doubleTag = 4<<3 | wireI64
	)
	if len(val) < 4 || val[1] >= 0x80 {
		return false
	}
	second := 2 + int(val[1])
	if len(val) < second+2 || val[second+1] >= 0x80 || second+2+int(val[second+1]) != len(val) {
		return false
	}
	key, value := val[2:second], val[second+2:]
	switch {
	case val[0] == keyTag && val[second] == valueTag:
	case val[0] == valueTag && val[second] == keyTag:
		key, value = value, key
	default:
		return false
	}
	if len(value) < 2 {
		return false
	}
	texts := key
	switch value[0] {
	case stringTag:
		if int(value[1]) != len(value)-2 {
			return false
		}
		texts = val // tags and lengths among the texts are ASCII, too
	case boolTag, intTag:
		if _, end := varint(value, 1); end != len(value) {
			return false
		}
	case doubleTag:
		if len(value) != 1+8 {
			return false
		}
	default:
		return false
	}
	if !ascii(texts) {
		return false
	}
	w.left -= cost[anyValue]
	if len(key) > 0 && key[0] == attr.Prefix[0] && hasPrefix(key) {
		w.reserved = true
	}
	return true
}

// varint reads a varint at pos as pdata does, bits beyond 64 dropped, and
// returns the position after it, negative when there is none.
func varint(buf []byte, pos int) (uint64, int) {
	var v uint64
	for shift := uint(0); shift < 64 && pos < len(buf); shift += 7 {
		b := buf[pos]
		pos++
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return v, pos
		}
	}
	return 0, -1
}

func hasPrefix(key []byte) bool {
	return len(key) >= len(attr.Prefix) && string(key[:len(attr.Prefix)]) == attr.Prefix
}
