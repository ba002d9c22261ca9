package engine_test

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/sampling"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"pgregory.net/rapid"

	"github.com/spanlake/spanlake/internal/fsys/fsystest"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/class"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/engine"
)

func bounded(keep class.Rate, limit int) class.Config {
	return class.Config{Name: "bounded", Keep: keep, Retention: "7d", MaxTracesPerSecond: limit}
}

func errorsFirst(limit int) class.Config {
	return class.Config{Name: "errors", Keep: "100%", MaxTracesPerSecond: limit, Match: &class.Match{Status: "error"}}
}

func randomOf(trace uint64) uint64 {
	return sampling.TraceIDToRandomness(pcommon.TraceID(traceID(trace))).Unsigned()
}

// byRandomness lists the traces from one number to another, greatest first.
func byRandomness(from, to uint64) []uint64 {
	var all []uint64
	for i := from; i <= to; i++ {
		all = append(all, i)
	}
	slices.SortFunc(all, func(a, b uint64) int {
		if randomOf(a) > randomOf(b) {
			return -1
		}
		return 1
	})
	return all
}

func thresholdOf(t require.TestingT, unsigned uint64) sampling.Threshold {
	th, err := sampling.UnsignedToThreshold(unsigned)
	require.NoError(t, err)
	return th
}

// inWindow lets the roots ingested so far come to their window, and it close.
func (h *harness) inWindow() {
	h.pass(rootWait)
	h.pass(time.Second)
	h.drain()
}

func TestNoSecondKeepsMoreTracesThanTheBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 10).Draw(t, "limit")
		h := newHarness(t, nil, bounded("100%", limit))
		type moment struct {
			at   time.Duration
			kept int
		}
		var moments []moment
		next := uint64(0)
		t.Repeat(map[string]func(*rapid.T){
			"ingest": func(t *rapid.T) {
				for range rapid.IntRange(1, 40).Draw(t, "traces") {
					next++
					h.mustIngest(root(next, next))
				}
			},
			"pass": func(t *rapid.T) {
				before := h.traces[decided{0, true}]
				h.pass(time.Duration(rapid.IntRange(0, 300).Draw(t, "ms")) * time.Millisecond)
				h.drain()
				moments = append(moments, moment{h.now, h.traces[decided{0, true}] - before})
			},
			"pass long": func(*rapid.T) {
				before := h.traces[decided{0, true}]
				h.pass(rootWait)
				h.drain()
				moments = append(moments, moment{h.now, h.traces[decided{0, true}] - before})
			},
			"": func(t *rapid.T) {
				kept := 0
				for _, m := range slices.Backward(moments) {
					if m.at <= h.now-time.Second {
						break
					}
					kept += m.kept
				}
				require.LessOrEqual(t, kept, limit)
			},
		})
		h.DecideAll(h.now)
		h.drain()
		h.requireBalanced()
	})
}

func TestWindowKeepsTheGreatestRandomnessUnderOneThreshold(t *testing.T) {
	for name, tc := range map[string]struct {
		keep          class.Rate
		traces, limit int
	}{
		"far more than the bound":        {"100%", 300, 10},
		"one more than the bound":        {"100%", 11, 10},
		"as many as the bound":           {"100%", 10, 10},
		"fewer than the bound":           {"100%", 3, 10},
		"a rate in front":                {"30%", 300, 10},
		"a rate that keeps to the bound": {"1%", 300, 10},
		"a bound of one":                 {"100%", 50, 1},
	} {
		t.Run(name, func(t *testing.T) {
			h := newT(t, bounded(tc.keep, tc.limit))
			rate, err := tc.keep.Threshold()
			require.NoError(t, err)
			threshold, passed := rate.Unsigned(), 0
			for at, i := range byRandomness(1, uint64(tc.traces)) {
				if randomOf(i) >= rate.Unsigned() {
					passed++
				}
				if at == tc.limit {
					threshold = max(threshold, randomOf(i)+1)
				}
			}
			for i := range uint64(tc.traces) {
				h.mustIngest(root(i+1, i+1), child(i+1, 1000+i+1))
			}
			h.inWindow()

			want := byRandomness(1, uint64(tc.traces))[:min(passed, tc.limit)]
			require.Len(t, h.out, 2*len(want))
			th := thresholdOf(t, threshold)
			for _, i := range want {
				for _, id := range []uint64{i, 1000 + i} {
					o := h.out[id]
					require.Equal(t, "bounded", o.class, "trace %d", i)
					require.Equal(t, "ot=th:"+th.TValue(), o.state)
					require.InEpsilon(t, 1/th.Probability(), o.count, 1e-6)
				}
			}
			if passed <= tc.limit {
				require.Equal(t, rate, th, "where the bound does not bite the rate alone counts")
			}
			require.Equal(t, 2*max(0, passed-tc.limit), h.limited)
			require.Equal(t, map[decided]int{{0, true}: len(want), {0, false}: tc.traces - len(want)}, withoutZeros(h.traces, tc.traces-len(want)))
			h.requireBalanced()
		})
	}
}

