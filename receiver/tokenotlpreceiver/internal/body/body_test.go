package body

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/golang/snappy"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/stretchr/testify/require"
)

var codings = map[string]func(w io.Writer) io.WriteCloser{
	"gzip":            func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) },
	"deflate":         func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) },
	"zlib":            func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) },
	"zstd":            func(w io.Writer) io.WriteCloser { return newZstdWriter(w) },
	"lz4":             func(w io.Writer) io.WriteCloser { return lz4.NewWriter(w) },
	"x-snappy-framed": func(w io.Writer) io.WriteCloser { return snappy.NewBufferedWriter(w) },
	"snappy":          func(w io.Writer) io.WriteCloser { return snappy.NewBufferedWriter(w) },
}

func newZstdWriter(w io.Writer, opts ...zstd.EOption) io.WriteCloser {
	z, err := zstd.NewWriter(w, append(opts, zstd.WithEncoderConcurrency(1))...)
	if err != nil {
		panic(err)
	}
	return z
}

func compress(t testing.TB, coding string, data []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := codings[coding](&buf)
	_, err := w.Write(data)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return buf.Bytes()
}

// each calls fn with the body in every coding, the block format of snappy too.
func each(t *testing.T, data []byte, fn func(t *testing.T, coding string, compressed []byte)) {
	t.Helper()
	for coding := range codings {
		t.Run(coding, func(t *testing.T) { fn(t, coding, compress(t, coding, data)) })
	}
	t.Run("snappy block", func(t *testing.T) { fn(t, "snappy", snappy.Encode(nil, data)) })
	t.Run("identity", func(t *testing.T) { fn(t, "identity", data) })
	t.Run("none", func(t *testing.T) { fn(t, "", data) })
}

func newReader(received, plain, budget int64) *Reader {
	return &Reader{MaxReceived: received, MaxPlain: plain, Budget: NewBudget(budget + MaxDecoderCost)}
}

func TestBodyIsReadWholeInEveryCoding(t *testing.T) {
	for _, size := range []int{1, 100, chunk - 1, chunk, chunk + 1, 3 << 20} {
		data := bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			each(t, data, func(t *testing.T, coding string, compressed []byte) {
				t.Helper()
				r := newReader(4<<20, 4<<20, 16<<20)
				for _, length := range []int64{-1, int64(len(compressed))} {
					for _, src := range []io.Reader{bytes.NewReader(compressed), iotest.DataErrReader(bytes.NewReader(compressed))} {
						b, err := r.Read(coding, src, length)
						require.NoError(t, err)
						require.True(t, bytes.Equal(data, b.Bytes()))
						require.GreaterOrEqual(t, r.Budget.Used(), int64(size))
						b.Close()
						require.Zero(t, r.Budget.Used())
					}
				}
			})
		})
	}
}

func TestReadersAreUsedAgainAfterAFault(t *testing.T) {
	data := []byte(strings.Repeat("hello ", 1000))
	each(t, data, func(t *testing.T, coding string, compressed []byte) {
		t.Helper()
		r := newReader(1<<20, 1<<20, 4<<20)
		for range 3 {
			if coding != "" && coding != "identity" {
				_, err := r.Read(coding, bytes.NewReader(compressed[:len(compressed)/2]), -1)
				require.ErrorIs(t, err, ErrCorrupt)
				_, err = r.Read(coding, strings.NewReader("hello"), -1)
				require.ErrorIs(t, err, ErrCorrupt)
			}
			_, err := r.Read(coding, io.MultiReader(bytes.NewReader(compressed[:1]), iotest.ErrReader(errors.New("connection lost"))), -1)
			require.ErrorIs(t, err, ErrCorrupt)
			require.ErrorContains(t, err, "connection lost")
			b, err := r.Read(coding, bytes.NewReader(compressed), -1)
			require.NoError(t, err)
			require.Equal(t, data, b.Bytes())
			b.Close()
			require.Zero(t, r.Budget.Used())
		}
	})
}

func TestPlainLimitIsTheLastByteThatPasses(t *testing.T) {
	const limit = 200_000
	for extra, want := range map[int]error{0: nil, 1: ErrTooLarge} {
		each(t, make([]byte, limit+extra), func(t *testing.T, coding string, compressed []byte) {
			t.Helper()
			r := newReader(1<<20, limit, limit+1<<20)
			b, err := r.Read(coding, bytes.NewReader(compressed), -1)
			require.ErrorIs(t, err, want)
			if err == nil {
				require.Len(t, b.Bytes(), limit)
				b.Close()
			}
			require.Zero(t, r.Budget.Used())
		})
	}
}

func TestReceivedLimitIsTheLastByteThatPasses(t *testing.T) {
	data := make([]byte, 1<<20)
	for i := range data {
		data[i] = byte(i * i >> 3)
	}
	each(t, data, func(t *testing.T, coding string, compressed []byte) {
		t.Helper()
		n := int64(len(compressed))
		b, err := newReader(n, 1<<20, 8<<20).Read(coding, bytes.NewReader(compressed), -1)
		require.NoError(t, err)
		b.Close()

		r := newReader(n-1, 1<<20, 8<<20)
		_, err = r.Read(coding, bytes.NewReader(compressed), -1)
		require.ErrorIs(t, err, ErrTooLarge)
		_, err = r.Read(coding, iotest.ErrReader(errors.New("was read")), n)
		require.ErrorIs(t, err, ErrTooLarge)
		require.NotContains(t, err.Error(), "was read")
		require.Zero(t, r.Budget.Used())
	})
}

