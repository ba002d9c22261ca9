package engine

import (
	"github.com/zeebo/xxh3"

	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/class"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/journal"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/otlpwire"
)

// intake reads one batch and groups its spans by trace. It is reused; one
// goroutine has it at a time.
type intake struct {
	table *class.Table
	seed  uint64 // of fingerprints

	spans  []intakeSpan
	groups []group
	index  map[traceID]int32 // into groups
	scopes []intakeScope
	heads  []byte // of resources and scopes
	mended []byte // spans that were put right

	resource  section // of the ResourceSpans being read
	scope     section // of the ScopeSpans being read
	scopeUsed bool    // it is the last of scopes
	scopeSeed uint64  // of the fingerprints in it
	// resourceSeed is the seed of its scopes' seeds.
	resourceSeed uint64
	span         otlpwire.Span
	routes       otlpwire.Routes

	received, invalid, inProgress int
	faults                        [3]int // by the number of the bit

	acquired []*scopeHead // by index into scopes
	chunks   []chunk
	sources  []int32 // by index into chunks: its first span
	order    []int32 // of spans, by scope
	scratch  []byte  // frames that are for the journal only
	// chunksCost is what the chunks cost in memory.
	chunksCost int64

	arrival journal.Arrival
}

// section is a range of intake.heads.
type section struct{ from, to int }

type intakeScope struct{ resource, scope section }

// intakeSpan is a span of a group, which are chained in order of arrival.
type intakeSpan struct {
	encoded []byte
	print   uint64
	next    int32 // into spans, -1 at the end
	scope   int32 // into scopes
	group   int32 // into groups
	root    bool
	stated  bool
	vital   bool // the last that a trace without room gives up: a root, an error
}

// group is what a batch holds of one trace.
type group struct {
	id          traceID
	first, last int32 // into intake.spans, -1 where there are none
	spans       int
	facts       class.Facts
	randomness  randomness
	root        bool
	alive       bool // some span was in progress
	from, to    int  // of intake.chunks
}

// retainSpans bounds what an intake keeps for its next use.
const retainSpans = 1 << 14

func (e *Engine) intake() *intake {
	if in, ok := e.pool.Get().(*intake); ok {
		return in
	}
	return &intake{table: e.table, seed: e.seed, index: map[traceID]int32{}}
}

func (e *Engine) recycle(in *intake) {
	if len(in.spans) > retainSpans || len(in.groups) > retainSpans ||
		len(in.heads)+len(in.mended)+len(in.scratch) > retainSpans*64 {
		return
	}
	in.reset()
	e.pool.Put(in)
}

func (in *intake) reset() {
	clear(in.spans)
	clear(in.chunks)
	clear(in.acquired)
	clear(in.index)
	clear(in.arrival.Heads)
	clear(in.arrival.Chunks)
	*in = intake{
		table:    in.table,
		seed:     in.seed,
		spans:    in.spans[:0],
		groups:   in.groups[:0],
		index:    in.index,
		scopes:   in.scopes[:0],
		heads:    in.heads[:0],
		mended:   in.mended[:0],
		acquired: in.acquired[:0],
		chunks:   in.chunks[:0],
		sources:  in.sources[:0],
		order:    in.order[:0],
		scratch:  in.scratch[:0],
		arrival:  journal.Arrival{Heads: in.arrival.Heads[:0], Chunks: in.arrival.Chunks[:0]},
	}
}

func (in *intake) read(otlp []byte) error { return otlpwire.Walk(otlp, in) }

// Resource implements otlpwire.Visitor.
func (in *intake) Resource(head []byte) {
	in.resource = in.keep(head)
	in.resourceSeed = xxh3.HashSeed(head, in.seed)
}

// Scope implements otlpwire.Visitor.
func (in *intake) Scope(head []byte) { in.scope, in.scopeUsed = in.keep(head), false }

func (in *intake) keep(head []byte) section {
	from := len(in.heads)
	in.heads = append(in.heads, head...)
	return section{from, len(in.heads)}
}

func (in *intake) head(s section) []byte { return in.heads[s.from:s.to] }

