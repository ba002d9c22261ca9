package engine_test

import (
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanlake/spanlake/internal/attr"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/class"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/engine"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/journal"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/otlpwire"
)

const (
	decisionWait = 30 * time.Second
	rootWait     = 6 * time.Second
)

// testSpan is a span as a test thinks of it.
type testSpan struct {
	trace          [16]byte
	id, parent     uint64
	service, scope string
	source         string
	name, route    string
	path, target   string
	tier           string
	code           int64
	kind           ptrace.SpanKind
	status         ptrace.StatusCode
	start, end     uint64
	state          string
}

func spanID(n uint64) [8]byte {
	var id [8]byte
	binary.BigEndian.PutUint64(id[:], n)
	return id
}

func traceID(n uint64) [16]byte {
	var id [16]byte
	binary.BigEndian.PutUint64(id[:], n*0x9e3779b97f4a7c15)
	binary.BigEndian.PutUint64(id[8:], n*0xd1b54a32d192ed03)
	return id
}

// encode writes each run of spans of one service and scope as one ScopeSpans.
func encode(t require.TestingT, spans ...testSpan) []byte {
	td := ptrace.NewTraces()
	var rs ptrace.ResourceSpans
	var ss ptrace.ScopeSpans
	for i := range spans {
		s := &spans[i]
		sameResource := i > 0 && spans[i-1].service == s.service && spans[i-1].source == s.source
		if !sameResource {
			rs = td.ResourceSpans().AppendEmpty()
			rs.SetSchemaUrl("https://opentelemetry.io/schemas/1.37.0")
			rs.Resource().Attributes().PutStr("service.name", s.service)
			if s.source != "" {
				rs.Resource().Attributes().PutStr(attr.Source, s.source)
			}
		}
		if !sameResource || spans[i-1].scope != s.scope {
			ss = rs.ScopeSpans().AppendEmpty()
			ss.Scope().SetName(s.scope)
			ss.SetSchemaUrl("urn:" + s.scope)
		}
		s.fill(ss.Spans().AppendEmpty())
	}
	otlp, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
	require.NoError(t, err)
	return otlp
}

func (s *testSpan) fill(to ptrace.Span) {
	to.SetTraceID(s.trace)
	to.SetSpanID(spanID(s.id))
	to.SetParentSpanID(spanID(s.parent))
	to.SetName(s.name)
	to.SetStartTimestamp(pcommon.Timestamp(s.start))
	to.SetEndTimestamp(pcommon.Timestamp(s.end))
	to.Status().SetCode(s.status)
	to.TraceState().FromRaw(s.state)
	to.SetKind(s.kind)
	if s.tier != "" {
		to.Attributes().PutStr("tier", s.tier)
	}
	if s.code != 0 {
		to.Attributes().PutInt("code", s.code)
	}
	if s.route != "" {
		to.Attributes().PutStr("http.route", s.route)
	}
	if s.path != "" {
		to.Attributes().PutStr("url.path", s.path)
	}
	if s.target != "" {
		to.Attributes().PutStr("http.target", s.target)
	}
}

// outcome is what a span came out with.
type outcome struct {
	class, retention string
	count            float64
	state            string
	service, scope   string
	trimmed          bool
}

type harness struct {
	t require.TestingT
	*engine.Engine
	counts
	encoder *engine.Encoder
	now     time.Duration
	out     map[uint64]outcome // by span ID
	log     *journal.Journal   // of a harness that is journaled
}

type counts struct {
	received      int
	reasons       map[engine.Reason]int
	faults        map[otlpwire.Fault]int
	traces, spans map[decided]int
	lates         map[engine.Late]int
	hurried       int
	trimmed       int // traces
	limited       int // spans
	classes       []string
	waits         []time.Duration
}

type decided struct {
	class int
	kept  bool
}

func newCounts() counts {
	return counts{
		reasons: map[engine.Reason]int{}, faults: map[otlpwire.Fault]int{},
		traces: map[decided]int{}, spans: map[decided]int{}, lates: map[engine.Late]int{},
	}
}

func (c *counts) Received(n int)                 { c.received += n }
func (c *counts) Dropped(r engine.Reason, n int) { c.reasons[r] += n }
func (c *counts) Mended(f otlpwire.Fault, n int) { c.faults[f] += n }
func (c *counts) Late(o engine.Late, n int)      { c.lates[o] += n }
func (c *counts) Early(n int)                    { c.hurried += n }
func (c *counts) Waited(d time.Duration)         { c.waits = append(c.waits, d) }
func (c *counts) TracesTrimmed(n int)            { c.trimmed += n }
func (c *counts) Decided(class string, o engine.Outcome, tr, sp int) {
	i := slices.Index(c.classes, class)
	if o == engine.Limited {
		c.limited += sp
	}
	c.traces[decided{i, o == engine.Kept}] += tr
	c.spans[decided{i, o == engine.Kept}] += sp
}

