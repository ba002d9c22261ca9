package engine

import (
	"time"

	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/journal"
)

// ruling gathers what follows from decisions made under a shard's lock, to be
// carried out once the lock is gone.
type ruling struct {
	engine *Engine
	now    time.Duration

	kept      []parcel
	dropped   []chunk
	discarded []journal.Ref
	evicted   []*trace // of windows
	rulings   []journal.Ruling
	pieces    []journal.Piece
	freed     int64
	held      holdings // change of
	waited    []time.Duration

	tallies       []tally // by class and outcome
	late          map[Late]int
	refused       [2]int // spans, by refusal
	trimmedTraces int
	early         int
}

// holdings is what waits for a decision.
type holdings struct{ traces, bytes, cold int64 }

type tally struct{ traces, spans int }

// Refusals of spans by their trace, indexes of ruling.refused.
const (
	duplicate = iota
	trimmed
)

func (e *Engine) newRuling(now time.Duration) ruling {
	return ruling{engine: e, now: now}
}

// decide ends the wait of a trace. Where its class bounds its rate and the trace
// passes the class's threshold, it stands as a candidate until the window closes.
func (r *ruling) decide(sh *shard, t *trace) {
	e := r.engine
	c := uint16(e.table.Classify(&t.facts))
	random := t.randomness.of(t.id)
	v := verdict{class: c, threshold: e.classes[c].Threshold.Unsigned()}
	if v.kept = random >= v.threshold; !v.kept {
		r.conclude(sh, t, v, Dropped)
		return
	}
	w := e.windows[c]
	if w == nil {
		r.conclude(sh, t, v, Kept)
		return
	}
	sh.enter(t, c)
	t.staked = t.cost
	e.staked.Add(t.staked)
	if out := w.enter(candidate{t, random, fingerprint(t.id[:], e.seed)}, r.now); out != nil {
		r.evicted = append(r.evicted, out)
	}
}

// settle ends the candidacy of a trace. One that has proved an earlier class
// meanwhile is decided by that.
func (r *ruling) settle(sh *shard, t *trace, v verdict, o Outcome) {
	r.engine.staked.Add(-t.staked)
	if c := uint16(r.engine.table.Classify(&t.facts)); c < t.class {
		sh.leave(t)
		r.decide(sh, t)
		return
	}
	r.conclude(sh, t, v, o)
}

func (r *ruling) conclude(sh *shard, t *trace, v verdict, o Outcome) {
	v.trimmed = t.trimmed
	sh.end(t)
	p := parcel{trace: t.id, verdict: v, chunks: t.chunks, skips: t.skips}
	sh.decided.record(t.id, v)
	if v.kept {
		prints := t.prints // the trace itself must not live on
		sh.decided.keep(t.id, &prints)
	}
	r.waited = append(r.waited, r.now-t.first)
	r.count(v.class, o, 1, t.spans)
	r.held.traces--
	r.held.bytes -= t.cost
	r.held.cold -= t.cold
	r.freed += traceCost + printCost*int64(t.spans)
	if r.engine.journal != nil {
		var prints []uint64
		if v.kept {
			prints = t.prints.list()
		}
		r.record(&p, prints)
	}
	if r.dispatch(p) {
		r.freed -= parcelCost
	} else {
		r.freed += p.skips.cost()
	}
}

// follow lets late spans go the way of their trace, unless they prove that it
// belongs to an earlier class, which then holds for what follows. It returns
// what the parcel costs.
func (r *ruling) follow(sh *shard, v verdict, in *intake, g *group) int64 {
	e := r.engine
	prints := sh.decided.prints(g.id)
	before := prints.bytes()
	s := e.lateSieve(prints)
	p := parcel{trace: g.id}
	spans := 0
	for k := g.from; k < g.to; k++ {
		c := &in.chunks[k]
		skip := r.sift(&s, in, c, in.sources[k])
		if c.spans == 0 {
			r.discard(*c)
			continue
		}
		p.add(*c, skip)
		spans += int(c.spans)
	}
	r.refused[duplicate] += s.duplicates
	if spans == 0 {
		return 0
	}
	if r.late == nil {
		r.late = map[Late]int{}
	}
	o := Dropped
	g.facts.Spans -= uint32(s.duplicates)
	if over, ok := r.overruled(g, v); ok {
		v = over
		r.late[LateOverruled] += spans
		sh.decided.record(g.id, v)
	}
	if v.kept {
		o = Kept
		sh.decided.grown(g.id, prints, before)
		r.late[LateKept] += spans
	} else {
		r.late[LateDropped] += spans
	}
	p.verdict = v
	r.count(v.class, o, 0, spans)
	if e.journal != nil {
		if !v.kept {
			s.passed = nil
		}
		r.record(&p, s.passed)
	}
	if r.dispatch(p) {
		return p.cost()
	}
	return 0
}

