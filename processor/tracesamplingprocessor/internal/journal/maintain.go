package journal

import (
	"context"
	"maps"
	"sync/atomic"

	"github.com/spanlake/spanlake/internal/fsys"
	"github.com/spanlake/spanlake/internal/wal"
)

// Maintain seals segments that are full or failed, syncs the rulings and
// removes what is free. It is meant to be called several times a second; what
// the disk refuses is tried again by the next call.
func (j *Journal) Maintain() {
	j.mu.Lock()
	ready, spansEnd, rulingsEnd := j.ready, j.spansEnd, j.rulingsEnd
	// Where nothing is held, only the active segment is left to give back.
	idle := j.books.chunks == 0
	near := j.used() > j.maxBytes/8*7
	j.mu.Unlock()
	if !ready {
		return
	}
	if j.starved.Swap(false) {
		j.giveUp()
	}
	// Without a ballast nothing comes in and all that is held goes. Where the room
	// of that is not enough for a new one, decisions to remember go too.
	lacking := !j.ballast.there.Load()
	cramped := lacking && !j.ballast.due
	_ = seal(j.spans, &j.spansFailed, lacking || idle && near || j.full(j.spans, spansEnd))
	err := seal(j.rulings, &j.rulingsFailed, cramped && idle || j.full(j.rulings, rulingsEnd))
	if fsys.IsFull(err) {
		j.starved.Store(true)
	}
	free := j.unheld()
	j.syncRulings()
	for _, number := range free {
		if j.spans.Remove(number) != nil {
			break
		}
		j.ballast.due = true
	}
	remember := j.verdictBytes
	if cramped {
		remember = 0
	}
	j.removeRulings(remember)
	j.restore(idle)
}

func (j *Journal) full(log *wal.Log, end wal.Position) bool {
	return end.End >= j.segmentBytes && end.Segment == log.Active()
}

func seal(log *wal.Log, failed *atomic.Bool, full bool) error {
	if !failed.Swap(false) && !full {
		return nil
	}
	_, _, err := log.Seal()
	if err != nil {
		failed.Store(true)
	}
	return err
}

// unheld lists the segments of spans that may go, oldest first: those with no
// chunk held in them or in an older one, even one that is missing.
func (j *Journal) unheld() []uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	oldest, held := j.books.oldest()
	sealed := j.spans.Sealed()
	var free []uint64
	for i, s := range sealed {
		next := j.spans.Active()
		if i+1 < len(sealed) {
			next = sealed[i+1].Segment
		}
		if held && uint64(oldest) < next {
			break
		}
		free = append(free, s.Segment)
	}
	return free
}

// syncRulings makes durable what was recorded, before what it frees is removed.
// It need not succeed: the absence of a segment says as much as the record.
func (j *Journal) syncRulings() {
	j.mu.Lock()
	end := j.rulingsEnd
	j.mu.Unlock()
	if end.Segment == 0 {
		return
	}
	err := j.rulings.Sync(context.Background(), end)
	if err == nil {
		return
	}
	j.unwritten.Add(1)
	j.mu.Lock()
	defer j.mu.Unlock()
	if end.Segment == j.rulings.Active() {
		j.rulingsFailed.Store(true)
	}
	if j.rulingsEnd == end { // refused for good
		j.rulingsEnd = wal.Position{}
	}
}

// removeRulings removes, oldest first, the segments of rulings that name only
// segments of spans which are gone, as long as the younger ones are so many bytes.
func (j *Journal) removeRulings(remember int64) {
	first := j.firstSpans()
	sealed := j.rulings.Sealed()
	younger := j.activeRulings()
	for _, s := range sealed {
		younger += s.End
	}
	for _, s := range sealed {
		younger -= s.End
		if younger < remember || j.named(s.Segment) >= first || j.rulings.Remove(s.Segment) != nil {
			return
		}
		j.mu.Lock()
		maps.DeleteFunc(j.highest, func(segment uint64, _ uint32) bool { return segment <= s.Segment })
		j.mu.Unlock()
	}
}

// activeRulings is the size of the active segment of rulings.
func (j *Journal) activeRulings() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.rulingsEnd.Segment != j.rulings.Active() {
		return 0
	}
	return j.rulingsEnd.End
}

// named is the highest segment of spans that the segments of rulings up to one
// name. Where one of them is gone, what noted a record in advance may still
// protect it in the next.
func (j *Journal) named(upTo uint64) uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	highest := uint32(0)
	for segment, h := range j.highest {
		if segment <= upTo {
			highest = max(highest, h)
		}
	}
	return uint64(highest)
}

// firstSpans is the oldest segment of spans there is.
func (j *Journal) firstSpans() uint64 {
	if sealed := j.spans.Sealed(); len(sealed) > 0 {
		return sealed[0].Segment
	}
	return j.spans.Active()
}
