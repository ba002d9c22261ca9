package journal

import (
	"bytes"
	"encoding/binary"
	"slices"
	"time"
)

// Layout of version 1; FORMAT.md explains it.
const (
	formatVersion = 1

	kindArrival = 'A'
	kindVerdict = 'V'
	kindDiscard = 'X'
	kindRelease = 'R'
	kindDone    = 'D'

	chunkHeader = 32
	// frameBytes is what the log adds to a record.
	frameBytes = 16
)

// arrivalEncoder lays a request, which has one chunk at least, out as the parts
// of a record. The frames are not copied; all else is in meta.
type arrivalEncoder struct {
	meta   []byte
	parts  [][]byte
	length int // of the record
	spans  int64
}

func (e *arrivalEncoder) encode(a *Arrival) {
	// So much that meta does not move while parts point into it.
	size := 2 + 8 + 2*binary.MaxVarintLen32 + chunkHeader*len(a.Chunks)
	for i := range a.Heads {
		size += 2*binary.MaxVarintLen64 + len(a.Heads[i].Scope)
		if !repeats(a.Heads, i) {
			size += len(a.Heads[i].Resource)
		}
	}
	m := append(slices.Grow(e.meta[:0], size), kindArrival, formatVersion)
	m = binary.LittleEndian.AppendUint64(m, uint64(a.Time.UnixNano()))
	m = binary.AppendUvarint(m, uint64(len(a.Heads)))
	for i := range a.Heads {
		m = appendHead(m, a.Heads, i)
	}
	m = binary.AppendUvarint(m, uint64(len(a.Chunks)))
	e.parts, e.length, e.spans = e.parts[:0], 0, 0
	from := 0
	for i := range a.Chunks {
		c := &a.Chunks[i]
		_ = a.Heads[c.Head] // a chunk without its head could not be read back
		m = appendChunkHeader(m, c)
		e.parts = append(e.parts, m[from:], c.Frames)
		e.length += len(m) - from + len(c.Frames)
		e.spans += int64(c.Spans)
		from = len(m)
	}
	e.meta = m
}

// release forgets the caller's bytes, and gives a large buffer back.
func (e *arrivalEncoder) release() {
	clear(e.parts)
	if cap(e.meta) > retainMeta {
		e.meta = nil
	}
}

const retainMeta = 1 << 20

// repeats reports whether a head has the resource of the one before.
func repeats(heads []Head, i int) bool {
	return i > 0 && bytes.Equal(heads[i].Resource, heads[i-1].Resource)
}

// appendHead writes the resource only where it differs from that of the head
// before.
func appendHead(dst []byte, heads []Head, i int) []byte {
	h := &heads[i]
	if repeats(heads, i) {
		dst = append(dst, 0)
	} else {
		dst = binary.AppendUvarint(dst, uint64(len(h.Resource))+1)
		dst = append(dst, h.Resource...)
	}
	dst = binary.AppendUvarint(dst, uint64(len(h.Scope)))
	return append(dst, h.Scope...)
}

func appendChunkHeader(dst []byte, c *Chunk) []byte {
	dst = append(dst, c.Trace[:]...)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(c.Head))
	dst = binary.LittleEndian.AppendUint32(dst, c.Spans)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(c.Frames)))
	return binary.LittleEndian.AppendUint32(dst, c.Check)
}

// decodeArrival reads a record that begins at a place in the log into a, whose
// slices it uses again. It returns false for what is no such record. It leaves
// the checks of the chunks alone: the log has checked the record's.
func decodeArrival(record []byte, at Ref, a *Arrival) bool {
	c := cursor{b: record}
	kind, version := c.byte(), c.byte()
	if kind != kindArrival || version != formatVersion {
		return false
	}
	a.Time = time.Unix(0, int64(c.uint64())).UTC()
	heads := c.count(2)
	a.Heads = slices.Grow(a.Heads[:0], heads)
	var resource []byte
	for i := range heads {
		n := c.uvarint()
		switch {
		case n > 0:
			resource = c.bytes(n - 1)
		case i == 0:
			return false
		}
		a.Heads = append(a.Heads, Head{Resource: resource, Scope: c.bytes(c.uvarint())})
	}
	chunks := c.count(chunkHeader)
	a.Chunks = slices.Grow(a.Chunks[:0], chunks)
	for range chunks {
		offset := uint64(at.Offset) + uint64(len(record)-len(c.b))
		chunk := Chunk{
			Trace: c.trace(), Head: int(c.uint32()), Spans: c.uint32(),
			Ref: Ref{Segment: at.Segment, Offset: uint32(offset)},
		}
		size := c.uint32()
		chunk.Check = c.uint32()
		chunk.Frames = c.bytes(uint64(size))
		if c.bad || chunk.Head >= len(a.Heads) || offset>>32 != 0 {
			return false
		}
		a.Chunks = append(a.Chunks, chunk)
	}
	return !c.bad && len(c.b) == 0 && chunks > 0
}

// decodeChunk returns the frames of the chunk that b is, header and all, and their
// check.
func decodeChunk(b []byte, trace [16]byte) ([]byte, uint32, bool) {
	if len(b) < chunkHeader {
		return nil, 0, false
	}
	c := cursor{b: b}
	owner, _, _, size, check := c.trace(), c.uint32(), c.uint32(), c.uint32(), c.uint32()
	frames := b[chunkHeader:]
	return frames, check, owner == trace && int64(size) == int64(len(frames))
}
