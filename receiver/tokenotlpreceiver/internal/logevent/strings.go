package logevent

import (
	"errors"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/utf8mend"
)

// string reads the string whose quote is at the current position.
func (p *parser) string() (string, error) {
	start := p.pos + 1
	for i := start; i < len(p.data); i++ {
		switch c := p.data[i]; {
		case c == '"':
			p.pos = i + 1
			return p.kept(p.data[start:i])
		case c == '\\':
			return p.escaped(start, i)
		case c < ' ':
			p.pos = i
			return "", errControl(c)
		}
	}
	p.pos = len(p.data)
	return "", errEnd
}

// escaped reads a string that begins at start and has its first escape at pos.
func (p *parser) escaped(start, pos int) (string, error) {
	if err := p.makeScratch(p.rawLength(start)); err != nil {
		return "", err
	}
	p.scratch = append(p.scratch[:0], p.data[start:pos]...)
	for p.pos = pos; p.pos < len(p.data); {
		switch c := p.data[p.pos]; {
		case c == '"':
			p.pos++
			return p.kept(p.scratch)
		case c == '\\':
			p.pos++
			if err := p.escape(); err != nil {
				return "", err
			}
		case c < ' ':
			return "", errControl(c)
		default:
			p.scratch = append(p.scratch, c)
			p.pos++
		}
	}
	return "", errEnd
}

// escape reads what follows a backslash.
func (p *parser) escape() error {
	if p.pos >= len(p.data) {
		return errEnd
	}
	c := p.data[p.pos]
	p.pos++
	switch c {
	case '"', '\\', '/':
	case 'b':
		c = '\b'
	case 'f':
		c = '\f'
	case 'n':
		c = '\n'
	case 'r':
		c = '\r'
	case 't':
		c = '\t'
	case 'u':
		return p.unicode()
	default:
		p.pos--
		return p.unexpected("an escape")
	}
	p.scratch = append(p.scratch, c)
	return nil
}

// unicode reads the digits of a \u escape, and the second one of a surrogate
// pair. Half a pair becomes U+FFFD.
func (p *parser) unicode() error {
	r, err := p.hex4()
	if err != nil {
		return err
	}
	if utf16.IsSurrogate(r) {
		first := r
		r = utf8.RuneError
		if p.pos+1 < len(p.data) && p.data[p.pos] == '\\' && p.data[p.pos+1] == 'u' {
			back := p.pos
			p.pos += 2
			second, err := p.hex4()
			if err != nil {
				return err
			}
			if r = utf16.DecodeRune(first, second); r == utf8.RuneError {
				p.pos = back // it stands for itself
			}
		}
	}
	p.scratch = utf8.AppendRune(p.scratch, r)
	return nil
}

var errHex = errors.New(`\u must be followed by four hexadecimal digits`)

func (p *parser) hex4() (rune, error) {
	if len(p.data)-p.pos < 4 {
		return 0, errHex
	}
	// ParseUint takes a sign or an underscore with other bases only.
	u, err := strconv.ParseUint(string(p.data[p.pos:p.pos+4]), 16, 16)
	if err != nil {
		return 0, errHex
	}
	p.pos += 4
	return rune(u), nil
}

func errControl(c byte) error {
	return fmt.Errorf("control character %#02x in a string must be escaped", c)
}

// rawLength is how long a string is that begins at start, before its escapes are
// read, which makes it no longer.
func (p *parser) rawLength(start int) int {
	for i := start; i < len(p.data); i++ {
		switch c := p.data[i]; {
		case c == '"', c < ' ':
			return i - start
		case c == '\\' && i+1 < len(p.data) && p.data[i+1] >= ' ':
			i++
		}
	}
	return len(p.data) - start
}

// makeScratch makes room for size bytes in scratch.
func (p *parser) makeScratch(size int) error {
	if size <= cap(p.scratch) {
		return nil
	}
	size = max(size, cap(p.scratch)+cap(p.scratch)/4)
	if err := p.spend(int64(size - cap(p.scratch))); err != nil {
		return err
	}
	p.scratch = make([]byte, 0, size)
	return nil
}

// kept is a copy of b in UTF-8.
func (p *parser) kept(b []byte) (string, error) {
	if utf8.Valid(b) {
		if err := p.spend(int64(len(b))); err != nil {
			return "", err
		}
		return string(b), nil
	}
	growth := utf8mend.Growth(b)
	if err := p.spend(int64(len(b)) + growth); err != nil {
		return "", err
	}
	return utf8mend.String(b, growth), nil
}
