package wire

import (
	"bytes"
	"encoding/binary"
	"math/bits"

	"github.com/spanlake/spanlake/internal/attr"
)

const (
	// bracketsPerValue is how many brackets one level of attribute value takes
	// at most: {"kvlistValue":{"values":[{"value":…}]}}.
	bracketsPerValue = 4
	// bracketsAround is room for the brackets around an attribute value; the
	// deepest one, on a metric's exemplar, has 15.
	bracketsAround = 24
	maxBrackets    = MaxDepth*bracketsPerValue + bracketsAround

	// elementCost is the memory in bytes of the largest list element.
	elementCost = 256
)

// JSON walks a JSON export request. It refuses what is not JSON, because the
// decoder's leniency is unsafe: it takes a closing bracket for an empty object,
// and goes on after its first fault, when any comma, in a string too, can make
// it add an element to a list. So each comma and each list is charged as the
// largest element there is, which makes the estimate some three times that of
// the same request in protobuf. What follows the first JSON value is ignored,
// as the decoder does.
func JSON(buf []byte, l Limits) (Result, error) {
	elements := bytes.Count(buf, []byte{','}) + bytes.Count(buf, []byte{'['})
	decoded := int64(len(buf)) + elementCost*int64(elements)
	if decoded > l.Decoded {
		return Result{}, ErrTooLarge
	}
	w := jsonWalk{buf: buf, maxDepth: l.Depth}
	if err := w.document(); err != nil {
		return Result{}, err
	}
	return Result{Decoded: decoded, Reserved: w.reserved}, nil
}

// want is what may come next in a JSON text.
type want uint8

const (
	wantValue want = iota
	wantValueOrEnd
	wantKey
	wantKeyOrEnd
	wantColon
	wantCommaOrEnd
)

type jsonWalk struct {
	buf      []byte
	maxDepth int // of attribute values
	depth    int // arrays and maps open
	reserved bool
	open     int // brackets open
	stack    [maxBrackets]bracket
}

type bracket struct {
	list  bool
	value bool // an array or map of an attribute value
}

func (w *jsonWalk) document() error {
	var key []byte // of the value to come, nil in a list
	next := wantValue
	for pos := 0; pos < len(w.buf); {
		switch c := w.buf[pos]; c {
		case ' ', '\t', '\n', '\r':
		case '"':
			end, escaped := stringEnd(w.buf, pos+1)
			if end < 0 {
				return ErrMalformed
			}
			s := w.buf[pos+1 : end]
			if hasPrefix(s) || escaped && mayHide(s) {
				w.reserved = true
			}
			switch next {
			case wantKey, wantKeyOrEnd:
				key, next = s, wantColon
				if end+1 < len(w.buf) && w.buf[end+1] == ':' {
					end, next = end+1, wantValue
				}
			case wantValue, wantValueOrEnd:
				key, next = nil, wantCommaOrEnd
			default:
				return ErrMalformed
			}
			pos = end
		case ':':
			if next != wantColon {
				return ErrMalformed
			}
			next = wantValue
		case ',':
			if next != wantCommaOrEnd || w.open == 0 {
				return ErrMalformed
			}
			if next = wantKey; w.stack[w.open-1].list {
				next = wantValue
			}
		case '{', '[':
			if next != wantValue && next != wantValueOrEnd {
				return ErrMalformed
			}
			if err := w.push(key, c == '['); err != nil {
				return err
			}
			key = nil
			if next = wantKeyOrEnd; c == '[' {
				next = wantValueOrEnd
			}
		case '}', ']':
			if next != wantCommaOrEnd && next != wantKeyOrEnd && next != wantValueOrEnd || !w.pop(c == ']') {
				return ErrMalformed
			}
			next = wantCommaOrEnd
		default:
			if next != wantValue && next != wantValueOrEnd {
				return ErrMalformed
			}
			n := scalarLen(w.buf[pos:])
			if n == 0 {
				return ErrMalformed
			}
			key, next = nil, wantCommaOrEnd
			pos += n - 1
		}
		pos++
		if w.open == 0 && next == wantCommaOrEnd {
			return nil
		}
	}
	return ErrMalformed
}

func (w *jsonWalk) push(key []byte, list bool) error {
	if w.open >= w.maxDepth*bracketsPerValue+bracketsAround {
		return ErrTooDeep
	}
	b := bracket{list: list, value: !list && nestsValue(key)}
	if b.value {
		if w.depth++; w.depth >= w.maxDepth {
			return ErrTooDeep
		}
	}
	w.stack[w.open] = b
	w.open++
	return nil
}

// pop reports whether the innermost bracket is of that kind.
func (w *jsonWalk) pop(list bool) bool {
	if w.open == 0 || w.stack[w.open-1].list != list {
		return false
	}
	w.open--
	if w.stack[w.open].value {
		w.depth--
	}
	return true
}

// nestsValue reports whether the member of that name may be an attribute value
// that holds others. A name written with escapes may be any.
func nestsValue(key []byte) bool {
	switch string(key) {
	case "", "value":
		return false // most brackets there are
	case "arrayValue", "array_value", "kvlistValue", "kvlist_value":
		return true
	default:
		return bytes.IndexByte(key, '\\') >= 0
	}
}

// scalarLen returns the length of the number, true, false or null at the start
// of buf, zero when there is none. Whether digits, signs, points and exponents
// make a number is the decoder's question.
func scalarLen(buf []byte) int {
	for _, literal := range []string{"null", "true", "false"} {
		if len(buf) >= len(literal) && string(buf[:len(literal)]) == literal {
			return len(literal)
		}
	}
	for i, c := range buf {
		switch {
		case '0' <= c && c <= '9', c == '-', c == '+', c == '.', c == 'e', c == 'E':
		default:
			return i
		}
	}
	return len(buf)
}

// stringEnd returns the position of the quote that ends the string beginning at
// pos, negative when there is none, and whether the string has escapes.
func stringEnd(buf []byte, pos int) (end int, escaped bool) {
	const (
		ones    = 0x0101010101010101
		highs   = 0x8080808080808080
		quotes  = ones * '"'
		slashes = ones * '\\'
	)
	for len(buf)-pos >= 8 {
		// Eight bytes at once; the lowest byte equal to '"' or '\\' sets the
		// lowest of the high bits (Hacker's Delight, zero byte in a word).
		v := binary.LittleEndian.Uint64(buf[pos:])
		q, s := v^quotes, v^slashes
		hit := ((q - ones) &^ q & highs) | ((s - ones) &^ s & highs)
		if hit == 0 {
			pos += 8
			continue
		}
		pos += bits.TrailingZeros64(hit) / 8
		if buf[pos] == '"' {
			return pos, escaped
		}
		escaped = true
		pos += 2
	}
	for pos < len(buf) {
		switch buf[pos] {
		case '"':
			return pos, escaped
		case '\\':
			escaped = true
			pos++
		}
		pos++
	}
	return -1, escaped
}

// mayHide reports whether a string written with escapes may begin with
// attr.Prefix once they are resolved.
func mayHide(s []byte) bool {
	for i := range len(attr.Prefix) {
		if i == len(s) {
			return false
		}
		if s[i] == '\\' {
			return true
		}
		if s[i] != attr.Prefix[i] {
			return false
		}
	}
	return false
}
