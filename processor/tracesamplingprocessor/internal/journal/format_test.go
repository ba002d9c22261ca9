package journal

import (
	"bytes"
	"encoding/hex"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func encodeArrival(a *Arrival) []byte {
	var e arrivalEncoder
	e.encode(a)
	return slices.Concat(e.parts...)
}

// The bytes of FORMAT.md, so that a change of the layout does not go unnoticed.
func TestLayout(t *testing.T) {
	a := &Arrival{
		Time:   time.Unix(0, 0x0102030405060708),
		Heads:  []Head{{[]byte("R"), []byte("S")}, {[]byte("R"), nil}},
		Chunks: []Chunk{{Trace: traceID(0xAA), Head: 1, Spans: 2, Frames: []byte("ff"), Check: 0x11223344}},
	}
	require.Equal(t, "4101"+"0807060504030201"+
		"02"+"0252"+"0153"+"00"+"00"+
		"01"+"000000000000000000000000000000aa"+"01000000"+"02000000"+"02000000"+"44332211"+"6666",
		hex.EncodeToString(encodeArrival(a)))

	id := identity{1, 2, 3, 4, 5, 6, 7, 8}
	rulings := []Ruling{{
		Trace: traceID(0xAA), Class: Class{Name: "c", Retention: "7d"}, Threshold: 200, Kept: true, Trimmed: true,
		Pieces: []Piece{{Ref: Ref{3, 300}, Skip: []uint64{5}}}, Fingerprints: []uint64{9},
	}}
	body := "0102030405060708" + "01" + "0163" + "023764" + "01" +
		"000000000000000000000000000000aa" + "00" + "03" + "c801" + "01" + "03" + "ac02" + "01" + "0500000000000000"
	body += "01" + "0900000000000000"
	require.Equal(t, "5601"+body, hex.EncodeToString(appendRulings(nil, kindVerdict, id, rulings)))
	require.Equal(t, "5201"+body, hex.EncodeToString(appendRulings(nil, kindRelease, id, rulings)))
	require.Equal(t, "5801"+"0102030405060708"+"01"+"03ac02", hex.EncodeToString(appendDiscard(nil, id, []Ref{{3, 300}})))
	require.Equal(t, "4401"+"0102030405060708"+"04"+"9003"+"01"+"03ac02",
		hex.EncodeToString(appendDone(nil, id, place{segment: 4, end: 400}, rulings)))
}

func TestBatchIDs(t *testing.T) {
	p := place{segment: 12, end: 1 << 40}
	id := batchID("00112233aabbccdd", p)
	require.Equal(t, "00112233aabbccdd-12-1099511627776", id)
	require.Equal(t, p, placeOf("00112233aabbccdd", id))
	require.Zero(t, placeOf("00112233aabbccde", id))
	require.Zero(t, placeOf("00112233aabbccdd", "00112233aabbccdd-x"))
}

func TestOtherVersionsAreRefused(t *testing.T) {
	record := encodeArrival(arrival("x"))
	var a Arrival
	require.True(t, decodeArrival(record, Ref{}, &a))
	ruled := appendRulings(nil, kindVerdict, identity{}, []Ruling{ruling(true, Chunk{})})
	var d rulingRecord
	require.True(t, d.decode(ruled))
	for _, at := range []int{0, 1} {
		for _, r := range [][]byte{record, ruled} {
			other := bytes.Clone(r)
			other[at]++
			require.False(t, decodeArrival(other, Ref{}, &a))
			require.False(t, d.decode(other))
		}
	}
	for n := range record {
		require.False(t, decodeArrival(record[:n], Ref{}, &a), "%d", n)
	}
	for n := range ruled {
		require.False(t, d.decode(ruled[:n]), "%d", n)
	}
	require.False(t, decodeArrival(append(record, 0), Ref{}, &a))
	require.False(t, d.decode(append(ruled, 0)))
}

// What decodes is written back as what decodes to the same.
func FuzzDecodeArrival(f *testing.F) {
	f.Add(encodeArrival(arrival("one", "", "three")), uint32(100))
	f.Add(encodeArrival(&Arrival{Heads: []Head{{}}, Chunks: []Chunk{{}}}), uint32(0))
	f.Fuzz(func(t *testing.T, record []byte, offset uint32) {
		var a, b Arrival
		if !decodeArrival(record, Ref{1, offset}, &a) {
			return
		}
		for _, c := range a.Chunks {
			require.Less(t, c.Head, len(a.Heads))
			at := int(c.Ref.Offset - offset)
			require.Equal(t, c.Frames, record[at+chunkHeader:][:len(c.Frames)])
		}
		again := encodeArrival(&a)
		require.True(t, decodeArrival(again, Ref{1, offset}, &b))
		require.Equal(t, a.Time, b.Time)
		require.Len(t, b.Heads, len(a.Heads))
		for i := range a.Heads {
			require.True(t, bytes.Equal(a.Heads[i].Resource, b.Heads[i].Resource))
			require.True(t, bytes.Equal(a.Heads[i].Scope, b.Heads[i].Scope))
		}
		require.Len(t, b.Chunks, len(a.Chunks))
		for i, c := range b.Chunks {
			frames, check, ok := decodeChunk(again[c.Ref.Offset-offset:][:chunkHeader+len(c.Frames)], a.Chunks[i].Trace)
			require.True(t, ok)
			require.Equal(t, a.Chunks[i].Check, check)
			require.True(t, bytes.Equal(a.Chunks[i].Frames, frames))
		}
	})
}

func FuzzDecodeRulings(f *testing.F) {
	r := ruling(true, Chunk{Ref: Ref{1, 2}}, Chunk{Ref: Ref{3, 4}})
	r.Pieces[1].Skip, r.Fingerprints = []uint64{1, 2}, []uint64{3}
	f.Add(appendRulings(nil, kindVerdict, identity{1}, []Ruling{r, ruling(false, Chunk{})}))
	f.Add(appendRulings(nil, kindRelease, identity{1}, []Ruling{r}))
	f.Add(appendDiscard(nil, identity{}, []Ref{{1, 2}, {3, 4}}))
	f.Add(appendDone(nil, identity{}, place{1, 2}, []Ruling{r}))
	f.Fuzz(func(t *testing.T, record []byte) {
		var d, e rulingRecord
		if !d.decode(record) {
			return
		}
		var again []byte
		switch d.kind {
		case kindDiscard:
			again = appendDiscard(nil, d.spans, d.refs)
		case kindDone:
			pieces := []Ruling{{}}
			for _, ref := range d.refs {
				pieces[0].Pieces = append(pieces[0].Pieces, Piece{Ref: ref})
			}
			again = appendDone(nil, d.spans, d.released, pieces)
		default:
			again = appendRulings(nil, d.kind, d.spans, d.rulings)
		}
		require.True(t, e.decode(again))
		require.Equal(t, d.kind, e.kind)
		require.Equal(t, d.spans, e.spans)
		require.Equal(t, d.released, e.released)
		require.True(t, slices.Equal(d.refs, e.refs))
		require.Len(t, e.rulings, len(d.rulings))
		for i := range d.rulings {
			require.Equal(t, d.rulings[i], e.rulings[i])
		}
	})
}

func FuzzDecodeChunk(f *testing.F) {
	c := Chunk{Trace: traceID(1), Spans: 1, Frames: []byte("frames")}
	f.Add(append(appendChunkHeader(nil, &c), c.Frames...))
	f.Fuzz(func(t *testing.T, b []byte) {
		frames, _, ok := decodeChunk(b, traceID(1))
		if ok {
			require.Len(t, frames, len(b)-chunkHeader)
			require.Equal(t, traceID(1), [16]byte(b))
		}
	})
}
