package engine

import (
	"time"

	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/journal"
)

// Ingest takes a batch of spans, encoded as an OTLP TracesData or
// ExportTraceServiceRequest whose deeper parts are known to be well-formed; the
// engine reads no further than it must. It copies what it keeps, so that the caller
// may reuse otlp. With a journal the spans are on disk when it returns nil. On an
// error nothing was taken and nothing counted. ErrFull, and the journal's ErrFull and
// ErrFailed, may pass.
func (e *Engine) Ingest(now time.Duration, otlp []byte) error {
	in := e.intake()
	defer e.recycle(in)
	if err := in.read(otlp); err != nil {
		return err
	}
	reserved, hot, err := e.reserve(now, in)
	if err != nil {
		return err
	}
	used := e.cut(in, hot)
	if err = in.conditions(); err == nil {
		err = e.write(now, in, hot)
	}
	if err != nil {
		e.budget.release(reserved - used)
		e.undo(in)
		return err
	}
	used += e.deliver(now, in)
	e.budget.release(reserved - used)
	in.report(e.observer)
	return nil
}

// Shares of the memory limit, in eighths, up to which spans that are in the
// journal too are also held in memory: those that arrive, and those that are
// held already. The rest is for the records of traces.
const (
	hotShare  = 4
	coolShare = 5
)

// reserve makes room for the batch, in memory or, where that is used up, in the
// journal only.
func (e *Engine) reserve(now time.Duration, in *intake) (int64, bool, error) {
	need, hot := in.need(true), true
	if e.journal != nil && e.budget.held.Load()+need > e.budget.limit/8*hotShare {
		need, hot = in.need(false), false
	}
	if need > e.budget.limit {
		return 0, false, ErrTooLarge
	}
	e.relieve(now, need)
	if !e.budget.reserve(need) {
		return 0, false, ErrFull
	}
	return need, hot, nil
}

// write makes the batch durable. Frames that stay in the journal only are given
// up.
func (e *Engine) write(now time.Duration, in *intake, hot bool) error {
	if e.journal == nil || len(in.chunks) == 0 {
		return nil
	}
	a := &in.arrival
	a.Time = e.origin.Add(now)
	for _, s := range in.scopes {
		a.Heads = append(a.Heads, journal.Head{Resource: in.head(s.resource), Scope: in.head(s.scope)})
	}
	for i := range in.groups {
		g := &in.groups[i]
		for k := g.from; k < g.to; k++ {
			c := &in.chunks[k]
			a.Chunks = append(a.Chunks, journal.Chunk{
				Trace: g.id, Head: int(in.spans[in.sources[k]].scope), Spans: c.spans, Frames: c.frames,
				Check: in.check(in.sources[k], c.spans),
			})
		}
	}
	if err := e.journal.Admit(a); err != nil {
		return err
	}
	for i := range in.chunks {
		in.chunks[i].ref = a.Chunks[i].Ref
		if !hot {
			in.chunks[i].frames = nil
		}
	}
	return nil
}

// check is what the journal checks a chunk by: the sum of its fingerprints.
func (in *intake) check(first int32, spans uint32) uint32 {
	sum := uint32(0)
	for at := first; spans > 0; spans, at = spans-1, in.spans[at].next {
		sum += uint32(in.spans[at].print)
	}
	return sum
}

// undo gives back what cut has acquired.
func (e *Engine) undo(in *intake) {
	e.heads.release(in.chunks)
	e.budget.release(in.chunksCost)
}

// deliver gives every group to its trace and returns what new records cost.
func (e *Engine) deliver(now time.Duration, in *intake) int64 {
	r := e.newRuling(now)
	used := int64(0)
	for i := range in.groups {
		g := &in.groups[i]
		sh := e.shard(g.id)
		sh.mu.Lock()
		used += r.deliver(sh, in, g)
		sh.mu.Unlock()
	}
	r.flush()
	r.report()
	return used
}

func (r *ruling) deliver(sh *shard, in *intake, g *group) int64 {
	t := sh.traces[g.id]
	used := int64(0)
	if t == nil {
		if g.from == g.to { // only in progress: it begins no wait
			return 0
		}
		if v, decided := sh.decided.find(g.id); decided {
			return r.follow(sh, v, in, g)
		}
		t = sh.begin(g.id, r.now)
		used = traceCost
		r.held.traces++
		r.held.bytes += traceCost
	}
	hot := t.hot
	used += r.take(t, in, g)
	sh.hot.Add(t.hot - hot)
	if (g.root && !t.rooted) || (g.alive && t.rooted) {
		sh.awaitRest(t, r.now)
	}
	return used
}

// firstChunks is room for what a few requests bring of a trace.
const firstChunks = 4

// take adds a group to its trace, without the spans that the trace has already
// or has no room for, and returns what it takes to know that.
func (r *ruling) take(t *trace, in *intake, g *group) int64 {
	s := sieve{prints: &t.prints, size: t.size, limit: r.engine.maxTraceSize}
	spans, cost, cold, skipped := 0, int64(0), int64(0), int64(0)
	if t.chunks == nil {
		t.chunks = make([]chunk, 0, max(firstChunks, g.to-g.from))
	}
	for k := g.from; k < g.to; k++ {
		c := &in.chunks[k]
		before := s.trimmed
		skip := r.sift(&s, in, c, in.sources[k])
		// What was trimmed counts in the facts, and has to after a restart too.
		if c.spans == 0 && (s.trimmed == before || c.ref == (journal.Ref{})) {
			r.discard(*c)
			continue
		}
		if c.spans == 0 {
			r.freed += int64(cap(c.frames))
			c.frames, c.size = nil, 0
		}
		if skip != nil && c.ref != (journal.Ref{}) {
			if t.skips == nil {
				t.skips = skips{}
				skipped += skipsCost
			}
			t.skips[c.ref] = skip
			skipped += skipCost + 8*int64(len(skip))
		}
		t.chunks = append(t.chunks, *c)
		spans += int(c.spans)
		cost += c.cost()
		cold += c.coldBytes()
		t.hot += int64(cap(c.frames))
	}
	if s.trimmed > 0 && !t.trimmed {
		t.trimmed = true
		r.trimmedTraces++
	}
	g.facts.Spans -= uint32(s.duplicates)
	t.facts.Merge(&g.facts)
	t.randomness.merge(g.randomness)
	r.refused[duplicate] += s.duplicates
	r.refused[trimmed] += s.trimmed
	records := printCost*int64(spans) + skipped
	t.spans += spans
	t.size = s.size
	t.cost += cost + records
	t.cold += cold
	r.held.bytes += cost + records
	r.held.cold += cold
	return records
}
