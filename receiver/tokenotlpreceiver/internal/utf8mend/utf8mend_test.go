package utf8mend

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func FuzzMend(f *testing.F) {
	for _, seed := range []string{"", "a", "\xff", "a\xff\xfeb", "\xffa\xffa", "é\xc3", "\uFFFD\xff\uFFFD", "\xed\xa0\x80"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want := strings.ToValidUTF8(s, "\uFFFD")
		require.Equal(t, want, string(Append(nil, []byte(s))))
		growth := Growth([]byte(s))
		require.Equal(t, int64(len(want)-len(s)), growth)
		require.Equal(t, want, String([]byte(s), growth))
	})
}

func TestStringTakesItsLength(t *testing.T) {
	s := []byte(strings.Repeat("a\xff", 100))
	require.InDelta(t, 1, testing.AllocsPerRun(10, func() { _ = String(s, Growth(s)) }), 0)
}
