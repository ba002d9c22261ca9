package journal

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/fsys"
	"github.com/spanlake/spanlake/internal/fsys/fsystest"
)

// wreck is a journal that a test damages before it is opened again.
type wreck struct {
	disk  *fsystest.Crash
	files map[string][]byte // the segments with records, by path
	texts []string          // what a whole journal gives
	batch Batch
}

// newWreck has 4 segments of spans with chunks undecided, kept, released, done
// and dropped in each.
func newWreck(tb testing.TB) *wreck {
	tb.Helper()
	w := &wreck{disk: fsystest.NewCrash(), files: map[string][]byte{}}
	j, _ := open(tb, w.disk)
	var released, done []Ruling
	for n := range 4 {
		text := func(what string) string { return fmt.Sprintf("%s %d %s", what, n, strings.Repeat("x", 600)) }
		c := admit(tb, j, text("undecided"), text("kept")).Chunks
		d := admit(tb, j, text("released"), text("done"), text("dropped")).Chunks
		w.texts = append(w.texts, text("undecided"), text("kept")+" (normal)", text("released")+" (normal)")
		j.Rule([]Ruling{ruling(true, c[1]), ruling(true, d[0]), ruling(true, d[1]), ruling(false, d[2])})
		released, done = append(released, ruling(true, d[0])), append(done, ruling(true, d[1]))
		_, _, err := j.spans.Seal()
		require.NoError(tb, err)
	}
	id, err := j.Release(released)
	require.NoError(tb, err)
	w.batch = Batch{ID: id, Rulings: released}
	id, err = j.Release(done)
	require.NoError(tb, err)
	j.Done(id, done)
	require.NoError(tb, j.Close())
	for _, log := range []string{"spans", "rulings"} {
		entries, err := w.disk.ReadDir("/journal/" + log)
		require.NoError(tb, err)
		for _, e := range entries {
			if filepath.Ext(e.Name()) != ".wal" {
				continue
			}
			name := filepath.Join("/journal", log, e.Name())
			if data := readAll(tb, w.disk, name); len(data) > 100 {
				w.files[name] = data
			}
		}
	}
	require.Len(tb, w.files, 5)
	return w
}

// open opens the journal with data in place of a file, nil for none.
func (w *wreck) open(tb testing.TB, name string, data []byte) (*Journal, *found) {
	tb.Helper()
	w.disk = w.disk.Kill()
	for n, whole := range w.files {
		if n == name {
			whole = data
		}
		if whole == nil {
			require.NoError(tb, w.disk.Remove(n))
			continue
		}
		require.NoError(tb, fsys.WriteFile(w.disk, n, whole))
	}
	return open(tb, w.disk)
}

// spans are the names of the segments of spans, in order.
func (w *wreck) spans() []string {
	var names []string
	for name := range w.files {
		if strings.Contains(name, "spans") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// without returns what a whole journal gives but the chunks of a segment that
// match.
func (w *wreck) without(segment int, kinds ...string) []string {
	var rest []string
	for i, text := range w.texts {
		if i/3 != segment || !slices.ContainsFunc(kinds, func(k string) bool { return strings.HasPrefix(text, k) }) {
			rest = append(rest, text)
		}
	}
	return rest
}

func TestWholeJournal(t *testing.T) {
	w := newWreck(t)
	_, f := w.open(t, "", nil)
	require.Equal(t, w.texts, texts(f.chunks()))
	require.Equal(t, []Batch{w.batch}, f.batches)
	require.Equal(t, Stats{Chunks: 12, Resolved: 8, Spans: 4 * 4, Batches: 1}, f.stats)
}

// Whatever stretch of the spans goes bad, only the requests that it touches are
// lost, and the batch goes out without them.
func TestDamagedSpans(t *testing.T) {
	w := newWreck(t)
	name := w.spans()[1]
	whole := w.files[name]
	for what, damage := range map[string]func([]byte, int){
		"flipped": func(b []byte, at int) { b[at] ^= 0x41 },
		"zeroed":  func(b []byte, at int) { clear(b[at:min(len(b), at+512)]) },
		"garbage": func(b []byte, at int) { copy(b[at:], strings.Repeat("\xF5\xD7\xA1RA\x01\x00\x00", 10)) },
	} {
		t.Run(what, func(t *testing.T) {
			for at := 32; at < len(whole)-16; at += 41 {
				data := bytes.Clone(whole)
				damage(data, at)
				_, f := w.open(t, name, data)
				require.Positive(t, f.stats.DamagedRecords+f.stats.TornBytes, "at %d", at)
				got := texts(f.chunks())
				switch {
				case slices.Equal(got, w.without(1, "undecided", "kept")):
					require.Equal(t, []Batch{w.batch}, f.batches)
					require.EqualValues(t, 1, f.stats.LostPieces)
				case slices.Equal(got, w.without(1, "released")), slices.Equal(got, w.without(1, "undecided", "kept", "released")):
					require.Len(t, f.batches, 1)
					require.Equal(t, w.batch.ID, f.batches[0].ID)
					require.Equal(t, slices.Delete(slices.Clone(w.batch.Rulings), 1, 2), f.batches[0].Rulings)
				default:
					require.Fail(t, "something else is lost", "at %d: %.12q", at, got)
				}
			}
		})
	}
	t.Run("truncated", func(t *testing.T) {
		for size := 0; size < len(whole); size += 53 {
			_, f := w.open(t, name, whole[:size])
			got := texts(f.chunks())
			require.True(t, slices.Equal(got, w.texts) || slices.Equal(got, w.without(1, "released")) || slices.Equal(got, w.without(1, "undecided", "kept", "released")))
		}
	})
	t.Run("missing", func(t *testing.T) {
		_, f := w.open(t, name, nil)
		require.Equal(t, w.without(1, "undecided", "kept", "released"), texts(f.chunks()))
		require.EqualValues(t, 2, f.stats.LostPieces)
		require.Equal(t, slices.Delete(slices.Clone(w.batch.Rulings), 1, 2), f.batches[0].Rulings)
	})
}

// As long as a batch is open without a chunk that was lost, the segment of that
// chunk does not go: its absence would say that the batch is done.
func TestAnOpenBatchOutlivesItsLostChunks(t *testing.T) {
	for name, c := range map[string]struct {
		segment int
		damage  func([]byte) []byte
	}{
		"damaged": {0, func(b []byte) []byte { b[len(b)-100] ^= 1; return b }},
		"missing": {1, func([]byte) []byte { return nil }},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWreck(t)
			segment := w.spans()[c.segment]
			j, f := w.open(t, segment, c.damage(bytes.Clone(w.files[segment])))
			var refs []Ref
			for _, k := range f.chunks() {
				if !strings.HasPrefix(string(k.Frames), "released") || k.Ref.Segment == 1 {
					refs = append(refs, k.Ref)
				}
			}
			j.Discard(refs)
			j.Maintain()
			j, f = open(t, w.disk.Crash())
			require.Len(t, f.batches, 1)
			require.Equal(t, w.batch.ID, f.batches[0].ID)
			require.GreaterOrEqual(t, len(f.batches[0].Rulings), 2)
			j.Done(w.batch.ID, f.batches[0].Rulings)
			j.Maintain()
			require.Empty(t, j.spans.Sealed())
			require.Empty(t, j.lost)
		})
	}
}

