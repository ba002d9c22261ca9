package logcorrelationprocessor

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/xpdata"
)

// A line of logfmt is nothing but key=value pairs with blanks between them. A
// key has letters, digits and _ . - / @ : and begins with none of the last four.
// A value has no blank and no quote, or is quoted as in Go. Text in which a
// single word is no pair is no logfmt.

// hasLogfmtKey reports whether all of s are pairs, one at least with a key that
// l knows.
func hasLogfmtKey(s string, l *level) bool {
	known := false
	for s != "" {
		key, _, rest, ok := nextPair(s)
		if !ok {
			return false
		}
		known = known || l.find(key) != nil
		s = rest
	}
	return known
}

// parseLogfmt reads a line of logfmt whose keys are all different. Strings
// without escapes share the memory of s.
func parseLogfmt(s string) (pcommon.Map, bool) {
	v := pcommon.NewValueMap()
	var b xpdata.MapBuilder
	b.EnsureCapacity(usualMembers)
	for s != "" {
		key, value, rest, ok := nextPair(s)
		if !ok {
			return v.Map(), false
		}
		if value, ok = unquote(value); !ok {
			return v.Map(), false
		}
		b.AppendEmpty(key).SetStr(value)
		s = rest
	}
	b.UnsafeIntoMap(v.Map())
	return v.Map(), !hasTwice(v.Map())
}

// nextPair cuts the first pair and the blanks behind it from s. The value still
// has its quotes.
func nextPair(s string) (key, value, rest string, ok bool) {
	i := 0
	for i < len(s) && isKey(s[i], i == 0) {
		i++
	}
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
		if i = strings.IndexAny(s, " \t\""); i < 0 {
			i = len(s)
		}
		value, rest = s[:i], s[i:]
	}
	if rest != "" && rest[0] != ' ' && rest[0] != '\t' {
		return "", "", "", false
	}
	return key, value, strings.TrimLeft(rest, " \t"), true
}

func isKey(c byte, first bool) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c == '_', c == '@':
		return true
	default:
		return !first && (isDigit(c) || c == '.' || c == '-' || c == '/' || c == ':')
	}
}

func unquote(value string) (string, bool) {
	if value == "" || value[0] != '"' {
		return value, true
	}
	text, err := strconv.Unquote(value)
	return text, err == nil && (utf8.ValidString(text) || !strings.Contains(value, `\`))
}
