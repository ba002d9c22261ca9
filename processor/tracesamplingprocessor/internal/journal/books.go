package journal

// books count the chunks that are held, by segment of the log of spans.
// Journal.mu guards them.
type books struct {
	held   map[uint32]holding
	chunks int64 // in held
	spans  int64 // in held
	// reserved is what was let in and is not in the logs yet, in bytes.
	reserved int64
}

// holding is of one segment. Spans counts all that were admitted for as long as
// one chunk is held: who frees a chunk does not say how many it had.
type holding struct{ chunks, spans int64 }

// hold adds chunks, or takes them away where the numbers are negative.
func (b *books) hold(segment uint32, chunks, spans int64) {
	h, ok := b.held[segment]
	if !ok && chunks < 0 {
		return
	}
	b.chunks, b.spans = b.chunks+chunks, b.spans+spans
	h.chunks, h.spans = h.chunks+chunks, h.spans+spans
	if h.chunks > 0 {
		b.held[segment] = h
		return
	}
	b.chunks, b.spans = b.chunks-h.chunks, b.spans-h.spans
	delete(b.held, segment)
}

// oldest returns the lowest segment with a chunk that is held.
func (b *books) oldest() (uint32, bool) {
	oldest, ok := uint32(0), false
	for segment := range b.held {
		if !ok || segment < oldest {
			oldest, ok = segment, true
		}
	}
	return oldest, ok
}

const (
	// chunkOwed is what ruling on a chunk, releasing it and finishing it costs in
	// the log of rulings at most: a ruling of its own takes 33 bytes without its
	// pieces, a piece 11, and this in each of V and R; its ref in D takes 10. The
	// rest, a quarter, is its share of what the records have once.
	chunkOwed = 128
	// spanOwed is a span's fingerprint, and its bit in a bitmap, each of V and of R.
	spanOwed = 17
	// slack is for the ends and beginnings of segments.
	slack = 4096
)

// owed is what is yet to be written about what is held. Rulings are never
// refused for the bound, so room for them is kept from the start.
func owed(chunks, spans int64) int64 { return chunks*chunkOwed + spans*spanOwed }

// used is what counts against MaxBytes, with the ballast also where it is not
// there. mu is held.
func (j *Journal) used() int64 {
	return j.spans.Bytes() + j.rulings.Bytes() + j.ballast.size + slack + j.books.reserved + owed(j.books.chunks, j.books.spans)
}
