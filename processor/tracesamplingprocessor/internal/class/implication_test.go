package class

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func attributes(a ...Attribute) Match { return Match{Attributes: a} }

func TestUnreachable(t *testing.T) {
	for _, tc := range []struct {
		name           string
		earlier, later Match
		want           bool
	}{
		{"longer", Match{MinDuration: time.Second}, Match{MinDuration: 2 * time.Second}, true},
		{"shorter", Match{MinDuration: 2 * time.Second}, Match{MinDuration: time.Second}, false},
		{"narrower bounds", Match{MinDuration: time.Second, MaxDuration: 9 * time.Second, MaxSpans: 9}, Match{MinDuration: 2 * time.Second, MaxDuration: 8 * time.Second, MaxSpans: 9}, true},
		{"no upper bound", Match{MaxDuration: 9 * time.Second}, Match{MinDuration: time.Second}, false},
		{"every trace has a span", Match{MinSpans: 1}, Match{Services: []string{"a"}}, true},
		{"same status and more", Match{Status: "ok"}, Match{Status: "ok", MinSpans: 2}, true},
		{"other status", Match{Status: "ok"}, Match{Status: "error"}, false},
		{"literal in glob", Match{Routes: []string{"/x", "/a/*"}}, Match{Routes: []string{"/a/b"}}, true},
		{"glob in glob", Match{Routes: []string{"/a*"}}, Match{Routes: []string{"/a/*/c", "/ab*"}}, true},
		{"glob in literal", Match{Routes: []string{"/a/b"}}, Match{Routes: []string{"/a/*"}}, false},
		{"suffix in prefix", Match{Routes: []string{"/a*"}}, Match{Routes: []string{"*/a"}}, false},
		{"one pattern outside", Match{Routes: []string{"/a*"}}, Match{Routes: []string{"/a", "/b"}}, false},
		{"traces without route", Match{Routes: []string{"*"}}, Match{Services: []string{"a"}}, false},
		{"root in any span", Match{Routes: []string{"/a"}, AnySpan: true}, Match{Routes: []string{"/a"}}, true},
		{"any span in root", Match{Routes: []string{"/a"}}, Match{Routes: []string{"/a"}, AnySpan: true}, false},
		{"fewer kinds", Match{Kinds: []string{"server", "client"}}, Match{Kinds: []string{"client"}, RootOnly: true}, true},
		{"more kinds", Match{Kinds: []string{"client"}}, Match{Kinds: []string{"server", "client"}}, false},
		{"narrower range", attributes(Attribute{Key: "c", Min: new(float64(400))}), attributes(Attribute{Key: "c", Min: new(float64(500)), Max: new(float64(599))}), true},
		{"wider range", attributes(Attribute{Key: "c", Min: new(float64(500)), Max: new(float64(599))}), attributes(Attribute{Key: "c", Min: new(float64(400))}), false},
		{"other key", attributes(Attribute{Key: "c"}), attributes(Attribute{Key: "d"}), false},
		{"some value", attributes(Attribute{Key: "c"}), attributes(Attribute{Key: "c", Values: []string{"x"}}), true},
		{"no value needed", attributes(Attribute{Key: "c", Values: []string{"*"}}), attributes(Attribute{Key: "c"}), false},
		{"fewer values", attributes(Attribute{Key: "c", Values: []string{"gold", "plat*"}}), attributes(Attribute{Key: "c", Values: []string{"platinum"}}), true},
		{"values in range", attributes(Attribute{Key: "c", Min: new(float64(1))}), attributes(Attribute{Key: "c", Values: []string{"1", "20"}}), true},
		{"glob in range", attributes(Attribute{Key: "c", Min: new(float64(1))}), attributes(Attribute{Key: "c", Values: []string{"1*"}}), false},
		{"range in values", attributes(Attribute{Key: "c", Values: []string{"*"}}), attributes(Attribute{Key: "c", Min: new(float64(1))}), false},
		{"attributes met apart", attributes(Attribute{Key: "c"}, Attribute{Key: "d"}), attributes(Attribute{Key: "c"}, Attribute{Key: "d", Min: new(float64(1))}), true},
		{"same condition", Match{Condition: "IsRootSpan()"}, Match{Condition: "IsRootSpan()", Status: "ok"}, true},
		{"any of the earlier", Match{Any: []Match{{Status: "error"}, {MinSpans: 5}}}, Match{MinSpans: 6}, true},
		{"one branch of the later outside", Match{MinSpans: 5}, Match{Any: []Match{{Status: "error"}, {MinSpans: 6}}}, false},
		{"branches in branches", Match{Any: []Match{{Status: "error"}, {MinSpans: 5}}}, Match{Any: []Match{{MinSpans: 6}, {Status: "error", MinSpans: 2}}}, true},
		{"not of the earlier", Match{Not: &Match{Status: "ok"}}, Match{Status: "error"}, true},
		{"not of the earlier in not of the later", Match{Not: &Match{Routes: []string{"/a"}}}, Match{Not: &Match{Routes: []string{"/a*"}}}, true},
		{"wider not of the earlier", Match{Not: &Match{Routes: []string{"/a*"}}}, Match{Not: &Match{Routes: []string{"/a"}}}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tab := table(t, Config{Name: "quiet", Keep: "1%", Match: &Match{Status: "unset", Services: []string{"nobody"}}},
				Config{Name: "earlier", Keep: "1%", Match: &tc.earlier}, Config{Name: "later", Keep: "1%", Match: &tc.later})
			if tc.want {
				require.Contains(t, tab.Unreachable(), Shadow{Class: "later", By: "earlier"})
			} else {
				require.Empty(t, tab.Unreachable())
			}
		})
	}
}

func TestTheLastClassCanBeUnreachableToo(t *testing.T) {
	tab := table(t, class(Match{MinSpans: 1}))
	require.Equal(t, []Shadow{{Class: "rest", By: "under test"}}, tab.Unreachable())
}

func TestProofsAreGivenUpWhenTheyTakeTooLong(t *testing.T) {
	m := Match{Status: "error"}
	for range maxNesting {
		m = Match{Any: []Match{m, m, m, m, m, m, m, m}}
	}
	tab := table(t, class(Match{Status: "error"}), Config{Name: "later", Keep: "1%", Match: &m})
	require.Empty(t, tab.Unreachable())
}

func TestGlobContains(t *testing.T) {
	g := func(pattern string) glob { return compileGlobs([]string{pattern})[0] }
	for _, tc := range []struct {
		outer, inner string
		want         bool
	}{
		{"*", "", true},
		{"*", "a*b", true},
		{"a*", "a*", true},
		{"a*", "ab*c", true},
		{"*c", "ab*c", true},
		{"a*b*c", "a*bb*c", true},
		{"a*b*c", "a*c", false},
		{"a", "a*", false},
		{"a*a", "a*", false},
		{"ab*", "a*", false},
		{"*", "**", true},
		{"a\x00*", "a*", false},
		{`\**`, "a*", false},
	} {
		inner := glob{parts: [][]byte{nil}}
		if tc.inner != "" {
			inner = g(tc.inner)
		}
		require.Equal(t, tc.want, g(tc.outer).contains(inner), "%q in %q", tc.inner, tc.outer)
	}
}
