package engine_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/sampling"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanlake/spanlake/internal/attr"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/class"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/engine"
)

// unbiasedClasses has failing health checks and slow checkouts in classes that
// keep few, so that errors and durations have to be estimated too.
func unbiasedClasses() []class.Config {
	return []class.Config{
		{Name: "health", Keep: "0.1%", Match: &class.Match{Routes: []string{"/health*"}}},
		{Name: "errors", Keep: "100%", Match: &class.Match{Status: "error"}},
		{Name: "checkout", Keep: "50%", Match: &class.Match{Routes: []string{"/checkout*"}}},
		{Name: "slow", Keep: "1/20", Match: &class.Match{MinDuration: time.Second}},
		{Name: "items", Keep: "1/200", Match: &class.Match{Routes: []string{"/items/*"}}},
		{Name: "none", Keep: "0%", Match: &class.Match{Routes: []string{"/favicon.ico"}}},
		{Name: "normal", Keep: "5%"},
	}
}

// sent is a trace as its clients know it, whether or not a head sampler let it
// pass: the values that are estimated from what is kept.
type sent struct {
	class       string
	probability float64 // of class and head sampler together
	spans       []testSpan
	errors      float64
	duration    float64 // seconds
	passed      bool    // the head sampler
}

// population generates traces of one to three spans.
type population struct {
	random        *rand.Rand
	probabilities map[string]float64
	nextID        uint64
}

func (p *population) trace(t require.TestingT) sent {
	route := []string{
		"/health/ready", "/health/ready", "/health/ready", "/checkout/{id}", "/items/{id}", "/items/{id}", "/items/{id}",
		"/", "/", "/favicon.ico",
	}[p.random.IntN(10)]
	duration := min(uint64(p.random.ExpFloat64()*3e8)+1e6, 1e10)
	s := sent{duration: float64(duration) / 1e9, passed: true}
	p.nextID++
	root := testSpan{
		id: p.nextID, service: "shop", scope: "http", name: "GET " + route, route: route,
		start: 5_000_000_000, end: 5_000_000_000 + duration,
	}
	binary.BigEndian.PutUint64(root.trace[:], p.nextID)
	binary.BigEndian.PutUint64(root.trace[8:], p.random.Uint64())
	p.throughHeadSampler(t, &root, &s)
	s.spans = append(s.spans, root)
	for range p.random.IntN(3) {
		p.nextID++
		child := root
		child.id, child.parent, child.route = p.nextID, root.id, ""
		child.end = child.start + p.random.Uint64N(duration)
		s.spans = append(s.spans, child)
	}
	if p.random.IntN(25) == 0 {
		s.spans[p.random.IntN(len(s.spans))].status = ptrace.StatusCodeError
		s.errors = 1
	}
	switch {
	case route == "/health/ready":
		s.class = "health"
	case s.errors > 0:
		s.class = "errors"
	case route == "/checkout/{id}":
		s.class = "checkout"
	case duration >= 1e9:
		s.class = "slow"
	case route == "/items/{id}":
		s.class = "items"
	case route == "/favicon.ico":
		s.class = "none"
	default:
		s.class = "normal"
	}
	s.probability = min(s.probability, p.probabilities[s.class])
	return s
}

// throughHeadSampler makes half of the traces come through a sampler of 25%, or
// of 1%, that the trace's randomness passes or not. A third has explicit
// randomness, and a trace ID that has none.
func (p *population) throughHeadSampler(t require.TestingT, root *testSpan, s *sent) {
	randomness := binary.BigEndian.Uint64(root.trace[8:]) & (sampling.MaxAdjustedCount - 1)
	state := ""
	if p.random.IntN(3) == 0 {
		randomness = p.random.Uint64N(sampling.MaxAdjustedCount)
		binary.BigEndian.PutUint64(root.trace[8:], 1)
		state = fmt.Sprintf("rv:%014x", randomness)
	}
	s.probability = 1
	if kind := p.random.IntN(8); kind < 4 {
		s.probability = []float64{0.25, 0.25, 0.25, 0.01}[kind]
		threshold, err := sampling.ProbabilityToThreshold(s.probability)
		require.NoError(t, err)
		given, err := sampling.UnsignedToRandomness(randomness)
		require.NoError(t, err)
		s.passed = threshold.ShouldSample(given)
		if state != "" {
			state = ";" + state
		}
		state = "th:" + threshold.TValue() + state
	}
	if state != "" {
		root.state = "ot=" + state
	}
}

