package otlpjson

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/wire"
)

// Limits bound what a request may ask for.
type Limits struct {
	// Depth is how deep attribute values and log bodies may nest, as
	// wire.Limits.Depth. At most wire.MaxDepth.
	Depth int
	// Size is the largest output in bytes. A string with escapes counts as it is
	// written until they are resolved.
	Size int64
	// Hold is asked before the output buffer grows by so many bytes, at first
	// beyond the capacity of dst; its error ends the work. Nil allows all.
	Hold func(bytes int64) error
}

// UnreadableID is the content of an ID field whose text is no ID.
const UnreadableID = 0xff

// sizeSlack is by how much the buffer may outgrow Limits.Size while messages
// are open: four bytes for each of their lengths, and room for a scalar.
const sizeSlack = 4 * (3*wire.MaxDepth + 64)

// Most output takes a little more than half of the input; firstShare eighths of
// the input are the first buffer.
const firstShare = 5

// Transcode appends the protobuf form of the export request in src to dst, which
// may not overlap. Its errors wrap wire.ErrMalformed, wire.ErrTooDeep or
// wire.ErrTooLarge, or are Hold's own; none holds any of the input. What it
// returns beside an error is dst, with what capacity it has got.
func Transcode(s wire.Signal, src, dst []byte, l Limits) (out []byte, idsRead int, err error) {
	base := len(dst)
	t := transcoder{
		src: src, out: dst, hold: l.Hold, maxDepth: min(l.Depth, wire.MaxDepth),
		limit:  int64(base) + min(max(l.Size, 0), math.MaxInt64/2) + sizeSlack,
		follow: firstFollow,
		at:     -1,
	}
	if int64(cap(dst)) > t.limit {
		t.out = dst[:base:t.limit]
	}
	ok := t.request(roots[s])
	if ok && int64(len(t.out)-base) > l.Size {
		t.err, ok = wire.ErrTooLarge, false
	}
	end := len(t.out)
	if cap(t.out) < cap(dst) {
		t.out = dst
	}
	if !ok {
		return t.out[:base], 0, t.failure()
	}
	return t.out[:end], t.idsRead, nil
}

type transcoder struct {
	src      []byte
	pos      int
	out      []byte
	limit    int64 // of the capacity of out
	hold     func(int64) error
	maxDepth int
	idsRead  int

	err    error    // what was wrong
	reason string   // may be empty
	at     int      // offset in src, negative where there is none to tell
	path   []string // names around it, the innermost first

	// follow is, for each field and for the start of each message, the place of
	// the field that came next the last time: senders write the same fields in
	// the same order again and again.
	follow [places]uint8
}

// fail notes what is wrong at an offset of src. Nothing is looked at afterwards.
func (t *transcoder) fail(at int, reason string) bool {
	t.err, t.at, t.reason = wire.ErrMalformed, at, reason
	return false
}

// shownNames is how many names of a path an error tells at its start and at its end.
const shownNames = 6

// tooDeep notes that attribute values or unknown fields nest too deeply.
func (t *transcoder) tooDeep() bool {
	t.err, t.at = wire.ErrTooDeep, t.pos
	return false
}

func (t *transcoder) failure() error {
	if t.at < 0 {
		return t.err
	}
	where := fmt.Sprintf("at byte %d", t.at)
	if slices.Reverse(t.path); len(t.path) > 2*shownNames {
		t.path = slices.Replace(t.path, shownNames, len(t.path)-shownNames, "…")
	}
	if len(t.path) > 0 {
		where = strings.Join(t.path, ".") + " " + where
	}
	if t.reason == "" {
		return fmt.Errorf("%w: %s", t.err, where)
	}
	return fmt.Errorf("%w: %s: %s", t.err, where, t.reason)
}

// reserve makes room for n more bytes of output. Whoever appends has asked.
func (t *transcoder) reserve(n int) bool {
	return cap(t.out)-len(t.out) >= n || t.grow(n)
}

func (t *transcoder) grow(n int) bool {
	need := int64(len(t.out)) + int64(n)
	if need > t.limit {
		t.err = wire.ErrTooLarge
		return false
	}
	have := int64(cap(t.out))
	size := min(max(need, 2*have, int64(len(t.out))+int64(len(t.src))/8*firstShare), t.limit)
	if t.hold != nil {
		if err := t.hold(size - have); err != nil {
			t.err = err
			return false
		}
	}
	out := make([]byte, len(t.out), size)
	copy(out, t.out)
	t.out = out
	return true
}

func (t *transcoder) request(m message) bool {
	if c := t.next(); c == 'n' {
		if !t.literal("null") {
			return false
		}
	} else if c != '{' {
		return t.fail(t.pos, "not an object")
	} else if t.pos++; !t.members(m, 0) {
		return false
	}
	if t.next(); t.pos < len(t.src) {
		return t.fail(t.pos, "something follows the request")
	}
	return true
}

