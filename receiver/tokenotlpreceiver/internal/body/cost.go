package body

// What a decompressor allocates beside the body, in bytes, held against the
// budget while one is at work.
const (
	// A zstd frame may name any window up to maxWindow, and each frame of a body its
	// own. Blocks and tables come with it.
	zstdCost = maxWindow + 3<<19
	// The largest block of lz4 has 4 MiB, held both ways.
	lz4Cost = 8<<20 + 1<<18
	// A window of 32 KiB and its tables.
	deflateCost = 64 << 10
	// A frame has 64 KiB, held both ways.
	snappyCost = 160 << 10

	// MaxDecoderCost is the highest of them, in whole MiB.
	MaxDecoderCost = 10 << 20
)

var costs = map[string]int64{
	"gzip":            deflateCost,
	"zlib":            deflateCost,
	"deflate":         deflateCost,
	"zstd":            zstdCost,
	"lz4":             lz4Cost,
	"x-snappy-framed": snappyCost,
}

// maxStreaming is the highest cost of a decompressor that may wait for its input.
// Those that take more get it from memory, so that a slow sender does not hold
// what is needed for a moment only.
const maxStreaming = 1 << 20
