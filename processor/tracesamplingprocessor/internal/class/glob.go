package class

import (
	"bytes"
	"errors"
)

var (
	errGlobEmpty  = errors.New("must not be empty")
	errGlobEscape = errors.New(`a backslash must be followed by * or \`)
)

// glob matches a whole value. `*` stands for any run of bytes, `/` included;
// everything else stands for itself, because route templates are full of
// braces, brackets and question marks. `\*` is a literal asterisk.
type glob struct {
	// parts are the literals between the asterisks; one part means no asterisk.
	parts [][]byte
}

func compileGlob(pattern string) (glob, error) {
	if pattern == "" {
		return glob{}, errGlobEmpty
	}
	g := glob{parts: make([][]byte, 1)}
	literal := func(c byte) {
		last := &g.parts[len(g.parts)-1]
		*last = append(*last, c)
	}
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; c {
		case '*':
			g.parts = append(g.parts, nil)
		case '\\':
			i++
			if i == len(pattern) || (pattern[i] != '*' && pattern[i] != '\\') {
				return glob{}, errGlobEscape
			}
			literal(pattern[i])
		default:
			literal(c)
		}
	}
	return g, nil
}

func compileGlobs(patterns []string) []glob {
	globs := make([]glob, 0, len(patterns))
	for _, p := range patterns {
		if g, err := compileGlob(p); err == nil {
			globs = append(globs, g)
		}
	}
	return globs
}

// match takes the first place for each literal between the first and the last,
// which is enough as `*` is the only wildcard: linear in the value's length
// for each literal.
func (g glob) match(value []byte) bool {
	first := g.parts[0]
	if len(g.parts) == 1 {
		return bytes.Equal(value, first)
	}
	last := g.parts[len(g.parts)-1]
	if len(value) < len(first)+len(last) || !bytes.HasPrefix(value, first) || !bytes.HasSuffix(value, last) {
		return false
	}
	value = value[len(first) : len(value)-len(last)]
	for _, part := range g.parts[1 : len(g.parts)-1] {
		i := bytes.Index(value, part)
		if i < 0 {
			return false
		}
		value = value[i+len(part):]
	}
	return true
}

func anyMatch(globs []glob, value []byte) bool {
	for _, g := range globs {
		if g.match(value) {
			return true
		}
	}
	return false
}

// contains reports whether g matches everything that o matches: whether it
// matches o's literals with, for each asterisk, a byte that only an asterisk of
// g can match.
func (g glob) contains(o glob) bool {
	if len(o.parts) == 1 {
		return g.match(o.parts[0])
	}
	for stranger := range 256 {
		if b := []byte{byte(stranger)}; !bytes.Contains(bytes.Join(g.parts, nil), b) {
			return g.match(bytes.Join(o.parts, b))
		}
	}
	return false
}