// Span implements otlpwire.Visitor.
func (in *intake) Span(encoded []byte) error {
	s := &in.span
	if err := s.Parse(encoded); err != nil {
		return err
	}
	in.received++
	if s.TraceID == (traceID{}) || s.ID == [8]byte{} {
		in.invalid++
		return nil
	}
	at := in.group(s.TraceID)
	g := &in.groups[at]
	if s.End == 0 {
		in.inProgress++
		g.alive = true
		return nil
	}
	if s.Faults != 0 {
		var err error
		if encoded, err = in.mend(encoded); err != nil {
			return err
		}
	}
	in.chain(at, encoded)
	return in.judge(g, encoded)
}

// group returns the index of the trace's group.
func (in *intake) group(id traceID) int32 {
	i, ok := in.index[id]
	if !ok {
		i = int32(len(in.groups))
		in.index[id] = i
		in.groups = append(in.groups, group{id: id, first: -1, last: -1})
	}
	return i
}

func (in *intake) mend(encoded []byte) ([]byte, error) {
	for i := range in.faults {
		if in.span.Faults&(1<<i) != 0 {
			in.faults[i]++
		}
	}
	from := len(in.mended)
	mended, err := in.span.Mend(in.mended, encoded)
	if err != nil {
		return nil, err
	}
	in.mended = mended
	return mended[from:], nil
}

func (in *intake) chain(group int32, encoded []byte) {
	if !in.scopeUsed {
		in.scopes = append(in.scopes, intakeScope{in.resource, in.scope})
		in.scopeUsed = true
		in.scopeSeed = xxh3.HashSeed(in.head(in.scope), in.resourceSeed)
	}
	in.link(group, encoded, int32(len(in.scopes)-1))
}

// link adds a span that in.span was parsed from to its group.
func (in *intake) link(group int32, encoded []byte, scope int32) {
	g, at := &in.groups[group], int32(len(in.spans))
	in.spans = append(in.spans, intakeSpan{
		encoded: encoded,
		print:   fingerprint(encoded, in.scopeSeed),
		next:    -1,
		scope:   scope,
		group:   group,
		root:    in.span.Root,
		stated:  len(in.span.TraceState) > 0,
		vital:   in.span.Root || in.span.StatusCode == statusError,
	})
	if g.first < 0 {
		g.first = at
	} else {
		in.spans[g.last].next = at
	}
	g.last = at
	g.spans++
}

// statusError is the code of opentelemetry.proto.trace.v1.Status.
const statusError = 2

// readChunk reads a chunk of the journal, which was read in this way before, and
// adds it to a group. After an error it has added nothing.
func (in *intake) readChunk(group int32, c chunk, from *journal.Chunk) error {
	g := &in.groups[group]
	in.scopeSeed = c.scope.seed
	before, first := *g, len(in.spans)
	err := otlpwire.EachSpan(from.Frames, func(encoded []byte) error {
		if err := in.span.Parse(encoded); err != nil {
			return err
		}
		if len(in.span.TraceState) > 0 {
			c.size |= statedBit
		}
		in.link(group, encoded, int32(from.Head))
		return in.judge(g, encoded)
	})
	if err != nil {
		*g, in.spans = before, in.spans[:first]
		if g.last >= 0 {
			in.spans[g.last].next = -1
		}
		return err
	}
	g.facts.Met.Merge(&c.scope.resource.met)
	in.add(c, int32(first))
	g.to = len(in.chunks)
	return nil
}

// add adds a chunk whose spans begin at the given one.
func (in *intake) add(c chunk, first int32) {
	in.chunks = append(in.chunks, c)
	in.sources = append(in.sources, first)
}

func (in *intake) report(o Observer) {
	o.Received(in.received)
	if in.invalid > 0 {
		o.Dropped(InvalidID, in.invalid)
	}
	if in.inProgress > 0 {
		o.Dropped(InProgress, in.inProgress)
	}
	for i, n := range in.faults {
		if n > 0 {
			o.Mended(1<<i, n)
		}
	}
}
