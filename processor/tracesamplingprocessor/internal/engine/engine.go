// Package engine gathers encoded spans by trace, decides each trace once by its
// facts, and gives out what is kept in batches.
//
// It starts no goroutine and reads no clock: callers say what time it is, as
// the time since an origin of their choice that never goes back. Every method
// may be called by any number of goroutines.
//
// A trace belongs to one of a fixed number of shards, by its ID. Each shard has
// a mutex that owns everything in it. A lock rather than a goroutine, because
// the work under it is short (one map look-up and a few words merged for each
// trace of a batch; copying is done before) and the goroutine that received the
// batch is there to do it: no queue, no hand-over, and backpressure reaches the
// sender at once.
package engine

import (
	"encoding/binary"
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/class"
)

var (
	// ErrFull refuses a batch for which there is no room now. Nothing of the
	// batch was taken.
	ErrFull = errors.New("memory_limit_mib reached and nothing can be freed")
	// ErrTooLarge refuses a batch that exceeds the limit alone.
	ErrTooLarge = errors.New("batch exceeds memory_limit_mib")
)

// Options of an Engine; every field must be set.
type Options struct {
	Table *class.Table
	// DecisionWait is how long a trace waits at most, counted from its first span.
	DecisionWait time.Duration
	// RootWait is how long a trace waits once its root span has arrived.
	RootWait time.Duration
	// MemoryLimit bounds, in bytes, what is held of undecided traces and of kept
	// ones not yet Done.
	MemoryLimit int64
	// VerdictMemory bounds, in bytes, the memory of traces already decided.
	VerdictMemory int64
	// BatchSpans and BatchBytes are when a batch is full. One trace's share of one
	// request is never divided, so a batch may be larger by that.
	BatchSpans int
	BatchBytes int64
	Observer   Observer
}

// Engine is the sampler. Create it with New.
type Engine struct {
	table        *class.Table
	decisionWait time.Duration
	rootWait     time.Duration
	observer     Observer
	stamps       []stamp // by class
	batchSpans   int
	batchBytes   int64

	budget budget
	heads  *heads
	outbox *outbox
	shards [shardCount]shard
	pool   sync.Pool // of *intake

	undecidedTraces, undecidedBytes atomic.Int64
}

// shardCount is many times the cores of a large machine, so that two callers
// seldom want the same lock.
const (
	shardBits  = 6
	shardCount = 1 << shardBits
)

// New returns an empty engine.
func New(o Options) *Engine {
	e := &Engine{
		table:        o.Table,
		decisionWait: o.DecisionWait,
		rootWait:     o.RootWait,
		observer:     o.Observer,
		batchSpans:   o.BatchSpans,
		batchBytes:   o.BatchBytes,
		budget:       budget{limit: o.MemoryLimit},
		outbox:       newOutbox(),
	}
	e.heads = newHeads(o.Table, &e.budget)
	for i := range o.Table.Len() {
		e.stamps = append(e.stamps, newStamp(o.Table.Class(i)))
	}
	for i := range e.shards {
		e.shards[i].init(o.VerdictMemory / shardCount)
	}
	return e
}

// Undecided returns how many traces wait for their decision, and their bytes.
func (e *Engine) Undecided() (int64, int64) {
	return e.undecidedTraces.Load(), e.undecidedBytes.Load()
}

// Released returns the bytes of kept spans that are not yet Done.
func (e *Engine) Released() int64 { return e.outbox.bytes.Load() }

// Held returns every byte counted against the memory limit.
func (e *Engine) Held() int64 { return e.budget.held.Load() }

func (e *Engine) shard(id traceID) *shard {
	// Multiplying spreads IDs that differ only in some low bits over the shards.
	return &e.shards[binary.LittleEndian.Uint64(id[8:])*0x9e3779b97f4a7c15>>(64-shardBits)]
}

// Tick decides what is due and lets everything kept so far go out. It is meant
// to be called several times a second, by one goroutine.
func (e *Engine) Tick(now time.Duration) {
	e.sweep(now, now)
	e.outbox.ripen()
}

// DecideAll decides every trace by the facts known now.
func (e *Engine) DecideAll(now time.Duration) {
	e.sweep(now, math.MaxInt64)
	e.outbox.ripen()
}

func (e *Engine) sweep(now, dueBy time.Duration) {
	r := e.newRuling(now)
	for i := range e.shards {
		sh := &e.shards[i]
		sh.mu.Lock()
		for t := sh.due(e, dueBy); t != nil; t = sh.due(e, dueBy) {
			r.decide(sh, t)
		}
		sh.mu.Unlock()
		r.flush()
	}
	r.report()
}

// relieve decides the oldest traces early until room for need bytes is made or
// on its way out. Where most of the memory waits to be taken from the outbox,
// deciding early would free little and spoil decisions, so it does nothing.
func (e *Engine) relieve(now time.Duration, need int64) {
	excess := e.budget.held.Load() + need - e.budget.limit/8*7
	if excess <= 0 {
		return
	}
	r := e.newRuling(now)
	for excess > 0 && e.outbox.bytes.Load() < e.budget.limit/2 {
		sh := e.oldestShard()
		if sh == nil {
			break
		}
		sh.mu.Lock()
		if t := sh.byAge.front(); t != nil {
			excess -= t.cost
			r.decide(sh, t)
			r.early++
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
