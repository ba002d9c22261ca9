package engine

import (
	"bytes"
	"math"
	"slices"
	"time"

	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/class"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/journal"
)

// Recovered is what Recover took up again.
type Recovered struct {
	journal.Stats
	// UndecidedSpans wait for a decision again, KeptSpans to be handed on.
	UndecidedSpans, KeptSpans int
}

// Recover takes up what the journal holds: undecided traces wait on, decided
// ones are remembered, kept spans are queued, and batches that may have been
// handed on go out again under the same ID and with the same spans. It comes
// before anything else. The spans themselves stay on disk.
func (e *Engine) Recover() (Recovered, error) {
	r := &recovery{engine: e, in: e.intake(), now: math.MinInt64, kept: map[journal.Ref]chunk{}}
	stats, err := e.journal.Recover(r)
	if err != nil {
		return Recovered{}, err
	}
	r.Stats = stats
	e.outbox.cost.Add(-r.backlog) // which is in the outbox now, or about to be
	r.requeue()
	if r.now > math.MinInt64 {
		e.resume(r.now)
	}
	return r.Recovered, nil
}

// recovery is the engine's journal.Recoverer.
type recovery struct {
	Recovered

	engine  *Engine
	in      *intake
	now     time.Duration // of the arrival being read; never goes back
	backlog int64         // cost of the kept chunks

	// kept are the chunks with a ruling that no batch has named; order is theirs.
	kept  map[journal.Ref]chunk
	order []keptChunk
}

type keptChunk struct {
	ref    journal.Ref
	skip   bitmap
	ruling *journal.Ruling
}

// Verdict implements journal.Recoverer.
func (r *recovery) Verdict(v *journal.Ruling) {
	e := r.engine
	sh := e.shard(v.Trace)
	decided, known := sh.decided.find(v.Trace)
	if given := e.verdict(v); !known || e.follows(decided, given) {
		decided = given
	}
	sh.decided.record(v.Trace, decided)
	sh.decided.add(v.Trace, v.Fingerprints...)
}

// follows reports whether a ruling overruled another. They are not in order: each
// was written after the lock was gone under which it was made, and what is
// released may have been overruled before. But only an earlier class overrules.
func (e *Engine) follows(old, given verdict) bool {
	before, _ := e.rank(old.class)
	now, _ := e.rank(given.class)
	return now < before || given.kept && !old.kept
}

// verdict reads a ruling that may be of another configuration.
func (e *Engine) verdict(r *journal.Ruling) verdict {
	return verdict{class: e.classIndex(r.Class), threshold: r.Threshold, kept: r.Kept, trimmed: r.Trimmed}
}

func (e *Engine) classIndex(c journal.Class) uint16 {
	for i, known := range e.classes {
		if known.Name == c.Name && known.Retention == c.Retention {
			return uint16(i)
		}
	}
	e.classes = append(e.classes, &class.Class{Name: c.Name, Retention: c.Retention})
	return uint16(len(e.classes) - 1)
}

// Arrival implements journal.Recoverer.
func (r *recovery) Arrival(a *journal.Arrival) {
	e, in := r.engine, r.in
	in.reset()
	r.now = max(r.now, a.Time.Sub(e.origin))
	for i := range a.Heads {
		h := &a.Heads[i]
		if i == 0 || !bytes.Equal(h.Resource, a.Heads[i-1].Resource) {
			in.resource = in.keep(h.Resource) // else it is kept once, as in the record
		}
		in.scopes = append(in.scopes, intakeScope{in.resource, in.keep(h.Scope)})
	}
	e.budget.charge(e.heads.acquire(in))
	for i := range a.Chunks {
		r.chunk(&a.Chunks[i])
	}
	_ = in.conditions() // what cannot be decoded, which the engine did not write, meets none
	e.heads.refer(in.chunks)
	e.heads.releaseScopes(in.acquired)
	e.budget.charge(chunkCost * int64(len(in.chunks)))
	e.budget.charge(e.deliver(r.now, in))
	// What is kept will be handed on, and errors further on count: only where memory
	// is used up is anything decided before all is read.
	if e.Held() > e.budget.limit {
		e.relieve(r.now, 0)
	}
}

