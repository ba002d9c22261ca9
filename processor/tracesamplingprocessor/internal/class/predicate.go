package class

import (
	"slices"
	"time"
)

// predicate is a compiled match: everything in it must hold. Zero bounds are
// none.
type predicate struct {
	status                   Status
	hasStatus                bool
	minDuration, maxDuration time.Duration
	minSpans, maxSpans       int
	needs                    Bits
	anys                     [][]predicate // of each list, one must hold
	nots                     []predicate   // none may hold
}

func (p *predicate) match(f *Facts) bool {
	if p.hasStatus && f.Status.worst() != p.status {
		return false
	}
	if !f.Met.covers(&p.needs) {
		return false
	}
	if p.minDuration > 0 && f.duration() < p.minDuration {
		return false
	}
	if p.maxDuration > 0 && f.duration() > p.maxDuration {
		return false
	}
	if int64(f.Spans) < int64(p.minSpans) || (p.maxSpans > 0 && int64(f.Spans) > int64(p.maxSpans)) {
		return false
	}
	for _, branches := range p.anys {
		if !slices.ContainsFunc(branches, func(b predicate) bool { return b.match(f) }) {
			return false
		}
	}
	for i := range p.nots {
		if p.nots[i].match(f) {
			return false
		}
	}
	return true
}

// monotone reports whether what matches still matches with more spans, so that
// a part of a trace proves it.
func (p *predicate) monotone() bool {
	if (p.hasStatus && p.status != StatusError) || p.maxDuration > 0 || p.maxSpans > 0 || len(p.nots) > 0 {
		return false
	}
	for _, branches := range p.anys {
		for i := range branches {
			if !branches[i].monotone() {
				return false
			}
		}
	}
	return true
}

// and returns the conjunction; false where statuses exclude each other.
func (p predicate) and(o *predicate) (predicate, bool) {
	if p.hasStatus && o.hasStatus && p.status != o.status {
		return predicate{}, false
	}
	if o.hasStatus {
		p.status, p.hasStatus = o.status, true
	}
	p.minDuration = max(p.minDuration, o.minDuration)
	p.maxDuration = tighter(p.maxDuration, o.maxDuration)
	p.minSpans = max(p.minSpans, o.minSpans)
	p.maxSpans = tighter(p.maxSpans, o.maxSpans)
	p.needs.Merge(&o.needs)
	p.anys = slices.Concat(p.anys, o.anys)
	p.nots = slices.Concat(p.nots, o.nots)
	return p, true
}

// tighter is the lesser of two upper bounds, of which zero is none.
func tighter[T time.Duration | int](a, b T) T {
	if a == 0 || (b != 0 && b < a) {
		return b
	}
	return a
}

// within reports whether an upper bound lets nothing through that another one
// stops.
func within[T time.Duration | int](bound, other T) bool {
	return other == 0 || (bound != 0 && bound <= other)
}
