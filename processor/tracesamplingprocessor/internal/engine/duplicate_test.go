package engine_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanlake/spanlake/internal/attr"
	"github.com/spanlake/spanlake/internal/fsys/fsystest"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/class"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/engine"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/journal"
)

// handedOn is a span as it came out; unlike harness.out it tells spans of one ID apart.
type handedOn struct {
	id            uint64
	name          string
	source, scope string
	trimmed       bool
}

func (h *harness) collect() []handedOn {
	var all []handedOn
	for b := h.TryNext(); b != nil; b = h.TryNext() {
		eachSpan(h.decode(b), func(rs ptrace.ResourceSpans, ss ptrace.ScopeSpans, span ptrace.Span) {
			source, _ := rs.Resource().Attributes().Get(attr.Source)
			trimmed, _ := span.Attributes().Get(attr.Trimmed)
			all = append(all, handedOn{
				id: spanNumber(span.SpanID()), name: span.Name(), source: source.Str(), scope: ss.Scope().Name(), trimmed: trimmed.Bool(),
			})
		})
		b.Done()
	}
	return all
}

// places where an engine can hold spans.
var places = map[string]func(require.TestingT, ...class.Config) *harness{
	"in memory": func(t require.TestingT, classes ...class.Config) *harness { return newHarness(t, nil, classes...) },
	"in memory and journal": func(t require.TestingT, classes ...class.Config) *harness {
		return journaled(t, fsystest.NewCrash(), nil, classes...)
	},
	"in the journal only": func(t require.TestingT, classes ...class.Config) *harness {
		return journaled(t, fsystest.NewCrash(), coldOnly, classes...)
	},
}

// coldOnly is memory in which no span of some kilobytes has room, but many of
// their records have.
func coldOnly(o *engine.Options) { o.MemoryLimit = 24 << 10 }

// bulk is a name that makes a span too large for coldOnly.
func bulk(text string) string { return text + string(make([]byte, 18<<10)) }

func journaled(t require.TestingT, disk *fsystest.Crash, configure func(*engine.Options), classes ...class.Config) *harness {
	j, err := journal.Open(journal.Options{Directory: "/journal", MaxBytes: 64 << 20, VerdictBytes: 1 << 20, FS: disk})
	require.NoError(t, err)
	h := newHarness(t, func(o *engine.Options) {
		o.Journal = j
		if configure != nil {
			configure(o)
		}
	}, classes...)
	h.log = j
	_, err = h.Recover()
	require.NoError(t, err)
	return h
}

func inEveryPlace(t *testing.T, test func(t *testing.T, h *harness), classes ...class.Config) {
	t.Helper()
	for name, open := range places {
		t.Run(name, func(t *testing.T) {
			h := open(t, classes...)
			test(t, h)
			if name == "in the journal only" {
				require.Zero(t, h.hurried)
			}
		})
	}
}

func TestPlacesAreWhatTheySay(t *testing.T) {
	for name, open := range places {
		t.Run(name, func(t *testing.T) {
			h := open(t, keepAll())
			h.mustIngest(large(root(1, 1)))
			_, bytes, spilled := h.Undecided()
			require.Equal(t, name == "in the journal only", spilled > 0)
			require.Equal(t, name != "in the journal only", bytes > 18<<10)
		})
	}
}

func large(s testSpan) testSpan {
	s.name = bulk(s.name)
	return s
}

func TestIdenticalSpansAreOne(t *testing.T) {
	one, two, three := large(root(1, 1)), large(child(1, 2)), large(child(1, 3))
	for name, requests := range map[string][][]testSpan{
		"in one request":              {{one, one, two, three, two}},
		"in two requests":             {{one, two}, {one, two}, {three}},
		"partly in two requests":      {{one, two}, {two, three}, {three, one}},
		"at the end of a request":     {{one}, {two, three, one}},
		"in the middle of a request":  {{one}, {two, one, three}},
		"in another order":            {{one, two, three}, {three, two, one}},
		"once more, and then nothing": {{one}, {one}, {one}, {two}, {three}},
	} {
		t.Run(name, func(t *testing.T) {
			inEveryPlace(t, func(t *testing.T, h *harness) {
				t.Helper()
				for _, spans := range requests {
					h.mustIngest(spans...)
				}
				h.DecideAll(h.now)
				h.drain()
				require.Len(t, h.out, 3)
				require.Equal(t, h.received-3, h.reasons[engine.Duplicate])
				require.Equal(t, map[decided]int{{0, true}: 1}, h.traces)
				h.requireBalanced()
			}, keepAll())
		})
	}
}