// overruled returns the verdict of a class before that of v, where late spans
// alone prove one. What is kept stays kept. What a class decided that is not in
// the configuration any more, nothing is known to come before.
func (r *ruling) overruled(g *group, v verdict) (verdict, bool) {
	e := r.engine
	before, known := e.rank(v.class)
	if v.kept && !known {
		return v, false
	}
	c, ok := e.table.Overrule(&g.facts, before)
	if !ok {
		return v, false
	}
	threshold := e.classes[c].Threshold.Unsigned()
	kept := g.randomness.of(g.id) >= threshold
	if v.kept && !kept {
		return v, false
	}
	return verdict{class: uint16(c), threshold: threshold, kept: kept, trimmed: v.trimmed}, true
}

// rank is the place of a class in the order of the table. One that only the
// journal knows has the place of its namesake; without one it comes last.
func (e *Engine) rank(classIndex uint16) (int, bool) {
	if int(classIndex) < e.table.Len() {
		return int(classIndex), true
	}
	for i := range e.table.Len() {
		if e.table.Class(i).Name == e.classes[classIndex].Name {
			return i, true
		}
	}
	return e.table.Len() - 1, false
}

// record notes for the journal what was decided about the chunks. Where they are
// kept, the fingerprints are those of their spans and of no others: a span whose
// own ruling is lost must not pass for one that was kept before.
func (r *ruling) record(p *parcel, prints []uint64) {
	from := len(r.pieces)
	for i := range p.chunks {
		r.pieces = append(r.pieces, p.piece(i))
	}
	ruled := r.engine.ruled(p)
	ruled.Pieces = r.pieces[from:len(r.pieces):len(r.pieces)]
	ruled.Fingerprints = prints
	r.rulings = append(r.rulings, ruled)
}

func (r *ruling) count(classIndex uint16, o Outcome, traces, spans int) {
	if r.tallies == nil {
		r.tallies = make([]tally, outcomes*len(r.engine.classes))
	}
	t := &r.tallies[outcomes*int(classIndex)+int(o)]
	t.traces += traces
	t.spans += spans
}

// dispatch reports whether the chunks are to be handed on.
func (r *ruling) dispatch(p parcel) bool {
	if p.verdict.kept && len(p.chunks) > 0 {
		if e := r.engine; e.journal != nil && e.outbox.cost.Load() > e.budget.limit/4 {
			r.freed += p.cool()
		}
		r.kept = append(r.kept, p)
		return true
	}
	r.dropped = append(r.dropped, p.chunks...)
	for i := range p.chunks {
		r.freed += p.chunks[i].cost()
	}
	return false
}

// flush carries out what was decided since the last flush. No lock is held.
func (r *ruling) flush() {
	e := r.engine
	r.evict()
	if e.journal != nil {
		// Before anything is handed on: a release follows the ruling in the journal.
		e.journal.Rule(r.rulings)
		e.journal.Discard(r.discarded)
	}
	e.outbox.push(r.kept, e.batchSpans, e.batchBytes)
	if len(r.dropped) > 0 {
		e.heads.release(r.dropped)
	}
	e.budget.release(r.freed)
	e.held.add(r.held)
	for _, d := range r.waited {
		e.observer.Waited(d)
	}
	clear(r.kept)
	clear(r.dropped)
	clear(r.rulings)
	clear(r.pieces)
	r.kept, r.dropped, r.discarded, r.waited = r.kept[:0], r.dropped[:0], r.discarded[:0], r.waited[:0]
	r.rulings, r.pieces = r.rulings[:0], r.pieces[:0]
	r.freed, r.held = 0, holdings{}
}

// evict settles the traces that better candidates have put out of their windows.
func (r *ruling) evict() {
	for len(r.evicted) > 0 {
		t := r.evicted[len(r.evicted)-1]
		r.evicted = r.evicted[:len(r.evicted)-1]
		sh := r.engine.shard(t.id)
		sh.mu.Lock()
		r.settle(sh, t, verdict{class: t.class}, Limited)
		sh.mu.Unlock()
	}
}

// report tells the observer the sums.
func (r *ruling) report() {
	o := r.engine.observer
	for i, t := range r.tallies {
		if t != (tally{}) {
			o.Decided(r.engine.classes[i/outcomes].Name, Outcome(i%outcomes), t.traces, t.spans)
		}
	}
	for outcome, spans := range r.late {
		o.Late(outcome, spans)
	}
	for i, reason := range [...]Reason{duplicate: Duplicate, trimmed: Trimmed} {
		if r.refused[i] > 0 {
			o.Dropped(reason, r.refused[i])
		}
	}
	if r.trimmedTraces > 0 {
		o.TracesTrimmed(r.trimmedTraces)
	}
	if r.early > 0 {
		o.Early(r.early)
	}
}
