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
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/class"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/journal"
)

var (
	// ErrFull refuses a batch for which there is no room now. Nothing of the
	// batch was taken.
	ErrFull = errors.New("memory_limit_mib reached and nothing can be freed")
	// ErrTooLarge refuses a batch that exceeds the limit alone.
	ErrTooLarge = errors.New("batch exceeds memory_limit_mib")
)

// Options of an Engine; every field but Journal must be set.
type Options struct {
	Table *class.Table
	// DecisionWait is how long a trace waits at most, counted from its first span.
	DecisionWait time.Duration
	// RootWait is how long a trace waits once its root span has arrived.
	RootWait time.Duration
	// MemoryLimit bounds, in bytes, what is held of undecided traces and of kept
	// ones not yet Done.
	MemoryLimit int64
	// MaxTraceSize bounds, in bytes, the spans held of one trace.
	MaxTraceSize int64
	// VerdictMemory bounds, in bytes, the memory of traces already decided.
	VerdictMemory int64
	// BatchSpans and BatchBytes are when a batch is full. One trace's share of one
	// request is never divided, so a batch may be larger by that.
	BatchSpans int
	BatchBytes int64
	// Origin is the time of day that the times given to the engine count from.
	Origin   time.Time
	Observer Observer
	// Journal makes what the engine takes durable. Recover must come before
	// anything else; closing it is up to the caller.
	Journal *journal.Journal
}

// Engine is the sampler. Create it with New.
type Engine struct {
	table        *class.Table
	decisionWait time.Duration
	rootWait     time.Duration
	maxTraceSize int64
	batchSpans   int
	batchBytes   int64
	origin       time.Time
	observer     Observer
	journal      *journal.Journal // nil: none
	seed         uint64           // of fingerprints
	windows      []*window        // by class; nil where it has no bound

	// classes are those of the table, and behind them such as only the journal
	// knows. Recover appends to it, before anything reads it.
	classes []*class.Class

	budget budget
	held   gauges
	staked atomic.Int64 // cost of the traces in windows, when they entered
	heads  *heads
	outbox *outbox
	shards [shardCount]shard
	pool   sync.Pool // of *intake
}

// gauges are holdings that many goroutines change.
type gauges struct{ traces, bytes, cold atomic.Int64 }

func (g *gauges) add(h holdings) {
	g.traces.Add(h.traces)
	g.bytes.Add(h.bytes)
	g.cold.Add(h.cold)
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
		maxTraceSize: o.MaxTraceSize,
		batchSpans:   o.BatchSpans,
		batchBytes:   o.BatchBytes,
		origin:       o.Origin,
		observer:     o.Observer,
		journal:      o.Journal,
		seed:         rand.Uint64(),
		windows:      newWindows(o.Table),
		budget:       budget{limit: o.MemoryLimit},
		outbox:       newOutbox(),
	}
	if e.journal != nil {
		e.seed = e.journal.Seed()
	}
	e.heads = newHeads(o.Table, &e.budget, e.seed)
	for i := range o.Table.Len() {
		e.classes = append(e.classes, o.Table.Class(i))
	}
	for i := range e.shards {
		// A quarter of its size is about what a trace of tiny spans has at its decision.
		e.shards[i].init(o.VerdictMemory / shardCount)
	}
	return e
}

// Undecided returns how many traces wait for their decision, their bytes in
// memory, and those of their spans that are in the journal only.
func (e *Engine) Undecided() (traces, bytes, spilled int64) {
	return e.held.traces.Load(), e.held.bytes.Load(), e.held.cold.Load()
}

// Released returns the memory of kept spans that are not yet Done.
func (e *Engine) Released() int64 { return e.outbox.cost.Load() }

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
	e.closeWindows(now, now)
	e.relieveJournal(now)
	e.outbox.ripen()
}

// DecideAll decides every trace by the facts known now.
func (e *Engine) DecideAll(now time.Duration) {
	e.sweep(now, math.MaxInt64)
	e.closeWindows(now, math.MaxInt64)
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
