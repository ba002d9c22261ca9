package logcorrelationprocessor

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/xpdata"
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

// parseJSON reads a JSON object by RFC 8259 into dst, where nothing gets lost by
// it: no key is there twice, no string holds half a surrogate pair, and a number
// that neither 64 bits nor a double hold becomes a string of its digits. Strings
// without escapes share the memory of s.
func (p *parser) parseJSON(dst pcommon.Map, s string) bool {
	p.s, p.pos, p.failed, p.values = s, 0, false, 0
	p.object(dst, 1)
	p.s = ""
	return !p.failed && p.pos == len(s)
}

// parser reads text into maps. It is used again for the sake of its builders,
// one for each level of nesting; it does not hold on to the text.
type parser struct {
	s        string
	pos      int
	failed   bool
	values   int // so far
	builders [maxJSONDepth]xpdata.MapBuilder
}

func (p *parser) skipSpace() {
	for p.pos < len(p.s) {
		if !isBlank(p.s[p.pos]) {
			return
		}
		p.pos++
	}
}

func (p *parser) accept(c byte) bool {
	if p.pos < len(p.s) && p.s[p.pos] == c {
		p.pos++
		return true
	}
	return false
}

func (p *parser) expect(text string) {
	if strings.HasPrefix(p.s[p.pos:], text) {
		p.pos += len(text)
	} else {
		p.failed = true
	}
}

// Room for the members of most objects.
const (
	usualMembers       = 8
	usualNestedMembers = 3
)

func (p *parser) object(dst pcommon.Map, depth int) {
	p.expect("{")
	p.skipSpace()
	if p.failed || depth > maxJSONDepth || p.accept('}') {
		p.failed = p.failed || depth > maxJSONDepth
		return
	}
	b := &p.builders[depth-1]
	if depth == 1 {
		b.EnsureCapacity(usualMembers)
	} else {
		b.EnsureCapacity(usualNestedMembers)
	}
	for more := true; more && !p.failed; more = p.accept(',') {
		p.skipSpace()
		key := p.string()
		p.skipSpace()
		p.expect(":")
		p.skipSpace()
		if !p.failed {
			p.value(b.AppendEmpty(key), depth+1)
		}
		p.skipSpace()
	}
	p.expect("}")
	b.UnsafeIntoMap(dst) // in any case, so that the builder is empty
	p.failed = p.failed || hasTwice(dst)
}

// hasTwice reports whether m has a key twice.
func hasTwice(m pcommon.Map) bool {
	const few = 16 // up to here a scan is quicker than a map
	if m.Len() > few {
		seen := make(map[string]struct{}, m.Len())
		for key := range m.All() {
			seen[key] = struct{}{}
		}
		return len(seen) < m.Len()
	}
	var keys [few]string
	n := 0
	for key := range m.All() {
		if slices.Contains(keys[:n], key) {
			return true
		}
		keys[n] = key
		n++
	}
	return false
}

func (p *parser) list(dst pcommon.Slice, depth int) {
	p.expect("[")
	p.skipSpace()
	if p.failed || depth > maxJSONDepth || p.accept(']') {
		p.failed = p.failed || depth > maxJSONDepth
		return
	}
	for more := true; more; more = p.accept(',') {
		p.skipSpace()
		p.value(dst.AppendEmpty(), depth+1)
		p.skipSpace()
		if p.failed {
			return
		}
	}
	p.expect("]")
}

func (p *parser) value(dst pcommon.Value, depth int) {
	if p.values++; p.pos >= len(p.s) || p.values > maxValues {
		p.failed = true
		return
	}
	switch p.s[p.pos] {
	case '{':
		p.object(dst.SetEmptyMap(), depth)
	case '[':
		p.list(dst.SetEmptySlice(), depth)
	case '"':
		dst.SetStr(p.string())
	case 't':
		p.expect("true")
		dst.SetBool(true)
	case 'f':
		p.expect("false")
		dst.SetBool(false)
	case 'n':
		p.expect("null")
	default:
		p.number(dst)
	}
}

func (p *parser) digits() int {
	start := p.pos
	for p.pos < len(p.s) && isDigit(p.s[p.pos]) {
		p.pos++
	}
	return p.pos - start
}

func (p *parser) number(dst pcommon.Value) {
	start := p.pos
	p.accept('-')
	if !p.accept('0') && p.digits() == 0 {
		p.failed = true
		return
	}
	whole := true
	if p.accept('.') {
		whole = false
		p.failed = p.failed || p.digits() == 0
	}
	if p.accept('e') || p.accept('E') {
		whole = false
		if !p.accept('+') {
			p.accept('-')
		}
		p.failed = p.failed || p.digits() == 0
	}
	text := p.s[start:p.pos]
	switch {
	case p.failed:
		return
	case whole && text != "-0":
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			dst.SetInt(n)
			return
		}
	default:
		if d, err := strconv.ParseFloat(text, 64); err == nil && keepsDigits(d, text) {
			dst.SetDouble(d)
			return
		}
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

func (p *parser) string() string {
	p.expect(`"`)
	if p.failed {
		return ""
	}
	start := p.pos
	for ; p.pos < len(p.s); p.pos++ {
		switch c := p.s[p.pos]; {
		case c == '"':
			p.pos++
			return p.s[start : p.pos-1]
		case c == '\\':
			return p.escaped(start)
		case c < ' ':
			p.failed = true
			return ""
		}
	}
	p.failed = true
	return ""
}

// escaped reads on in a string that began at start, from its first escape.
func (p *parser) escaped(start int) string {
	end := stringEnd(p.s[p.pos:])
	if end < 0 {
		p.failed = true
		return ""
	}
	end += p.pos
	text := make([]byte, 0, end-start) // escapes make nothing longer
	text = append(text, p.s[start:p.pos]...)
	for p.pos < end && !p.failed {
		switch c := p.s[p.pos]; {
		case c == '\\':
			p.pos++
			text = p.escape(text)
		case c < ' ':
			p.failed = true
		default:
			text = append(text, c)
			p.pos++
		}
	}
	p.pos = end + 1
	return string(text)
}

var escapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

func (p *parser) escape(text []byte) []byte {
	c := p.s[p.pos]
	p.pos++
	if c != 'u' {
		p.failed = p.failed || escapes[c] == 0
		return append(text, escapes[c])
	}
	r := p.hex4()
	if utf16.IsSurrogate(r) {
		p.expect(`\u`)
		if p.failed {
			return text
		}
		r = utf16.DecodeRune(r, p.hex4())
		p.failed = p.failed || r == utf8.RuneError
	}
	return utf8.AppendRune(text, r)
}

func (p *parser) hex4() rune {
	if len(p.s)-p.pos < 4 {
		p.failed = true
		return 0
	}
	// ParseUint takes a sign or an underscore with other bases only.
	n, err := strconv.ParseUint(p.s[p.pos:p.pos+4], 16, 16)
	p.failed = p.failed || err != nil
	p.pos += 4
	return rune(n)
}
