package wal

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/fsys"
	"github.com/spanlake/spanlake/internal/fsys/fsystest"
)

// broken is a log of one segment whose bytes a test damages before it is
// opened again.
type broken struct {
	disk    *fsystest.Crash
	number  uint64
	data    []byte  // the segment
	ends    []int64 // of the records
	records []string
}

// newBroken writes the records; a segment that a crash ended has no trailer.
func newBroken(tb testing.TB, trailer bool, records ...string) *broken {
	tb.Helper()
	b := &broken{disk: fsystest.NewCrash(), records: records}
	l := open(tb, b.disk, "/wal")
	for _, r := range records {
		p := add(tb, l, r)
		b.number, b.ends = p.Segment, append(b.ends, p.End)
	}
	if trailer {
		require.NoError(tb, l.Close())
	} else {
		b.disk = b.disk.Crash()
	}
	b.data = readFile(tb, b.disk, "/wal/"+segmentName(b.number))
	return b
}

func readFile(tb testing.TB, fs fsys.FS, name string) []byte {
	tb.Helper()
	data, err := fsystest.ReadFile(fs, name)
	require.NoError(tb, err)
	return data
}

// open opens the log with data in place of the segment.
func (b *broken) open(tb testing.TB, data []byte) *Log {
	tb.Helper()
	disk := b.disk.Kill()
	b.disk = disk
	require.NoError(tb, fsys.WriteFile(disk, "/wal/"+segmentName(b.number), data))
	return open(tb, disk, "/wal")
}

// begin is the offset of the frame of record i.
func (b *broken) begin(i int) int64 {
	if i == 0 {
		return headerSize
	}
	return b.ends[i-1]
}

// without returns the records but those of the indices.
func (b *broken) without(skip ...int) []string {
	var rest []string
	for i, r := range b.records {
		if !slices.Contains(skip, i) {
			rest = append(rest, r)
		}
	}
	return rest
}

func TestTornTailIsCutAtEveryByte(t *testing.T) {
	b := newBroken(t, false, "one", "", "three and a bit", "four")
	for size := range len(b.data) + 1 {
		whole := 0
		for whole < len(b.ends) && b.ends[whole] <= int64(size) {
			whole++
		}
		for name, tail := range map[string][]byte{
			"short":   nil,
			"zeros":   make([]byte, 700),
			"garbage": []byte(strings.Repeat("\xF5\xD7\xA1R\x10\x00\x00\x00", 40)),
		} {
			l := b.open(t, append(b.data[:size:size], tail...))
			require.Equal(t, b.records[:whole], append([]string{}, readAll(t, l)...), "%s at %d", name, size)
			torn := int64(max(0, size+len(tail)-headerSize))
			if whole > 0 {
				require.Equal(t, []Sealed{{Segment: b.number, End: b.ends[whole-1]}}, l.Sealed())
				torn = int64(size+len(tail)) - b.ends[whole-1]
				require.Len(t, readFile(t, b.disk, "/wal/"+segmentName(b.number)), int(b.ends[whole-1])+trailerSize, "cut on disk")
			}
			require.Equal(t, torn, l.TornBytes())
			p := add(t, l, "goes on")
			require.Greater(t, p.Segment, b.number)
			require.NoError(t, l.Remove(seal(t, l).Segment))
		}
	}
}

// Whatever byte goes bad, only the record that holds it is lost.
func TestOneDamagedByteCostsOneRecord(t *testing.T) {
	for _, trailer := range []bool{true, false} {
		t.Run(fmt.Sprintf("trailer %v", trailer), func(t *testing.T) {
			b := newBroken(t, trailer, "one", strings.Repeat("two", 30), "", "four", "five")
			for at := range len(b.data) {
				data := bytes.Clone(b.data)
				data[at] ^= 0x41
				l := b.open(t, data)
				if at < headerSize {
					records, stats := read(t, l, b.number)
					require.Equal(t, b.records, records)
					require.Equal(t, ReadStats{Records: 5, DamagedBytes: headerSize}, stats)
					continue
				}
				hit := 0
				for hit < len(b.ends) && b.ends[hit] <= int64(at) {
					hit++
				}
				records, stats := read(t, l, b.number)
				require.Equal(t, b.without(hit), records, "byte %d of record %d", at, hit)
				switch {
				case hit == len(b.records): // the trailer
					require.Equal(t, ReadStats{Records: 5}, stats)
					require.EqualValues(t, trailerSize, l.TornBytes())
				case hit == len(b.records)-1 && !trailer:
					require.Equal(t, ReadStats{Records: 4}, stats, "cannot be told from a torn tail")
					require.Equal(t, b.ends[hit]-b.begin(hit), l.TornBytes())
				default:
					require.Equal(t, ReadStats{Records: 4, DamagedRecords: 1, DamagedBytes: b.ends[hit] - b.begin(hit)}, stats)
					require.Zero(t, l.TornBytes())
				}
			}
		})
	}
}

