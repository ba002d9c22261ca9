package engine

import (
	"slices"
	"time"
)

// Ingest takes a batch of spans, encoded as an OTLP TracesData or
// ExportTraceServiceRequest whose deeper parts are known to be well-formed; the
// engine reads no further than it must. It copies what it keeps. On an error
// nothing was taken and nothing counted.
func (e *Engine) Ingest(now time.Duration, otlp []byte) error {
	in := e.intake()
	defer e.recycle(in)
	if err := in.read(otlp); err != nil {
		return err
	}
	need := in.need()
	if need > e.budget.limit {
		return ErrTooLarge
	}
	e.relieve(now, need)
	if !e.budget.reserve(need) {
		return ErrFull
	}
	used := e.chunk(in) + e.deliver(now, in)
	e.budget.release(need - used)
	in.report(e.observer)
	return nil
}

// chunk copies the spans of each group into chunks of its own and returns what
// they and the heads new to the engine cost.
func (e *Engine) chunk(in *intake) int64 {
	used := int64(0)
	for i := range in.scopes {
		s := &in.scopes[i]
		head, cost := e.heads.acquire(in.heads[s.resource.from:s.resource.to], in.heads[s.scope.from:s.scope.to])
		in.acquired = append(in.acquired, head)
		used += cost
	}
	for i := range in.groups {
		g := &in.groups[i]
		g.from = len(in.chunks)
		for at := g.first; at >= 0; {
			var c chunk
			c, at = in.cut(at)
			g.facts.Met.Merge(&c.scope.resource.met)
			in.chunks = append(in.chunks, c)
			used += c.cost()
		}
		g.to = len(in.chunks)
	}
	e.heads.refer(in.chunks)
	e.heads.releaseScopes(in.acquired)
	return used
}

// deliver gives every group to its trace and returns what new records cost.
func (e *Engine) deliver(now time.Duration, in *intake) int64 {
	r := e.newRuling(now)
	var used, traces, bytes int64
	for i := range in.groups {
		g := &in.groups[i]
		chunks := in.chunks[g.from:g.to]
		cost := int64(0)
		for j := range chunks {
			cost += chunks[j].cost()
		}
		sh := e.shard(g.id)
		sh.mu.Lock()
		t := sh.traces[g.id]
		if t == nil {
			v, decided := sh.decided.find(g.id)
			switch {
			case len(chunks) == 0: // only in progress: it begins no wait
			case decided:
				r.follow(sh, v, g, slices.Clone(chunks), cost)
			default:
				t = sh.begin(g.id, now)
				t.cost = traceCost
				traces++
				used += traceCost
				bytes += traceCost
			}
		}
		if t != nil {
			t.take(g, chunks, cost)
			bytes += cost
			if (g.root && !t.rooted) || (g.alive && t.rooted) {
				sh.awaitRest(t, now)
			}
		}
		sh.mu.Unlock()
	}
	e.undecidedTraces.Add(traces)
	e.undecidedBytes.Add(bytes)
	r.flush()
	r.report()
	return used
}

func (t *trace) take(g *group, chunks []chunk, cost int64) {
	t.facts.Merge(&g.facts)
	t.randomness.merge(g.randomness)
	t.chunks = append(t.chunks, chunks...)
	t.spans += g.spans
	t.cost += cost
}
