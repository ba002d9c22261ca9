package engine

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/class"
)

type traceID = [16]byte

// chunk is what one request brought of one trace in one scope: spans framed as
// in a ScopeSpans, in an allocation of their own, so that no trace keeps another
// one's bytes alive.
type chunk struct {
	scope  *scopeHead
	frames []byte
	spans  uint32
	// stated is set where some span has a tracestate, which the stamps must
	// respect.
	stated bool
}

// chunkCost counts the chunk in its trace's slice, which append may leave half
// empty.
const chunkCost = 2 * int64(unsafe.Sizeof(chunk{}))

// cost counts capacity, not length: it is what the allocator gave.
func (c *chunk) cost() int64 { return int64(cap(c.frames)) + chunkCost }

// randomness is the explicit randomness of a trace (tracestate ot=rv); without
// one the trace ID is the source. Spans of a trace should agree; where they do
// not, the greatest counts, so that the order of arrival does not matter.
type randomness struct {
	value    uint64
	explicit bool
}

func (r *randomness) merge(o randomness) {
	r.value = max(r.value, o.value)
	r.explicit = r.explicit || o.explicit
}

// trace is an undecided trace. Its shard's mutex guards it.
type trace struct {
	id         traceID
	facts      class.Facts
	randomness randomness
	chunks     []chunk
	spans      int
	cost       int64         // bytes counted in the budget
	first      time.Duration // arrival of the first span
	rootWait   time.Duration // when the wait for the rest after the root began
	rooted     bool          // in byRoot
	age, root  links
}

// traceCost counts the record and its map entry at the map's lowest load.
const traceCost = int64(unsafe.Sizeof(trace{})) + 3*int64(unsafe.Sizeof(traceID{})+unsafe.Sizeof(uintptr(0)))

// links are a trace's neighbours in one of its shard's lists.
type links struct{ prev, next *trace }

// list is a queue of traces from which any can be taken. As every trace waits
// equally long, order of arrival is order of expiry.
type list struct {
	head, tail *trace
	links      func(*trace) *links
}

func (l *list) front() *trace { return l.head }

func (l *list) push(t *trace) {
	*l.links(t) = links{prev: l.tail}
	if l.tail == nil {
		l.head = t
	} else {
		l.links(l.tail).next = t
	}
	l.tail = t
}

func (l *list) remove(t *trace) {
	at := l.links(t)
	if at.prev == nil {
		l.head = at.next
	} else {
		l.links(at.prev).next = at.next
	}
	if at.next == nil {
		l.tail = at.prev
	} else {
		l.links(at.next).prev = at.prev
	}
	*at = links{}
}

// shard owns the traces whose IDs fall to it, undecided and decided.
type shard struct {
	// oldest is the arrival of the trace that has waited longest, MaxInt64 where
	// none waits; read without the lock, so only a hint.
	oldest atomic.Int64

	mu      sync.Mutex // guards everything below
	traces  map[traceID]*trace
	byAge   list
	byRoot  list
	decided verdicts
}

func (s *shard) init(verdictMemory int64) {
	s.oldest.Store(math.MaxInt64)
	s.traces = map[traceID]*trace{}
	s.byAge.links = func(t *trace) *links { return &t.age }
	s.byRoot.links = func(t *trace) *links { return &t.root }
	s.decided.init(verdictMemory)
}

// due returns a trace whose wait ends by the given time; nil where there is
// none. It stays in the shard.
func (s *shard) due(e *Engine, by time.Duration) *trace {
	if t := s.byAge.front(); t != nil && t.first <= by-e.decisionWait {
		return t
	}
	if t := s.byRoot.front(); t != nil && t.rootWait <= by-e.rootWait {
		return t
	}
	return nil
}

// begin adds a new trace.
func (s *shard) begin(id traceID, now time.Duration) *trace {
	t := &trace{id: id, first: now}
	s.traces[id] = t
	s.byAge.push(t)
	s.hint()
	return t
}

// awaitRest begins the wait that follows the arrival of the root, or begins it
// anew.
func (s *shard) awaitRest(t *trace, now time.Duration) {
	if t.rooted {
		s.byRoot.remove(t)
	}
	t.rooted, t.rootWait = true, now
	s.byRoot.push(t)
}

// end takes a trace out.
func (s *shard) end(t *trace) {
	delete(s.traces, t.id)
	s.byAge.remove(t)
	if t.rooted {
		s.byRoot.remove(t)
	}
	s.hint()
}

func (s *shard) hint() {
	if t := s.byAge.front(); t != nil {
		s.oldest.Store(int64(t.first))
	} else {
		s.oldest.Store(math.MaxInt64)
	}
}
