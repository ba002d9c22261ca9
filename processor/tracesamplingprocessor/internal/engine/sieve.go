package engine

import (
	"math"

	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/journal"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/otlpwire"
)

// sieve lets the spans through that their trace does not have yet and has room
// for. A quarter of a trace's size is for roots and errors, so that they stay
// however much came before them.
type sieve struct {
	prints      *fingerprints
	size, limit int64 // of the trace, bytes

	duplicates, trimmed int
	passed              []uint64 // fingerprints, where note is set
	note                bool
}

// lateSieve is for spans that are handed on at once, so that their trace's size
// bounds nothing. It notes what has passed, for a journal.
func (e *Engine) lateSieve(prints *fingerprints) sieve {
	return sieve{prints: prints, limit: math.MaxInt64, note: e.journal != nil}
}

func (s *sieve) admits(span *intakeSpan) bool {
	if s.prints.has(span.print) {
		s.duplicates++
		return false
	}
	size := s.size + int64(otlpwire.SpanSize(len(span.encoded)))
	if size > s.limit || size > s.limit/4*3 && !span.vital {
		s.trimmed++
		return false
	}
	s.prints.add(span.print)
	s.size = size
	if s.note {
		s.passed = append(s.passed, span.print)
	}
	return true
}

// sift puts a chunk, whose spans begin at the given one, through a sieve, and
// returns which of them it left out.
func (r *ruling) sift(s *sieve, in *intake, c *chunk, first int32) bitmap {
	var skip bitmap
	n := int(c.spans)
	for i, at := 0, first; i < n; i, at = i+1, in.spans[at].next {
		if !s.admits(&in.spans[at]) {
			skip = skip.with(i, n)
			c.spans--
		}
	}
	if skip != nil && !c.cold() {
		before := c.cost()
		c.frames = without(c.frames, skip)
		r.freed += before - c.cost()
	}
	return skip
}

// discard gives up a chunk that its trace never got.
func (r *ruling) discard(c chunk) {
	r.dropped = append(r.dropped, c)
	r.freed += c.cost()
	if c.ref != (journal.Ref{}) {
		r.discarded = append(r.discarded, c.ref)
	}
}

// without copies frames but for the spans left out, into no more room than the
// rest takes.
func without(frames []byte, skip bitmap) []byte {
	size := 0
	eachLeft(frames, skip, func(span []byte) { size += otlpwire.SpanSize(len(span)) })
	rest := make([]byte, 0, size)
	eachLeft(frames, skip, func(span []byte) { rest = otlpwire.AppendSpan(rest, span, nil) })
	return rest
}

// eachLeft calls fn for every span that is not left out.
func eachLeft(frames []byte, skip bitmap, fn func(span []byte)) {
	i := 0
	// Frames are of this engine's making, so reading them back cannot fail.
	_ = otlpwire.EachSpan(frames, func(span []byte) error {
		if !skip.has(i) {
			fn(span)
		}
		i++
		return nil
	})
}
