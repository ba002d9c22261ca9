package logcorrelationprocessor

import (
	"encoding/binary"
	"math/bits"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// maxJSONDepth bounds the nesting of text that is parsed.
const maxJSONDepth = 32

// hasJSONKey reports whether a string that is a key anywhere in s is known to l,
// or cannot be told without reading its escapes. It goes from colon to colon: a
// key ends before one, and most are not worth the way back to where it begins.
// Where s is no JSON, it may report what is none.
func hasJSONKey(s string, l *level) bool {
	if strings.IndexByte(s, '\\') >= 0 {
		for i := range len(s) {
			if s[i] == ':' && isJSONKey(s[:i], l) {
				return true
			}
		}
		return false
	}
	for i := 0; ; i++ {
		if i = l.nextEnd(s, i, ':', len(`"`)); i < 0 {
			return false
		}
		if isJSONKey(s[:i], l) {
			return true
		}
	}
}

// isJSONKey reports so of the key that a colon behind s ends.
func isJSONKey(s string, l *level) bool {
	s = trimRight(s)
	if s == "" || s[len(s)-1] != '"' {
		return false
	}
	if s = s[:len(s)-1]; isEscaped(s) { // a quote within a string
		return false
	}
	start := strings.LastIndexByte(s, '"') + 1
	key := s[start:]
	return strings.IndexByte(key, '\\') >= 0 || start > 0 && isEscaped(s[:start-1]) || l.find(key) != nil
}

// isEscaped reports whether what comes behind s is escaped: an odd number of
// backslashes comes before it.
func isEscaped(s string) bool {
	odd := false
	for i := len(s); i > 0 && s[i-1] == '\\'; i-- {
		odd = !odd
	}
	return odd
}

// stringEnd is the position of the quote that ends a string with escapes.
func stringEnd(s string) int {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}

// readJSON reads a JSON object by RFC 8259, where nothing gets lost by it: no key
// is there twice, no string holds half a surrogate pair. Strings without escapes
// share the memory of s.
func (p *parser) readJSON(s string) bool {
	p.begin(s)
	return p.at(0) == '{' && p.object(0, 0, 1) == len(s)
}

// at is the byte at i, or one that begins or ends nothing.
func (p *parser) at(i int) byte {
	if i < len(p.text) {
		return p.text[i]
	}
	return 0
}

func (p *parser) skipSpace(i int) int {
	for i < len(p.text) && p.text[i] <= ' ' && isBlank(p.text[i]) {
		i++
	}
	return i
}

// What follows reads what begins at i and returns where it ends, or failed.
const failed = -1

// object reads the members of the node self.
func (p *parser) object(i, self, depth int) int {
	if depth > maxJSONDepth {
		return failed
	}
	if i = p.skipSpace(i + 1); p.at(i) == '}' {
		return i + 1
	}
	for {
		var key string
		if key, i = p.string(p.skipSpace(i)); i == failed {
			return failed
		}
		if i = p.skipSpace(i); p.at(i) != ':' {
			return failed
		}
		if i = p.value(p.skipSpace(i+1), key, self, depth+1); i == failed {
			return failed
		}
		i = p.skipSpace(i)
		switch p.at(i) {
		case ',':
			i++
		case '}':
			p.nodes[self].end = int16(len(p.nodes))
			if p.hasTwice(self) {
				return failed
			}
			return i + 1
		default:
			return failed
		}
	}
}

func (p *parser) list(i, self, depth int) int {
	if depth > maxJSONDepth {
		return failed
	}
	if i = p.skipSpace(i + 1); p.at(i) == ']' {
		return i + 1
	}
	for {
		if i = p.value(p.skipSpace(i), "", self, depth+1); i == failed {
			return failed
		}
		i = p.skipSpace(i)
		switch p.at(i) {
		case ',':
			i++
		case ']':
			p.nodes[self].end = int16(len(p.nodes))
			return i + 1
		default:
			return failed
		}
	}
}

func (p *parser) value(i int, key string, parent, depth int) int {
	n, self := p.add(key, parent)
	if n == nil {
		return failed
	}
	switch p.at(i) {
	case '{':
		n.kind = nodeMap
		return p.object(i, self, depth)
	case '[':
		n.kind = nodeList
		return p.list(i, self, depth)
	case '"':
		n.kind = nodeString
		n.text, i = p.string(i)
		return i
	case 't':
		n.kind = nodeTrue
		return p.word(i, "true")
	case 'f':
		n.kind = nodeFalse
		return p.word(i, "false")
	case 'n':
		return p.word(i, "null")
	default:
		end, isInteger := p.number(i)
		if end == failed {
			return failed
		}
		if n.kind, n.text = nodeDouble, p.text[i:end]; isInteger {
			n.kind = nodeInteger
		}
		return end
	}
}

func (p *parser) word(i int, word string) int {
	if strings.HasPrefix(p.text[i:], word) {
		return i + len(word)
	}
	return failed
}

// digits goes past digits, of which there must be one.
func (p *parser) digits(i int) int {
	start := i
	for i < len(p.text) && isDigit(p.text[i]) {
		i++
	}
	if i == start {
		return failed
	}
	return i
}

func (p *parser) number(i int) (end int, isInteger bool) {
	start := i
	if p.at(i) == '-' {
		i++
	}
	if p.at(i) == '0' {
		i++
	} else if i = p.digits(i); i == failed {
		return failed, false
	}
	isInteger = p.text[start:i] != "-0"
	if p.at(i) == '.' {
		isInteger = false
		if i = p.digits(i + 1); i == failed {
			return failed, false
		}
	}
	if c := p.at(i); c == 'e' || c == 'E' {
		isInteger = false
		if c = p.at(i + 1); c == '+' || c == '-' {
			i++
		}
		i = p.digits(i + 1)
	}
	return i, isInteger
}

// setNumber sets the value of a number; one that neither 64 bits nor a double
// hold becomes a string of its digits.
func setNumber(dst pcommon.Value, text string, isInteger bool) {
	if isInteger {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			dst.SetInt(n)
			return
		}
	} else if d, err := strconv.ParseFloat(text, 64); err == nil && keepsDigits(d, text) {
		dst.SetDouble(d)
		return
	}
	dst.SetStr(text)
}

