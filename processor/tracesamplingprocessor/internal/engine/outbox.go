package engine

import (
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/journal"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/otlpwire"
)

// parcel is what was kept of one trace at one time.
type parcel struct {
	trace   traceID
	verdict verdict
	chunks  []chunk
	skips   skips
}

// parcelCost counts the parcel in the queue's slice, which append may leave half
// empty.
const parcelCost = 2 * int64(unsafe.Sizeof(parcel{}))

// add adds a chunk without the spans left out.
func (p *parcel) add(c chunk, skip bitmap) {
	if skip != nil && c.ref != (journal.Ref{}) {
		if p.skips == nil {
			p.skips = skips{}
		}
		p.skips[c.ref] = skip
	}
	p.chunks = append(p.chunks, c)
}

// prints returns the fingerprints of the spans.
func (p *parcel) prints() []uint64 {
	n := 0
	for i := range p.chunks {
		n += int(p.chunks[i].spans)
	}
	prints := slices.Grow([]uint64(nil), n)
	for i := range p.chunks {
		c := &p.chunks[i]
		// Frames are of this engine's making, so reading them back cannot fail.
		_ = otlpwire.EachSpan(c.frames, func(span []byte) error {
			prints = append(prints, fingerprint(span, c.scope.seed))
			return nil
		})
	}
	return prints
}

// cool leaves the spans to the journal and returns the memory freed.
func (p *parcel) cool() int64 {
	freed := int64(0)
	for i := range p.chunks {
		freed += int64(cap(p.chunks[i].frames))
		p.chunks[i].frames = nil
	}
	return freed
}

func (p *parcel) cost() int64 { return parcelCost + p.skips.cost() }

// piece is the journal's name of a chunk.
func (p *parcel) piece(i int) journal.Piece {
	ref := p.chunks[i].ref
	return journal.Piece{Ref: ref, Skip: p.skips[ref]}
}

// outbox is the queue of kept spans. The memory budget bounds it, as everything
// in it stays counted until it is Done.
type outbox struct {
	// cost is the memory of what is queued or in a batch not yet Done, size the
	// bytes of its spans, wherever they are.
	cost, size atomic.Int64

	mu       sync.Mutex // guards everything below
	ready    *sync.Cond // signalled where a waiter may find a batch
	released []*Batch   // before the last restart; they go first
	queue    []parcel
	spans    int   // in queue
	bytes    int64 // of the spans in queue
	ripe     int   // parcels at the front that may go in a batch that is not full
	full     bool  // the queue holds a full batch
	closed   bool
}

func newOutbox() *outbox {
	o := &outbox{}
	o.ready = sync.NewCond(&o.mu)
	return o
}

// push queues parcels. They wait for company until ripen, or until there is
// enough for a full batch.
func (o *outbox) push(parcels []parcel, fullSpans int, fullBytes int64) {
	if len(parcels) == 0 {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := range parcels {
		cost, size := parcels[i].cost(), int64(0)
		for j := range parcels[i].chunks {
			c := &parcels[i].chunks[j]
			cost += c.cost()
			size += c.bytes()
			o.account(c, 1)
		}
		o.cost.Add(cost)
		o.size.Add(size)
	}
	o.queue = append(o.queue, parcels...)
	if o.spans >= fullSpans || o.bytes >= fullBytes {
		o.full = true
		o.ready.Signal()
	}
}

// restore queues a batch that was released before.
func (o *outbox) restore(b *Batch) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.cost.Add(b.cost)
	o.size.Add(b.size)
	o.released = append(o.released, b)
}

func (o *outbox) account(c *chunk, sign int64) {
	o.spans += int(sign) * int(c.spans)
	o.bytes += sign * c.bytes()
}

// ripen lets everything queued go out.
func (o *outbox) ripen() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ripe = len(o.queue); o.ripe > 0 {
		o.ready.Broadcast()
	}
}

// close ends the waiting in take: what is queued goes out, then take returns
// nothing more.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	o.ready.Broadcast()
}

// take waits for a batch; it returns none once the outbox is closed and empty.
func (o *outbox) take(maxSpans int, maxBytes int64, wait bool) *Batch {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.released) == 0 && o.ripe == 0 && !o.full {
		if len(o.queue) > 0 && o.closed {
			break
		}
		if o.closed || !wait {
			return nil
		}
		o.ready.Wait()
	}
	if len(o.released) > 0 {
		b := o.released[0]
		o.released[0] = nil
		o.released = o.released[1:]
		return b
	}
	return o.cut(maxSpans, maxBytes)
}

// filling says how full a batch is: its encoding has each head once.
type filling struct {
	spans     int
	bytes     int64
	resources map[*resourceHead]struct{}
	scopes    map[*scopeHead]struct{}
}

// add adds a chunk, unless the batch has one and would be too full. One trace's
// share of one request is never divided.
func (f *filling) add(c *chunk, maxSpans int, maxBytes int64) bool {
	bytes := c.bytes()
	if _, in := f.scopes[c.scope]; !in {
		bytes += int64(len(c.scope.bytes))
	}
	if _, in := f.resources[c.scope.resource]; !in {
		bytes += int64(len(c.scope.resource.bytes))
	}
	if f.scopes == nil {
		f.resources, f.scopes = map[*resourceHead]struct{}{}, map[*scopeHead]struct{}{}
	} else if f.spans+int(c.spans) > maxSpans || f.bytes+bytes > maxBytes {
		return false
	}
	f.spans += int(c.spans)
	f.bytes += bytes
	f.resources[c.scope.resource], f.scopes[c.scope] = struct{}{}, struct{}{}
	return true
}

// cut takes chunks from the front until the batch is full; it takes one at least.
func (o *outbox) cut(maxSpans int, maxBytes int64) *Batch {
	b := &Batch{}
	var f filling
	for len(o.queue) > 0 && f.spans < maxSpans && f.bytes < maxBytes {
		p := &o.queue[0]
		n := 0
		for n < len(p.chunks) && f.add(&p.chunks[n], maxSpans, maxBytes) {
			c := &p.chunks[n]
			b.size += c.bytes()
			b.cost += c.cost()
			o.account(c, -1)
			n++
		}
		if n == 0 {
			break
		}
		part := *p
		part.chunks = p.chunks[:n]
		b.parcels = append(b.parcels, part)
		if p.chunks = p.chunks[n:]; len(p.chunks) > 0 {
			break
		}
		b.cost += p.cost()
		o.queue[0] = parcel{}
		o.queue = o.queue[1:]
		o.ripe = max(0, o.ripe-1)
	}
	if o.full = o.spans >= maxSpans || o.bytes >= maxBytes; o.full {
		o.ready.Signal()
	}
	if len(o.queue) == 0 {
		o.queue = nil
	}
	return b
}