// Damage is built in code: name, what is done to the segment, and what is left.
func TestDamageIsSkippedAndCounted(t *testing.T) {
	big := strings.Repeat("0123456789", window/4) // a record of several windows
	records := []string{"zero", "one", big, "three", "four", "five"}
	whole := newBroken(t, true, records...)
	begin := func(i int) int { return int(whole.begin(i)) }
	for _, tc := range []struct {
		name    string
		damage  func(d []byte) []byte
		lost    []int
		damaged int64
		bytes   int64
	}{
		{
			name:   "frames of two neighbours: one stretch",
			damage: func(d []byte) []byte { d[begin(3)]++; d[begin(4)+5]++; return d },
			lost:   []int{3, 4}, damaged: 1, bytes: whole.ends[4] - whole.begin(3),
		},
		{
			name:   "payloads of two neighbours",
			damage: func(d []byte) []byte { d[begin(3)+frameSize]++; d[begin(4)+frameSize]++; return d },
			lost:   []int{3, 4}, damaged: 2, bytes: whole.ends[4] - whole.begin(3),
		},
		{
			name:   "two apart",
			damage: func(d []byte) []byte { d[begin(1)]++; d[begin(4)]++; return d },
			lost:   []int{1, 4}, damaged: 2, bytes: whole.ends[1] - whole.begin(1) + whole.ends[4] - whole.begin(4),
		},
		{
			name:   "a hole of zeros across records",
			damage: func(d []byte) []byte { clear(d[begin(1)+3 : begin(3)+2]); return d },
			lost:   []int{1, 2, 3}, damaged: 1, bytes: whole.ends[3] - whole.begin(1),
		},
		{
			name: "a length beyond the segment",
			damage: func(d []byte) []byte {
				binary.LittleEndian.PutUint32(d[begin(1)+4:], 0xFFFFFFFF)
				return d
			},
			lost: []int{1}, damaged: 1, bytes: whole.ends[1] - whole.begin(1),
		},
		{
			name: "bytes missing, so that later frames are not where they belong",
			damage: func(d []byte) []byte {
				return append(d[:begin(4)], d[begin(4)+1:]...)
			},
			lost: []int{4, 5}, damaged: 0, bytes: 0, // the trailer is not in its place either: all torn
		},
		{
			name: "the last record of a segment with a trailer",
			damage: func(d []byte) []byte {
				d[begin(5)+frameSize]++
				return d
			},
			lost: []int{5}, damaged: 1, bytes: whole.ends[5] - whole.begin(5),
		},
		{
			name: "a copy of an earlier frame in the place of a later one",
			damage: func(d []byte) []byte {
				copy(d[begin(4):begin(5)], d[begin(0):begin(1)])
				return d
			},
			lost: []int{4}, damaged: 1, bytes: whole.ends[4] - whole.begin(4),
		},
		{
			name:   "all of it",
			damage: func(d []byte) []byte { clear(d[headerSize : len(d)-trailerSize]); return d },
			lost:   []int{0, 1, 2, 3, 4, 5}, damaged: 1, bytes: whole.ends[5] - headerSize,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := whole.open(t, tc.damage(bytes.Clone(whole.data)))
			got, stats := read(t, l, whole.number)
			want := whole.without(tc.lost...)
			require.Equal(t, want, got)
			require.Equal(t, ReadStats{Records: int64(len(want)), DamagedRecords: tc.damaged, DamagedBytes: tc.bytes}, stats)
		})
	}
}

func TestDamageAfterOpeningIsCountedToo(t *testing.T) {
	b := newBroken(t, true, "one", "two", "three")
	l := b.open(t, b.data)
	name := "/wal/" + segmentName(b.number)
	require.NoError(t, fsys.WriteFile(b.disk, name, b.data[:b.ends[1]-1]))
	records, stats := read(t, l, b.number)
	require.Equal(t, []string{"one"}, records)
	require.Equal(t, ReadStats{Records: 1, DamagedRecords: 1, DamagedBytes: b.ends[2] - b.ends[0]}, stats)

	require.NoError(t, fsys.WriteFile(b.disk, name, b.data[:5]))
	records, stats = read(t, l, b.number)
	require.Empty(t, records)
	require.Equal(t, ReadStats{DamagedRecords: 1, DamagedBytes: b.ends[2]}, stats)
}

