package journal

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/spanlake/spanlake/internal/fsys/fsystest"
)

// modelChunk is what the model knows of a chunk that may be in the journal.
type modelChunk struct {
	Chunk
	refused bool // Admit failed: may be given after a power cut that tore a write
	kept    bool // a ruling keeps it
	through bool // nobody waits for it
	batch   string
	// onRecord says that kept or through was synced.
	onRecord bool
}

type modelBatch struct {
	rulings        []Ruling
	done, onRecord bool
}

// model drives a journal with one caller through faults, crashes and power cuts.
type model struct {
	disk    *fsystest.Crash
	journal *Journal
	next    int
	chunks  map[string]*modelChunk // by frames, each of which is there once
	batches map[string]*modelBatch
	used    map[string]bool // IDs
	faults  bool            // since the last start
}

func (m *model) pick(t *rapid.T, which func(*modelChunk) bool) []*modelChunk {
	var list []*modelChunk
	for _, name := range slices.Sorted(maps.Keys(m.chunks)) {
		if c := m.chunks[name]; !c.refused && !c.through && which(c) && rapid.Bool().Draw(t, "pick") {
			list = append(list, c)
		}
	}
	return list
}

func undecided(c *modelChunk) bool { return !c.kept }
func waiting(c *modelChunk) bool   { return c.kept && c.batch == "" }

func (m *model) check(t *rapid.T) {
	held, perSegment := int64(0), map[uint32]int64{}
	for _, c := range m.chunks {
		if !c.refused && !c.through {
			held++
			perSegment[c.Ref.Segment]++
		}
	}
	require.Equal(t, held, m.journal.books.chunks)
	require.Zero(t, m.journal.books.reserved)
	for segment, n := range perSegment {
		require.Equal(t, n, m.journal.books.held[segment].chunks)
	}
}

func (m *model) admit(t *rapid.T) {
	a := arrival()
	for range rapid.IntRange(1, 3).Draw(t, "chunks") {
		m.next++
		a.Chunks = append(a.Chunks, Chunk{
			Trace: traceID(byte(rapid.IntRange(1, 4).Draw(t, "trace"))), Head: m.next % 3, Spans: uint32(m.next%5 + 1),
			Frames: fmt.Appendf(nil, "%d %s", m.next, strings.Repeat("x", rapid.SampledFrom([]int{0, 30, 400}).Draw(t, "size"))),
		})
	}
	for i := range a.Chunks {
		a.Chunks[i].Check = checkOf(a.Chunks[i].Frames)
	}
	err := m.journal.Admit(a)
	if err != nil {
		require.True(t, m.faults, "%v", err)
		if !errors.Is(err, ErrFull) || m.journal.ballast.there.Load() {
			require.ErrorIs(t, err, ErrFailed)
		}
	}
	for _, c := range a.Chunks {
		m.chunks[string(c.Frames)] = &modelChunk{Chunk: c, refused: err != nil}
	}
}

func modelRuling(kept bool, c *modelChunk) Ruling {
	r := ruling(kept, c.Chunk)
	if len(c.Frames)%2 == 0 {
		r.Pieces[0].Skip = []uint64{uint64(len(c.Frames))}
	}
	return r
}

func (m *model) rule(t *rapid.T) {
	var rulings []Ruling
	kept := rapid.Bool().Draw(t, "kept")
	for _, c := range m.pick(t, undecided) {
		rulings = append(rulings, modelRuling(kept, c))
		c.kept, c.through, c.onRecord = kept, !kept, false
	}
	m.journal.Rule(rulings)
}

func (m *model) discard(t *rapid.T) {
	var refs []Ref
	for _, c := range m.pick(t, func(c *modelChunk) bool { return c.batch == "" }) {
		refs = append(refs, c.Ref)
		c.through, c.onRecord = true, false
	}
	m.journal.Discard(refs)
}

