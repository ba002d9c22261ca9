package engine

import (
	"sync"
	"sync/atomic"
)

// parcel is what was kept of one trace.
type parcel struct {
	class  uint8
	chunks []chunk
}

// outbox is the queue of kept spans. The memory budget bounds it, as everything
// in it stays counted until it is Done.
type outbox struct {
	// bytes counts what is queued or in a batch not yet Done.
	bytes atomic.Int64

	mu     sync.Mutex // guards everything below
	ready  *sync.Cond // signalled where a waiter may find a batch
	queue  []parcel
	spans  int   // in queue
	queued int64 // bytes in queue
	ripe   int   // parcels at the front that may go in a batch that is not full
	full   bool  // the queue holds a full batch
	closed bool
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
	for _, p := range parcels {
		for i := range p.chunks {
			o.account(&p.chunks[i], 1)
		}
	}
	o.queue = append(o.queue, parcels...)
	if o.spans >= fullSpans || o.queued >= fullBytes {
		o.full = true
		o.ready.Signal()
	}
}

func (o *outbox) account(c *chunk, sign int64) {
	o.spans += int(sign) * int(c.spans)
	o.queued += sign * c.cost()
	if sign > 0 {
		o.bytes.Add(c.cost())
	}
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
func (o *outbox) take(maxSpans int, maxBytes int64, wait bool) []parcel {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.ripe == 0 && !o.full {
		if len(o.queue) > 0 && o.closed {
			break
		}
		if o.closed || !wait {
			return nil
		}
		o.ready.Wait()
	}
	return o.cut(maxSpans, maxBytes)
}

// cut takes chunks from the front until the batch is full; it takes one at least.
func (o *outbox) cut(maxSpans int, maxBytes int64) []parcel {
	var batch []parcel
	spans, bytes := 0, int64(0)
	for len(o.queue) > 0 && (spans == 0 || (spans < maxSpans && bytes < maxBytes)) {
		p := &o.queue[0]
		n := 0
		for n < len(p.chunks) && (spans == 0 || (spans+int(p.chunks[n].spans) <= maxSpans && bytes+p.chunks[n].cost() <= maxBytes)) {
			spans += int(p.chunks[n].spans)
			bytes += p.chunks[n].cost()
			o.account(&p.chunks[n], -1)
			n++
		}
		if n == 0 {
			break
		}
		batch = append(batch, parcel{class: p.class, chunks: p.chunks[:n]})
		if p.chunks = p.chunks[n:]; len(p.chunks) > 0 {
			break
		}
		o.queue[0] = parcel{}
		o.queue = o.queue[1:]
		o.ripe = max(0, o.ripe-1)
	}
	if o.full = o.spans >= maxSpans || o.queued >= maxBytes; o.full {
		o.ready.Signal()
	}
	if len(o.queue) == 0 {
		o.queue = nil
	}
	return batch
}
