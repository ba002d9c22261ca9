package class

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/otlpwire"
)

// meets reports whether an attribute with a value, as FromRaw takes it, meets
// the condition.
func meets(t *testing.T, a Attribute, raw any) bool {
	t.Helper()
	s := testSpan{ResourceSpans: ptrace.NewResourceSpans()}
	v := s.ScopeSpans().AppendEmpty().Spans().AppendEmpty().Attributes().PutEmpty(a.Key)
	require.NoError(t, v.FromRaw(raw))
	tab := table(t, class(attributes(a)))
	return tab.Classify(s.facts(t, tab)) == 0
}

func TestAttributeValuesAreComparedAsText(t *testing.T) {
	for _, tc := range []struct {
		name    string
		value   any
		pattern string
		want    bool
	}{
		{"string", "gold", "gold", true},
		{"string by glob", "platinum", "plat*", true},
		{"upper case", "Gold", "gold", false},
		{"true", true, "true", true},
		{"false", false, "true", false},
		{"int", int64(-5), "-5", true},
		{"int by glob", int64(503), "50*", true},
		{"least int", int64(math.MinInt64), "-9223372036854775808", true},
		{"double", 1.5, "1.5", true},
		{"whole double", 5.0, "5", true},
		{"small double", 1e-7, "0.0000001", true},
		{"large double", 1e22, "10000000000000000000000", true},
		{"not a number", math.NaN(), "*", false},
		{"infinite", math.Inf(1), "*", false},
		{"empty", nil, "*", false},
		{"bytes", []byte("gold"), "*", false},
		{"array", []any{"gold"}, "*", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			require.Equal(t, tc.want, meets(t, Attribute{Key: "k", Values: []string{"other", tc.pattern}}, tc.value))
			require.True(t, meets(t, Attribute{Key: "k"}, tc.value), "it is present")
		})
	}
}

func TestAttributeRangesAreExactAndTakeNumbersInStrings(t *testing.T) {
	const large = 1 << 53 // above it float64 knows even numbers only
	for _, tc := range []struct {
		name        string
		value       any
		least, most float64
		want        bool
	}{
		{"int at least", int64(500), 500, 599, true},
		{"int at most", int64(599), 500, 599, true},
		{"int below", int64(499), 500, 599, false},
		{"int above", int64(600), 500, 599, false},
		{"int above a fraction", int64(2), 1.5, 3, true},
		{"int below a fraction", int64(1), 1.5, 3, false},
		{"int beyond 2^53", int64(large + 1), 0, large, false},
		{"least int", int64(math.MinInt64), -1 << 63, 0, true},
		{"greatest int", int64(math.MaxInt64), 1 << 63, 1e300, false},
		{"greatest int below 2^63", int64(math.MaxInt64), 0, 1 << 63, true},
		{"all below int64", int64(math.MinInt64), -1e300, -1e299, false},
		{"double", 1.25, 1.25, 1.25, true},
		{"not a number", math.NaN(), -1e300, 1e300, false},
		{"string", "503", 500, 599, true},
		{"string with fraction", "500.5", 500.5, 500.5, true},
		{"string with exponent", "5e2", 500, 500, true},
		{"signed string", "+5", 5, 5, true},
		{"string beyond 2^53", "9007199254740993", 0, large, false},
		{"string beyond int64", "1e19", 1e19, 1e19, true},
		{"hexadecimal", "0x1F7", 0, 1000, false},
		{"infinite string", "inf", 0, math.MaxFloat64, false},
		{"out of float64", "1e999", 0, math.MaxFloat64, false},
		{"date", "2024-01-01", 0, 1e9, false},
		{"with unit", "503ms", 0, 1e9, false},
		{"empty string", "", -1, 1, false},
		{"bool", true, 0, 1, false},
		{"empty", nil, -1, 1, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			require.Equal(t, tc.want, meets(t, Attribute{Key: "k", Min: &tc.least, Max: &tc.most}, tc.value))
		})
	}
	require.True(t, meets(t, Attribute{Key: "k", Min: new(float64(500))}, math.Inf(1)), "no upper bound")
	require.False(t, meets(t, Attribute{Key: "k", Max: new(float64(500))}, math.Inf(1)))
}

func TestAttributesOfOtherNamesAreNotDecoded(t *testing.T) {
	tab := table(t, class(attributes(Attribute{Key: "debug"})))
	var met Bits
	malformed := []byte{0x80}
	require.NoError(t, tab.Attribute([]byte("other"), malformed, true, &met))
	require.NoError(t, tab.Attribute([]byte("longer"), malformed, true, &met))
	require.ErrorIs(t, tab.Attribute([]byte("debug"), malformed, true, &met), otlpwire.ErrMalformed)
	require.Zero(t, met)
}

func TestWhatNobodyAsksForIsNotWanted(t *testing.T) {
	none := table(t, class(Match{Status: "error"}))
	require.False(t, none.WantsRoutes(true))
	require.False(t, none.WantsAttributes(true))
	require.False(t, none.WantsRootAttributes())
	require.False(t, none.WantsPdata())
	root := table(t, class(Match{Attributes: []Attribute{{Key: "k"}}, RootOnly: true}))
	require.True(t, root.WantsAttributes(true))
	require.False(t, root.WantsAttributes(false))
	require.True(t, root.WantsRootAttributes())
}

func TestConditionsAreShared(t *testing.T) {
	a := Match{Kinds: []string{"server", "client"}, Services: []string{"a", "b"}}
	b := Match{Kinds: []string{"client", "server", "client"}, Services: []string{"b", "a"}, RootOnly: false, Not: &Match{Services: []string{"a"}}}
	tab := table(t, class(a), Config{Name: "b", Keep: "1%", Match: &b})
	require.Len(t, tab.conditions.list, 3)
}

func TestAnExpressionIsEvaluatedWhileItIsNotMet(t *testing.T) {
	tab := table(t, class(Match{Condition: `span.attributes["n"] > 1 and IsString(span.attributes["s"])`}))
	s := testSpan{ResourceSpans: ptrace.NewResourceSpans()}
	span := s.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	var f Facts
	evaluate := func() { tab.Conditions(s.ResourceSpans, s.ScopeSpans().At(0), span, true, &f.Met) }
	evaluate()
	require.Equal(t, 1, tab.Classify(&f))
	span.Attributes().PutInt("n", 2)
	span.Attributes().PutStr("s", "")
	before := pcommon.NewMap()
	span.Attributes().CopyTo(before)
	evaluate()
	require.Equal(t, 0, tab.Classify(&f))
	require.Equal(t, before.AsRaw(), span.Attributes().AsRaw())
}
