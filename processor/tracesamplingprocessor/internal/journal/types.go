package journal

import "time"

// Ref is where a chunk begins in the log of spans; the zero Ref is none.
type Ref struct{ Segment, Offset uint32 }

// Head is the encoded resource and scope that chunks belong to, each with
// everything of it but the scopes or spans.
type Head struct{ Resource, Scope []byte }

// Chunk is spans of one trace in one scope, framed as in an encoded ScopeSpans.
type Chunk struct {
	Trace  [16]byte
	Head   int // index into Arrival.Heads
	Spans  uint32
	Frames []byte
	// Check is the caller's check of the frames, which Fetch needs: it is cheaper for
	// who has hashed the spans anyway than one over the bytes.
	Check uint32
	// Ref is set by Admit and by Recover.
	Ref Ref
	// Ruling is set by Recover alone: nil where the chunk is undecided, else the
	// last ruling on record that keeps it, with no more of its pieces than those
	// still held. It stays valid after the call and must not be changed.
	Ruling *Ruling
	// Skip is that of the Piece of Ruling that names the chunk.
	Skip []uint64
}

// Arrival is the spans of one request.
type Arrival struct {
	Time   time.Time
	Heads  []Head
	Chunks []Chunk
}

// Class is what a ruling says of its class: by name, so that it can be read
// with another configuration.
type Class struct{ Name, Retention string }

// Piece is a chunk of a ruling.
type Piece struct {
	Ref Ref
	// Skip is a bitmap over the spans of the chunk: those that are left out. Nil:
	// none.
	Skip []uint64
}

// Ruling is what was decided about some chunks of a trace.
type Ruling struct {
	Trace         [16]byte
	Class         Class
	Threshold     uint64 // 56-bit rejection threshold
	Kept, Trimmed bool
	Pieces        []Piece
	// Fingerprints are those of the kept spans, by which identical ones are
	// recognised. Of what Recover finds only Verdict has them.
	Fingerprints []uint64
}

// Batch is what was released under an ID.
type Batch struct {
	ID      string
	Rulings []Ruling
}

// Recoverer takes what Recover finds: first every verdict, then every arrival,
// then every batch.
type Recoverer interface {
	// Verdict takes each ruling on record, oldest first. What of it was released is
	// given again, after rulings that may have overruled it. It is valid during the
	// call.
	Verdict(*Ruling)
	// Arrival takes the chunks still held of one request, in the order of the
	// log. All heads of the request are given. Bytes and slices are valid during
	// the call.
	Arrival(*Arrival)
	// Batch takes each batch that was released and is not done, in the order of
	// release. Its chunks were given by Arrival, with a Ruling; those lost to
	// damage are left out. It is the caller's to keep.
	Batch(Batch)
}

// Stats is what Recover met.
type Stats struct {
	// Chunks is how many were given, Resolved how many were found and not given.
	Chunks, Resolved int64
	Spans            int64 // in the chunks given
	Batches          int64
	// LostPieces counts chunks that a ruling not yet carried out names and that
	// are not in the log of spans.
	LostPieces int64
	// DamagedRecords and DamagedBytes are of both logs, as is TornBytes, what a
	// crash left behind the last whole records.
	DamagedRecords, DamagedBytes, TornBytes int64
}
