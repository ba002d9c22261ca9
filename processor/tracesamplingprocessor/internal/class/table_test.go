package class

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func table(t *testing.T, classes ...Config) *Table {
	t.Helper()
	tab, err := NewTable(append(classes, Config{Name: "rest", Keep: "100%"}))
	require.NoError(t, err)
	return tab
}

func class(m Match) Config { return Config{Name: "under test", Keep: "100%", Match: &m} }

func TestClassifyByStatusOfTheTrace(t *testing.T) {
	for _, tc := range []struct {
		status string
		seen   Status
		want   bool
	}{
		{"error", StatusError, true},
		{"error", StatusError | StatusOK, true},
		{"error", StatusOK, false},
		{"error", 0, false},
		{"ok", StatusOK, true},
		{"ok", StatusOK | StatusError, false},
		{"ok", 0, false},
		{"unset", 0, true},
		{"unset", StatusOK, false},
		{"unset", StatusError, false},
	} {
		tab := table(t, class(Match{Status: tc.status}))
		require.Equal(t, tc.want, tab.Classify(&Facts{Status: tc.seen}) == 0, "%s on %d", tc.status, tc.seen)
	}
}

func TestClassifyByDurationIsExactToTheNanosecond(t *testing.T) {
	tab := table(t, class(Match{MinDuration: time.Second}))
	for _, tc := range []struct {
		name       string
		start, end uint64
		want       bool
	}{
		{"just", 5, 1_000_000_005, true},
		{"short by one", 5, 1_000_000_004, false},
		{"end before start", 2_000_000_000, 1, false},
		{"start unknown", 0, 5_000_000_000, false},
		{"beyond int64", 1, 1<<64 - 1, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			require.Equal(t, tc.want, tab.Classify(&Facts{Start: tc.start, End: tc.end}) == 0)
		})
	}
}

func TestUpperBoundsAreInclusive(t *testing.T) {
	tab := table(t, class(Match{MaxDuration: 10 * time.Microsecond, MinSpans: 2, MaxSpans: 3}))
	for _, tc := range []struct {
		name  string
		facts Facts
		want  bool
	}{
		{"at the bounds", Facts{Start: 5, End: 10_005, Spans: 3}, true},
		{"longer by one", Facts{Start: 5, End: 10_006, Spans: 3}, false},
		{"more spans", Facts{Start: 5, End: 10_005, Spans: 4}, false},
		{"fewer spans", Facts{Start: 5, End: 10_005, Spans: 1}, false},
		{"most spans", Facts{Start: 5, End: 10_005, Spans: 1<<32 - 1}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			require.Equal(t, tc.want, tab.Classify(&tc.facts) == 0)
		})
	}
}

func TestConditionsHoldOverTheWholeTrace(t *testing.T) {
	tab := table(t, class(Match{Status: "error", Routes: []string{"/checkout*"}, Services: []string{"shop", "pay*"}}))
	var whole Facts
	for _, add := range []func(*Facts){
		func(f *Facts) { tab.Routes([]byte("/checkout/1"), true, &f.Met) },
		func(f *Facts) { tab.Services([]byte("payments"), &f.Met) },
		func(f *Facts) { f.Status = StatusError },
	} {
		require.Equal(t, 1, tab.Classify(&whole), "not before every condition is met")
		var span Facts
		add(&span)
		whole.Merge(&span)
	}
	require.Equal(t, 0, tab.Classify(&whole))
}

func TestRoutesMeanTheRootUnlessAnySpan(t *testing.T) {
	root := table(t, class(Match{Routes: []string{"/a"}}))
	anySpan := table(t, class(Match{Routes: []string{"/a"}, AnySpan: true}))
	for _, tc := range []struct {
		name   string
		tab    *Table
		isRoot bool
		want   bool
	}{
		{"root of root", root, true, true},
		{"child of root", root, false, false},
		{"root of any", anySpan, true, true},
		{"child of any", anySpan, false, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var f Facts
			require.Equal(t, tc.want, tc.tab.WantsRoutes(tc.isRoot))
			tc.tab.Routes([]byte("/a"), tc.isRoot, &f.Met)
			require.Equal(t, tc.want, tc.tab.Classify(&f) == 0)
		})
	}
	require.False(t, table(t, class(Match{Status: "ok"})).WantsRoutes(true))
}

func TestFirstMatchWinsAmongTheMostClasses(t *testing.T) {
	var classes []Config
	for i := range MaxClasses - 1 {
		name := string(rune('a'+i%26)) + string(rune('a'+i/26))
		classes = append(classes, Config{Name: name, Keep: "100%", Match: &Match{Routes: []string{name}, Services: []string{"*"}}})
	}
	tab := table(t, classes...)
	for i := range classes {
		var f Facts
		tab.Services([]byte("s"), &f.Met)
		tab.Routes([]byte(classes[i].Name), true, &f.Met)
		require.Equal(t, i, tab.Classify(&f))
		tab.Routes([]byte(classes[0].Name), true, &f.Met)
		require.Equal(t, 0, tab.Classify(&f))
	}
}

func TestOverruleNeedsProofFromTheLateSpansAlone(t *testing.T) {
	tab := table(t,
		Config{Name: "quiet", Keep: "0%", Match: &Match{Status: "unset"}},
		Config{Name: "errors", Keep: "100%", Match: &Match{Status: "error"}},
		Config{Name: "shop", Keep: "50%", Match: &Match{Services: []string{"shop"}}},
		Config{Name: "short", Keep: "50%", Match: &Match{Any: []Match{{MaxDuration: time.Second}, {Services: []string{"shop"}}}}},
		Config{Name: "other", Keep: "50%", Match: &Match{Not: &Match{Services: []string{"db"}}}},
		Config{Name: "large", Keep: "50%", Match: &Match{Any: []Match{{MinSpans: 5}, {Services: []string{"db"}}}}},
	)
	got, ok := tab.Overrule(&Facts{Status: StatusError}, 3)
	require.True(t, ok)
	require.Equal(t, 1, got)
	_, ok = tab.Overrule(&Facts{}, 3)
	require.False(t, ok, "that no late span has a status says nothing about the trace")
	_, ok = tab.Overrule(&Facts{Status: StatusError}, 1)
	require.False(t, ok, "only an earlier class overrules")
	got, ok = tab.Overrule(&Facts{Spans: 5}, 6)
	require.True(t, ok)
	require.Equal(t, 5, got, "an any of branches that more spans cannot unmake")
}

func TestOverrulePassesOverClassesThatBoundTheirRate(t *testing.T) {
	tab := table(t,
		Config{Name: "debug", Keep: "100%", MaxTracesPerSecond: 1, Match: &Match{Services: []string{"shop"}}},
		Config{Name: "errors", Keep: "100%", Match: &Match{Status: "error"}},
	)
	late := Facts{Status: StatusError}
	tab.Services([]byte("shop"), &late.Met)
	require.Equal(t, 0, tab.Classify(&late))
	got, ok := tab.Overrule(&late, 2)
	require.True(t, ok)
	require.Equal(t, 1, got)
	_, ok = tab.Overrule(&late, 1)
	require.False(t, ok)
}

func TestFactsMergeInAnyOrder(t *testing.T) {
	a := Facts{Start: 10, End: 20, Status: StatusOK, Spans: 2}
	b := Facts{Start: 0, End: 30, Status: StatusError, Spans: 3}
	ab, ba := a, b
	ab.Merge(&b)
	ba.Merge(&a)
	require.Equal(t, Facts{Start: 10, End: 30, Status: StatusOK | StatusError, Spans: 5}, ab)
	require.Equal(t, ab, ba)
}
