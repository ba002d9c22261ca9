package journal

import (
	"bytes"
	"flag"
	"fmt"
	"hash/crc32"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/spanlake/spanlake/internal/fsys"
	"github.com/spanlake/spanlake/internal/fsys/fsystest"
)

func TestMain(m *testing.M) {
	_ = flag.Set("rapid.checks", "300") // the default of the flag, which the command line overrules
	goleak.VerifyTestMain(m)
}

// found is what Recover gave, copied.
type found struct {
	verdicts []Ruling
	arrivals []Arrival
	batches  []Batch
	stats    Stats
}

func (f *found) Verdict(r *Ruling) { f.verdicts = append(f.verdicts, cloneRuling(r)) }

func (f *found) Arrival(a *Arrival) {
	c := Arrival{Time: a.Time}
	for _, h := range a.Heads {
		c.Heads = append(c.Heads, Head{Resource: bytes.Clone(h.Resource), Scope: bytes.Clone(h.Scope)})
	}
	for _, k := range a.Chunks {
		k.Frames = bytes.Clone(k.Frames)
		c.Chunks = append(c.Chunks, k)
	}
	f.arrivals = append(f.arrivals, c)
}

func (f *found) Batch(b Batch) { f.batches = append(f.batches, b) }

func (f *found) chunks() []Chunk {
	var all []Chunk
	for _, a := range f.arrivals {
		all = append(all, a.Chunks...)
	}
	return all
}

func cloneRuling(r *Ruling) Ruling {
	c := *r
	c.Pieces = nil
	for _, p := range r.Pieces {
		c.Pieces = append(c.Pieces, Piece{Ref: p.Ref, Skip: slices.Clone(p.Skip)})
	}
	c.Fingerprints = slices.Clone(r.Fingerprints)
	return c
}

func open(tb testing.TB, fs fsys.FS, change ...func(*Options)) (*Journal, *found) {
	tb.Helper()
	o := Options{Directory: "/journal", MaxBytes: 1 << 20, VerdictBytes: 2000, SegmentBytes: 4000, FS: fs}
	for _, c := range change {
		c(&o)
	}
	j, err := Open(o)
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = j.Close() })
	f := &found{}
	f.stats, err = j.Recover(f)
	require.NoError(tb, err)
	return j, f
}

func readAll(tb testing.TB, fs fsys.FS, name string) []byte {
	tb.Helper()
	data, err := fsystest.ReadFile(fs, name)
	require.NoError(tb, err)
	return data
}

func traceID(n byte) [16]byte { return [16]byte{15: n} }

// checkOf stands for the engine's check.
func checkOf(frames []byte) uint32 { return crc32.ChecksumIEEE(frames) }

// arrival makes a request of one chunk for each text.
func arrival(texts ...string) *Arrival {
	a := &Arrival{
		Time:  time.Unix(1_700_000_000, 123).UTC(),
		Heads: []Head{{[]byte("resource"), []byte("scope")}, {[]byte("resource"), nil}, {[]byte("other"), []byte("scope")}},
	}
	for i, text := range texts {
		a.Chunks = append(a.Chunks, Chunk{Trace: traceID(byte(i)), Head: i % len(a.Heads), Spans: uint32(i + 1), Frames: []byte(text), Check: checkOf([]byte(text))})
	}
	return a
}

func admit(tb testing.TB, j *Journal, texts ...string) *Arrival {
	tb.Helper()
	a := arrival(texts...)
	require.NoError(tb, j.Admit(a))
	return a
}

var normal = Class{Name: "normal", Retention: "7d"}

// ruling is about chunks of one trace.
func ruling(kept bool, chunks ...Chunk) Ruling {
	r := Ruling{Trace: chunks[0].Trace, Class: normal, Threshold: 1 << 55, Kept: kept}
	for _, c := range chunks {
		r.Pieces = append(r.Pieces, Piece{Ref: c.Ref})
	}
	return r
}

// texts are the frames of chunks, with a mark on those that are ruled on.
func texts(chunks []Chunk) []string {
	var list []string
	for _, c := range chunks {
		text := string(c.Frames)
		if c.Ruling != nil {
			text = fmt.Sprintf("%s (%s)", text, c.Ruling.Class.Name)
		}
		list = append(list, text)
	}
	return list
}