func TestLimitOfTheServerIsOurs(t *testing.T) {
	body := http.MaxBytesReader(httptest.NewRecorder(), io.NopCloser(strings.NewReader("hello")), 3)
	_, err := newReader(100, 100, 1<<20).Read("gzip", io.MultiReader(bytes.NewReader(compress(t, "gzip", nil)[:5]), body), -1)
	require.ErrorIs(t, err, ErrTooLarge)
}

// counting counts what is read of a bomb.
type counting struct {
	io.Reader
	n int64
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	return n, err
}

func TestBombIsLeftUnreadBeyondTheLimit(t *testing.T) {
	each(t, make([]byte, 64<<20), func(t *testing.T, coding string, compressed []byte) {
		t.Helper()
		src := &counting{Reader: bytes.NewReader(compressed)}
		r := newReader(100<<20, 1<<20, 8<<20)
		_, err := r.Read(coding, src, -1)
		require.Error(t, err)
		if coding != "snappy" || len(compressed) < 4<<20 { // of a block, the length is known when it is read
			require.LessOrEqual(t, src.n, int64(8<<20))
		}
		require.Zero(t, r.Budget.Used())
	})
}

func TestBudgetIsNeverExceeded(t *testing.T) {
	data := make([]byte, 1<<20)
	each(t, data, func(t *testing.T, coding string, compressed []byte) {
		t.Helper()
		r := newReader(2<<20, 2<<20, 0)
		r.Budget.Reserve(r.Budget.limit - 1<<19)
		_, err := r.Read(coding, bytes.NewReader(compressed), -1)
		require.ErrorIs(t, err, ErrBusy)
		require.Equal(t, r.Budget.limit-1<<19, r.Budget.Used())
	})
}

func TestLargestBodyFitsTheSmallestBudgetAllowed(t *testing.T) {
	// Config.Validate demands the sum of both limits.
	each(t, make([]byte, 2<<20), func(t *testing.T, coding string, compressed []byte) {
		t.Helper()
		r := newReader(2<<20, 2<<20, 4<<20)
		b, err := r.Read(coding, bytes.NewReader(compressed), -1)
		require.NoError(t, err)
		b.Close()
	})
}

func TestUnknownCodingIsRefused(t *testing.T) {
	r := newReader(100, 100, 1<<20)
	for _, coding := range []string{"br", "compress", "gzip, gzip", "snappy block"} {
		_, err := r.Read(coding, strings.NewReader("x"), -1)
		require.ErrorIs(t, err, ErrEncoding)
	}
}

func TestWindowThatTakesTooMuchMemoryIsRefused(t *testing.T) {
	var buf bytes.Buffer
	w := newZstdWriter(&buf, zstd.WithWindowSize(64<<20))
	_, err := io.Copy(w, io.LimitReader(endless{}, 80<<20))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	_, err = newReader(100<<20, 100<<20, 200<<20).Read("zstd", &buf, -1)
	require.ErrorIs(t, err, ErrCorrupt)
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// panicking stands in for a decompressor with a fault.
type panicking struct{}

func (panicking) Read([]byte) (int, error) { panic("index out of range") }
func (panicking) Reset(io.Reader) error    { return nil }

func TestPanicOfADecompressorIsAnError(t *testing.T) {
	d := &decoder{resetter: panicking{}, pool: pools["gzip"]}
	_, err := d.Read(nil)
	require.ErrorContains(t, err, "index out of range")
	d.close()
	require.Nil(t, d.pool, "must not be used again")
}

func FuzzRead(f *testing.F) {
	names := []string{"gzip", "deflate", "zstd", "lz4", "snappy", "x-snappy-framed"}
	for i, name := range names {
		f.Add(uint8(i), compress(f, name, []byte(strings.Repeat("hello ", 50))))
	}
	f.Add(uint8(4), snappy.Encode(nil, []byte("hello hello hello hello")))
	r := newReader(1<<16, 1<<16, 1<<20)
	f.Fuzz(func(t *testing.T, coding uint8, data []byte) {
		b, err := r.Read(names[int(coding)%len(names)], bytes.NewReader(data), -1)
		if err == nil {
			require.LessOrEqual(t, len(b.Bytes()), 1<<16)
			b.Close()
		}
		require.Zero(t, r.Budget.Used())
	})
}

func BenchmarkRead(b *testing.B) {
	data := bytes.Repeat([]byte("0123456789abcdef{}[],.:;"), 250<<10/24)
	r := newReader(1<<20, 1<<20, 4<<20)
	for _, coding := range []string{"", "gzip", "zstd", "snappy"} {
		compressed := data
		if coding != "" {
			compressed = compress(b, coding, data)
		}
		b.Run("coding="+coding, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				body, err := r.Read(coding, bytes.NewReader(compressed), int64(len(compressed)))
				if err != nil {
					b.Fatal(err)
				}
				body.Close()
			}
		})
	}
}

// Else a small body could hold a megabyte that a large one has left behind.
func TestBodiesAreChargedForTheirBuffers(t *testing.T) {
	r := newReader(4<<20, 4<<20, 16<<20)
	for _, size := range []int{1 << 20, 100, 300 << 10, 3 << 20, 0, 70 << 10, 1} {
		b, err := r.Read("", bytes.NewReader(make([]byte, size)), int64(size))
		require.NoError(t, err)
		require.Equal(t, int64(cap(b.Bytes())), r.Budget.Used())
		require.LessOrEqual(t, cap(b.Bytes()), max(chunk, 2*size))
		b.Close()
		require.Zero(t, r.Budget.Used())
	}
}
