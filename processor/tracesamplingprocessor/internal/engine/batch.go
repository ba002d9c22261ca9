package engine

import (
	"errors"
	"syscall"

	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/journal"
)

// Batch is kept spans to hand on. Its bytes stay counted against the memory limit
// until Done.
type Batch struct {
	engine     *Engine
	id         string // in the journal, once released
	parcels    []parcel
	cost, size int64
	failures   int // of reading it
}

// Next waits for a batch. It returns nil once Close was called and everything
// was taken.
func (e *Engine) Next() *Batch { return e.next(true) }

// TryNext returns nil where no batch is ready.
func (e *Engine) TryNext() *Batch { return e.next(false) }

func (e *Engine) next(wait bool) *Batch {
	b := e.outbox.take(e.batchSpans, e.batchBytes, wait)
	if b != nil {
		b.engine = e
	}
	return b
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

// Prepare makes the batch ready to be encoded: it reads what is in the journal
// only, and makes it durable that the batch goes out. After an error, which is
// one of the disk, it may be called again. Spans that turn out to be lost are
// reported and left out.
func (b *Batch) Prepare() error {
	e := b.engine
	if e.journal == nil {
		return nil
	}
	if err := b.fetch(); err != nil {
		return err
	}
	if b.id != "" {
		return nil
	}
	rulings := b.rulings()
	for i := range rulings {
		// The ruling that has them already may be lost where this is not.
		rulings[i].Fingerprints = b.parcels[i].prints()
	}
	var err error
	b.id, err = e.journal.Release(rulings)
	return err
}

// fetch reads the chunks that are still cold, which are none the second time.
func (b *Batch) fetch() error {
	size := int64(0)
	for _, p := range b.parcels {
		for i := range p.chunks {
			size += p.chunks[i].coldBytes()
		}
	}
	buf := make([]byte, 0, size+journal.FetchOverhead)
	for _, p := range b.parcels {
		for i := range p.chunks {
			c := &p.chunks[i]
			if !c.cold() || c.spans == 0 {
				continue
			}
			from := len(buf)
			read, err := b.engine.journal.Fetch(p.trace, c.ref, int(c.bytes()), buf, c.scope.check)
			switch {
			case errors.Is(err, journal.ErrDamaged):
				b.lose(c)
			case errors.Is(err, syscall.EIO) && b.failures == maxFailures:
				b.lose(c) // a sector that can never be read must not stop all others
			case err != nil:
				b.failures = min(b.failures+1, maxFailures)
				return err
			default:
				buf = read
				if c.frames = buf[from:len(buf):len(buf)]; p.skips[c.ref] != nil {
					c.frames = without(c.frames, p.skips[c.ref])
				}
			}
		}
	}
	return nil
}

// maxFailures is how often a batch is tried to be read, with the pauses between
// attempts some two minutes, before a sector that cannot be read counts as lost.
const maxFailures = 30

func (b *Batch) lose(c *chunk) {
	b.engine.observer.Dropped(JournalDamaged, int(c.spans))
	c.spans = 0
}

// rulings is what the journal calls the batch.
func (b *Batch) rulings() []journal.Ruling {
	list := make([]journal.Ruling, 0, len(b.parcels))
	for i := range b.parcels {
		p := &b.parcels[i]
		ruled := b.engine.ruled(p)
		for j := range p.chunks {
			ruled.Pieces = append(ruled.Pieces, p.piece(j))
		}
		list = append(list, ruled)
	}
	return list
}

// ruled is what the journal is told of a parcel, without its pieces.
func (e *Engine) ruled(p *parcel) journal.Ruling {
	c := e.classes[p.verdict.class]
	return journal.Ruling{
		Trace:     p.trace,
		Class:     journal.Class{Name: c.Name, Retention: c.Retention},
		Threshold: p.verdict.threshold,
		Kept:      p.verdict.kept,
		Trimmed:   p.verdict.trimmed,
	}
}

// Done says that the batch was handed on, or will never be, and frees it. It must
// not be used any more.
func (b *Batch) Done() {
	e := b.engine
	if b.id != "" {
		e.journal.Done(b.id, b.rulings())
	}
	for _, p := range b.parcels {
		e.heads.release(p.chunks)
	}
	e.outbox.cost.Add(-b.cost)
	e.outbox.size.Add(-b.size)
	e.budget.release(b.cost)
	b.parcels = nil
}