func (m *model) release(t *rapid.T) {
	chunks := m.pick(t, waiting)
	if len(chunks) == 0 {
		return
	}
	var rulings []Ruling
	for _, c := range chunks {
		rulings = append(rulings, modelRuling(true, c))
	}
	id, err := m.journal.Release(rulings)
	if err != nil {
		require.True(t, m.faults, "%v", err)
		require.ErrorIs(t, err, ErrFailed)
		return
	}
	require.False(t, m.used[id], "an ID is used once")
	m.used[id] = true
	m.batches[id] = &modelBatch{rulings: rulings}
	for _, c := range chunks {
		c.batch = id
	}
	m.recorded()
}

// recorded notes that all rulings so far are durable, unless the disk may have
// refused one.
func (m *model) recorded() {
	if m.faults {
		return
	}
	for _, c := range m.chunks {
		c.onRecord = true
	}
	for _, b := range m.batches {
		b.onRecord = true
	}
}

func (m *model) done(t *rapid.T) {
	var open []string
	for _, id := range slices.Sorted(maps.Keys(m.batches)) {
		if !m.batches[id].done {
			open = append(open, id)
		}
	}
	if len(open) == 0 {
		return
	}
	id := rapid.SampledFrom(open).Draw(t, "batch")
	b := m.batches[id]
	m.journal.Done(id, b.rulings)
	b.done, b.onRecord = true, false
	for _, c := range m.chunks {
		if c.batch == id {
			c.through, c.onRecord = true, false
		}
	}
}

func (m *model) maintain(*rapid.T) {
	m.journal.Maintain()
	m.recorded()
}

func (m *model) fetch(t *rapid.T) {
	for _, c := range m.pick(t, func(*modelChunk) bool { return true }) {
		got, err := m.journal.Fetch(c.Trace, c.Ref, len(c.Frames), nil, checkOf)
		if err != nil {
			require.True(t, m.faults, "%v", err)
			require.NotErrorIs(t, err, ErrDamaged)
			continue
		}
		require.Equal(t, string(c.Frames), string(got))
	}
}

func (m *model) fault(t *rapid.T) {
	m.faults = true
	if rapid.Bool().Draw(t, "full") {
		m.disk.SetFree(int64(rapid.IntRange(0, 3000).Draw(t, "free")))
		return
	}
	op := rapid.SampledFrom([]fsystest.Op{
		fsystest.OpWrite, fsystest.OpSync, fsystest.OpTruncate, fsystest.OpOpen,
		fsystest.OpSyncDir, fsystest.OpRemove, fsystest.OpRead,
	}).Draw(t, "op")
	m.disk.Fail(op, rapid.IntRange(1, 4).Draw(t, "nth"), errDisk)
}

func (m *model) heal(*rapid.T) { m.disk.ClearFaults() }

// restart ends the process in one of the ways there are and recovers. After
// faults it is a power cut: a process that is killed between a failed sync and
// its repair leaves pages that are read and are not on disk.
func (m *model) restart(t *rapid.T) {
	how := rapid.SampledFrom([]string{"close", "kill", "crash", "torn"}).Draw(t, "how")
	old := m.journal
	switch {
	case how == "close" && !m.faults:
		require.NoError(t, old.Close())
		m.recorded()
		m.disk = m.disk.Crash()
	case how == "kill" && !m.faults:
		m.disk = m.disk.Kill()
	case how == "torn":
		m.disk = m.disk.CrashTorn(rapid.Uint64().Draw(t, "seed"))
	default:
		m.disk = m.disk.Crash()
	}
	_ = old.Close()
	m.disk.ClearFaults()
	m.start(t)
}

