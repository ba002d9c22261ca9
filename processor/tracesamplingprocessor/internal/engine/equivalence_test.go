package engine_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"pgregory.net/rapid"

	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/class"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/engine"
)

func designClasses() []class.Config {
	return []class.Config{
		{Name: "quiet", Keep: "30%", Match: &class.Match{Status: "ok", Services: []string{"db"}}},
		{Name: "errors", Keep: "100%", Retention: "30d", Match: &class.Match{Status: "error"}},
		{Name: "slow", Keep: "100%", Retention: "14d", Match: &class.Match{MinDuration: time.Second}},
		{Name: "health", Keep: "0.1%", Retention: "1d", Match: &class.Match{Routes: []string{"/health*", "/livez"}}},
		{Name: "checkout", Keep: "50%", Retention: "14d", Match: &class.Match{Routes: []string{"/checkout*"}, Services: []string{"shop", "pay*"}}},
		{Name: "server errors", Keep: "20%", Match: &class.Match{
			Attributes: []class.Attribute{{Key: "code", Min: new(500.0)}, {Key: "tier", Values: []string{"gold", "plat*"}}},
			Not:        &class.Match{Kinds: []string{"consumer"}},
		}},
		{Name: "large or queued", Keep: "10%", Match: &class.Match{Any: []class.Match{
			{MinSpans: 12, MaxDuration: 390 * time.Millisecond},
			{Kinds: []string{"producer"}, RootOnly: true},
			{Attributes: []class.Attribute{{Key: "tier", Values: []string{"platinum"}}}, RootOnly: true},
		}}},
		{Name: "small", Keep: "1/3", Match: &class.Match{MaxSpans: 2, Not: &class.Match{Any: []class.Match{
			{Attributes: []class.Attribute{{Key: "tier"}}}, {Services: []string{"web", "db"}},
		}}}},
		{Name: "cron", Keep: "0%", Match: &class.Match{Routes: []string{"cron*"}, AnySpan: true}},
		{Name: "normal", Keep: "5%", Retention: "7d"},
	}
}

// model drives the engine and the reference with the same spans and times.
type model struct {
	h      *harness
	ref    *reference
	random *rand.Rand
	nextID uint64
}

func newModel(t require.TestingT, random *rand.Rand) *model {
	classes := designClasses()
	return &model{h: newHarness(t, nil, classes...), ref: newReference(t, classes), random: random}
}

func (m *model) span(trace uint64) testSpan {
	m.nextID++
	pick := func(values ...string) string { return values[m.random.IntN(len(values))] }
	s := testSpan{
		trace: traceID(trace), id: m.nextID, parent: 1 << 62,
		service: pick("shop", "pay-eu", "db", "web"), scope: pick("http", "sql"),
		name: pick("GET", "query", "cron cleanup"), start: 5_000_000_000 + m.random.Uint64N(2_000_000),
	}
	s.end = s.start + m.random.Uint64N(400_000_000)
	s.kind = ptrace.SpanKind(m.random.IntN(4))
	if m.random.IntN(8) == 0 {
		s.code = int64(404 + m.random.IntN(120))
		s.tier = pick("free", "gold", "platinum", "plated")
		s.kind = ptrace.SpanKind(m.random.IntN(6))
	}
	switch m.random.IntN(40) {
	case 0:
		s.status = ptrace.StatusCodeError
	case 1:
		s.end = s.start + 1_000_000_000
	case 2:
		s.end = 0
	case 3:
		s.id = 0
	case 4:
		s.end = s.start - 1
	case 5:
		s.state = fmt.Sprintf("ot=rv:%014x", m.random.Uint64N(1<<56))
	case 6:
		s.state = pick("ot=th:8", "ot=th:f,a=b")
	case 7, 8, 9, 10:
		s.status = ptrace.StatusCodeOk
	}
	if m.random.IntN(4) == 0 {
		s.parent = []uint64{0, s.id}[m.random.IntN(2)]
		s.route = pick("/health", "/livez", "/checkout/{id}", "/", "")
	}
	return s
}

func (m *model) ingest(spans []testSpan) {
	m.h.mustIngest(spans...)
	m.ref.ingest(m.h.now, spans)
}

func (m *model) pass(d time.Duration) {
	m.h.pass(d)
	m.ref.tick(m.h.now)
}

func (m *model) requireEqual() {
	var differ []string // a few of them: a diff of all that was kept takes minutes
	for id, o := range m.h.out {
		o.count = math.Round(o.count*1e6) / 1e6
		if want, kept := m.ref.out[id]; (!kept || want != o) && len(differ) < 10 {
			differ = append(differ, fmt.Sprintf("span %d: want %+v (kept %t), got %+v", id, want, kept, o))
		}
	}
	require.Empty(m.h.t, differ)
	require.Len(m.h.t, m.h.out, len(m.ref.out))
	require.Equal(m.h.t, m.ref.late, m.h.lates[engine.LateKept]+m.h.lates[engine.LateDropped])
}

func TestKeepsWhatTheReferenceKeeps(t *testing.T) {
	m := newModel(t, rand.New(rand.NewPCG(1, 2)))
	traces := uint64(100_000)
	if underRace {
		traces /= 5
	}
	// A window of open traces moves on, so that a trace's spans come in several
	// batches, and some after its decision.
	for base := uint64(1); base < traces; base += 50 {
		for range 10 {
			var batch []testSpan
			for range m.random.IntN(60) {
				batch = append(batch, m.span(base+m.random.Uint64N(400)))
			}
			m.ingest(batch)
			m.pass(time.Duration(m.random.IntN(1500)) * time.Millisecond)
			m.h.drain()
		}
	}
	m.pass(decisionWait)
	m.h.drain()
	m.requireEqual()
	m.h.requireBalanced()
	classes := map[string]int{}
	for _, o := range m.h.out {
		classes[o.class]++
	}
	require.Len(t, classes, len(designClasses())-1, "every class but cron, which keeps nothing: %v", classes)
	require.Positive(t, m.h.lates[engine.LateOverruled])
}

func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newModel(t, rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)))
		t.Repeat(map[string]func(*rapid.T){
			"ingest": func(t *rapid.T) {
				var batch []testSpan
				for _, trace := range rapid.SliceOfN(rapid.Uint64Range(1, 8), 0, 12).Draw(t, "traces") {
					batch = append(batch, m.span(trace))
				}
				m.ingest(batch)
			},
			"pass": func(t *rapid.T) {
				m.pass(time.Duration(rapid.Int64Range(0, int64(10*time.Second)).Draw(t, "by")))
			},
			"drain": func(*rapid.T) { m.h.drain() },
			"": func(t *rapid.T) {
				traces, _, _ := m.h.Undecided()
				require.EqualValues(t, len(m.ref.open), traces)
			},
		})
		m.pass(decisionWait)
		m.h.drain()
		m.requireEqual()
		m.h.requireBalanced()
	})
}
