package engine

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spanlake/spanlake/internal/linked"
)

// shard owns the traces whose IDs fall to it, undecided and decided.
type shard struct {
	// oldest is the arrival of the trace that has waited longest, MaxInt64 where
	// none waits; read without the lock, so only a hint.
	oldest atomic.Int64

	// hot is the memory of the spans of undecided traces. Changed under the lock.
	hot atomic.Int64

	mu     sync.Mutex // guards everything below
	traces map[traceID]*trace
	// As every trace waits equally long, order of arrival is order of expiry.
	byAge   linked.List[trace]
	byRoot  linked.List[trace]
	decided verdicts
}

func (s *shard) init(verdictMemory int64) {
	s.oldest.Store(math.MaxInt64)
	s.traces = map[traceID]*trace{}
	s.byAge.Links = func(t *trace) *linked.Links[trace] { return &t.age }
	s.byRoot.Links = func(t *trace) *linked.Links[trace] { return &t.root }
	s.decided.init(verdictMemory)
}

// due returns a trace whose wait ends by the given time; nil where there is
// none. It stays in the shard.
func (s *shard) due(e *Engine, by time.Duration) *trace {
	if t := s.byAge.Front; t != nil && t.first <= by-e.decisionWait {
		return t
	}
	if t := s.byRoot.Front; t != nil && t.rootWait <= by-e.rootWait {
		return t
	}
	return nil
}

// begin adds a new trace.
func (s *shard) begin(id traceID, now time.Duration) *trace {
	t := &trace{id: id, first: now, cost: traceCost}
	s.traces[id] = t
	s.byAge.Push(t)
	s.hint()
	return t
}

// awaitRest begins the wait that follows the arrival of the root, or begins it
// anew.
func (s *shard) awaitRest(t *trace, now time.Duration) {
	if t.candidate {
		return
	}
	if t.rooted {
		s.byRoot.Remove(t)
	}
	t.rooted, t.rootWait = true, now
	s.byRoot.Push(t)
}

// enter ends the wait of a trace that a window decides.
func (s *shard) enter(t *trace, classIndex uint16) {
	s.unlist(t)
	t.candidate, t.class = true, classIndex
}

// leave takes a trace out of its window.
func (s *shard) leave(t *trace) {
	t.candidate = false
	s.byAge.Push(t)
}

// end takes a trace out.
func (s *shard) end(t *trace) {
	delete(s.traces, t.id)
	s.unlist(t)
	s.hot.Add(-t.hot)
}

// cool gives up all spans that are in the journal too, and returns the memory
// freed and the bytes that are now in the journal only.
func (s *shard) cool() (freed, spilled int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.traces {
		if t.hot == 0 {
			continue
		}
		before := t.cold
		for i := range t.chunks {
			c := &t.chunks[i]
			if !c.cold() {
				c.frames = nil
				t.cold += c.bytes()
			}
		}
		spilled += t.cold - before
		freed += t.hot
		t.cost -= t.hot
		t.hot = 0
	}
	s.hot.Store(0)
	return freed, spilled
}

func (s *shard) unlist(t *trace) {
	if t.candidate {
		return
	}
	s.byAge.Remove(t)
	if t.rooted {
		s.byRoot.Remove(t)
		t.rooted = false
	}
	s.hint()
}

func (s *shard) hint() {
	if t := s.byAge.Front; t != nil {
		s.oldest.Store(int64(t.first))
	} else {
		s.oldest.Store(math.MaxInt64)
	}
}