func newHarness(t require.TestingT, configure func(*engine.Options), classes ...class.Config) *harness {
	table, err := class.NewTable(classes)
	require.NoError(t, err)
	h := &harness{t: t, counts: newCounts(), out: map[uint64]outcome{}}
	for i := range classes {
		h.classes = append(h.classes, classes[i].Name)
	}
	o := engine.Options{
		Table:         table,
		DecisionWait:  decisionWait,
		RootWait:      rootWait,
		MemoryLimit:   64 << 20,
		MaxTraceSize:  16 << 20,
		VerdictMemory: 16 << 20,
		BatchSpans:    64,
		BatchBytes:    1 << 20,
		Origin:        time.Unix(1_800_000_000, 0),
		Observer:      &h.counts,
	}
	if configure != nil {
		configure(&o)
	}
	h.Engine = engine.New(o)
	h.encoder = h.NewEncoder()
	return h
}

// ingest overwrites the batch, as callers reuse its buffer.
func (h *harness) ingest(spans ...testSpan) error {
	otlp := encode(h.t, spans...)
	err := h.Ingest(h.now, otlp)
	clear(otlp)
	return err
}

func (h *harness) mustIngest(spans ...testSpan) { require.NoError(h.t, h.ingest(spans...)) }

// pass lets time pass and the engine notice.
func (h *harness) pass(d time.Duration) {
	h.now += d
	h.Tick(h.now)
}

// drain takes every batch and notes what came out.
func (h *harness) drain() {
	for b := h.TryNext(); b != nil; b = h.TryNext() {
		h.note(b)
		b.Done()
	}
}

func (h *harness) note(b *engine.Batch) {
	td := h.decode(b)
	require.Equal(h.t, b.Spans(), td.SpanCount())
	eachSpan(td, func(rs ptrace.ResourceSpans, ss ptrace.ScopeSpans, span ptrace.Span) {
		sid := span.SpanID()
		id := binary.BigEndian.Uint64(sid[:])
		if _, twice := h.out[id]; twice {
			require.Fail(h.t, "given out twice", "span %d", id)
		}
		get := func(key string) pcommon.Value {
			v, ok := span.Attributes().Get(key)
			if !ok {
				return pcommon.NewValueEmpty()
			}
			return v
		}
		service, _ := rs.Resource().Attributes().Get("service.name")
		h.out[id] = outcome{
			class: get(attr.Class).Str(), retention: get(attr.Retention).Str(), count: get(attr.AdjustedCount).Double(),
			state: span.TraceState().AsRaw(), service: service.Str(), scope: ss.Scope().Name(),
			trimmed: get(attr.Trimmed).Bool(),
		}
	})
}

func (h *harness) decode(b *engine.Batch) ptrace.Traces {
	t := h.t
	require.NoError(t, b.Prepare())
	otlp, err := h.encoder.Encode(b)
	require.NoError(t, err)
	td, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(otlp)
	require.NoError(t, err)
	return td
}

func eachSpan(td ptrace.Traces, fn func(ptrace.ResourceSpans, ptrace.ScopeSpans, ptrace.Span)) {
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, span := range ss.Spans().All() {
				fn(rs, ss, span)
			}
		}
	}
}

// requireBalanced checks, at rest, that every span received has ended in one
// place, and that nothing is held.
func (h *harness) requireBalanced() { h.requireBooks(len(h.out), h.received) }

// requireBooks does so for spans handed on and spans taken on, recovered ones
// too.
func (h *harness) requireBooks(handedOn, takenOn int) {
	kept, all := 0, 0
	for d, n := range h.spans {
		all += n
		if d.kept {
			kept += n
		}
	}
	for _, n := range h.reasons {
		all += n
	}
	require.Equal(h.t, takenOn, all)
	require.Equal(h.t, handedOn, kept)
	traces, bytes, spilled := h.Undecided()
	require.Zero(h.t, traces)
	require.Zero(h.t, bytes)
	require.Zero(h.t, spilled)
	require.Zero(h.t, h.Released())
	require.Zero(h.t, h.Held())
}

func keepAll() class.Config { return class.Config{Name: "all", Keep: "100%", Retention: "7d"} }

func root(trace uint64, id uint64) testSpan {
	return testSpan{trace: traceID(trace), id: id, service: "shop", scope: "lib", name: "GET /", start: 1000, end: 2000}
}

func child(trace uint64, id uint64) testSpan {
	s := root(trace, id)
	s.parent = 1 << 60
	return s
}

func newT(t *testing.T, classes ...class.Config) *harness {
	t.Helper()
	return newHarness(t, nil, classes...)
}
