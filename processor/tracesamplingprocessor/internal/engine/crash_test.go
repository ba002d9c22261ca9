package engine_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/sampling"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"pgregory.net/rapid"

	"github.com/spanlake/spanlake/internal/attr"
	"github.com/spanlake/spanlake/internal/fsys/fsystest"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/class"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/engine"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/journal"
)

// The fate of a trace in the crash model depends on its ID alone: every span of
// trace n is of service n mod 3, and each service has its class.
func fateClasses() []class.Config {
	of := func(service string) *class.Match { return &class.Match{Services: []string{service}} }
	return []class.Config{
		{Name: "all", Keep: "100%", Retention: "30d", Match: of("all")},
		{Name: "none", Keep: "0%", Match: of("none")},
		{Name: "half", Keep: "50%", Retention: "7d"},
	}
}

var fateServices = []string{"all", "none", "half"}

func fate(trace uint64) bool {
	switch trace % 3 {
	case 0:
		return true
	case 1:
		return false
	default:
		id := traceID(trace)
		return sampling.TraceIDToRandomness(pcommon.TraceID(id)).Unsigned() >= 1<<55
	}
}

// crashModel drives the engine and its journal through crashes, and keeps the
// store that takes what is handed on: it survives, and knows batches by their ID
// as the columnar exporter does.
type crashModel struct {
	t       require.TestingT
	disk    *fsystest.Crash
	life    *life
	random  *rand.Rand
	next    uint64
	acked   map[uint64]uint64 // trace by span
	sent    [][]testSpan      // requests, acknowledged or not
	stored  map[uint64]int    // copies by span
	batches map[string]bool
	// faulty is set once a sync failed. What it was to make durable can be read
	// until the next power cut, although nobody was told that it was taken.
	faulty bool
	limit  int64
	trace  int64 // MaxTraceSize
}

// life is one run of the process.
type life struct {
	*harness
	journal   *journal.Journal
	recovered engine.Recovered
	flying    []*engine.Batch // stored, and the engine not told
}

func newCrashModel(t require.TestingT, seed uint64) *crashModel {
	m := &crashModel{
		t: t, disk: fsystest.NewCrash(), random: rand.New(rand.NewPCG(seed, 3)),
		acked: map[uint64]uint64{}, stored: map[uint64]int{}, batches: map[string]bool{},
		limit: 1 << 18, trace: 1 << 20,
	}
	m.start()
	return m
}

func (m *crashModel) start() {
	j, err := journal.Open(journal.Options{
		Directory: "/journal", MaxBytes: 4 << 20, VerdictBytes: 1 << 20, SegmentBytes: 16 << 10, FS: m.disk,
	})
	require.NoError(m.t, err)
	m.life = &life{journal: j, harness: newHarness(m.t, func(o *engine.Options) {
		o.Journal = j
		o.MemoryLimit = m.limit
		o.MaxTraceSize = m.trace
		o.BatchSpans = 8
	}, fateClasses()...)}
	m.life.recovered, err = m.life.Recover()
	require.NoError(m.t, err)
	if !m.faulty {
		require.Zero(m.t, m.life.recovered.LostPieces)
	}
}

func (m *crashModel) request(t *rapid.T) []testSpan {
	var request []testSpan
	for _, trace := range rapid.SliceOfN(rapid.Uint64Range(1, 12), 1, 8).Draw(t, "traces") {
		m.next++
		s := child(trace, m.next)
		s.service = fateServices[trace%3]
		s.scope = []string{"http", "sql"}[m.random.IntN(2)]
		s.name += string(make([]byte, m.random.IntN(300)))
		if m.random.IntN(4) == 0 {
			s.parent = 0
		}
		request = append(request, s)
	}
	return request
}

func (m *crashModel) ingest(request []testSpan) {
	err := m.life.ingest(request...)
	if err != nil {
		require.True(m.t, errors.Is(err, engine.ErrFull) || errors.Is(err, journal.ErrFailed) || errors.Is(err, journal.ErrFull), "%v", err)
		return
	}
	for _, s := range request {
		m.acked[s.id] = encodedTrace(s)
	}
}

// encodedTrace is the number that the trace ID was made of.
func encodedTrace(s testSpan) uint64 {
	for n := uint64(1); ; n++ {
		if traceID(n) == s.trace {
			return n
		}
	}
}

