package logcorrelationprocessor

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// A line of logfmt is nothing but key=value pairs with blanks between them. A
// key has letters, digits and _ @ . - / : and begins with one of the first or _ or @.
// A value has no blank, quote or equals sign, or is quoted as in Go. Text in which
// a single word is no pair is no logfmt. As text within text needs quotes, whose
// escapes double its length, there can be few levels of it.

// hasLogfmtKey reports whether all of s, which is not empty, are pairs, and what l
// knows stands before an equals sign, be it in a quoted value. That it does not is
// cheaper to find than that all are pairs.
func hasLogfmtKey(s string, l *level) bool {
	if i := keyLen(s); i == 0 || i == len(s) || s[i] != '=' {
		return false
	}
	for i := 0; ; i++ {
		if i = l.nextEnd(s, i, '=', 0); i < 0 {
			return false
		}
		if l.find(s[keyStart(s[:i]):i]) != nil {
			return isLogfmt(s)
		}
	}
}

// keyStart is where the key begins that s ends in.
func keyStart(s string) int {
	i := len(s)
	for i > 0 && keyBytes[s[i-1]]&keyContinues != 0 {
		i--
	}
	return i
}

// isLogfmt reports whether all of s are pairs.
func isLogfmt(s string) bool {
	ok := true
	for s != "" && ok {
		_, _, s, ok = nextPair(s)
	}
	return ok
}

// readLogfmt reads a line of logfmt whose keys are all different. Strings without
// escapes share the memory of s.
func (p *parser) readLogfmt(s string) bool {
	p.begin(s)
	for s != "" {
		key, value, rest, ok := nextPair(s)
		if !ok {
			return false
		}
		n, _ := p.add(key, 0)
		if n == nil {
			return false
		}
		if n.text, ok = unquote(value); !ok {
			return false
		}
		n.kind = nodeString
		s = rest
	}
	p.nodes[0].end = int16(len(p.nodes))
	return !p.hasTwice(0)
}

// nextPair cuts the first pair and the blanks behind it from s, which is not empty. The value still
// has its quotes.
func nextPair(s string) (key, value, rest string, ok bool) {
	i := keyLen(s)
	if i == 0 || i == len(s) || s[i] != '=' {
		return "", "", "", false
	}
	key, s = s[:i], s[i+1:]
	if s != "" && s[0] == '"' {
		end := stringEnd(s[1:])
		if end < 0 {
			return "", "", "", false
		}
		value, rest = s[:end+2], s[end+2:]
	} else {
		i = 0
		for i < len(s) && !isBlank(s[i]) && s[i] != '"' && s[i] != '=' {
			i++
		}
		value, rest = s[:i], s[i:]
	}
	if rest != "" && !isBlank(rest[0]) {
		return "", "", "", false
	}
	return key, value, trimLeft(rest), true
}

// keyLen is the length of the key that s begins with; s is not empty.
func keyLen(s string) int {
	if keyBytes[s[0]]&keyBegins == 0 {
		return 0
	}
	i := 1
	for i < len(s) && keyBytes[s[i]]&keyContinues != 0 {
		i++
	}
	return i
}

const (
	keyBegins = 1 << iota
	keyContinues
)

var keyBytes = func() (t [256]uint8) {
	for c := range t {
		switch c := byte(c); {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c == '_', c == '@':
			t[c] = keyBegins | keyContinues
		case isDigit(c), c == '.', c == '-', c == '/', c == ':':
			t[c] = keyContinues
		}
	}
	return t
}()

func unquote(value string) (string, bool) {
	if value == "" || value[0] != '"' {
		return value, true
	}
	text, err := strconv.Unquote(value)
	return text, err == nil && (utf8.ValidString(text) || !strings.Contains(value, `\`))
}