// withoutZeros adds the entry of dropped traces where it is zero.
func withoutZeros(m map[decided]int, dropped int) map[decided]int {
	if dropped == 0 {
		m = maps.Clone(m)
		m[decided{0, false}] = 0
	}
	return m
}

func TestExplicitRandomnessCountsInAWindow(t *testing.T) {
	h := newT(t, bounded("100%", 2))
	for i := uint64(1); i <= 5; i++ {
		s := root(i, i)
		s.state = fmt.Sprintf("ot=rv:%014x", i*1000)
		h.mustIngest(s)
	}
	h.inWindow()
	require.ElementsMatch(t, []uint64{4, 5}, slices.Collect(maps.Keys(h.out)))
	// The least that is kept is above 3000.
	require.Equal(t, fmt.Sprintf("ot=rv:%014x;th:%s", 5000, thresholdOf(t, 3001).TValue()), h.out[5].state)
	h.requireBalanced()
}

func TestWindowHoldsNoMoreThanItCanKeep(t *testing.T) {
	h := newT(t, bounded("100%", 10))
	for i := uint64(1); i <= 1000; i++ {
		h.mustIngest(root(i, i))
	}
	h.pass(rootWait)
	traces, bytes, _ := h.Undecided()
	require.EqualValues(t, 11, traces)
	require.Less(t, bytes, int64(11*2000))
	require.Equal(t, 989, h.limited)
	h.pass(time.Second - 1)
	require.Zero(t, h.traces[decided{0, true}])
	h.pass(1)
	require.Equal(t, 10, h.traces[decided{0, true}])
	require.Equal(t, 990, h.limited)
	h.drain()
	h.requireBalanced()
}

func TestWindowsFollowOneAnother(t *testing.T) {
	h := newT(t, bounded("100%", 5))
	for i := uint64(1); i <= 200; i++ {
		if i <= 100 {
			h.mustIngest(root(i, i))
		}
		h.pass(100 * time.Millisecond)
		h.drain()
	}
	require.GreaterOrEqual(t, len(h.out), 45, "of 10 s with 10 a second")
	require.LessOrEqual(t, len(h.out), 50)
	states, all := map[string]int{}, 0.0
	for _, o := range h.out {
		states[o.state]++
		all += o.count
	}
	require.InDelta(t, 100, all, 30)
	require.GreaterOrEqual(t, len(states), 9, "each has a threshold of its own")
	h.requireBalanced()
}

