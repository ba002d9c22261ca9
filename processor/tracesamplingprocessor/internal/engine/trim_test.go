package engine_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanlake/spanlake/internal/fsys/fsystest"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/class"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/engine"
)

const maxTrace = 64 << 10

func trimming(o *engine.Options) { o.MaxTraceSize = maxTrace }

func trimmingHarness(t require.TestingT, classes ...class.Config) *harness {
	return newHarness(t, trimming, classes...)
}

// trimmingPlaces hold what is beside the bound on traces in different places.
var trimmingPlaces = map[string]func(require.TestingT, ...class.Config) *harness{
	"in memory": trimmingHarness,
	"in memory and journal": func(t require.TestingT, classes ...class.Config) *harness {
		return journaled(t, fsystest.NewCrash(), trimming, classes...)
	},
	"in the journal only": func(t require.TestingT, classes ...class.Config) *harness {
		return journaled(t, fsystest.NewCrash(), func(o *engine.Options) {
			trimming(o)
			coldOnly(o)
		}, classes...)
	},
}

func failed(s testSpan) testSpan {
	s.status = ptrace.StatusCodeError
	return s
}

// named gives a span a name of a size, which is nearly all of the span.
func named(s testSpan, size int) testSpan {
	s.name = string(make([]byte, size))
	return s
}

func TestTraceBeyondItsSizeKeepsRootErrorsAndFirstSpans(t *testing.T) {
	for name, open := range trimmingPlaces {
		for how, perRequest := range map[string]int{"span by span": 1, "some at a time": 7, "at once": 200} {
			t.Run(name+", "+how, func(t *testing.T) {
				h := open(t, keepAll())
				var all []testSpan
				for i := uint64(1); i <= 98; i++ {
					all = append(all, named(child(1, i), 1000))
				}
				all = append(all, named(failed(child(1, 99)), 1000), named(root(1, 100), 1000))
				for rest := all; len(rest) > 0; rest = rest[min(len(rest), perRequest):] {
					h.mustIngest(rest[:min(len(rest), perRequest)]...)
				}
				h.DecideAll(h.now)
				h.drain()
				require.Contains(t, h.out, uint64(99), "the error")
				require.Contains(t, h.out, uint64(100), "the root")
				require.Greater(t, len(h.out), 45)
				for i := range uint64(len(h.out) - 2) {
					require.Contains(t, h.out, i+1, "the first")
				}
				require.LessOrEqual(t, (len(h.out)-2)*1000, maxTrace/4*3)
				for id, o := range h.out {
					require.True(t, o.trimmed, "span %d", id)
				}
				require.Equal(t, 100-len(h.out), h.reasons[engine.Trimmed])
				require.Equal(t, 1, h.trimmed)
				require.Equal(t, map[decided]int{{0, true}: 1}, h.traces)
				h.requireBalanced()
			})
		}
	}
}

func TestTraceThatFitsIsNotMarked(t *testing.T) {
	h := trimmingHarness(t, keepAll())
	for i := uint64(1); i <= 45; i++ {
		h.mustIngest(named(child(1, i), 1000))
		h.mustIngest(named(child(1, i), 1000)) // takes no room
	}
	h.DecideAll(h.now)
	h.drain()
	require.Len(t, h.out, 45)
	require.False(t, h.out[1].trimmed)
	require.Zero(t, h.trimmed)
	require.NotContains(t, h.reasons, engine.Trimmed)
	h.requireBalanced()
}

func TestErrorsAreBoundedToo(t *testing.T) {
	h := trimmingHarness(t, keepAll())
	for i := uint64(1); i <= 200; i++ {
		h.mustIngest(named(failed(child(1, i)), 1000), named(root(1, 1000+i), 1000))
	}
	h.DecideAll(h.now)
	h.drain()
	require.Greater(t, len(h.out), 60)
	require.LessOrEqual(t, len(h.out)*1000, maxTrace)
	require.Equal(t, 400-len(h.out), h.reasons[engine.Trimmed])
	require.Equal(t, 1, h.trimmed)
	h.requireBalanced()
}