// keepsDigits reports whether d, written with the fewest digits that give it
// back, has the digits of text. A double holds any 15.
func keepsDigits(d float64, text string) bool {
	var buf, want, got [40]byte
	const held = 15
	if len(text) <= held {
		return d != 0 || !strings.ContainsAny(text, "123456789") // underflow
	}
	if len(text) > len(buf) {
		return false
	}
	w := significant(want[:0], text)
	return string(w) == string(significant(got[:0], string(strconv.AppendFloat(buf[:0], d, 'e', -1, 64))))
}

// significant appends the digits of a number from its first to its last that is
// not zero.
func significant(dst []byte, number string) []byte {
	zeros := 0
	for _, c := range []byte(number) {
		switch {
		case c == 'e' || c == 'E':
			return dst
		case c == '0' && len(dst) > 0:
			zeros++
		case '1' <= c && c <= '9':
			for ; zeros > 0; zeros-- {
				dst = append(dst, '0')
			}
			dst = append(dst, c)
		}
	}
	return dst
}

func (p *parser) string(i int) (string, int) {
	if p.at(i) != '"' {
		return "", failed
	}
	start := i + 1
	for i = nextSpecial(p.text, start); i < len(p.text); i++ {
		switch c := p.text[i]; {
		case c == '"':
			return p.text[start:i], i + 1
		case c == '\\':
			end := stringEnd(p.text[i:])
			if end < 0 {
				return "", failed
			}
			end += i
			text, ok := unescape(p.text[start:end])
			if !ok {
				return "", failed
			}
			return text, end + 1
		case c < ' ':
			return "", failed
		}
	}
	return "", failed
}

// nextSpecial goes past eight bytes of a string at a time, as long as none of them
// is a quote, a backslash or a control character.
func nextSpecial(s string, i int) int {
	const each, high = 0x0101010101010101, 0x8080808080808080
	for ; i+8 <= len(s); i += 8 {
		x := binary.LittleEndian.Uint64([]byte(s[i : i+8]))
		quote, escape := x^'"'*each, x^'\\'*each // zero where there is one
		special := ((quote-each)&^quote | (escape-each)&^escape | (x-' '*each)&^x) & high
		if special != 0 {
			return i + bits.TrailingZeros64(special)/8 // the lowest is right, see nextEnd
		}
	}
	return i
}

// unescape reads the content of a string with escapes, none of which is cut.
func unescape(s string) (string, bool) {
	text := make([]byte, 0, len(s)) // escapes make nothing longer
	for s != "" {
		switch c := s[0]; {
		case c == '\\':
			var ok bool
			if text, s, ok = escape(text, s[1:]); !ok {
				return "", false
			}
		case c < ' ':
			return "", false
		default:
			text = append(text, c)
			s = s[1:]
		}
	}
	return string(text), true
}

var escapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// escape appends what the escape says whose backslash comes before s, and cuts
// it from s.
func escape(text []byte, s string) ([]byte, string, bool) {
	if s[0] != 'u' {
		c := escapes[s[0]]
		return append(text, c), s[1:], c != 0
	}
	r, s, ok := hex4(s[1:])
	if utf16.IsSurrogate(r) {
		var second rune
		if !ok || !strings.HasPrefix(s, `\u`) {
			return text, s, false
		}
		second, s, ok = hex4(s[2:])
		r = utf16.DecodeRune(r, second)
		ok = ok && r != utf8.RuneError
	}
	return utf8.AppendRune(text, r), s, ok
}

func hex4(s string) (rune, string, bool) {
	if len(s) < 4 {
		return 0, s, false
	}
	// ParseUint takes a sign or an underscore with other bases only.
	n, err := strconv.ParseUint(s[:4], 16, 16)
	return rune(n), s[4:], err == nil
}