// Spans that were in memory when an identical one came may be in the journal only
// when they are handed on.
func TestIdenticalSpansAreOneThoughMemoryRunsOutBetween(t *testing.T) {
	h := journaled(t, fsystest.NewCrash(), func(o *engine.Options) { o.MemoryLimit = 256 << 10 },
		class.Config{Name: "all", Keep: "100%", Match: &class.Match{Services: []string{"shop"}}},
		class.Config{Name: "none", Keep: "0%"})
	h.mustIngest(root(1, 1), child(1, 2))
	h.mustIngest(child(1, 2), child(1, 3), root(1, 1))
	_, _, spilled := h.Undecided()
	require.Zero(t, spilled)
	other := uint64(1 << 20)
	for ; h.hurried == 0; other++ {
		s := child(other, other)
		s.service, s.name = "other", string(make([]byte, 100))
		h.mustIngest(s)
		h.now++
		if other == 1<<20+100 {
			h.mustIngest(child(1, 3), child(1, 4)) // in memory, as room is left
		}
	}
	_, _, spilled = h.Undecided()
	require.Positive(t, spilled)
	h.mustIngest(child(1, 4), child(1, 5), root(1, 1)) // follows the verdict: it was the oldest
	h.DecideAll(h.now)
	h.drain()
	require.Len(t, h.out, 5)
	require.Equal(t, 5, h.reasons[engine.Duplicate])
	h.requireBalanced()
}

func TestIdenticalSpansAfterTheDecision(t *testing.T) {
	one, two := large(child(1, 1)), large(child(1, 2))
	t.Run("of a kept trace", func(t *testing.T) {
		inEveryPlace(t, func(t *testing.T, h *harness) {
			t.Helper()
			h.mustIngest(one)
			h.DecideAll(h.now)
			h.mustIngest(one)      // before it is handed on
			h.mustIngest(two, one) // late, with one that is new
			h.drain()
			h.mustIngest(one, two)
			h.mustIngest(two, two)
			h.Tick(h.now)
			h.drain()
			require.Len(t, h.out, 2)
			require.Equal(t, 6, h.reasons[engine.Duplicate])
			require.Equal(t, map[engine.Late]int{engine.LateKept: 1}, h.lates)
			h.requireBalanced()
		}, keepAll())
	})
	t.Run("of a dropped trace", func(t *testing.T) {
		inEveryPlace(t, func(t *testing.T, h *harness) {
			t.Helper()
			h.mustIngest(one)
			h.DecideAll(h.now)
			h.mustIngest(one)
			h.drain()
			require.Empty(t, h.out)
			require.Zero(t, h.reasons[engine.Duplicate], "what is dropped is not remembered span by span")
			require.Equal(t, map[engine.Late]int{engine.LateDropped: 1}, h.lates)
			h.requireBalanced()
		}, class.Config{Name: "none", Keep: "0%"})
	})
}

// After a trace was overruled, its late spans are remembered as any kept ones.
func TestIdenticalSpansOfAnOverruledTrace(t *testing.T) {
	inEveryPlace(t, func(t *testing.T, h *harness) {
		t.Helper()
		h.mustIngest(child(1, 1))
		h.DecideAll(h.now)
		failed := child(1, 2)
		failed.status = ptrace.StatusCodeError
		h.mustIngest(failed, failed)
		h.mustIngest(failed, child(1, 3))
		h.Tick(h.now)
		h.drain()
		require.Len(t, h.out, 2)
		require.Equal(t, 2, h.reasons[engine.Duplicate])
		require.Equal(t, 1, h.lates[engine.LateOverruled])
		h.requireBalanced()
	}, class.Config{Name: "errors", Keep: "100%", Match: &class.Match{Status: "error"}}, class.Config{Name: "none", Keep: "0%"})
}

