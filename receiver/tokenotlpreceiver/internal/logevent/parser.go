package logevent

import (
	"errors"
	"fmt"
	"strconv"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/xpdata"

	"github.com/spanlake/spanlake/internal/attr"
)

// parser reads JSON by RFC 8259 into pdata values. It recurses once for each
// level of nesting, and maxDepth bounds the levels.
type parser struct {
	data     []byte
	pos      int
	left     int64 // of the decoded size
	maxDepth int
	hold     func(int64) error        // may be nil
	held     int64                    // of what hold gave, not yet spent
	refused  error                    // ends the reading, and not just that of an event
	scratch  []byte                   // of strings with escapes
	last     struct{ start, end int } // of the objects and lists read whole
}

// usualMembers is room for the members of most objects.
const usualMembers = 8

// holdStep is how many bytes are asked for at once.
const holdStep = 256 << 10

var errEnd = errors.New("unexpected end")

func (p *parser) unexpected(want string) error {
	if p.pos >= len(p.data) {
		return errEnd
	}
	return fmt.Errorf("unexpected %q where %s should be", p.data[p.pos], want)
}

func (p *parser) spend(n int64) error {
	if p.left -= n; p.left < 0 {
		p.refused = ErrTooLarge
		return p.refused
	}
	if p.hold == nil {
		return nil
	}
	if p.held -= n; p.held < 0 {
		step := n + min(holdStep, p.left)
		p.refused = p.hold(step)
		p.held += step
	}
	return p.refused
}

func (p *parser) skipSpace() {
	for p.pos < len(p.data) {
		switch p.data[p.pos] {
		case ' ', '\t', '\n', '\r':
			p.pos++
		default:
			return
		}
	}
}

func (p *parser) accept(c byte) bool {
	if p.pos < len(p.data) && p.data[p.pos] == c {
		p.pos++
		return true
	}
	return false
}

// value reads the value at the current position into dst; depth is its level.
func (p *parser) value(dst pcommon.Value, depth int) error {
	if p.pos >= len(p.data) {
		return errEnd
	}
	switch c := p.data[p.pos]; c {
	case '{':
		return p.object(dst.SetEmptyMap(), depth)
	case '[':
		return p.list(dst.SetEmptySlice(), depth)
	case '"':
		s, err := p.string()
		dst.SetStr(s)
		return err
	case 't':
		dst.SetBool(true)
		return p.literal("true")
	case 'f':
		dst.SetBool(false)
		return p.literal("false")
	case 'n':
		return p.literal("null")
	default:
		if c == '-' || '0' <= c && c <= '9' {
			return p.number(dst)
		}
		return p.unexpected("a value")
	}
}

func (p *parser) enter(depth int) error {
	if depth > p.maxDepth {
		return fmt.Errorf("nests deeper than %d levels", p.maxDepth)
	}
	p.pos++
	return nil
}

func (p *parser) list(dst pcommon.Slice, depth int) error {
	start := p.pos
	if err := p.enter(depth); err != nil {
		return err
	}
	p.skipSpace()
	if p.accept(']') {
		p.note(start)
		return nil
	}
	for {
		p.skipSpace()
		if err := p.spend(valueCost); err != nil {
			return err
		}
		if err := p.value(dst.AppendEmpty(), depth+1); err != nil {
			return err
		}
		p.skipSpace()
		switch {
		case p.accept(','):
		case p.accept(']'):
			p.note(start)
			return nil
		default:
			return p.unexpected("a comma or a bracket")
		}
	}
}

// object reads an object. At the top of an event, where keys become columns,
// those reserved to Spanlake are left out.
func (p *parser) object(dst pcommon.Map, depth int) error {
	start := p.pos
	if err := p.enter(depth); err != nil {
		return err
	}
	var (
		members xpdata.MapBuilder
		keys    keySet
	)
	p.skipSpace()
	if p.accept('}') {
		p.note(start)
		return nil
	}
	for {
		p.skipSpace()
		if p.pos >= len(p.data) || p.data[p.pos] != '"' {
			return p.unexpected("a key")
		}
		key, err := p.string()
		if err != nil {
			return err
		}
		p.skipSpace()
		if !p.accept(':') {
			return p.unexpected("a colon")
		}
		p.skipSpace()
		if err := p.spend(valueCost); err != nil {
			return err
		}
		var member pcommon.Value
		if depth == 1 && attr.Reserved(key) {
			member = pcommon.NewValueEmpty() // read and forgotten
		} else {
			if keys.len() == 0 {
				if err := p.spend(objectCost); err != nil {
					return err
				}
				members.EnsureCapacity(usualMembers)
			}
			keys.add(key)
			member = members.AppendEmpty(key)
		}
		if err := p.value(member, depth+1); err != nil {
			return err
		}
		p.skipSpace()
		switch {
		case p.accept(','):
		case p.accept('}'):
			p.note(start)
			members.UnsafeIntoMap(dst)
			keys.removeSuperseded(dst)
			return nil
		default:
			return p.unexpected("a comma or a brace")
		}
	}
}

// note keeps the place of an object or a list that began at start.
func (p *parser) note(start int) { p.last.start, p.last.end = start, p.pos }

func (p *parser) literal(want string) error {
	if len(p.data)-p.pos < len(want) || string(p.data[p.pos:p.pos+len(want)]) != want {
		return p.unexpected("true, false or null")
	}
	p.pos += len(want)
	return nil
}

func (p *parser) number(dst pcommon.Value) error {
	start := p.pos
	p.accept('-')
	switch {
	case p.accept('0'):
	case p.digits():
	default:
		return p.unexpected("a digit")
	}
	integer := true
	if p.accept('.') {
		integer = false
		if !p.digits() {
			return p.unexpected("a digit")
		}
	}
	if p.accept('e') || p.accept('E') {
		integer = false
		if !p.accept('+') {
			p.accept('-')
		}
		if !p.digits() {
			return p.unexpected("a digit")
		}
	}
	text := p.data[start:p.pos]
	switch {
	case !integer:
		if err := p.spendNumber(text); err != nil {
			return err
		}
		if f, err := strconv.ParseFloat(string(text), 64); err == nil {
			dst.SetDouble(f)
			return nil
		}
	case len(text) <= maxInteger:
		if i, err := strconv.ParseInt(string(text), 10, 64); err == nil {
			dst.SetInt(i)
			return nil
		}
	}
	kept, err := p.kept(text)
	dst.SetStr(kept)
	return err
}

// maxInteger is the length of the longest integer of 64 bits.
const maxInteger = len("-9223372036854775808")

// spendNumber is for what strconv takes: it has text copied, and copies it again
// into an error.
func (p *parser) spendNumber(text []byte) error {
	const unnoticed = 32
	if len(text) <= unnoticed {
		return nil
	}
	return p.spend(2 * int64(len(text)))
}

// digits reports whether there was one at least.
func (p *parser) digits() bool {
	start := p.pos
	for p.pos < len(p.data) && '0' <= p.data[p.pos] && p.data[p.pos] <= '9' {
		p.pos++
	}
	return p.pos > start
}
