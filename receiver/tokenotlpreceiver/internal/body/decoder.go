package body

import (
	"bytes"
	"fmt"
	"io"
	"sync"

	"github.com/golang/snappy"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// maxWindow bounds the memory that a zstd frame can ask for: what RFC 8878
// advises decoders to support, and levels up to 19 use.
const maxWindow = 8 << 20

// resetter is a decompressor that can be used again.
type resetter interface {
	io.Reader
	Reset(src io.Reader) error
}

// decoder is a decompressor on loan from its pool.
type decoder struct {
	resetter
	pool *sync.Pool
}

// Read turns a panic of a decompressor, whose input is whatever a client sent,
// into an error.
func (d *decoder) Read(p []byte) (n int, err error) { //nolint:nonamedreturns // set by recover
	defer func() {
		if v := recover(); v != nil {
			n, err = 0, fmt.Errorf("decompressor failed: %v", v)
			d.pool = nil // its state is unknown
		}
	}()
	return d.resetter.Read(p)
}

func (d *decoder) close() {
	if d.pool == nil {
		return
	}
	// Not to hold on to the request. An empty input is an error to some.
	_ = d.Reset(bytes.NewReader(nil))
	d.pool.Put(d.resetter)
}

// pools has a pool of decompressors for each content coding, under every name
// that confighttp knows.
var pools = map[string]*sync.Pool{
	"gzip":            {New: func() any { return new(gzip.Reader) }},
	"zstd":            {New: newZstd},
	"zlib":            zlibs,
	"deflate":         zlibs, // which RFC 9110 defines as the zlib format
	"lz4":             {New: func() any { return lz4Reader{lz4.NewReader(nil)} }},
	"x-snappy-framed": {New: func() any { return snappyReader{snappy.NewReader(nil)} }},
}

var zlibs = &sync.Pool{New: func() any { return new(zlibReader) }}

// Encodings are the accepted content codings, for an Accept-Encoding header.
const Encodings = "gzip, zstd, deflate, zlib, snappy, x-snappy-framed, lz4, identity"

func newDecoder(encoding string, src io.Reader) (*decoder, error) {
	pool := pools[encoding]
	if pool == nil {
		return nil, fmt.Errorf("%w %q: use one of %s", ErrEncoding, encoding, Encodings)
	}
	d := &decoder{resetter: pool.Get().(resetter), pool: pool}
	if err := d.Reset(src); err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

func newZstd() any {
	// One goroutine, and none of its own.
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		panic(err) // the options are constants
	}
	return d
}

type zlibReader struct{ io.ReadCloser }

func (r *zlibReader) Reset(src io.Reader) error {
	if r.ReadCloser == nil {
		z, err := zlib.NewReader(src)
		if err != nil {
			return err
		}
		r.ReadCloser = z
		return nil
	}
	return r.ReadCloser.(zlib.Resetter).Reset(src, nil)
}

type lz4Reader struct{ *lz4.Reader }

func (r lz4Reader) Reset(src io.Reader) error {
	r.Reader.Reset(src)
	return nil
}

type snappyReader struct{ *snappy.Reader }

func (r snappyReader) Reset(src io.Reader) error {
	r.Reader.Reset(src)
	return nil
}

// snappyStreamStart begins every framed stream, and no block: read as one, its
// second element copies from before the start.
const snappyStreamStart = "\xff\x06\x00\x00sNaPpY"

// decodeSnappyBlock puts the decompressed block into b. Until it is there, b
// holds the compressed one as well.
func decodeSnappyBlock(src io.Reader, maxPlain int64, b *Body) error {
	if err := b.fill(src, maxPlain); err != nil {
		return err
	}
	n, err := snappy.DecodedLen(b.data)
	if err != nil {
		return err
	}
	if int64(n) > maxPlain {
		return fmt.Errorf("%w: %d bytes when decompressed, limit %d", ErrTooLarge, n, maxPlain)
	}
	if err := b.hold(int64(cap(b.data)) + int64(n)); err != nil {
		return err
	}
	b.data, err = snappy.Decode(nil, b.data)
	b.keep(int64(cap(b.data)))
	return err
}
