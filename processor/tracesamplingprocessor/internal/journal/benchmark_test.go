package journal

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/fsys"
	"github.com/spanlake/spanlake/internal/fsys/fsystest"
)

// benchArrival is a request of chunks of two spans, 600 bytes each.
func benchArrival(chunks int) *Arrival {
	a := &Arrival{
		Time:  time.Unix(1_700_000_000, 0),
		Heads: []Head{{bytes.Repeat([]byte("r"), 500), []byte("scope")}, {bytes.Repeat([]byte("r"), 500), []byte("other")}},
	}
	for i := range chunks {
		c := Chunk{Head: i % 2, Spans: 2, Frames: make([]byte, 1200), Check: checkOf(make([]byte, 1200))}
		binary.LittleEndian.PutUint64(c.Trace[8:], rand.Uint64())
		a.Chunks = append(a.Chunks, c)
	}
	return a
}

// BenchmarkAdmit is a request of 128 spans until it is on disk, with so many
// senders at once.
func BenchmarkAdmit(b *testing.B) {
	for _, senders := range []int{1, 8, 64} {
		b.Run("senders="+strconv.Itoa(senders), func(b *testing.B) {
			fs := &fsystest.CountSyncs{FS: fsys.OS}
			j, _ := open(b, fs, func(o *Options) {
				o.Directory, o.MaxBytes, o.SegmentBytes = b.TempDir(), 4<<30, 0
			})
			stop := make(chan struct{})
			var maintained sync.WaitGroup
			maintained.Go(func() {
				tick := time.NewTicker(50 * time.Millisecond)
				defer tick.Stop()
				for {
					select {
					case <-stop:
						return
					case <-tick.C:
						j.Maintain()
					}
				}
			})
			b.ReportAllocs()
			before := fs.Syncs.Load()
			b.ResetTimer()
			var (
				wg   sync.WaitGroup
				done atomic.Int64
			)
			for range senders {
				wg.Go(func() {
					a := benchArrival(64)
					refs := make([]Ref, len(a.Chunks))
					for done.Add(1) <= int64(b.N) {
						if err := j.Admit(a); err != nil {
							b.Error(err)
							return
						}
						for i := range refs {
							refs[i] = a.Chunks[i].Ref
						}
						j.Discard(refs)
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*128), "ns/span")
			b.ReportMetric(float64(fs.Syncs.Load()-before)/float64(b.N), "syncs/op")
			close(stop)
			maintained.Wait()
		})
	}
}

func BenchmarkFetch(b *testing.B) {
	j, _ := open(b, fsys.OS, func(o *Options) { o.Directory, o.MaxBytes = b.TempDir(), 64<<20 })
	a := benchArrival(1000)
	require.NoError(b, j.Admit(a))
	var dst []byte
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		c := &a.Chunks[i%len(a.Chunks)]
		i++
		var err error
		if dst, err = j.Fetch(c.Trace, c.Ref, len(c.Frames), dst[:0], checkOf); err != nil {
			b.Fatal(err)
		}
	}
}

type counter struct{ chunks, spans int64 }

func (*counter) Verdict(*Ruling) {}
func (*counter) Batch(Batch)     {}
func (c *counter) Arrival(a *Arrival) {
	for i := range a.Chunks {
		c.chunks++
		c.spans += int64(a.Chunks[i].Spans)
	}
}

// BenchmarkRecover is Open and Recover of so many spans, of which a tenth is
// dropped and another kept. SPANLAKE_BENCH_SPANS takes the place of 200,000.
func BenchmarkRecover(b *testing.B) {
	spans := 200_000
	if text := os.Getenv("SPANLAKE_BENCH_SPANS"); text != "" {
		var err error
		spans, err = strconv.Atoi(text)
		require.NoError(b, err)
	}
	dir := b.TempDir()
	options := func(o *Options) { o.Directory, o.MaxBytes, o.SegmentBytes = dir, 8<<30, 0 }
	j, _ := open(b, fsys.OS, options)
	for n := 0; n < spans; n += 128 * 16 {
		a := benchArrival(64 * 16)
		require.NoError(b, j.Admit(a))
		var rulings []Ruling
		for i := 0; i+1 < len(a.Chunks); i += 10 {
			rulings = append(rulings, ruling(true, a.Chunks[i]), ruling(false, a.Chunks[i+1]))
		}
		j.Rule(rulings)
		j.Maintain()
	}
	size := j.Bytes()
	require.NoError(b, j.Close())
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		j, err := Open(Options{Directory: dir, MaxBytes: 8 << 30})
		require.NoError(b, err)
		c := &counter{}
		stats, err := j.Recover(c)
		require.NoError(b, err)
		require.Equal(b, stats.Chunks, c.chunks)
		require.NoError(b, j.Close())
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*spans), "ns/span")
}
