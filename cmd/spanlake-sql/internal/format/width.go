package format

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// Printable escapes what would move the cursor or change the terminal. Cells
// hold what clients sent, so control characters, invisible ones and those that
// turn the direction of text are shown as escapes.
func Printable(text []byte) string {
	plain := true
	for _, c := range text {
		if c < ' ' || c >= 0x7f {
			plain = false
			break
		}
	}
	if plain {
		return string(text)
	}
	var out strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		text = text[size:]
		switch {
		case r == '\n':
			out.WriteString(`\n`)
		case r == '\r':
			out.WriteString(`\r`)
		case r == '\t':
			out.WriteString(`\t`)
		case unicode.IsGraphic(r):
			out.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&out, `\U%08x`, r)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
	}
	return out.String()
}

// PrintableLines is Printable for each line of a text: what the engine says of an
// error quotes the values that clients sent.
func PrintableLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = Printable([]byte(line))
	}
	return strings.Join(lines, "\n")
}

// DisplayWidth is the number of terminal cells that text takes: two for wide
// East Asian characters and emoji, none for combining marks.
func DisplayWidth(text string) int {
	cells := 0
	for _, r := range text {
		switch {
		case r < utf8.RuneSelf:
			cells++
		case unicode.In(r, unicode.Mn, unicode.Me):
		case wide(r):
			cells += 2
		default:
			cells++
		}
	}
	return cells
}

func wide(r rune) bool {
	kind := width.LookupRune(r).Kind()
	return kind == width.EastAsianWide || kind == width.EastAsianFullwidth
}
