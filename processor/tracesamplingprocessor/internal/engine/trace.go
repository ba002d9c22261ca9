package engine

import (
	"math/bits"
	"time"
	"unsafe"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/sampling"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/spanlake/spanlake/internal/linked"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/class"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/journal"
)

type traceID = [16]byte

// chunk is what one request brought of one trace in one scope: spans framed as
// in a ScopeSpans, in an allocation of their own, so that no trace keeps another
// one's bytes alive.
type chunk struct {
	scope  *scopeHead
	frames []byte      // nil where they are in the journal only
	ref    journal.Ref // zero without a journal
	spans  uint32      // without those that the trace's skips leave out
	size   uint32      // of the frames as they came, and statedBit
}

// statedBit is set where some span has a tracestate, which the stamps must
// respect. No request is so large that its size would need the bit.
const statedBit = 1 << 31

func (c *chunk) stated() bool { return c.size&statedBit != 0 }
func (c *chunk) bytes() int64 { return int64(c.size &^ statedBit) }
func (c *chunk) cold() bool   { return c.frames == nil }

// chunkCost counts the chunk in its trace's slice, which append may leave half
// empty.
const chunkCost = 2 * int64(unsafe.Sizeof(chunk{}))

// cost counts capacity, not length: it is what the allocator gave.
func (c *chunk) cost() int64 { return int64(cap(c.frames)) + chunkCost }

// coldBytes is what of the chunk is in the journal only.
func (c *chunk) coldBytes() int64 {
	if c.cold() {
		return c.bytes()
	}
	return 0
}

// skips tell which spans of a chunk its trace does not have: identical ones, and
// those it had no room for. Most traces have none.
type skips map[journal.Ref]bitmap

// cost is what the map and the bitmaps take.
func (s skips) cost() int64 {
	if len(s) == 0 {
		return 0
	}
	n := int64(skipsCost)
	for _, skip := range s {
		n += skipCost + 8*int64(len(skip))
	}
	return n
}

// skipsCost is what the first entry takes beside skipCost, which counts an entry
// at the map's lowest load.
const (
	skipsCost = 264
	skipCost  = 80
)

type bitmap []uint64

func (b bitmap) has(i int) bool { return i/64 < len(b) && b[i/64]&(1<<(i%64)) != 0 }

func (b bitmap) count() uint32 {
	n := 0
	for _, word := range b {
		n += bits.OnesCount64(word)
	}
	return uint32(n)
}

func (b bitmap) with(i, n int) bitmap {
	if b == nil {
		b = make(bitmap, (n+63)/64)
	}
	b[i/64] |= 1 << (i % 64)
	return b
}

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

// of returns the 56 bits that are compared with thresholds.
func (r *randomness) of(id traceID) uint64 {
	if r.explicit && r.value < sampling.MaxAdjustedCount {
		return r.value
	}
	return sampling.TraceIDToRandomness(pcommon.TraceID(id)).Unsigned()
}

// trace is an undecided trace. Its shard's mutex guards it.
type trace struct {
	id         traceID
	facts      class.Facts
	randomness randomness
	chunks     []chunk
	skips      skips
	prints     fingerprints
	spans      int
	cost       int64         // bytes counted in the budget
	size       int64         // of its spans, in memory or in the journal
	cold       int64         // of which in the journal only
	hot        int64         // memory of its spans, part of cost
	first      time.Duration // arrival of the first span
	rootWait   time.Duration // when the wait for the rest after the root began
	rooted     bool          // in byRoot
	trimmed    bool
	// candidate is set while the trace stands in the window of its class, which
	// decides when it closes. It is then in none of the lists.
	candidate bool
	class     uint16 // of the window
	staked    int64  // cost when it entered
	// Its places in the lists of the shard.
	age, root linked.Links[trace]
}

// traceCost counts the record, its first fingerprints and its map entry at the
// map's lowest load.
const traceCost = int64(unsafe.Sizeof(trace{})) + 8*minPrints +
	3*int64(unsafe.Sizeof(traceID{})+unsafe.Sizeof(uintptr(0)))
