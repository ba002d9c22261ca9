package engine

import (
	"slices"

	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/class"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/otlpwire"
)

// intake reads one batch and groups its spans by trace. It is reused; one
// goroutine has it at a time.
type intake struct {
	table *class.Table

	spans  []intakeSpan
	groups []group
	index  map[traceID]int32 // into groups
	scopes []intakeScope
	heads  []byte // of resources and scopes
	mended []byte // spans that were put right

	resource  section // of the ResourceSpans being read
	scope     section // of the ScopeSpans being read
	scopeUsed bool    // it is the last of scopes
	span      otlpwire.Span
	routes    otlpwire.Routes

	received, invalid, inProgress int
	faults                        [3]int // by the number of the bit

	acquired []*scopeHead // by index into scopes
	chunks   []chunk
}

// section is a range of intake.heads.
type section struct{ from, to int }

type intakeScope struct{ resource, scope section }

// intakeSpan is a span of a group, which are chained in order of arrival.
type intakeSpan struct {
	encoded []byte
	next    int32 // into spans, -1 at the end
	scope   int32 // into scopes
	stated  bool
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
	return &intake{table: e.table, index: map[traceID]int32{}}
}

func (e *Engine) recycle(in *intake) {
	if len(in.spans) > retainSpans || len(in.groups) > retainSpans || len(in.heads)+len(in.mended) > retainSpans*64 {
		return
	}
	clear(in.spans)
	clear(in.chunks)
	clear(in.acquired)
	clear(in.index)
	*in = intake{
		table:    in.table,
		spans:    in.spans[:0],
		groups:   in.groups[:0],
		index:    in.index,
		scopes:   in.scopes[:0],
		heads:    in.heads[:0],
		mended:   in.mended[:0],
		acquired: in.acquired[:0],
		chunks:   in.chunks[:0],
	}
	e.pool.Put(in)
}

func (in *intake) read(otlp []byte) error { return otlpwire.Walk(otlp, in) }

// Resource implements otlpwire.Visitor.
func (in *intake) Resource(head []byte) { in.resource = in.keep(head) }

// Scope implements otlpwire.Visitor.
func (in *intake) Scope(head []byte) { in.scope, in.scopeUsed = in.keep(head), false }

func (in *intake) keep(head []byte) section {
	from := len(in.heads)
	in.heads = append(in.heads, head...)
	return section{from, len(in.heads)}
}

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
	g := in.group(s.TraceID)
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
	in.chain(g, encoded)
	return in.judge(g, encoded)
}

func (in *intake) group(id traceID) *group {
	i, ok := in.index[id]
	if !ok {
		i = int32(len(in.groups))
		in.index[id] = i
		in.groups = append(in.groups, group{id: id, first: -1, last: -1})
	}
	return &in.groups[i]
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

func (in *intake) chain(g *group, encoded []byte) {
	if !in.scopeUsed {
		in.scopes = append(in.scopes, intakeScope{in.resource, in.scope})
		in.scopeUsed = true
	}
	at := int32(len(in.spans))
	in.spans = append(in.spans, intakeSpan{
		encoded: encoded,
		next:    -1,
		scope:   int32(len(in.scopes) - 1),
		stated:  len(in.span.TraceState) > 0,
	})
	if g.first < 0 {
		g.first = at
	} else {
		in.spans[g.last].next = at
	}
	g.last = at
	g.spans++
}

// cut copies the run of spans that begins at a span and stays within its scope.
// It returns where the next run begins, -1 where there is none.
func (in *intake) cut(at int32) (chunk, int32) {
	scope := in.spans[at].scope
	size, end := 0, at
	for end >= 0 && in.spans[end].scope == scope {
		size += otlpwire.SpanSize(len(in.spans[end].encoded))
		end = in.spans[end].next
	}
	c := chunk{scope: in.acquired[scope], frames: slices.Grow([]byte(nil), size)}
	for ; at != end; at = in.spans[at].next {
		c.frames = otlpwire.AppendSpan(c.frames, in.spans[at].encoded, nil)
		c.spans++
		c.stated = c.stated || in.spans[at].stated
	}
	return c, end
}

// need bounds what the batch can come to cost.
func (in *intake) need() int64 {
	n := int64(0)
	for i := range in.spans {
		// The allocator rounds up by an eighth at most, from 32 KiB on to pages.
		n += chunkSpace(otlpwire.SpanSize(len(in.spans[i].encoded)))
	}
	for _, s := range in.scopes {
		n += 2*headCost + int64(s.resource.to-s.resource.from) + int64(s.scope.to-s.scope.from)
	}
	for i := range in.groups {
		if in.groups[i].first >= 0 {
			n += traceCost
		}
	}
	return n
}

func chunkSpace(frame int) int64 { return chunkCost + 16 + int64(frame) + int64(frame)/4 }

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
