package body

import (
	"bytes"
	"io"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/stretchr/testify/require"
)

// spendthrift compresses in the way that takes the most memory to undo.
var spendthrift = map[string]func(w io.Writer) io.WriteCloser{
	"zstd": func(w io.Writer) io.WriteCloser { return newZstdWriter(w, zstd.WithWindowSize(maxWindow)) },
	"lz4": func(w io.Writer) io.WriteCloser {
		z := lz4.NewWriter(w)
		if err := z.Apply(lz4.BlockSizeOption(lz4.Block4Mb), lz4.ConcurrencyOption(1)); err != nil {
			panic(err)
		}
		return z
	},
}

func TestDecompressorsTakeNoMoreThanTheirCost(t *testing.T) {
	data := make([]byte, 12<<20)
	rnd := rand.NewChaCha8([32]byte{})
	_, _ = rnd.Read(data)
	for i := range data {
		data[i] &= 0x3f // somewhat compressible
	}
	for coding, cost := range costs {
		newWriter := spendthrift[coding]
		if newWriter == nil {
			newWriter = codings[coding]
		}
		var packed bytes.Buffer
		w := newWriter(&packed)
		_, err := w.Write(data)
		require.NoError(t, err)
		require.NoError(t, w.Close())

		least := int64(1 << 62)
		for range 3 { // others allocate as well
			runtime.GC()
			runtime.GC() // empties the pools
			var before, after runtime.MemStats
			src := bytes.NewReader(packed.Bytes())
			buf := make([]byte, chunk)
			runtime.ReadMemStats(&before)
			d, err := newDecoder(coding, src)
			require.NoError(t, err)
			n := 0
			for err == nil {
				var read int
				read, err = d.Read(buf)
				n += read
			}
			runtime.ReadMemStats(&after)
			require.ErrorIs(t, err, io.EOF)
			require.Equal(t, len(data), n)
			d.close()
			least = min(least, int64(after.TotalAlloc-before.TotalAlloc))
		}
		t.Logf("%s: %d of %d", coding, least, cost)
		require.LessOrEqual(t, least, cost, coding)
		require.LessOrEqual(t, cost, int64(MaxDecoderCost))
	}
}

// drip yields a body bit by bit, and then fails, and looks at the budget.
type drip struct {
	t    *testing.T
	r    *Reader
	read int64
	end  int64
}

func (d *drip) Read(p []byte) (int, error) {
	if d.read == d.end {
		return 0, io.ErrUnexpectedEOF
	}
	n := min(int64(len(p)), 20_000, d.end-d.read)
	d.read += n
	require.LessOrEqual(d.t, d.r.Budget.Used(), 2*d.read+chunk)
	return int(n), nil
}

func TestMemoryFollowsWhatArrivesAndNotWhatIsAnnounced(t *testing.T) {
	for _, length := range []int64{20 << 20, -1} {
		r := newReader(20<<20, 20<<20, 40<<20)
		_, err := r.Read("", &drip{t: t, r: r, end: 9 << 20}, length)
		require.ErrorIs(t, err, ErrCorrupt)
		require.Zero(t, r.Budget.Used())
	}
}