// The frame that a search is for may begin at the end of what it reads at once.
func TestSearchFindsAFrameAcrossItsWindows(t *testing.T) {
	for shift := -2 * frameSize; shift <= 2*frameSize; shift++ {
		b := newBroken(t, true, strings.Repeat("x", window+shift), "found")
		b.data[headerSize]++
		records, stats := read(t, b.open(t, b.data), b.number)
		require.Equal(t, []string{"found"}, records, "shift %d", shift)
		require.EqualValues(t, 1, stats.DamagedRecords)
	}
}

func TestFrameOfAnotherSegmentAtTheSamePlaceIsDamage(t *testing.T) {
	b := newBroken(t, true, "stale")
	stale := b.data
	l := open(t, b.disk, "/wal")
	for _, r := range []string{"fresh", "later"} {
		b.number = add(t, l, r).Segment
	}
	require.NoError(t, l.Close())
	data := readFile(t, b.disk, "/wal/"+segmentName(b.number))
	copy(data[headerSize:], stale[headerSize:headerSize+frameSize+5])
	records, stats := read(t, b.open(t, data), b.number)
	require.Equal(t, []string{"later"}, records)
	require.EqualValues(t, 1, stats.DamagedRecords)
}

// A record may hold the bytes of a segment, even of this very one.
func TestPayloadThatLooksLikeRecordsIsNotTakenForThem(t *testing.T) {
	inner := newBroken(t, false, "inner one", "inner two")
	b := newBroken(t, true, "before", string(inner.data), "after")
	data := bytes.Clone(b.data)
	copy(data[b.begin(1)+frameSize:], b.data[:b.ends[0]]) // its own header and first record
	data[b.begin(1)]++                                    // and a reader that searches through it
	records, stats := read(t, b.open(t, data), b.number)
	require.Equal(t, []string{"before", "after"}, records)
	require.EqualValues(t, 1, stats.DamagedRecords)
}

func TestErrorOfTheDiskWhileReadingIsNotTakenForDamage(t *testing.T) {
	b := newBroken(t, true, "one", "two")
	l := b.open(t, b.data)
	b.disk.Fail(fsystest.OpRead, 1, os.ErrPermission)
	_, err := l.Read(b.number, func([]byte) error { return nil })
	require.ErrorIs(t, err, os.ErrPermission)
	require.Equal(t, b.records, readAll(t, l), "a second attempt finds everything")
}

func FuzzReaderTakesAnyBytes(f *testing.F) {
	id := identity{1, 2, 3, 4, 5, 6, 7, 8}
	const number = 7
	key := frameKey(id, number)
	seed := encodeHeader(id, number)
	for _, r := range []string{"one", "", "three"} {
		seed = appendFrame(seed, key, int64(len(seed)), recordMagic, len(r), checksum([]byte(r)))
		seed = append(seed, r...)
	}
	f.Add(seed)
	f.Add(appendFrame(seed, key, int64(len(seed)), trailerMagic, 0, 0))
	f.Add(append(seed, make([]byte, 100)...))
	f.Add([]byte{})
	f.Add(append(seed[:headerSize:headerSize], bytes.Repeat(recordMagic[:], 20)...))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := newReader(bytes.NewReader(data), int64(len(data)), key)
		_, _ = r.header(id, number)
		last, total := int64(headerSize), int64(0)
		stats, err := r.each(func(_ int64, record []byte) error {
			total += int64(len(record)) + frameSize
			require.GreaterOrEqual(t, r.last, last)
			last = r.last
			return nil
		})
		require.NoError(t, err)
		require.Equal(t, r.last-headerSize, total+stats.DamagedBytes, "every byte before the last record is in one or damaged")

		// The same bytes as a segment of a log: opening repairs, twice gives the same.
		disk := fsystest.NewCrash()
		require.NoError(t, disk.MkdirAll("/wal"))
		require.NoError(t, fsys.WriteFile(disk, "/wal/"+identityName, id.encode()))
		require.NoError(t, fsys.WriteFile(disk, "/wal/"+segmentName(number), data))
		l, err := Open(Options{Dir: "/wal", FS: disk})
		if err != nil {
			return // a header of another version or log
		}
		list := l.Sealed()
		require.NoError(t, l.Close())
		l, err = Open(Options{Dir: "/wal", FS: disk.Crash()})
		require.NoError(t, err)
		require.Equal(t, list, l.Sealed())
		require.NoError(t, l.Close())
	})
}