func TestSpansThatDifferInAnythingAreTwo(t *testing.T) {
	first := root(1, 1)
	for name, change := range map[string]func(*testSpan){
		"content, as Zipkin's shared spans do": func(s *testSpan) { s.name = "POST /" },
		"end":                                  func(s *testSpan) { s.end++ },
		"tracestate":                           func(s *testSpan) { s.state = "a=b" },
		"scope":                                func(s *testSpan) { s.scope = "other" },
		"resource":                             func(s *testSpan) { s.service = "other" },
		"source":                               func(s *testSpan) { s.source = "tenant" },
		"trace":                                func(s *testSpan) { s.trace = traceID(2) },
		"ID":                                   func(s *testSpan) { s.id = 2 },
	} {
		second := first
		change(&second)
		for when, ingest := range map[string]func(h *harness){
			"one request":  func(h *harness) { h.mustIngest(first, second) },
			"two requests": func(h *harness) { h.mustIngest(first); h.mustIngest(second) },
			"one is late": func(h *harness) {
				h.mustIngest(first)
				h.DecideAll(h.now)
				h.mustIngest(second)
			},
		} {
			t.Run(fmt.Sprintf("%s, %s", name, when), func(t *testing.T) {
				inEveryPlace(t, func(t *testing.T, h *harness) {
					t.Helper()
					ingest(h)
					h.DecideAll(h.now)
					got := h.collect()
					require.Len(t, got, 2)
					require.NotContains(t, h.reasons, engine.Duplicate)
					require.ElementsMatch(t, []string{first.source, second.source}, []string{got[0].source, got[1].source})
					h.requireBooks(2, h.received)
				}, keepAll())
			})
		}
	}
}

// The same spans are identical however a request groups them.
func TestIdenticalSpansAreOneInAnotherGrouping(t *testing.T) {
	h := newT(t, keepAll())
	a, b := root(1, 1), child(1, 2)
	sql := child(1, 3)
	sql.scope = "sql"
	h.mustIngest(a, b, sql)
	h.mustIngest(sql, b)
	h.mustIngest(b, sql, a)
	h.DecideAll(h.now)
	h.drain()
	require.Len(t, h.out, 3)
	require.Equal(t, 5, h.reasons[engine.Duplicate])
	h.requireBalanced()
}

func TestIdenticalSpansCountOnceInTheFacts(t *testing.T) {
	inEveryPlace(t, func(t *testing.T, h *harness) {
		t.Helper()
		for i := uint64(1); i <= 3; i++ { // traces of i spans, each span thrice
			for k := range i {
				s := child(i, 10*i+k)
				h.mustIngest(s, s)
				h.mustIngest(s)
			}
		}
		h.DecideAll(h.now)
		require.Equal(t, map[decided]int{{0, true}: 1, {1, true}: 1, {2, true}: 1}, h.traces)
		h.drain()
		require.Equal(t, "one", h.out[10].class)
		require.Equal(t, "two", h.out[20].class)
		require.Equal(t, "three", h.out[30].class)
		h.requireBalanced()
	}, class.Config{Name: "three", Keep: "100%", Match: &class.Match{MinSpans: 3}},
		class.Config{Name: "one", Keep: "100%", Match: &class.Match{MaxSpans: 1}},
		class.Config{Name: "two", Keep: "100%"})
}

// A resent span is a sign that its trace lives no more than it was.
func TestIdenticalSpansDoNotProlongTheWait(t *testing.T) {
	h := newT(t, keepAll())
	h.mustIngest(child(1, 1))
	for range int(decisionWait / time.Second) {
		h.pass(time.Second)
		h.mustIngest(child(1, 1))
	}
	h.drain()
	require.Len(t, h.out, 1)
	require.Equal(t, []time.Duration{decisionWait}, h.waits)
	h.requireBalanced()
}

// What is remembered of kept spans is bounded: beyond it a span resent is a new one.
func TestIdenticalSpansAreTwoOnceTheirTraceIsForgotten(t *testing.T) {
	h := newHarness(t, func(o *engine.Options) { o.VerdictMemory = 1 << 16 }, keepAll())
	h.mustIngest(child(1, 1))
	h.DecideAll(h.now)
	got := len(h.collect())
	for i := uint64(2); i < 5000; i++ {
		h.mustIngest(child(i, i))
		h.DecideAll(h.now)
		got += len(h.collect())
	}
	h.mustIngest(child(1, 1))
	h.DecideAll(h.now)
	got += len(h.collect())
	require.Equal(t, 5000, got)
	h.requireBooks(got, h.received)
}
