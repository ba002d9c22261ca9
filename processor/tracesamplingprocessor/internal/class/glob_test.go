package class

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestGlob(t *testing.T) {
	for _, tc := range []struct {
		pattern, value string
		want           bool
	}{
		{"/livez", "/livez", true},
		{"/livez", "/livez/", false},
		{"/health*", "/health", true},
		{"/health*", "/healthz/db", true},
		{"/health*", "/api/health", false},
		{"*health*", "/api/health", true},
		{"*/health", "/api/health", true},
		{"/a*a", "/a", false},
		{"/a*a", "/aa", true},
		{"a*b*c", "a-b-c", true},
		{"a*b*c", "a-c-b", false},
		{"a*b*b", "a-b", false},
		{"**", "", true},
		{"*", "anything", true},
		{"/users/{id}", "/users/{id}", true},
		{"/users/{id}", "/users/i", false},
		{"/posts/[slug]", "/posts/[slug]", true},
		{"/a?", "/ab", false},
		{`/a\*`, "/a*", true},
		{`/a\*`, "/ab", false},
		{`\\`, `\`, true},
	} {
		t.Run(tc.pattern+" on "+tc.value, func(t *testing.T) {
			g, err := compileGlob(tc.pattern)
			require.NoError(t, err)
			require.Equal(t, tc.want, g.match([]byte(tc.value)))
		})
	}
}

func TestGlobRefusesBadPatterns(t *testing.T) {
	_, err := compileGlob("")
	require.ErrorIs(t, err, errGlobEmpty)
	for _, pattern := range []string{`\`, `/a\`, `\a`, `\\\`} {
		_, err := compileGlob(pattern)
		require.ErrorIs(t, err, errGlobEscape, pattern)
	}
}

func FuzzGlobEqualsRegexp(f *testing.F) {
	f.Add("/a*b*c", "/a1b2c")
	f.Add(`\**`, "*x")
	f.Fuzz(func(t *testing.T, pattern, value string) {
		g, err := compileGlob(pattern)
		if err != nil {
			return
		}
		var re strings.Builder
		re.WriteString(`(?s)^`)
		for i, part := range g.parts {
			if i > 0 {
				re.WriteString(`.*`)
			}
			for _, c := range part {
				re.WriteString(regexp.QuoteMeta(hexByte(c)))
			}
		}
		re.WriteString(`$`)
		var hex strings.Builder
		for i := range len(value) {
			hex.WriteString(hexByte(value[i]))
		}
		require.Equal(t, regexp.MustCompile(re.String()).MatchString(hex.String()), g.match([]byte(value)))
	})
}

// hexByte keeps bytes that are not UTF-8 apart; the colon keeps matches on byte
// boundaries.
func hexByte(c byte) string {
	const digits = "0123456789abcdef"
	return ":" + digits[c>>4:c>>4+1] + digits[c&15:c&15+1]
}
