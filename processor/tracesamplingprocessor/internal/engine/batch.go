package engine

// Batch is kept spans to hand on. Its bytes stay counted against the memory limit
// until Done.
type Batch struct {
	engine  *Engine
	parcels []parcel
}

// Next waits for a batch. It returns nil once Close was called and everything
// was taken.
func (e *Engine) Next() *Batch { return e.next(true) }

// TryNext returns nil where no batch is ready.
func (e *Engine) TryNext() *Batch { return e.next(false) }

func (e *Engine) next(wait bool) *Batch {
	parcels := e.outbox.take(e.batchSpans, e.batchBytes, wait)
	if parcels == nil {
		return nil
	}
	return &Batch{engine: e, parcels: parcels}
}

// Close lets Next return nil when nothing is left to take. The engine keeps
// working.
func (e *Engine) Close() { e.outbox.close() }

// Spans is the number of spans in the batch.
func (b *Batch) Spans() int {
	n := 0
	for _, p := range b.parcels {
		for i := range p.chunks {
			n += int(p.chunks[i].spans)
		}
	}
	return n
}

// Done frees the batch, which must not be used any more.
func (b *Batch) Done() {
	bytes := int64(0)
	for _, p := range b.parcels {
		for i := range p.chunks {
			bytes += p.chunks[i].cost()
		}
		b.engine.heads.release(p.chunks)
	}
	b.engine.outbox.bytes.Add(-bytes)
	b.engine.budget.release(bytes)
	b.parcels = nil
}
