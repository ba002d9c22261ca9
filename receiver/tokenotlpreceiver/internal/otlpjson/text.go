package otlpjson

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// next skips white space and returns the byte at pos, zero at the end of the
// input. No JSON token begins with a zero byte.
func (t *transcoder) next() byte {
	for ; t.pos < len(t.src); t.pos++ {
		if c := t.src[t.pos]; c > ' ' || c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return c
		}
	}
	return 0
}

// has reports whether s stands at pos.
func (t *transcoder) has(s string) bool { return hasAt(t.src, t.pos, s) }

func hasAt(src []byte, pos int, s string) bool {
	return len(src)-pos >= len(s) && string(src[pos:pos+len(s)]) == s
}

func (t *transcoder) literal(s string) bool {
	if !t.has(s) {
		return t.fail(t.pos, "not JSON")
	}
	t.pos += len(s)
	return true
}

// stringEnd returns the position of the first byte from pos on that is a quote,
// a backslash or a control character; len(src) when there is none.
func stringEnd(src []byte, pos int) int {
	const (
		ones    = 0x0101010101010101
		highs   = 0x8080808080808080
		quotes  = ones * '"'
		slashes = ones * '\\'
		blanks  = ones * ' '
	)
	for len(src)-pos >= 8 {
		// Eight bytes at once; the lowest byte that is sought sets the lowest of
		// the high bits (Hacker's Delight, zero byte in a word).
		v := binary.LittleEndian.Uint64(src[pos:])
		q, s := v^quotes, v^slashes
		hit := ((q-ones)&^q | (s-ones)&^s | (v-blanks)&^v) & highs
		if hit != 0 {
			return pos + bits.TrailingZeros64(hit)/8
		}
		pos += 8
	}
	for pos < len(src) {
		if c := src[pos]; c == '"' || c == '\\' || c < ' ' {
			return pos
		}
		pos++
	}
	return pos
}

// token reads the string at pos and returns where its content is and whether it
// has escapes, which have not been looked at.
func (t *transcoder) token() (from, to int, escaped, ok bool) {
	if t.pos >= len(t.src) || t.src[t.pos] != '"' {
		return 0, 0, false, t.fail(t.pos, "not a string")
	}
	from = t.pos + 1
	for to = from; ; {
		to = stringEnd(t.src, to)
		switch {
		case to >= len(t.src):
			return 0, 0, false, t.fail(t.pos, "a string without end")
		case t.src[to] == '"':
			t.pos = to + 1
			return from, to, escaped, true
		case t.src[to] == '\\':
			escaped = true
			to += 2
		default:
			return 0, 0, false, t.fail(to, "a control character in a string")
		}
	}
}

// quoted reads the string at pos. What it returns is good until the next write.
func (t *transcoder) quoted() ([]byte, bool) {
	from, to, escaped, ok := t.token()
	if !ok || !escaped {
		return t.src[from:to], ok
	}
	end := len(t.out)
	ok = t.reserve(to-from) && t.unescape(from, to)
	s := t.out[end:]
	t.out = t.out[:end]
	return s, ok
}

// text writes the string at pos as a field.
func (t *transcoder) text(f *field) bool {
	from, to, escaped, ok := t.token()
	// Resolving an escape never makes a string longer.
	if !ok || !t.reserve(scalarRoom+to-from) {
		return false
	}
	t.tag(f)
	if !escaped {
		t.out = append(appendLength(t.out, to-from), t.src[from:to]...)
		return true
	}
	width := varintLen(to - from)
	start := t.open(width)
	return t.unescape(from, to) && t.close(start, width)
}

// unescape appends the content of a string with its escapes resolved. It needs
// room for to-from bytes.
func (t *transcoder) unescape(from, to int) bool {
	for from < to {
		s := t.src[from:to]
		i := bytes.IndexByte(s, '\\')
		if i < 0 {
			t.out = append(t.out, s...)
			return true
		}
		t.out = append(t.out, s[:i]...)
		if i+1 < len(s) && shortEscapes[s[i+1]] != 0 {
			t.out = append(t.out, shortEscapes[s[i+1]])
			from += i + 2
			continue
		}
		r, n := escape(s[i+1:])
		if n == 0 {
			return t.fail(from+i, "not an escape")
		}
		t.out = utf8.AppendRune(t.out, r)
		from += i + 1 + n
	}
	return true
}

// shortEscapes are the escapes of one character.
var shortEscapes = [256]byte{
	'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t',
}

// escape resolves the escape that begins after its backslash and returns its
// length, zero when there is none.
func escape(s []byte) (r rune, n int) {
	const unit, pair = 5, 11 // uXXXX and uXXXX\uXXXX
	if len(s) == 0 {
		return 0, 0
	}
	if c := shortEscapes[s[0]]; c != 0 {
		return rune(c), 1
	}
	if s[0] != 'u' {
		return 0, 0
	}
	r, ok := codeUnit(s[1:])
	if !ok {
		return 0, 0
	}
	if !utf16.IsSurrogate(r) {
		return r, unit
	}
	if len(s) >= pair && s[unit] == '\\' && s[unit+1] == 'u' {
		if low, ok := codeUnit(s[unit+2:]); ok {
			if r := utf16.DecodeRune(r, low); r != utf8.RuneError {
				return r, pair
			}
		}
	}
	return utf8.RuneError, unit
}

func codeUnit(s []byte) (rune, bool) {
	if len(s) < 4 {
		return 0, false
	}
	var r rune
	for _, c := range s[:4] {
		digit := hexDigits[c]
		if digit == notHex {
			return 0, false
		}
		r = r<<4 | rune(digit)
	}
	return r, true
}

// plainAttribute writes an attribute that is a string, written without white
// space or escapes, and reports whether it is one. Most attributes are, and most
// of a request is attributes.
func (t *transcoder) plainAttribute(f *field) bool {
	const (
		first  = `{"key":"`
		second = `","value":{"stringValue":"`
		last   = `"}}`

		keyTag    = 1<<3 | wireLen
		valueTag  = 2<<3 | wireLen
		stringTag = 1<<3 | wireLen
	)
	src := t.src
	if !hasAt(src, t.pos, first) {
		return false
	}
	keyAt := t.pos + len(first)
	keyEnd := stringEnd(src, keyAt)
	if !hasAt(src, keyEnd, second) {
		return false
	}
	valueAt := keyEnd + len(second)
	valueEnd := stringEnd(src, valueAt)
	if !hasAt(src, valueEnd, last) || cap(t.out)-len(t.out) < 2*scalarRoom+valueEnd-keyAt {
		return false
	}
	key, value := src[keyAt:keyEnd], src[valueAt:valueEnd]
	inner := 1 + varintLen(len(value)) + len(value)
	outer := 1 + varintLen(len(key)) + len(key) + 1 + varintLen(inner) + inner
	out := binary.AppendUvarint(t.out, f.tag)
	out = appendLength(out, outer)
	out = append(out, keyTag)
	out = appendLength(out, len(key))
	out = append(out, key...)
	out = append(out, valueTag)
	out = appendLength(out, inner)
	out = append(out, stringTag)
	out = appendLength(out, len(value))
	t.out = append(out, value...)
	t.pos = valueEnd + len(last)
	return true
}
