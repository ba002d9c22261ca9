package engine

import (
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/sampling"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/class"
)

// ruling gathers what follows from decisions made under a shard's lock, to be
// carried out once the lock is gone.
type ruling struct {
	engine *Engine
	now    time.Duration

	kept    []parcel
	dropped []chunk
	freed   int64
	waited  []time.Duration

	tallies []tally // by class, dropped before kept
	late    map[Late]int
	early   int
}

type tally struct{ traces, spans int }

func (e *Engine) newRuling(now time.Duration) ruling {
	return ruling{engine: e, now: now}
}

// decide ends the wait of a trace.
func (r *ruling) decide(sh *shard, t *trace) {
	e := r.engine
	sh.end(t)
	v := verdict{class: uint8(e.table.Classify(&t.facts))}
	v.kept = e.keeps(v.class, t.id, t.randomness)
	sh.decided.record(t.id, v)
	r.waited = append(r.waited, r.now-t.first)
	r.count(v, 1, t.spans)
	r.freed += traceCost
	r.dispatch(v, t.chunks, t.cost-traceCost)
	e.undecidedTraces.Add(-1)
	e.undecidedBytes.Add(-t.cost)
}

// follow lets late spans go the way of their trace, unless they prove that it
// belongs to an earlier class, which then holds for what follows.
func (r *ruling) follow(sh *shard, v verdict, g *group, chunks []chunk, cost int64) {
	e := r.engine
	if r.late == nil {
		r.late = map[Late]int{}
	}
	if c, ok := e.table.Overrule(&g.facts, int(v.class)); ok {
		v = verdict{class: uint8(c), kept: e.keeps(uint8(c), g.id, g.randomness)}
		sh.decided.record(g.id, v)
		r.late[LateOverruled] += g.spans
	}
	if v.kept {
		r.late[LateKept] += g.spans
	} else {
		r.late[LateDropped] += g.spans
	}
	r.count(v, 0, g.spans)
	r.dispatch(v, chunks, cost)
}

func (r *ruling) count(v verdict, traces, spans int) {
	if r.tallies == nil {
		r.tallies = make([]tally, 2*r.engine.table.Len())
	}
	i := 2 * int(v.class)
	if v.kept {
		i++
	}
	r.tallies[i].traces += traces
	r.tallies[i].spans += spans
}

func (r *ruling) dispatch(v verdict, chunks []chunk, cost int64) {
	if v.kept {
		r.kept = append(r.kept, parcel{class: v.class, chunks: chunks})
		return
	}
	r.dropped = append(r.dropped, chunks...)
	r.freed += cost
}

// flush carries out what was decided since the last flush. No lock is held.
func (r *ruling) flush() {
	e := r.engine
	e.outbox.push(r.kept, e.batchSpans, e.batchBytes)
	if len(r.dropped) > 0 {
		e.heads.release(r.dropped)
	}
	e.budget.release(r.freed)
	for _, d := range r.waited {
		e.observer.Waited(d)
	}
	clear(r.kept)
	clear(r.dropped)
	r.kept, r.dropped, r.freed, r.waited = r.kept[:0], r.dropped[:0], 0, r.waited[:0]
}

// report tells the observer the sums.
func (r *ruling) report() {
	o := r.engine.observer
	for i, t := range r.tallies {
		if t != (tally{}) {
			o.Decided(i/2, i%2 == 1, t.traces, t.spans)
		}
	}
	for outcome, spans := range r.late {
		o.Late(outcome, spans)
	}
	if r.early > 0 {
		o.Early(r.early)
	}
}

// keeps is the consistent probability decision: every sampler that sees the
// trace's ID, or its explicit randomness, and has the rate of this class or a
// greater one, keeps it too.
func (e *Engine) keeps(classIndex uint8, id traceID, r randomness) bool {
	random := sampling.TraceIDToRandomness(pcommon.TraceID(id))
	if r.explicit {
		if given, err := sampling.UnsignedToRandomness(r.value); err == nil {
			random = given
		}
	}
	return e.class(classIndex).Threshold.ShouldSample(random)
}

func (e *Engine) class(i uint8) *class.Class { return e.table.Class(int(i)) }
