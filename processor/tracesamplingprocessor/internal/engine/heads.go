package engine

import (
	"sync"

	"github.com/zeebo/xxh3"

	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/class"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/otlpwire"
)

// resourceHead is the encoded resource of a ResourceSpans, with everything of it
// but the scopes. All but refs is immutable.
type resourceHead struct {
	bytes string
	seed  uint64 // of the seeds of its scopes
	// Conditions that any span of the resource meets by it, and that a root span
	// does, where those are more.
	met, rootMet class.Bits
	refs         int // scopes, guarded by heads.mu
}

// scopeHead is the encoded scope of a ScopeSpans, with everything of it but the
// spans. Its bytes and resource are immutable.
type scopeHead struct {
	resource *resourceHead
	bytes    string
	seed     uint64 // of the fingerprints of its spans
	refs     int    // chunks and batches being ingested, guarded by heads.mu
}

type scopeKey struct {
	resource *resourceHead
	bytes    string
}

// headCost is what a head takes beside its bytes: the struct and its entry in
// the map, whose key is a string header.
const headCost = 160

// heads keeps each resource and scope once, however many traces and requests
// they come with, for as long as spans of them are held.
type heads struct {
	table  *class.Table
	budget *budget
	seed   uint64 // of fingerprints

	mu        sync.Mutex // guards what follows, and the refs of every head
	resources map[string]*resourceHead
	scopes    map[scopeKey]*scopeHead
}

func newHeads(t *class.Table, b *budget, seed uint64) *heads {
	return &heads{table: t, budget: b, seed: seed, resources: map[string]*resourceHead{}, scopes: map[scopeKey]*scopeHead{}}
}

// acquire finds the scopes of a batch, each with one reference more, and returns
// the cost of the heads that are new, which the caller has reserved. Dropping
// them releases it.
func (h *heads) acquire(in *intake) int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	cost := int64(0)
	var r *resourceHead
	for i, s := range in.scopes {
		// The scopes of a resource follow each other; it may be large.
		if i == 0 || s.resource != in.scopes[i-1].resource {
			r = h.resource(in.head(s.resource), &cost)
		}
		in.acquired = append(in.acquired, h.scope(r, in.head(s.scope), &cost))
	}
	return cost
}

func (h *heads) resource(bytes []byte, cost *int64) *resourceHead {
	r := h.resources[string(bytes)]
	if r == nil {
		r = newResourceHead(h.table, bytes)
		r.seed = xxh3.HashSeed(bytes, h.seed)
		h.resources[r.bytes] = r
		*cost += headCost + int64(len(r.bytes))
	}
	return r
}

func (h *heads) scope(r *resourceHead, bytes []byte, cost *int64) *scopeHead {
	s := h.scopes[scopeKey{r, string(bytes)}]
	if s == nil {
		s = &scopeHead{resource: r, bytes: string(bytes), seed: xxh3.HashSeed(bytes, r.seed)}
		h.scopes[scopeKey{r, s.bytes}] = s
		r.refs++
		*cost += headCost + int64(len(s.bytes))
	}
	s.refs++
	return s
}

func newResourceHead(t *class.Table, encoded []byte) *resourceHead {
	r := &resourceHead{bytes: string(encoded)}
	err := resourceMeets(t, encoded, false, &r.met)
	if err == nil && t.WantsRootAttributes() {
		err = resourceMeets(t, encoded, true, &r.rootMet)
	}
	if err != nil {
		r.met, r.rootMet = class.Bits{}, class.Bits{} // Ingest is promised well-formed data; of other data nothing holds
	}
	return r
}

// check computes what intake.check did of the spans. Bytes that are no frames
// have none that fits but by chance.
func (s *scopeHead) check(frames []byte) uint32 {
	sum := uint32(0)
	err := otlpwire.EachSpan(frames, func(span []byte) error {
		sum += uint32(fingerprint(span, s.seed))
		return nil
	})
	if err != nil {
		return ^sum
	}
	return sum
}

// refer adds a reference for each chunk to a head that is already referred to.
func (h *heads) refer(chunks []chunk) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range chunks {
		chunks[i].scope.refs++
	}
}

// release gives back one reference for each chunk.
func (h *heads) release(chunks []chunk) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range chunks {
		h.drop(chunks[i].scope)
	}
}

// releaseScopes gives back one reference for each acquire.
func (h *heads) releaseScopes(scopes []*scopeHead) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range scopes {
		h.drop(s)
	}
}

func (h *heads) drop(s *scopeHead) {
	if s.refs--; s.refs > 0 {
		return
	}
	r := s.resource
	delete(h.scopes, scopeKey{r, s.bytes})
	freed := headCost + int64(len(s.bytes))
	if r.refs--; r.refs == 0 {
		delete(h.resources, r.bytes)
		freed += headCost + int64(len(r.bytes))
	}
	h.budget.release(freed)
}