// store takes a batch, unless it had it before, as it was stored then. It
// returns false where the disk fails and the batch cannot go out.
func (m *crashModel) store(b *engine.Batch) bool {
	if b.Prepare() != nil {
		return false
	}
	otlp, err := m.life.encoder.Encode(b)
	require.NoError(m.t, err)
	td, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(otlp)
	require.NoError(m.t, err)
	id := ""
	for _, rs := range td.ResourceSpans().All() {
		v, ok := rs.Resource().Attributes().Get(attr.Batch)
		require.True(m.t, ok)
		require.True(m.t, id == "" || id == v.Str())
		id = v.Str()
	}
	require.NotEmpty(m.t, id)
	known := m.batches[id]
	m.batches[id] = true
	eachSpan(td, func(_ ptrace.ResourceSpans, _ ptrace.ScopeSpans, span ptrace.Span) {
		n := spanNumber(span.SpanID())
		if known {
			require.Equal(m.t, 1, m.stored[n], "a batch that comes again has the same spans")
			return
		}
		m.stored[n]++
	})
	return true
}

func spanNumber(id [8]byte) uint64 {
	n := uint64(0)
	for _, b := range id {
		n = n<<8 | uint64(b)
	}
	return n
}

func (m *crashModel) take(stored, told bool) {
	b := m.life.TryNext()
	if b == nil {
		return
	}
	if stored && m.store(b) && told {
		b.Done()
		return
	}
	m.life.flying = append(m.life.flying, b)
}

// die ends the process and starts the next on what is left of the disk.
func (m *crashModel) die(disk *fsystest.Crash) {
	m.disk = disk
	m.disk.SetFree(1 << 40)
	m.disk.ClearFaults()
	m.start()
}

// finish lets everything come to rest and checks every span.
func (m *crashModel) finish() {
	m.disk.ClearFaults()
	m.disk.SetFree(1 << 40)
	for range 3 {
		m.life.journal.Maintain()
	}
	for _, b := range m.life.flying {
		require.True(m.t, m.store(b))
		b.Done()
	}
	m.life.flying = nil
	m.life.DecideAll(m.life.now)
	for b := m.life.TryNext(); b != nil; b = m.life.TryNext() {
		require.True(m.t, m.store(b))
		b.Done()
	}
	for id, trace := range m.acked {
		want := 0
		if fate(trace) {
			want = 1
		}
		require.Equal(m.t, want, m.stored[id], "span %d of trace %d", id, trace)
	}
	for id, copies := range m.stored {
		require.Equal(m.t, 1, copies, "span %d", id)
	}
	m.requireBooks()
	require.NoError(m.t, m.life.journal.Close())
}

// requireBooks checks that all that this life has taken on has ended in one
// place, and that nothing is held.
func (m *crashModel) requireBooks() {
	l := m.life
	all := 0
	for _, n := range l.spans {
		all += n
	}
	for _, n := range l.reasons {
		all += n
	}
	require.Equal(m.t, l.received+l.recovered.UndecidedSpans, all)
	traces, bytes, spilled := l.Undecided()
	require.Zero(m.t, traces)
	require.Zero(m.t, bytes)
	require.Zero(m.t, spilled)
	require.Zero(m.t, l.Released())
	require.Zero(m.t, l.Held())
	l.journal.Maintain()
	_, held := l.journal.OldestHeld()
	require.False(m.t, held, "the journal holds nothing that nobody waits for")
}

func TestCrashModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newCrashModel(t, rapid.Uint64().Draw(t, "seed"))
		t.Repeat(map[string]func(*rapid.T){
			"ingest": func(t *rapid.T) {
				request := m.request(t)
				m.sent = append(m.sent, request)
				m.ingest(request)
			},
			"resend": func(t *rapid.T) {
				if len(m.sent) > 0 {
					m.ingest(m.sent[rapid.IntRange(0, len(m.sent)-1).Draw(t, "which")])
				}
			},
			"resend with more": func(t *rapid.T) { // so that a chunk has old spans and new ones
				if len(m.sent) == 0 {
					return
				}
				var request []testSpan
				for _, s := range m.sent[rapid.IntRange(0, len(m.sent)-1).Draw(t, "which")] {
					m.next++
					more := s
					more.id = m.next
					request = append(request, s, more)
				}
				m.sent = append(m.sent, request[:min(len(request), 16)])
				m.ingest(request)
			},
			"pass": func(t *rapid.T) {
				m.life.pass(time.Duration(rapid.Int64Range(0, int64(10*time.Second)).Draw(t, "by")))
			},
			"hand on":    func(*rapid.T) { m.take(true, true) },
			"store only": func(*rapid.T) { m.take(true, false) },
			"take":       func(*rapid.T) { m.take(false, false) },
			"maintain":   func(*rapid.T) { m.life.journal.Maintain() },
			"kill":       func(*rapid.T) { m.die(m.disk.Kill()) },
			"power cut":  func(*rapid.T) { m.die(m.disk.Crash()) },
			"torn":       func(t *rapid.T) { m.die(m.disk.CrashTorn(rapid.Uint64().Draw(t, "torn"))) },
			"stop":       func(*rapid.T) { _ = m.life.journal.Close(); m.die(m.disk.Kill()) },
			"disk fails": func(*rapid.T) {
				m.faulty = true
				m.disk.Fail(fsystest.OpSync, 1, syscall.EIO)
			},
			"disk is full": func(*rapid.T) { m.disk.SetFree(0) },
			"disk has room": func(*rapid.T) {
				m.disk.SetFree(1 << 40)
				m.disk.ClearFaults()
			},
			"": func(t *rapid.T) { require.LessOrEqual(t, m.life.Held(), m.limit) },
		})
		m.finish()
	})
}

