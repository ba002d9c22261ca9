package class

import "time"

// Status is a set of span status codes seen in a trace.
type Status uint8

// Members of a Status; no member at all is the status unset.
const (
	StatusOK Status = 1 << iota
	StatusError
)

// worst is the status of the trace: an error outweighs ok, ok outweighs unset.
func (s Status) worst() Status {
	if s&StatusError != 0 {
		return StatusError
	}
	return s
}

var statuses = map[string]Status{"error": StatusError, "ok": StatusOK, "unset": 0}

// MaxConditions bounds the different conditions of all classes, so that those a
// trace has met fit into Bits.
const MaxConditions = 256

// Bits is a set of conditions, numbered by the Table.
type Bits [MaxConditions / 64]uint64

func (b *Bits) set(n int)      { b[n/64] |= 1 << (n % 64) }
func (b *Bits) has(n int) bool { return b[n/64]&(1<<(n%64)) != 0 }

func (b *Bits) covers(o *Bits) bool {
	for i := range b {
		if o[i]&^b[i] != 0 {
			return false
		}
	}
	return true
}

// Merge adds the conditions of o.
func (b *Bits) Merge(o *Bits) {
	for i := range b {
		b[i] |= o[i]
	}
}

// Facts is all that a trace is judged by. The zero value is a trace without
// spans.
type Facts struct {
	// Start and End are the earliest start and the latest end, in Unix
	// nanoseconds; zero while unknown.
	Start, End uint64
	// Met holds the conditions that some span met.
	Met Bits
	// Spans is how many spans there are.
	Spans uint32
	// Status holds the codes seen.
	Status Status
}

// Merge adds the facts of other spans of the trace; the order does not matter.
func (f *Facts) Merge(o *Facts) {
	if f.Start == 0 || (o.Start != 0 && o.Start < f.Start) {
		f.Start = o.Start
	}
	f.End = max(f.End, o.End)
	f.Met.Merge(&o.Met)
	f.Spans += o.Spans
	f.Status |= o.Status
}

func (f *Facts) duration() time.Duration {
	if f.Start == 0 || f.End < f.Start {
		return 0
	}
	return time.Duration(min(f.End-f.Start, 1<<63-1))
}
