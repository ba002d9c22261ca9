package duck

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// token is a word, folded to lower case, or one character of anything else; "'"
// stands for a string. Comments and space are no tokens.
type token struct {
	text string
	word bool // a name or keyword, quoted or not
}

// lexed is the text of one statement and its tokens.
type lexed struct {
	text   string
	tokens []token
	ends   []int // where each token ends in the text
}

// split cuts a text at the semicolons between statements, as the engine's lexer
// does, and drops what holds no tokens. It only reads: where it disagrees with
// the engine, the engine finds other statements than one in a piece.
func split(sql string) []lexed {
	var pieces []lexed
	var piece lexed
	start := 0
	end := func(at int) {
		if len(piece.tokens) > 0 {
			piece.text = sql[start:at]
			pieces = append(pieces, piece)
		}
		piece = lexed{}
	}
	for at := 0; at < len(sql); {
		size, kind := scan(sql[at:])
		from := at
		at += size
		if kind == scanNothing {
			continue
		}
		t := token{text: sql[from:at]}
		switch {
		case kind == scanString:
			t.text = "'"
		case kind == scanWord:
			t = token{strings.ToLower(t.text), true}
		case kind == scanQuoted:
			t = token{strings.ToLower(strings.ReplaceAll(strings.Trim(t.text, `"`), `""`, `"`)), true}
		case t.text == ";":
			end(from)
			start = at
			continue
		}
		piece.tokens = append(piece.tokens, t)
		piece.ends = append(piece.ends, at-start)
	}
	end(len(sql))
	return pieces
}

type scanned int

const (
	scanNothing scanned = iota // space, a comment
	scanWord
	scanQuoted
	scanString
	scanOther
)

// scan measures what sql, which is not empty, begins with.
func scan(sql string) (int, scanned) {
	r, size := utf8.DecodeRuneInString(sql)
	switch {
	case unicode.IsSpace(r), r >= 0x200b && r <= 0x200d, r == 0x2060, r == 0xfeff:
		return size, scanNothing
	case strings.HasPrefix(sql, "--"):
		if n := strings.IndexAny(sql, "\r\n"); n >= 0 {
			return n, scanNothing
		}
		return len(sql), scanNothing
	case strings.HasPrefix(sql, "/*"):
		return comment(sql), scanNothing
	case r == '\'':
		return quoted(sql, 0, false), scanString
	case (r == 'e' || r == 'E') && strings.HasPrefix(sql[1:], "'"):
		return quoted(sql, 1, true), scanString
	case r == '"':
		return quoted(sql, 0, false), scanQuoted
	case r == '$':
		if n := dollarQuoted(sql); n > 0 {
			return n, scanString
		}
	case wordStart(r):
		n := strings.IndexFunc(sql, func(r rune) bool { return !wordStart(r) && r != '$' && (r < '0' || r > '9') })
		if n < 0 {
			n = len(sql)
		}
		return n, scanWord
	}
	return size, scanOther
}

func wordStart(r rune) bool {
	return r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= utf8.RuneSelf && !unicode.IsSpace(r)
}

// comment is the length of a comment, which may hold others.
func comment(sql string) int {
	depth := 0
	for i := 0; i < len(sql); {
		switch {
		case strings.HasPrefix(sql[i:], "/*"):
			depth, i = depth+1, i+2
		case strings.HasPrefix(sql[i:], "*/"):
			depth, i = depth-1, i+2
			if depth == 0 {
				return i
			}
		default:
			i++
		}
	}
	return len(sql)
}

// quoted is the length up to the quote that ends what the one at open begins. A
// quote that comes twice is part of it.
func quoted(sql string, open int, escapes bool) int {
	for i := open + 1; i < len(sql); i++ {
		switch {
		case escapes && sql[i] == '\\':
			i++
		case sql[i] != sql[open]:
		case i+1 < len(sql) && sql[i+1] == sql[open]:
			i++
		default:
			return i + 1
		}
	}
	return len(sql)
}

// dollarQuoted is the length of $tag$text$tag$, 0 where sql begins otherwise.
func dollarQuoted(sql string) int {
	n := strings.IndexByte(sql[1:], '$')
	if n < 0 {
		return 0
	}
	for i, r := range sql[1 : 1+n] {
		if !wordStart(r) && (i == 0 || r < '0' || r > '9') {
			return 0
		}
	}
	tag := sql[:n+2]
	if end := strings.Index(sql[len(tag):], tag); end >= 0 {
		return end + 2*len(tag)
	}
	return len(sql)
}