// Everything that is held goes to the journal alone where memory is used up, and
// comes back from it.
func TestSpilledSpansAreKeptWhole(t *testing.T) {
	m := newCrashModel(t, 1)
	const requests = 200
	for i := range uint64(requests) {
		var request []testSpan
		for k := range uint64(10) {
			s := child(3*(i+1), i*10+k+1)
			s.service, s.name = "all", fmt.Sprintf("span %d %s", k, string(make([]byte, 400)))
			request = append(request, s)
		}
		require.NoError(t, m.life.ingest(request...))
		for _, s := range request {
			m.acked[s.id] = 3 * (i + 1)
		}
	}
	_, bytes, spilled := m.life.Undecided()
	require.Greater(t, bytes+spilled, int64(requests*10*400))
	require.Greater(t, spilled, 2*m.limit)
	require.Zero(t, m.life.hurried, "nothing is decided early")
	m.die(m.disk.Crash())
	require.Equal(t, requests*10, m.life.recovered.UndecidedSpans)
	m.finish()
	require.Len(t, m.stored, requests*10)
}

func TestVerdictsOutliveTheProcess(t *testing.T) {
	m := newCrashModel(t, 1)
	first := child(3, 1)
	first.service = "all"
	require.NoError(t, m.life.ingest(first))
	m.life.DecideAll(0)
	m.take(true, true)
	require.Equal(t, map[uint64]int{1: 1}, m.stored)

	m.die(m.disk.Kill())
	require.NoError(t, m.life.ingest(first)) // sent again, as its answer was lost
	require.Equal(t, 1, m.life.reasons[engine.Duplicate])
	second := first
	second.id = 2
	require.NoError(t, m.life.ingest(second))
	require.Equal(t, 1, m.life.lates[engine.LateKept])
	m.acked = map[uint64]uint64{1: 3, 2: 3}
	m.finish()
}

// A class that is no longer in the configuration still stamps what it decided.
func TestRenamedClassKeepsItsVerdicts(t *testing.T) {
	m := newCrashModel(t, 1)
	s := child(3, 1)
	s.service = "all"
	require.NoError(t, m.life.ingest(s))
	m.life.DecideAll(0)
	require.NoError(t, m.life.TryNext().Prepare()) // which makes the verdict durable

	m.disk = m.disk.Kill()
	j, err := journal.Open(journal.Options{Directory: "/journal", MaxBytes: 4 << 20, VerdictBytes: 1 << 20, FS: m.disk})
	require.NoError(t, err)
	h := newHarness(t, func(o *engine.Options) { o.Journal = j }, class.Config{Name: "new", Keep: "0%"})
	_, err = h.Recover()
	require.NoError(t, err)
	late := s
	late.id = 2
	h.mustIngest(late)
	h.Tick(0)
	h.drain()
	require.Equal(t, "all", h.out[1].class)
	require.Equal(t, "30d", h.out[2].retention)
	require.NoError(t, j.Close())
}

// What the downtime took from nobody's wait: a trace waits on for what was left
// of its time, and for root_wait at least.
func TestWaitsGoOnWhereTheyStopped(t *testing.T) {
	m := newCrashModel(t, 1)
	for i, wait := range []time.Duration{0, 10 * time.Second, 15 * time.Second} {
		m.life.now = wait
		s := child(3, uint64(i+1))
		s.trace, s.service = traceID(uint64(3*(i+1))), "all"
		require.NoError(t, m.life.ingest(s))
	}
	m.die(m.disk.Kill())
	var left []int64
	for range int64(decisionWait / time.Second) {
		m.life.pass(time.Second)
		traces, _, _ := m.life.Undecided()
		left = append(left, traces)
	}
	want := slices.Concat(slices.Repeat([]int64{3}, 14), slices.Repeat([]int64{2}, 10), slices.Repeat([]int64{1}, 5), []int64{0})
	require.Equal(t, want, left)
	require.NoError(t, m.life.journal.Close())
}