// members writes the members of the object whose bracket has just been read.
// depth is the number of arrays and maps around it. It recurses once for each
// message in another, and maxDepth bounds how many those can be.
func (t *transcoder) members(m message, depth int) bool {
	s := &shapes[m]
	if s.nests {
		if depth++; depth >= t.maxDepth {
			return t.tooDeep()
		}
	}
	c := t.next()
	if c == '}' {
		t.pos++
		return true
	}
	var lists uint8
	for place := s.start; ; {
		if c != '"' {
			return t.fail(t.pos, "not a name")
		}
		f := &fields[t.follow[place]]
		if t.has(f.lead) {
			t.pos += len(f.lead)
		} else {
			var ok bool
			if f, ok = t.name(s); !ok {
				return false
			}
		}
		if f == nil {
			if !t.skip() {
				return false
			}
		} else {
			t.follow[place] = f.place
			place = f.place
			if f.packed != 0 {
				if lists&f.packed != 0 {
					t.path = append(t.path, f.name)
					return t.fail(t.pos, "given twice")
				}
				lists |= f.packed
			}
			if !t.value(f, depth) {
				t.path = append(t.path, f.name)
				return false
			}
		}
		switch t.next() {
		case ',':
			t.pos++
			c = t.next()
		case '}':
			t.pos++
			return true
		default:
			return t.fail(t.pos, "neither a comma nor the end of the object")
		}
	}
}

// name reads a name and its colon; the field is nil if the message has none of
// that name.
func (t *transcoder) name(s *shape) (*field, bool) {
	name, ok := t.quoted()
	if !ok {
		return nil, false
	}
	var found *field
	for i := s.first; i < s.end; i++ {
		if f := &fields[i]; string(name) == f.name || string(name) == f.snake {
			found = f
			break
		}
	}
	if t.next() != ':' {
		return nil, t.fail(t.pos, "not a colon")
	}
	t.pos++
	return found, true
}

// scalarRoom is more than a tag and a number, or the head of a message, takes.
const scalarRoom = 32

// value writes a field.
func (t *transcoder) value(f *field, depth int) bool {
	c := t.next()
	switch {
	case c == 'n':
		return t.literal("null")
	case f.list:
		if c != '[' {
			return t.fail(t.pos, "not an array")
		}
		t.pos++
		if f.packed != 0 {
			return t.packedList(f)
		}
		return t.list(f, depth)
	case f.kind == object:
		return t.object(f, depth)
	default:
		return t.reserve(scalarRoom) && t.scalar(f)
	}
}

// list writes a list, one field for each element.
func (t *transcoder) list(f *field, depth int) bool {
	if t.next() == ']' {
		t.pos++
		return true
	}
	for {
		switch {
		case f.child == keyValue && f.kind == object && t.plainAttribute(f):
		case t.next() == 'n':
			if !t.literal("null") || !t.reserve(scalarRoom) {
				return false
			}
			t.tag(f)
			t.out = append(t.out, 0)
		case f.kind == object:
			if !t.object(f, depth) {
				return false
			}
		default:
			if !t.reserve(scalarRoom) || !t.scalar(f) {
				return false
			}
		}
		if more, ok := t.more(); !more {
			return ok
		}
	}
}

// more reports whether another element of the array follows.
func (t *transcoder) more() (more, ok bool) {
	switch t.next() {
	case ',':
		t.pos++
		t.next()
		return true, true
	case ']':
		t.pos++
		return false, true
	default:
		return false, t.fail(t.pos, "neither a comma nor the end of the array")
	}
}

// packedList writes a list of numbers as one field. An empty one is left out:
// pdata tells an empty list from none only in memory.
func (t *transcoder) packedList(f *field) bool {
	if t.next() == ']' {
		t.pos++
		return true
	}
	if !t.reserve(scalarRoom) {
		return false
	}
	t.tag(f)
	start := t.open(itemWidth)
	for {
		if !t.reserve(scalarRoom) || !t.number(f) {
			return false
		}
		if more, ok := t.more(); !more {
			return ok && t.close(start, itemWidth)
		}
	}
}

// deepWidth is the depth from which the lengths of values get containerWidth,
// so that what is deep inside is not moved again for each level around it.
const deepWidth = 4

// object writes a message.
func (t *transcoder) object(f *field, depth int) bool {
	if t.next() != '{' {
		return t.fail(t.pos, "not an object")
	}
	if !t.reserve(scalarRoom) {
		return false
	}
	t.pos++
	t.tag(f)
	width := shapes[f.child].width
	if depth >= deepWidth {
		width = containerWidth
	}
	start := t.open(width)
	return t.members(f.child, depth) && t.close(start, width)
}
