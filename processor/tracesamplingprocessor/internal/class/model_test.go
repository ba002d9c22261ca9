package class

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"pgregory.net/rapid"
)

func pick[T any](t *rapid.T, label string, values ...T) T {
	return rapid.SampledFrom(values).Draw(t, label)
}

func chance(t *rapid.T, label string, percent int) bool {
	return rapid.IntRange(1, 100).Draw(t, label) <= percent
}

func someOf(t *rapid.T, label string, values ...string) []string {
	return rapid.SliceOfN(rapid.SampledFrom(values), 1, 2).Draw(t, label)
}

// drawMatch draws few parts, so that one match often implies another.
func drawMatch(t *rapid.T, depth int) Match {
	parts := []string{"status", "duration", "spans", "routes", "services", "kinds", "attributes", "condition", "any", "not"}
	if depth == 0 {
		parts = parts[:8]
	}
	var m Match
	for _, part := range rapid.SliceOfNDistinct(rapid.SampledFrom(parts), 1, 2, rapid.ID[string]).Draw(t, "parts") {
		drawPart(t, &m, part, depth)
	}
	m.RootOnly = len(m.Kinds)+len(m.Attributes)+len(m.Condition) > 0 && rapid.Bool().Draw(t, "root only")
	return m
}

func drawPart(t *rapid.T, m *Match, part string, depth int) {
	switch part {
	case "status":
		m.Status = pick(t, "status", "error", "ok", "unset")
	case "duration":
		least, most := drawBounds(t)
		m.MinDuration, m.MaxDuration = time.Duration(least)*time.Microsecond, time.Duration(most)*time.Microsecond
	case "spans":
		m.MinSpans, m.MaxSpans = drawBounds(t)
	case "routes":
		m.Routes = someOf(t, "routes", "*", "/a", "/a*", "/a/b", "*b", "/*/b")
		m.AnySpan = rapid.Bool().Draw(t, "any span")
	case "services":
		m.Services = someOf(t, "services", "*", "shop", "s*", "db")
	case "kinds":
		m.Kinds = someOf(t, "kinds", "unspecified", "internal", "server", "client", "producer", "consumer")
	case "attributes":
		m.Attributes = rapid.SliceOfN(rapid.Custom(drawAttribute), 1, 2).Draw(t, "attributes")
	case "condition":
		m.Condition = pick(t, "condition", `IsRootSpan()`, `span.attributes["k"] == "gold"`,
			`span.kind == SPAN_KIND_SERVER and resource.attributes["service.name"] == "shop"`)
	case "any":
		for range rapid.IntRange(1, 3).Draw(t, "branches") {
			m.Any = append(m.Any, drawMatch(t, depth-1))
		}
	case "not":
		not := drawMatch(t, depth-1)
		m.Not = &not
	}
}

// drawBounds draws bounds of which at least one is one.
func drawBounds(t *rapid.T) (least, most int) {
	least = rapid.IntRange(0, 3).Draw(t, "least")
	if least == 0 || rapid.Bool().Draw(t, "both") {
		most = max(1, least) + rapid.IntRange(0, 2).Draw(t, "most")
	}
	return least, most
}

func drawAttribute(t *rapid.T) Attribute {
	a := Attribute{Key: pick(t, "key", "k", "n")}
	bound := func() *float64 {
		v := pick(t, "bound", -1, 0, 1, 1.5, 2)
		return &v
	}
	switch rapid.IntRange(0, 4).Draw(t, "form") {
	case 0:
		a.Values = someOf(t, "values", "*", "gold", "g*", "1", "1.5", "true", "*e")
	case 1:
		a.Min = bound()
	case 2:
		a.Max = bound()
	case 3:
		a.Min, a.Max = bound(), bound()
		if *a.Min > *a.Max {
			a.Min, a.Max = a.Max, a.Min
		}
	}
	return a
}

func drawValue(t *rapid.T, v pcommon.Value) {
	switch rapid.IntRange(0, 5).Draw(t, "type") {
	case 0:
		v.SetBool(rapid.Bool().Draw(t, "bool"))
	case 1:
		v.SetInt(rapid.Int64Range(-1, 3).Draw(t, "int"))
	case 2:
		v.SetDouble(pick(t, "double", 0, 1, 1.5, 2.25, math.NaN()))
	case 3:
		v.SetEmptySlice()
	case 4, 5:
		v.SetStr(pick(t, "string", "gold", "give", "1", "1.50", "-2", "", "none"))
	}
}

func drawAttributes(t *rapid.T, m pcommon.Map) {
	for _, key := range []string{"k", "n"} {
		if chance(t, key, 40) {
			drawValue(t, m.PutEmpty(key))
		}
	}
}