func TestCandidateThatProvesAnEarlierClassIsDecidedByIt(t *testing.T) {
	for name, limit := range map[string]int{"without a bound": 0, "with a bound of its own": 3} {
		for when, finish := range map[string]func(h *harness){
			"by the ticks": func(h *harness) { h.pass(time.Second); h.pass(time.Second) },
			"at once":      func(h *harness) { h.DecideAll(h.now) },
		} {
			t.Run(name+", "+when, func(t *testing.T) {
				h := newT(t, errorsFirst(limit), bounded("100%", 5))
				for i := uint64(1); i <= 20; i++ {
					h.mustIngest(root(i, i))
				}
				h.pass(rootWait)
				undecided, _, _ := h.Undecided()
				require.EqualValues(t, 6, undecided)
				best := byRandomness(1, 20)
				h.mustIngest(failed(child(best[0], 100))) // it would have been kept
				h.mustIngest(failed(child(best[5], 101))) // and it would not
				require.Empty(t, h.lates)
				finish(h)
				h.drain()
				for _, id := range []uint64{best[0], best[5], 100, 101} {
					require.Equal(t, "errors", h.out[id].class, "span %d", id)
					require.Equal(t, "ot=th:0", h.out[id].state)
				}
				require.Equal(t, "bounded", h.out[best[1]].class)
				require.Equal(t, map[decided]int{{0, true}: 2, {1, true}: 4, {1, false}: 14}, h.traces)
				h.requireBalanced()
			})
		}
	}
}

func TestCandidateTakesMoreSpansWithoutAnotherWait(t *testing.T) {
	h := newT(t, bounded("100%", 5))
	h.mustIngest(child(1, 1))
	h.pass(decisionWait)
	h.mustIngest(root(1, 2)) // the root would begin the wait for the rest
	h.mustIngest(child(1, 3))
	h.pass(time.Second)
	h.drain()
	require.Len(t, h.out, 3)
	require.Empty(t, h.lates)
	h.pass(decisionWait)
	h.requireBalanced()
}

func TestLateSpansOfAWindowFollowWithTheSameStamps(t *testing.T) {
	h := newT(t, bounded("50%", 3))
	for i := uint64(1); i <= 30; i++ {
		h.mustIngest(root(i, i))
	}
	h.inWindow()
	require.Len(t, h.out, 3)
	for i := uint64(1); i <= 30; i++ {
		h.mustIngest(child(i, 100+i))
	}
	h.Tick(h.now)
	h.drain()
	require.Len(t, h.out, 6)
	for i := uint64(1); i <= 30; i++ {
		first, kept := h.out[i]
		late, lateKept := h.out[100+i]
		require.Equal(t, kept, lateKept)
		require.Equal(t, first, late)
	}
	require.Equal(t, map[engine.Late]int{engine.LateKept: 3, engine.LateDropped: 27}, h.lates)
	h.requireBalanced()
}

func TestClassWithABoundDoesNotOverrule(t *testing.T) {
	h := newT(t, errorsFirst(100), class.Config{Name: "none", Keep: "0%"})
	h.mustIngest(root(1, 1))
	h.pass(rootWait)
	h.mustIngest(failed(child(1, 2)))
	h.inWindow()
	require.Empty(t, h.out)
	require.Equal(t, map[engine.Late]int{engine.LateDropped: 1}, h.lates)
	h.requireBalanced()
}

func TestClassWithABoundHidesNoneThatOverrules(t *testing.T) {
	debug := bounded("100%", 100)
	debug.Name, debug.Match = "debug", &class.Match{Attributes: []class.Attribute{{Key: "tier"}}}
	h := newT(t, debug, errorsFirst(0), class.Config{Name: "none", Keep: "0%"})
	h.mustIngest(root(1, 1))
	h.pass(rootWait)
	late := failed(child(1, 2))
	late.tier = "gold"
	h.mustIngest(late)
	h.inWindow()
	require.Equal(t, "errors", h.out[2].class)
	require.Equal(t, map[engine.Late]int{engine.LateKept: 1, engine.LateOverruled: 1}, h.lates)
	h.requireBalanced()
}

// One without a bound overrules what a window has decided.
func TestLimitedTraceIsOverruled(t *testing.T) {
	h := newT(t, errorsFirst(0), bounded("100%", 1))
	for i := uint64(1); i <= 3; i++ {
		h.mustIngest(root(i, i))
	}
	h.inWindow()
	least := byRandomness(1, 3)[2]
	h.mustIngest(failed(child(least, 9)))
	h.Tick(h.now)
	h.drain()
	require.Equal(t, "errors", h.out[9].class)
	require.Equal(t, "ot=th:0", h.out[9].state)
	require.Len(t, h.out, 2)
	h.requireBalanced()
}