func (m *model) start(t *rapid.T) {
	var err error
	m.journal, err = Open(Options{Directory: "/journal", MaxBytes: 1 << 20, VerdictBytes: 500, SegmentBytes: 900, FS: m.disk})
	require.NoError(t, err)
	f := &found{}
	f.stats, err = m.journal.Recover(f)
	require.NoError(t, err)
	require.Zero(t, f.stats.LostPieces)
	if !m.faults {
		require.Zero(t, f.stats.DamagedRecords)
	}

	given := map[string]Chunk{}
	for _, c := range f.chunks() {
		_, again := given[string(c.Frames)]
		require.False(t, again, "chunk %.10q is given twice", c.Frames)
		require.NotNil(t, m.chunks[string(c.Frames)], "chunk %.10q was through", c.Frames)
		given[string(c.Frames)] = c
	}
	m.compareBatches(t, f.batches, given)
	for name, c := range m.chunks {
		got, ok := given[name]
		if !ok {
			require.True(t, c.refused || c.through, "chunk %.10q is lost", name)
			delete(m.chunks, name)
			continue
		}
		require.False(t, c.through && c.onRecord, "chunk %.10q is through and given", name)
		if !c.refused {
			require.Equal(t, c.Ref, got.Ref)
		}
		require.Equal(t, c.Trace, got.Trace)
		require.Equal(t, c.Spans, got.Spans)
		require.Equal(t, c.Head, got.Head)
		if got.Ruling == nil {
			require.False(t, c.kept && c.onRecord, "the ruling on chunk %.10q is lost", name)
			require.Empty(t, c.batch)
		} else {
			require.True(t, c.kept, "chunk %.10q was not kept", name)
			require.Equal(t, modelRuling(true, c).Pieces[0].Skip, got.Skip)
		}
		c.Ref, c.refused, c.through, c.kept, c.onRecord = got.Ref, false, false, got.Ruling != nil, true
	}
	m.faults = false
}

func (m *model) compareBatches(t *rapid.T, batches []Batch, given map[string]Chunk) {
	there := map[string]bool{}
	for _, b := range batches {
		there[b.ID] = true
		known := m.batches[b.ID]
		if known == nil {
			// Release said that it failed, and yet the disk has it.
			require.True(t, m.faults, "batch %s", b.ID)
			require.False(t, m.used[b.ID])
			m.used[b.ID] = true
			known = &modelBatch{rulings: b.Rulings}
			m.batches[b.ID] = known
			for _, r := range b.Rulings {
				c := m.byRef(t, r.Pieces[0].Ref)
				require.True(t, waiting(c))
				c.batch = b.ID
			}
		}
		require.False(t, known.done && known.onRecord, "batch %s was done", b.ID)
		require.Equal(t, known.rulings, b.Rulings, "whole")
		for _, r := range b.Rulings {
			c := m.byRef(t, r.Pieces[0].Ref)
			require.Equal(t, b.ID, c.batch)
			require.Contains(t, given, string(c.Frames))
		}
		known.done, known.onRecord = false, true
	}
	for id, b := range m.batches {
		if !there[id] {
			require.True(t, b.done, "batch %s is lost", id)
			delete(m.batches, id)
		}
	}
}

func (m *model) byRef(t *rapid.T, ref Ref) *modelChunk {
	for _, c := range m.chunks {
		if c.Ref == ref {
			return c
		}
	}
	require.Fail(t, "no chunk", "%v", ref)
	return nil
}

func TestModelOfFaultsCrashesAndPowerCuts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &model{
			disk: fsystest.NewCrash(), chunks: map[string]*modelChunk{},
			batches: map[string]*modelBatch{}, used: map[string]bool{},
		}
		m.start(t)
		t.Repeat(map[string]func(*rapid.T){
			"":          m.check,
			"admit":     m.admit,
			"admit2":    m.admit,
			"rule":      m.rule,
			"discard":   m.discard,
			"release":   m.release,
			"done":      m.done,
			"maintain":  m.maintain,
			"maintain2": m.maintain,
			"fetch":     m.fetch,
			"fault":     m.fault,
			"heal":      m.heal,
			"restart":   m.restart,
		})
		m.restart(t)
		m.check(t)

		// Whatever happened, what is through gives its space back.
		var refs []Ref
		for _, c := range m.chunks {
			refs = append(refs, c.Ref)
		}
		m.journal.Discard(refs)
		m.journal.Maintain()
		require.Empty(t, m.journal.spans.Sealed())
		require.NoError(t, m.journal.Close())
	})
}
