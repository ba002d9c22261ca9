package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"github.com/spanlake/spanlake/internal/wal"
)

// FetchOverhead is the room that Fetch needs behind the frames.
const FetchOverhead = chunkHeader

// Fetch appends the frames of a chunk, which are size bytes, to dst; check computes
// the Check that they were admitted with. ErrDamaged
// says that they are lost; any other error is one of the disk, and dst is then
// returned as it was. It must still be held.
func (j *Journal) Fetch(trace [16]byte, ref Ref, size int, dst []byte, check func(frames []byte) uint32) ([]byte, error) {
	from := len(dst)
	grown := slices.Grow(dst, chunkHeader+size)
	b := grown[from : from+chunkHeader+size]
	err := j.spans.ReadAt(uint64(ref.Segment), b, int64(ref.Offset))
	switch {
	case err == nil:
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, fs.ErrNotExist):
		return dst, fmt.Errorf("%w: %w", ErrDamaged, err)
	case errors.Is(err, wal.ErrClosed):
		return dst, fmt.Errorf("%w: %w", ErrClosed, err)
	default:
		return dst, fmt.Errorf("fetch from journal: %w", err)
	}
	frames, sum, ok := decodeChunk(b, trace)
	if !ok || check(frames) != sum {
		return dst, fmt.Errorf("%w: segment %d has no such chunk at %d", ErrDamaged, ref.Segment, ref.Offset)
	}
	copy(b, frames)
	return grown[:from+size], nil
}