// Candidates take memory until their window closes. What they leave no room for
// is refused until then, and not lost.
func TestCandidatesThatFillTheMemoryRefuseMore(t *testing.T) {
	h := small(t, bounded("100%", 1_000_000))
	n := uint64(0)
	var err error
	for err == nil {
		n++
		err = h.ingest(root(n, n))
		require.LessOrEqual(t, h.Held(), int64(smallLimit))
	}
	require.ErrorIs(t, err, engine.ErrFull)
	h.pass(time.Second)
	h.drain()
	h.mustIngest(root(n, n))
	h.inWindow()
	require.Len(t, h.out, int(n))
	for _, o := range h.out {
		require.Equal(t, "ot=th:0", o.state)
	}
	h.requireBalanced()
}

// A crash forgets the window, and its candidates wait on.
func TestCandidatesOutliveTheProcess(t *testing.T) {
	disk := fsystest.NewCrash()
	h := journaled(t, disk, nil, bounded("100%", 3))
	for i := uint64(1); i <= 20; i++ {
		h.mustIngest(root(i, i))
	}
	h.pass(rootWait)
	h.log.Maintain()
	limited := h.limited
	require.Equal(t, 16, limited)
	h = journaled(t, disk.Crash(), nil, bounded("100%", 3))
	undecided, _, _ := h.Undecided()
	require.EqualValues(t, 4, undecided)
	h.inWindow()
	require.ElementsMatch(t, byRandomness(1, 20)[:3], slices.Collect(maps.Keys(h.out)))
	h.requireBooks(3, 4)
	require.NoError(t, h.log.Close())
}

// Over windows of any size the sums of adjusted_count, and of a value times it,
// are those of all traces, within 3 standard errors as the windows show them.
func TestSumsOfAdjustedCountAreUnbiasedWhereABoundBites(t *testing.T) {
	limits := []int{5, 50, 2}
	if underRace {
		limits = limits[:2]
	}
	for _, limit := range limits {
		for _, keep := range []class.Rate{"100%", "30%"} {
			t.Run(fmt.Sprintf("%s, at most %d", keep, limit), func(t *testing.T) {
				random := rand.New(rand.NewPCG(uint64(limit), uint64(len(keep))))
				h := newT(t, bounded(keep, limit))
				var traces, values sumError
				for range 4000 / min(limit, 5) { // the smaller the bound, the wider the spread
					n := random.IntN(201)
					batch := make([]testSpan, n)
					truth := 0.0
					for i := range batch {
						s := root(0, uint64(i+1))
						binary.BigEndian.PutUint64(s.trace[:], random.Uint64())
						binary.BigEndian.PutUint64(s.trace[8:], random.Uint64())
						s.end = s.start + random.Uint64N(1000)
						if i%10 == 0 {
							s.end += 5000
						}
						truth += float64(s.end - s.start)
						batch[i] = s
					}
					h.mustIngest(batch...)
					h.inWindow()
					require.LessOrEqual(t, len(h.out), limit)
					count, value := 0.0, 0.0
					for id, o := range h.out {
						s := &batch[id-1]
						count += o.count
						value += o.count * float64(s.end-s.start)
					}
					traces.add(float64(n), count)
					values.add(truth, value)
					clear(h.out)
				}
				traces.check(t)
				values.check(t)
				require.Zero(t, h.Held())
			})
		}
	}
}

// sumError compares estimates with the truth they are of.
type sumError struct{ truth, errors, squares float64 }

func (e *sumError) add(truth, estimated float64) {
	e.truth += truth
	e.errors += estimated - truth
	e.squares += (estimated - truth) * (estimated - truth)
}

func (e *sumError) check(t *testing.T) {
	t.Helper()
	standardError := math.Sqrt(e.squares)
	require.Positive(t, standardError)
	require.Less(t, standardError, e.truth/8, "the test would show nothing")
	require.Less(t, math.Abs(e.errors), 3*standardError, "of %g", e.truth)
}