func (r *recovery) chunk(from *journal.Chunk) {
	e, in := r.engine, r.in
	c := chunk{scope: in.acquired[from.Head], ref: from.Ref, spans: from.Spans, size: uint32(len(from.Frames))}
	if from.Ruling != nil {
		skip := slices.Clone(bitmap(from.Skip))
		if c.spans -= skip.count(); c.spans == 0 {
			c.size = 0
		}
		c.size |= statedBit // it is looked at when it is stamped
		r.KeptSpans += int(c.spans)
		r.backlog += c.cost()
		e.outbox.cost.Add(c.cost())
		in.add(c, -1)
		r.kept[c.ref] = c
		r.order = append(r.order, keptChunk{c.ref, skip, from.Ruling})
		return
	}
	if err := in.readChunk(in.nextGroup(from.Trace), c, from); err != nil {
		// The checksum holds, so this is not what the engine wrote.
		r.engine.journal.Discard([]journal.Ref{c.ref})
		r.engine.observer.Dropped(JournalDamaged, int(c.spans))
		return
	}
	r.UndecidedSpans += int(c.spans)
}

// nextGroup returns the index of the last group where it is of this trace and the
// last chunk in it, else of a new one.
func (in *intake) nextGroup(id traceID) int32 {
	if last := len(in.groups) - 1; last < 0 || in.groups[last].id != id || in.groups[last].to != len(in.chunks) {
		in.groups = append(in.groups, group{id: id, first: -1, last: -1, from: len(in.chunks), to: len(in.chunks)})
	}
	return int32(len(in.groups) - 1)
}

// Batch implements journal.Recoverer.
func (r *recovery) Batch(batch journal.Batch) {
	e := r.engine
	b := &Batch{engine: e, id: batch.ID}
	for i := range batch.Rulings {
		ruled := &batch.Rulings[i]
		p := parcel{trace: ruled.Trace, verdict: e.verdict(ruled)}
		for _, piece := range ruled.Pieces {
			c, held := r.kept[piece.Ref]
			if !held {
				continue
			}
			delete(r.kept, piece.Ref)
			p.add(c, slices.Clone(bitmap(piece.Skip)))
			b.size += c.bytes()
			b.cost += c.cost()
		}
		b.parcels = append(b.parcels, p)
	}
	e.outbox.restore(b)
}

// requeue queues what is kept and in no batch, the chunks of a ruling together.
func (r *recovery) requeue() {
	e := r.engine
	at := map[*journal.Ruling]int{}
	var parcels []parcel
	for _, k := range r.order {
		c, waiting := r.kept[k.ref]
		if !waiting {
			continue
		}
		i, ok := at[k.ruling]
		if !ok {
			i = len(parcels)
			at[k.ruling] = i
			parcels = append(parcels, parcel{trace: k.ruling.Trace, verdict: e.verdict(k.ruling)})
		}
		parcels[i].add(c, k.skip)
	}
	for i := range parcels {
		e.budget.charge(parcels[i].cost())
	}
	e.outbox.push(parcels, e.batchSpans, e.batchBytes)
}

// resume lets the traces wait on from where the last arrival was at the origin:
// the time in which nobody could send does not count. Senders that were refused
// meanwhile come back, so a trace waits root_wait at least.
func (e *Engine) resume(last time.Duration) {
	for i := range e.shards {
		sh := &e.shards[i]
		sh.mu.Lock()
		for t := sh.byAge.Front; t != nil; t = t.age.Next {
			t.first = max(t.first-last, min(0, e.rootWait-e.decisionWait))
			t.rootWait = 0
		}
		sh.hint()
		sh.mu.Unlock()
	}
}
