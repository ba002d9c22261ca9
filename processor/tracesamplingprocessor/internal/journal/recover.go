package journal

import (
	"cmp"
	"fmt"
	"slices"
)

// Recover gives r what the journal holds; what it gives is held. It is called
// once, before anything else; r may rule on what it was given, and discard it.
// After an error, which is one of the disk, the journal is of no use.
func (j *Journal) Recover(r Recoverer) (Stats, error) {
	v := recovery{
		journal: j, to: r, first: uint32(j.firstSpans()),
		resolved: map[uint32][]uint32{}, closed: map[place]bool{}, kept: map[uint32][]keptChunk{},
	}
	v.stats.TornBytes = j.spans.TornBytes() + j.rulings.TornBytes()
	for _, step := range []func() error{v.resolve, v.collect, v.stream} {
		if err := step(); err != nil {
			return v.stats, fmt.Errorf("recover from journal: %w", err)
		}
	}
	v.giveBatches()
	j.mu.Lock()
	j.ready = true
	j.mu.Unlock()
	return v.stats, nil
}

// recovery is one run of Recover. It reads the rulings twice, so that it keeps
// of those that were carried out four bytes a chunk, then the spans.
type recovery struct {
	journal *Journal
	to      Recoverer
	first   uint32 // oldest segment of spans
	stats   Stats
	record  rulingRecord

	// resolved are the offsets of the chunks in a segment that nobody waits for,
	// ascending once resolve is through.
	resolved map[uint32][]uint32
	// closed are the batches that are done.
	closed map[place]bool
	// kept are the other chunks that a ruling keeps, by segment, ascending once
	// collect is through.
	kept    map[uint32][]keptChunk
	batches []openBatch
}

// keptChunk is a chunk that was kept and not handed on.
type keptChunk struct {
	offset uint32
	found  bool  // in the log of spans
	batch  int32 // into batches, or noBatch
	piece  int32 // into ruling.Pieces
	ruling *Ruling
}

const noBatch = -1

type openBatch struct {
	id      string
	rulings []*Ruling
}

// rulings calls fn with each record of the log of rulings, and where it ends.
// Of a record that is about another log of spans, whose directory was lost, only
// the decisions still mean something.
func (v *recovery) rulings(fn func(place), damaged func(records, bytes int64)) error {
	log := v.journal.rulings
	for _, s := range log.Sealed() {
		stats, err := log.Scan(s.Segment, func(offset int64, record []byte) error {
			if !v.record.decode(record) {
				damaged(1, int64(len(record)))
				return nil
			}
			if v.record.spans != v.journal.id {
				v.record.forget()
			}
			fn(place{segment: s.Segment, end: offset + int64(len(record))})
			return nil
		})
		damaged(stats.DamagedRecords, stats.DamagedBytes)
		if err != nil {
			return err
		}
	}
	return nil
}

// forget leaves of a record nothing but the decisions.
func (d *rulingRecord) forget() {
	d.refs, d.released = nil, place{}
	for i := range d.rulings {
		d.rulings[i].Pieces, d.rulings[i].Fingerprints = nil, nil
	}
}

func (v *recovery) damaged(records, bytes int64) {
	v.stats.DamagedRecords += records
	v.stats.DamagedBytes += bytes
}

// resolve gives the verdicts and learns which chunks and batches are through.
func (v *recovery) resolve() error {
	err := v.rulings(func(at place) {
		d := &v.record
		for i := range d.rulings {
			v.to.Verdict(&d.rulings[i])
		}
		highest := highestOf(d.rulings)
		switch {
		case d.kind == kindVerdict:
			for i := range d.rulings {
				if !d.rulings[i].Kept {
					v.through(d.rulings[i].Pieces)
				}
			}
		case d.kind == kindRelease && v.isThrough():
			v.closed[at] = true
			for i := range d.rulings {
				v.through(d.rulings[i].Pieces)
			}
		case d.kind == kindDone:
			v.closed[d.released] = true
		}
		for _, r := range d.refs {
			v.resolved[r.Segment] = append(v.resolved[r.Segment], r.Offset)
			highest = max(highest, r.Segment)
		}
		v.journal.mu.Lock()
		v.journal.names(at.segment, highest)
		v.journal.mu.Unlock()
	}, v.damaged)
	for segment, offsets := range v.resolved {
		slices.Sort(offsets)
		v.resolved[segment] = slices.Compact(offsets)
	}
	return err
}

// isThrough reports that the batch in record is done, whatever became of the
// record that says so: a segment of spans goes only once all of it is through.
func (v *recovery) isThrough() bool {
	for i := range v.record.rulings {
		for _, p := range v.record.rulings[i].Pieces {
			if p.Ref.Segment < v.first {
				return true
			}
		}
	}
	return false
}

func (v *recovery) through(pieces []Piece) {
	for _, p := range pieces {
		if p.Ref.Segment >= v.first {
			v.resolved[p.Ref.Segment] = append(v.resolved[p.Ref.Segment], p.Ref.Offset)
		}
	}
}

// collect keeps the rulings that are not carried out, and the open batches. The
// last ruling on a chunk counts, and the last batch.
func (v *recovery) collect() error {
	err := v.rulings(func(at place) {
		switch d := &v.record; {
		case d.kind == kindVerdict:
			for i := range d.rulings {
				if d.rulings[i].Kept {
					v.keep(&d.rulings[i], noBatch)
				}
			}
		case d.kind == kindRelease && !v.closed[at]:
			b := openBatch{id: batchID(v.journal.rulings.ID(), at)}
			for i := range d.rulings {
				if r := v.keep(&d.rulings[i], int32(len(v.batches))); r != nil {
					b.rulings = append(b.rulings, r)
				}
			}
			if len(b.rulings) > 0 {
				v.batches = append(v.batches, b)
			}
		}
	}, func(int64, int64) {}) // counted by resolve
	for segment, list := range v.kept {
		slices.SortStableFunc(list, func(a, b keptChunk) int { return cmp.Compare(a.offset, b.offset) })
		merged := list[:0]
		for _, k := range list {
			last := len(merged) - 1
			if last < 0 || merged[last].offset != k.offset {
				merged = append(merged, k)
				continue
			}
			if k.batch == noBatch {
				k.batch = merged[last].batch
			}
			merged[last] = k
		}
		v.kept[segment] = merged
	}
	return err
}

// keep returns a copy of a ruling with the pieces that are not through, or nil
// where there are none.
func (v *recovery) keep(r *Ruling, batch int32) *Ruling {
	var kept *Ruling
	for _, p := range r.Pieces {
		if _, found := slices.BinarySearch(v.resolved[p.Ref.Segment], p.Ref.Offset); found || p.Ref.Segment < v.first {
			continue
		}
		if kept == nil {
			c := *r
			c.Pieces, c.Fingerprints = nil, nil // Verdict gave them
			kept = &c
		}
		p.Skip = slices.Clone(p.Skip)
		v.kept[p.Ref.Segment] = append(v.kept[p.Ref.Segment], keptChunk{
			offset: p.Ref.Offset, batch: batch, piece: int32(len(kept.Pieces)), ruling: kept,
		})
		kept.Pieces = append(kept.Pieces, p)
	}
	return kept
}