func drawSpan(t *rapid.T) testSpan {
	s := testSpan{ResourceSpans: ptrace.NewResourceSpans()}
	s.Resource().Attributes().PutStr("service.name", pick(t, "service", "shop", "db", "web"))
	span := s.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	if !chance(t, "root", 40) {
		span.SetParentSpanID([8]byte{1})
	}
	start := rapid.IntRange(1, 4).Draw(t, "start")
	span.SetStartTimestamp(pcommon.Timestamp(start * 1000))
	span.SetEndTimestamp(pcommon.Timestamp((start + rapid.IntRange(0, 4).Draw(t, "lasts")) * 1000))
	span.Status().SetCode(ptrace.StatusCode(rapid.IntRange(0, 2).Draw(t, "status")))
	span.SetKind(ptrace.SpanKind(rapid.IntRange(0, 6).Draw(t, "kind")))
	s.routes = rapid.SliceOfN(rapid.SampledFrom([]string{"/a", "/a/b", "/x/b", "b"}), 0, 2).Draw(t, "routes")
	drawAttributes(t, span.Attributes())
	drawAttributes(t, s.Resource().Attributes())
	return s
}

// drawClasses leaves out contradictory ones, of which it checks that the trace
// does not match them.
func drawClasses(t *rapid.T, spans []testSpan) []Config {
	var classes []Config
	for range rapid.IntRange(1, 5).Draw(t, "classes") {
		m := drawMatch(t, 2)
		if contradictory(&m) {
			require.False(t, matches(&m, spans), "refused though a trace matches")
			continue
		}
		classes = append(classes, Config{Name: fmt.Sprint(len(classes)), Keep: "1%", Match: &m})
	}
	return append(classes, Config{Name: fmt.Sprint(len(classes)), Keep: "1%"})
}

func contradictory(m *Match) bool {
	var s conditions
	p := s.compile(m)
	return s.contradicts(&p)
}

func plainClass(classes []Config, spans []testSpan) int {
	for i := range classes {
		if m := classes[i].Match; m == nil || matches(m, spans) {
			return i
		}
	}
	panic("the last class matches all")
}

func merged(facts []*Facts) *Facts {
	var f Facts
	for _, o := range facts {
		f.Merge(o)
	}
	return &f
}

func TestClassesEqualThePlainOnes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spans := rapid.SliceOfN(rapid.Custom(drawSpan), 1, 5).Draw(t, "spans")
		classes := drawClasses(t, spans)
		tab, err := NewTable(classes)
		require.NoError(t, err)
		var facts []*Facts
		for i := range spans {
			facts = append(facts, spans[i].facts(t, tab))
		}
		facts = rapid.Permutation(facts).Draw(t, "order")
		// Merged from the left, and as two parts, the second into the first.
		half := rapid.IntRange(0, len(facts)).Draw(t, "half")
		whole, first := merged(facts), merged(facts[:half])
		first.Merge(merged(facts[half:]))
		require.Equal(t, whole, first)

		want := plainClass(classes, spans)
		require.Equal(t, want, tab.Classify(whole))
		for _, shadow := range tab.Unreachable() {
			require.NotEqual(t, fmt.Sprint(want), shadow.Class, "unreachable by %s, and reached", shadow.By)
		}
		// A class that some spans prove, all of them prove.
		if i, proved := tab.Overrule(merged(facts[:half]), len(classes)-1); half > 0 && proved {
			require.True(t, matches(classes[i].Match, spans))
		}
	})
}

// A proof about two matches that differ little is put to the test on many
// traces.
func TestWhatIsProvedOfMatchesHoldsForEveryTrace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := drawMatch(t, 1)
		b := a
		drawPart(t, &b, pick(t, "change", "status", "duration", "spans", "routes", "kinds", "attributes", "not", "any"), 1)
		if rapid.Bool().Draw(t, "swap") {
			a, b = b, a
		}
		if contradictory(&a) || contradictory(&b) {
			return
		}
		var s conditions
		earlier, later := s.compile(&a), s.compile(&b)
		implied, monotone := s.implies(&later, &earlier), later.monotone()
		if !implied && !monotone {
			return
		}
		for range 10 {
			spans := rapid.SliceOfN(rapid.Custom(drawSpan), 1, 4).Draw(t, "spans")
			if implied && matches(&b, spans) {
				require.True(t, matches(&a, spans), "later %+v, earlier %+v", b, a)
			}
			if monotone && matches(&b, spans[:1]) {
				require.True(t, matches(&b, spans), "%+v", b)
			}
		}
	})
}