// estimate is a Horvitz-Thompson estimate beside the truth. Its variance follows
// from the design: a trace of value x that is kept with probability p adds
// x²(1-p)/p.
type estimate struct{ truth, sum, variance float64 }

func (e *estimate) add(x, p float64) {
	e.truth += x
	e.variance += x * x * (1 - p) / p
}

// The sum of adjusted_count, times a value where one is asked for, over what is
// kept is within 3 standard errors of what was sent. There are 24 estimates that
// are not exact; were they independent, one seed in 16 would miss one by chance.
// The seed is the first that was tried.
func TestSumsOfAdjustedCountAreUnbiased(t *testing.T) {
	traces, window := 1_000_000, 5000
	if underRace {
		traces /= 20
	}
	h := newHarness(t, func(o *engine.Options) { o.VerdictMemory = 1 << 20 }, unbiasedClasses()...)
	p := population{random: rand.New(rand.NewPCG(1, 1)), probabilities: map[string]float64{}}
	for _, c := range unbiasedClasses() {
		threshold, err := c.Keep.Threshold()
		require.NoError(t, err)
		p.probabilities[c.Name] = threshold.Probability()
	}
	estimates := map[string]*estimate{}
	of := func(what, class string) *estimate {
		e := estimates[what+" of "+class]
		if e == nil {
			e = &estimate{}
			estimates[what+" of "+class] = e
		}
		return e
	}
	each := func(s *sent, do func(e *estimate, x float64)) {
		for _, class := range []string{s.class, "all"} {
			do(of("traces", class), 1)
			do(of("errors", class), s.errors)
			do(of("durations", class), s.duration)
		}
	}
	unsampled := 0 // of the class that keeps nothing: nothing can be estimated
	for range traces / window {
		var batch []testSpan
		roots := make(map[uint64]*sent, window)
		for range window {
			s := p.trace(t)
			if s.class == "none" {
				unsampled++
			} else {
				each(&s, func(e *estimate, x float64) { e.add(x, s.probability) })
				of("spans", s.class).add(float64(len(s.spans)), s.probability)
				of("spans", "all").add(float64(len(s.spans)), s.probability)
			}
			if s.passed {
				roots[s.spans[0].id] = &s
				batch = append(batch, s.spans...)
			}
		}
		p.random.Shuffle(len(batch), func(i, j int) { batch[i], batch[j] = batch[j], batch[i] })
		for from := 0; from < len(batch); from += 1000 {
			h.mustIngest(batch[from:min(from+1000, len(batch))]...)
		}
		h.pass(decisionWait)
		for b := h.TryNext(); b != nil; b = h.TryNext() {
			eachSpan(h.decode(b), func(_ ptrace.ResourceSpans, _ ptrace.ScopeSpans, span ptrace.Span) {
				name, _ := span.Attributes().Get(attr.Class)
				count, _ := span.Attributes().Get(attr.AdjustedCount)
				of("spans", name.Str()).sum += count.Double()
				of("spans", "all").sum += count.Double()
				id := span.SpanID()
				if s := roots[binary.BigEndian.Uint64(id[:])]; s != nil {
					require.Equal(t, s.class, name.Str())
					require.InEpsilon(t, 1/s.probability, count.Double(), 1e-9)
					each(s, func(e *estimate, x float64) { e.sum += x * count.Double() })
				}
			})
			b.Done()
		}
	}
	require.InEpsilon(t, traces/10, unsampled, 0.1)
	require.Len(t, estimates, 4*7)
	inexact := 0
	for name, e := range estimates {
		if e.variance > 0 {
			inexact++
		}
		require.InDelta(t, e.truth, e.sum, 3*math.Sqrt(e.variance)+1e-9*e.truth, name)
	}
	require.Equal(t, 24, inexact)
}
