package journal

import (
	"context"
	"slices"

	"github.com/spanlake/spanlake/internal/fsys"
	"github.com/spanlake/spanlake/internal/wal"
)

// verdictRecord is about how large a record of verdicts gets, in bytes: what
// one damaged byte costs.
const verdictRecord = 256 << 10

// Rule records what was decided. It does not wait for the disk and cannot fail:
// what is lost in a crash is decided again. The pieces of dropped rulings are
// free.
func (j *Journal) Rule(rulings []Ruling) {
	for rest := rulings; len(rest) > 0; {
		n, size := 0, 0
		for n < len(rest) && size < verdictRecord {
			size += estimate(&rest[n])
			n++
		}
		group := rest[:n]
		rest = rest[n:]
		j.note(highestOf(group), n, func(b []byte) []byte {
			return appendRulings(b, kindVerdict, j.id, group)
		})
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for i := range rulings {
		if !rulings[i].Kept {
			j.free(rulings[i].Pieces)
		}
	}
}

func estimate(r *Ruling) int {
	size := 32 + 8*len(r.Fingerprints)
	for i := range r.Pieces {
		size += 8 + 8*len(r.Pieces[i].Skip)
	}
	return size
}

func highestOf(rulings []Ruling) uint32 {
	highest := uint32(0)
	for i := range rulings {
		for _, p := range rulings[i].Pieces {
			highest = max(highest, p.Ref.Segment)
		}
	}
	return highest
}

// free takes chunks off the books. mu is held.
func (j *Journal) free(pieces []Piece) {
	for _, p := range pieces {
		j.books.hold(p.Ref.Segment, -1, 0)
	}
}

// Discard frees chunks of which nothing is left. Like Rule it does not wait.
func (j *Journal) Discard(refs []Ref) {
	if len(refs) == 0 {
		return
	}
	highest := slices.MaxFunc(refs, func(a, b Ref) int { return int(int64(a.Segment) - int64(b.Segment)) })
	j.note(highest.Segment, len(refs), func(b []byte) []byte { return appendDiscard(b, j.id, refs) })
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, r := range refs {
		j.books.hold(r.Segment, -1, 0)
	}
}

// Release makes it durable that a batch of kept rulings is about to be handed
// on, and returns the ID to do it under. ErrFailed may be retried; the batch
// then gets another ID.
func (j *Journal) Release(rulings []Ruling) (string, error) {
	pos, err := j.record(highestOf(rulings), func(b []byte) []byte {
		return appendRulings(b, kindRelease, j.id, rulings)
	})
	if err == nil {
		err = j.rulings.Sync(context.Background(), pos)
	}
	if err != nil {
		if fsys.IsFull(err) {
			j.starved.Store(true)
		}
		return "", failure(err, &j.rulingsFailed)
	}
	return batchID(j.rulings.ID(), place{segment: pos.Segment, end: pos.End}), nil
}

// Done records that a batch was handed on and frees its pieces. Like Rule it
// does not wait. The rulings are those that Release, or Recover, had under the
// ID.
func (j *Journal) Done(id string, rulings []Ruling) {
	_, err := j.record(highestOf(rulings), func(b []byte) []byte {
		return appendDone(b, j.id, placeOf(j.rulings.ID(), id), rulings)
	})
	if err != nil {
		j.unwritten.Add(1)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for i := range rulings {
		j.free(rulings[i].Pieces)
	}
	for _, r := range j.lost[id] {
		j.books.hold(r.Segment, -1, 0)
	}
	delete(j.lost, id)
}

// note records what is done again after a crash where it is not written: n things,
// which then are counted. Without a ballast it leaves what room there is to Release
// and Done, which give more back.
func (j *Journal) note(highest uint32, n int, encode func([]byte) []byte) {
	if j.ballast.there.Load() {
		if _, err := j.record(highest, encode); err == nil {
			return
		}
	}
	j.unwritten.Add(int64(n))
}

// record appends to the log of rulings a record that names segments of spans up
// to highest. The segment that is active now is held to that before the record
// is in it or a younger one: as the caller still holds what the record names,
// neither can go.
func (j *Journal) record(highest uint32, encode func([]byte) []byte) (wal.Position, error) {
	b := j.buffers.Get().(*[]byte)
	defer j.buffers.Put(b)
	*b = encode((*b)[:0])
	j.mu.Lock()
	j.names(j.rulings.Active(), highest)
	j.mu.Unlock()
	pos, err := j.rulings.Append(*b)
	if err != nil {
		return pos, failure(err, &j.rulingsFailed)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.names(pos.Segment, highest)
	j.rulingsEnd = later(j.rulingsEnd, pos)
	return pos, nil
}

// names notes that a segment of rulings names segments of spans up to highest.
// mu is held.
func (j *Journal) names(segment uint64, highest uint32) {
	j.highest[segment] = max(j.highest[segment], highest)
}