// Rulings that are lost are made again: what they were about is given. A chunk
// that was dropped or handed on may come back, none is lost, none comes twice.
func TestDamagedRulings(t *testing.T) {
	w := newWreck(t)
	name := "/journal/rulings/0000000001.wal"
	whole := w.files[name]
	require.NotNil(t, whole)
	check := func(t *testing.T, f *found) {
		t.Helper()
		seen := map[string]int{}
		for _, c := range f.chunks() {
			seen[string(c.Frames)]++
		}
		for _, text := range w.texts {
			require.Equal(t, 1, seen[strings.TrimSuffix(text, " (normal)")], "%.12q", text)
		}
		for _, b := range f.batches {
			require.Len(t, b.Rulings, 4, "whole or not at all")
		}
	}
	for at := 32; at < len(whole)-16; at++ {
		data := bytes.Clone(whole)
		data[at] ^= 0x41
		_, f := w.open(t, name, data)
		require.Positive(t, f.stats.DamagedRecords+f.stats.TornBytes, "at %d", at)
		check(t, f)
	}
	for size := 0; size < len(whole); size += 7 {
		_, f := w.open(t, name, whole[:size])
		check(t, f)
	}
	_, f := w.open(t, name, nil)
	check(t, f)
	require.Empty(t, f.batches)
}

// Rulings of a directory whose spans were moved away must not be taken for
// rulings on the spans of the new one, which has the same numbers.
func TestRulingsOnOtherSpansAreOnlyRemembered(t *testing.T) {
	disk := fsystest.NewCrash()
	j, _ := open(t, disk)
	c := admit(t, j, "dropped", "kept").Chunks
	kept := ruling(true, c[1])
	kept.Fingerprints = []uint64{1}
	j.Rule([]Ruling{ruling(false, c[0]), kept})
	_, err := j.Release([]Ruling{ruling(true, c[1])})
	require.NoError(t, err)
	require.NoError(t, j.Close())
	disk = disk.Kill()
	entries, err := disk.ReadDir("/journal/spans")
	require.NoError(t, err)
	for _, e := range entries {
		require.NoError(t, disk.Remove("/journal/spans/"+e.Name()))
	}
	j, f := open(t, disk)
	require.Len(t, f.verdicts, 3)
	require.Equal(t, normal, f.verdicts[1].Class)
	require.True(t, f.verdicts[1].Kept)
	require.Empty(t, f.verdicts[1].Pieces)
	require.Empty(t, f.verdicts[1].Fingerprints)
	require.Empty(t, f.batches)
	require.Equal(t, c[0].Ref, admit(t, j, "undecided", "undecided too").Chunks[0].Ref)
	_, f = open(t, disk.Crash())
	require.Equal(t, []string{"undecided", "undecided too"}, texts(f.chunks()))
	require.Zero(t, f.stats.LostPieces)
}

// A record that is whole for the log and none of the journal's.
func TestForeignRecords(t *testing.T) {
	disk := fsystest.NewCrash()
	j, _ := open(t, disk)
	admit(t, j, "one")
	for _, r := range []string{"", "A", "A\x02 of a later version", "V\x01 cut off", "rubbish"} {
		_, err := j.spans.Append([]byte(r))
		require.NoError(t, err)
		_, err = j.rulings.Append([]byte(r))
		require.NoError(t, err)
	}
	admit(t, j, "two")
	require.NoError(t, j.Close())
	_, f := open(t, disk.Kill())
	require.Equal(t, []string{"one", "two"}, texts(f.chunks()))
	require.EqualValues(t, 10, f.stats.DamagedRecords)
}
