package engine

import (
	"math"
	"time"
)

// relieve makes room for need bytes. What is in the journal too is given up
// first. Then the oldest traces are decided early, until there is room or it is
// on its way out, as what stands in windows is. Where most of the memory waits to
// be taken from the outbox, deciding early would free little and spoil decisions,
// so that is not done.
func (e *Engine) relieve(now time.Duration, need int64) {
	if e.journal != nil {
		e.cool(e.budget.held.Load() + need - e.budget.limit/8*coolShare)
	}
	excess := e.budget.held.Load() - e.staked.Load() + need - e.budget.limit/8*7
	if excess <= 0 {
		return
	}
	e.decideEarly(now, func(t *trace) bool {
		if excess <= 0 || e.outbox.cost.Load() >= e.budget.limit/2 {
			return false
		}
		excess -= t.cost
		return true
	})
}

// cool leaves the spans of undecided traces to the journal, a shard at a time,
// until the excess is gone.
func (e *Engine) cool(excess int64) {
	for excess > 0 {
		var hottest *shard
		most := int64(0)
		for i := range e.shards {
			if hot := e.shards[i].hot.Load(); hot > most {
				hottest, most = &e.shards[i], hot
			}
		}
		if hottest == nil {
			break
		}
		freed, spilled := hottest.cool()
		e.held.add(holdings{bytes: -freed, cold: spilled})
		e.budget.release(freed)
		excess -= freed
	}
}

// relieveJournal decides the traces early that keep the oldest segment of a
// journal that is nearly full. Where half of the journal waits to be handed on,
// it does nothing, for the reason above.
func (e *Engine) relieveJournal(now time.Duration) {
	if e.journal == nil || !e.journal.Near() || e.outbox.size.Load() >= e.journal.Bytes()/2 {
		return
	}
	segment, ok := e.journal.OldestHeld()
	if !ok {
		return
	}
	r := e.newRuling(now)
	for i := range e.shards {
		sh := &e.shards[i]
		sh.mu.Lock()
		for t := sh.byAge.Front; t != nil; {
			next := t.age.Next
			if len(t.chunks) > 0 && t.chunks[0].ref.Segment <= segment {
				r.decide(sh, t)
				r.early++
			}
			t = next
		}
		sh.mu.Unlock()
		r.flush()
	}
	r.report()
}

// decideEarly decides traces from the oldest on, as long as more wants it.
func (e *Engine) decideEarly(now time.Duration, more func(*trace) bool) {
	r := e.newRuling(now)
	for goOn := true; goOn; {
		sh := e.oldestShard()
		if sh == nil {
			break
		}
		sh.mu.Lock()
		if t := sh.byAge.Front; t != nil {
			if goOn = more(t); goOn {
				r.decide(sh, t)
				r.early++
			}
		}
		sh.mu.Unlock()
		r.flush()
	}
	r.report()
}

// oldestShard returns the shard of the trace that has waited longest; nil where
// none waits.
func (e *Engine) oldestShard() *shard {
	var oldest *shard
	age := int64(math.MaxInt64)
	for i := range e.shards {
		if first := e.shards[i].oldest.Load(); first < age {
			oldest, age = &e.shards[i], first
		}
	}
	return oldest
}
