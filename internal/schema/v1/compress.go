package v1

import (
	"sync"

	"github.com/klauspost/compress/zstd"
	parquetzstd "github.com/parquet-go/parquet-go/compress/zstd"
)

// codec is zstd level 1 that codes literals by their frequency also where
// nothing repeats: the hexadecimal digits of IDs, half of what a file holds, take
// four bits each then instead of eight.
type codec struct {
	parquetzstd.Codec

	encoders sync.Pool // of *zstd.Encoder, which are large
}

func (c *codec) Encode(dst, src []byte) ([]byte, error) {
	e, ok := c.encoders.Get().(*zstd.Encoder)
	if !ok {
		var err error
		e, err = zstd.NewWriter(nil,
			zstd.WithEncoderConcurrency(1),
			zstd.WithEncoderLevel(zstd.SpeedFastest),
			zstd.WithAllLitEntropyCompression(true),
			zstd.WithZeroFrames(true),
			zstd.WithEncoderCRC(false), // the page has one
			zstd.WithWindowSize(256<<10),
		)
		if err != nil {
			return nil, err
		}
	}
	defer c.encoders.Put(e)
	return e.EncodeAll(src, dst[:0]), nil
}
