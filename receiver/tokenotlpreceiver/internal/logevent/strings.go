package logevent

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// string reads the string whose quote is at the current position.
func (p *parser) string() (string, error) {
	start := p.pos + 1
	for i := start; i < len(p.data); i++ {
		switch c := p.data[i]; {
		case c == '"':
			p.pos = i + 1
			return valid(p.data[start:i]), nil
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
	p.scratch = append(p.scratch[:0], p.data[start:pos]...)
	for p.pos = pos; p.pos < len(p.data); {
		switch c := p.data[p.pos]; {
		case c == '"':
			p.pos++
			return valid(p.scratch), nil
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

func valid(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	return strings.ToValidUTF8(string(b), "\uFFFD")
}