func TestSpanLargerThanItsTraceMayBe(t *testing.T) {
	for name, open := range trimmingPlaces {
		t.Run(name, func(t *testing.T) {
			h := open(t, keepAll())
			h.mustIngest(named(failed(root(1, 1)), 2*maxTrace))
			h.mustIngest(child(1, 2))
			h.DecideAll(h.now)
			h.drain()
			require.Len(t, h.out, 1)
			require.True(t, h.out[2].trimmed)
			h.mustIngest(named(child(2, 3), 2*maxTrace)) // nothing is left of it at all
			h.DecideAll(h.now)
			h.drain()
			require.Len(t, h.out, 1)
			require.Equal(t, 2, h.reasons[engine.Trimmed])
			require.Equal(t, 2, h.trimmed)
			require.Equal(t, map[decided]int{{0, true}: 2}, h.traces)
			h.requireBalanced()
			if h.log != nil {
				_, held := h.log.OldestHeld()
				require.False(t, held)
				require.NoError(t, h.log.Close())
			}
		})
	}
}

// What is trimmed is not held: neither span by span nor what a request had of it.
func TestTrimmedTraceIsHeldWithinItsSize(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	for range 50 {
		h := trimmingHarness(t, keepAll())
		id := uint64(0)
		for range 1 + random.IntN(20) {
			var request []testSpan
			for range 1 + random.IntN(100) {
				id++
				s := named(child(1, id), 200+random.IntN(3000))
				request = append(request, failedIf(random.IntN(10) == 0, s))
			}
			h.mustIngest(request...)
			// The allocator rounds a chunk up by a quarter at most. Records of the trace,
			// its chunks and fingerprints take some bytes beside.
			require.LessOrEqual(t, h.Held(), int64(maxTrace/4*5+maxTrace/8), "after %d spans", id)
		}
		h.DecideAll(h.now)
		h.drain()
		h.requireBalanced()
	}
}

func TestFactsSeeTrimmedSpans(t *testing.T) {
	for name, tc := range map[string]struct {
		class class.Match
		span  func(s testSpan) testSpan
	}{
		"duration": {class.Match{MinDuration: time.Second}, func(s testSpan) testSpan { s.end += 1e9; return s }},
		"error":    {class.Match{Status: "error"}, failed},
		"service":  {class.Match{Services: []string{"db"}}, func(s testSpan) testSpan { s.service = "db"; return s }},
		"route": {class.Match{Routes: []string{"/pay"}, AnySpan: true}, func(s testSpan) testSpan {
			s.route = "/pay"
			return s
		}},
		"spans":     {class.Match{MinSpans: 101}, func(s testSpan) testSpan { return s }},
		"condition": {class.Match{Condition: `span.name == "last"`}, func(s testSpan) testSpan { s.name = "last"; return s }},
	} {
		for place, open := range trimmingPlaces {
			t.Run(name+", "+place, func(t *testing.T) {
				h := open(t, class.Config{Name: "special", Keep: "100%", Match: &tc.class}, class.Config{Name: "rest", Keep: "0%"})
				for i := uint64(1); i <= 100; i++ {
					h.mustIngest(named(failedIf(name != "error", child(1, i)), 1000))
				}
				h.mustIngest(tc.span(named(child(1, 101), maxTrace)))
				h.DecideAll(h.now)
				h.drain()
				require.Positive(t, h.reasons[engine.Trimmed])
				require.Equal(t, map[decided]int{{0, true}: 1}, h.traces)
				h.requireBalanced()
			})
		}
	}
}

func failedIf(yes bool, s testSpan) testSpan {
	if yes {
		return failed(s)
	}
	return s
}

