package journal

import (
	"cmp"
	"math"
	"slices"
)

// stream gives the chunks that are held.
func (v *recovery) stream() error {
	var a Arrival
	for _, s := range v.journal.spans.Sealed() {
		segment := uint32(s.Segment)
		walk := walk{resolved: v.resolved[segment], kept: v.kept[segment]}
		stats, err := v.journal.spans.Scan(s.Segment, func(offset int64, record []byte) error {
			if offset > math.MaxUint32 || !decodeArrival(record, Ref{Segment: segment, Offset: uint32(offset)}, &a) {
				v.damaged(1, int64(len(record)))
				return nil
			}
			all := len(a.Chunks)
			a.Chunks = slices.DeleteFunc(a.Chunks, walk.through)
			v.stats.Resolved += int64(all - len(a.Chunks))
			if len(a.Chunks) > 0 {
				v.give(&a, segment, &walk)
			}
			return nil
		})
		v.damaged(stats.DamagedRecords, stats.DamagedBytes)
		if err != nil {
			return err
		}
	}
	return nil
}

// give gives the chunks of an arrival. They are held before, as r may rule on
// them at once.
func (v *recovery) give(a *Arrival, segment uint32, w *walk) {
	chunks, spans := int64(len(a.Chunks)), int64(0)
	for i := range a.Chunks {
		w.rule(&a.Chunks[i])
		spans += int64(a.Chunks[i].Spans)
	}
	v.stats.Chunks += chunks
	v.stats.Spans += spans
	v.journal.mu.Lock()
	v.journal.books.hold(segment, chunks, spans)
	v.journal.mu.Unlock()
	v.to.Arrival(a)
}

// walk follows the chunks of a segment through its lists, all ascending.
type walk struct {
	resolved []uint32
	kept     []keptChunk
}

// through reports that nobody waits for a chunk.
func (w *walk) through(c Chunk) bool {
	for len(w.resolved) > 0 && w.resolved[0] < c.Ref.Offset {
		w.resolved = w.resolved[1:]
	}
	return len(w.resolved) > 0 && w.resolved[0] == c.Ref.Offset
}

// rule sets the ruling on a chunk, if there is one.
func (w *walk) rule(c *Chunk) {
	for len(w.kept) > 0 && w.kept[0].offset < c.Ref.Offset {
		w.kept = w.kept[1:]
	}
	if len(w.kept) > 0 && w.kept[0].offset == c.Ref.Offset {
		k := &w.kept[0]
		k.found = true
		c.Ruling, c.Skip = k.ruling, k.ruling.Pieces[k.piece].Skip
	}
}

// giveBatches gives what was released and is not done.
func (v *recovery) giveBatches() {
	for _, list := range v.kept {
		for i := range list {
			if !list[i].found {
				v.stats.LostPieces++
			}
		}
	}
	for i := range v.batches {
		v.giveBatch(int32(i))
	}
}

func (v *recovery) giveBatch(number int32) {
	open := &v.batches[number]
	b := Batch{ID: open.id}
	var lost []Ref
	for _, r := range open.rulings {
		given := *r
		given.Pieces = nil
		for _, p := range r.Pieces {
			switch k := v.find(p.Ref); {
			case k.batch != number: // released again later
			case k.found:
				given.Pieces = append(given.Pieces, p)
			default:
				lost = append(lost, p.Ref)
			}
		}
		if len(given.Pieces) > 0 {
			b.Rulings = append(b.Rulings, given)
		}
	}
	if len(b.Rulings) == 0 {
		return
	}
	j := v.journal
	if len(lost) > 0 {
		j.mu.Lock()
		j.lost[b.ID] = lost
		for _, r := range lost {
			j.books.hold(r.Segment, 1, 0)
		}
		j.mu.Unlock()
	}
	v.stats.Batches++
	v.to.Batch(b)
}

// find returns what collect learnt of a chunk.
func (v *recovery) find(r Ref) *keptChunk {
	list := v.kept[r.Segment]
	i, _ := slices.BinarySearchFunc(list, r.Offset, func(k keptChunk, offset uint32) int { return cmp.Compare(k.offset, offset) })
	return &list[i]
}