func TestLateSpansOfATrimmedTraceAreMarkedToo(t *testing.T) {
	for name, open := range trimmingPlaces {
		t.Run(name, func(t *testing.T) {
			h := open(t,
				class.Config{Name: "errors", Keep: "100%", Match: &class.Match{Status: "error"}},
				class.Config{Name: "rest", Keep: "100%"})
			for i := uint64(1); i <= 100; i++ {
				h.mustIngest(named(child(1, i), 1000))
			}
			h.mustIngest(child(2, 101))
			h.DecideAll(h.now)
			h.mustIngest(child(1, 201), child(2, 202))
			h.mustIngest(failed(child(1, 203)), failed(child(2, 204))) // overrule
			h.mustIngest(child(1, 205))
			h.Tick(h.now)
			h.drain()
			for id, trimmed := range map[uint64]bool{1: true, 101: false, 201: true, 202: false, 203: true, 204: false, 205: true} {
				require.Contains(t, h.out, id)
				require.Equal(t, trimmed, h.out[id].trimmed, "span %d", id)
			}
			require.Equal(t, "errors", h.out[205].class)
			require.Equal(t, 1, h.trimmed)
			h.requireBalanced()
		})
	}
}

// A trace stays trimmed, in what it has and in its mark, when the process ends
// before or after its decision, and what it had no room for does not come back.
func TestTrimmingOutlivesTheProcess(t *testing.T) {
	for name, perRequest := range map[string]uint64{"whole requests trimmed": 1, "requests trimmed in part": 100} {
		t.Run(name, func(t *testing.T) {
			disk := fsystest.NewCrash()
			h := journaled(t, disk, trimming, keepAll())
			var request []testSpan
			for i := uint64(1); i <= 100; i++ {
				if request = append(request, named(child(1, i), 1000)); i%perRequest == 0 {
					h.mustIngest(request...)
					request = nil
				}
			}
			kept := 100 - h.reasons[engine.Trimmed]
			h.log.Maintain() // what was discarded is so on disk

			disk = disk.Crash()
			h = journaled(t, disk, trimming, keepAll())
			h.DecideAll(h.now)
			b := h.TryNext()
			require.NotNil(t, b)
			require.NoError(t, b.Prepare()) // the verdict is on disk

			disk = disk.Crash()
			h = journaled(t, disk, trimming, keepAll())
			h.mustIngest(child(1, 1001))
			h.Tick(h.now)
			h.drain()
			require.Len(t, h.out, kept+1)
			require.Contains(t, h.out, uint64(1))
			for id, o := range h.out {
				require.True(t, o.trimmed, "span %d", id)
			}
		})
	}
}

// What was trimmed whole counts in the facts of the trace after a restart as well.
func TestTrimmedFactsOutliveTheProcess(t *testing.T) {
	for name, match := range map[string]class.Match{
		"duration": {MinDuration: time.Second},
		"spans":    {MinSpans: 100},
		"service":  {Services: []string{"db"}},
	} {
		t.Run(name, func(t *testing.T) {
			disk := fsystest.NewCrash()
			classes := []class.Config{{Name: "special", Keep: "100%", Match: &match}, {Name: "rest", Keep: "0%"}}
			h := journaled(t, disk, trimming, classes...)
			for i := uint64(1); i <= 99; i++ {
				h.mustIngest(named(child(1, i), 1000))
			}
			last := named(child(1, 100), 1000)
			last.end += uint64(time.Second)
			last.service = "db"
			before := h.reasons[engine.Trimmed]
			h.mustIngest(last)
			require.Equal(t, before+1, h.reasons[engine.Trimmed])
			kept := 100 - h.reasons[engine.Trimmed]

			h.log.Maintain()
			h = journaled(t, disk.Crash(), trimming, classes...)
			h.DecideAll(h.now)
			h.drain()
			require.Equal(t, map[decided]int{{0, true}: 1}, h.traces)
			require.Len(t, h.out, kept)
			require.True(t, h.out[1].trimmed)
			require.Zero(t, h.Held())
			require.NoError(t, h.log.Close())
		})
	}
}
