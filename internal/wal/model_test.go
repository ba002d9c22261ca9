package wal

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/spanlake/spanlake/internal/fsys/fsystest"
)

// fate is what the model knows of a record.
type fate int

const (
	pending      fate = iota // appended, no answer yet: may be there after a crash
	acknowledged             // Sync returned nil: has to be there
	refused                  // Sync failed: must not be in a segment sealed by this process
)

type modelRecord struct {
	number int
	text   string
	pos    Position
	fate   fate
}

// model drives a log with one caller through faults, crashes and power cuts.
type model struct {
	disk    *fsystest.Crash
	log     *Log
	next    int                       // number of the next record
	records map[uint64][]*modelRecord // by segment, those that may be read, in order
	settled map[uint64]bool           // segments whose content may not change any more
	highest uint64                    // highest segment that was sealed
	doubt   map[uint64]bool           // Remove failed: there or not
	// tainted are segments of a process that died after a failed sync: what it
	// refused is read from the page cache and gone after a power cut.
	tainted map[uint64]bool
	faults  bool
}

func (m *model) check(t *rapid.T) {
	list := m.log.Sealed()
	for i := 1; i < len(list); i++ {
		require.Less(t, list[i-1].Segment, list[i].Segment)
	}
	if !m.faults {
		require.LessOrEqual(t, sizeOnDisk(t, m.disk, "/wal"), m.log.Bytes(), "the rest is in memory")
	}
}

func (m *model) append(t *rapid.T) {
	size := rapid.SampledFrom([]int{0, 1, 20, 500, 3000}).Draw(t, "size")
	r := &modelRecord{number: m.next, text: fmt.Sprintf("%d %s", m.next, strings.Repeat("x", size))}
	pos, err := m.log.Append([]byte(r.text))
	if err != nil {
		require.ErrorIs(t, err, ErrFailed)
		return
	}
	m.next++
	require.Greater(t, pos.Segment, m.highest, "numbers do not repeat")
	r.pos = pos
	m.records[pos.Segment] = append(m.records[pos.Segment], r)
}

func (m *model) sync(t *rapid.T) {
	var candidates []*modelRecord
	for _, list := range m.records {
		for _, r := range list {
			if r.fate == pending && r.pos.Segment >= m.log.first {
				candidates = append(candidates, r)
			}
		}
	}
	if len(candidates) == 0 {
		return
	}
	slices.SortFunc(candidates, func(a, b *modelRecord) int { return a.number - b.number })
	r := rapid.SampledFrom(candidates).Draw(t, "record")
	err := m.log.Sync(context.Background(), r.pos)
	for _, other := range m.records[r.pos.Segment] {
		switch {
		case err == nil && other.pos.End <= r.pos.End && other.fate == pending:
			other.fate = acknowledged
		case err != nil && other.pos.End >= r.pos.End && other.fate == pending:
			other.fate = refused
		}
	}
	if err != nil {
		require.ErrorIs(t, err, ErrFailed)
		require.True(t, m.faults)
	}
}

func (m *model) seal(t *rapid.T) {
	s, ok, err := m.log.Seal()
	if err != nil {
		require.True(t, m.faults, "%v", err)
		return
	}
	if !ok {
		return
	}
	require.Greater(t, s.Segment, m.highest)
	m.highest = s.Segment
	var kept []*modelRecord
	for _, r := range m.records[s.Segment] {
		if r.pos.End <= s.End {
			require.NotEqual(t, refused, r.fate, "a refused record is within the sealed end")
			r.fate = acknowledged
			kept = append(kept, r)
		} else {
			require.NotEqual(t, acknowledged, r.fate, "an acknowledged record is beyond the sealed end")
		}
		// Late answers agree with the seal.
		require.Equal(t, r.pos.End <= s.End, m.log.Sync(context.Background(), r.pos) == nil)
	}
	m.records[s.Segment] = kept
	m.settled[s.Segment] = true
	m.read(t, s)
}

// read compares one sealed segment with the model, which has to know it.
func (m *model) read(t *rapid.T, s Sealed) {
	var got []string
	_, err := m.log.Read(s.Segment, func(r []byte) error {
		got = append(got, string(r))
		return nil
	})
	if err != nil {
		require.True(t, m.faults, "%v", err)
		return
	}
	want := m.records[s.Segment]
	i := 0
	var kept []*modelRecord
	for _, text := range got {
		for i < len(want) && want[i].text != text {
			require.NotEqual(t, acknowledged, want[i].fate, "acknowledged record %.10q is lost in segment %d", want[i].text, s.Segment)
			require.False(t, m.settled[s.Segment], "record %.10q has gone from a settled segment", want[i].text)
			i++
		}
		require.Less(t, i, len(want), "record %.10q is out of order, twice, or of another segment", text)
		kept = append(kept, want[i])
		i++
	}
	for ; i < len(want); i++ {
		require.NotEqual(t, acknowledged, want[i].fate, "acknowledged record %.10q is lost in segment %d", want[i].text, s.Segment)
		require.False(t, m.settled[s.Segment], "record %.10q has gone from a settled segment", want[i].text)
	}
	m.records[s.Segment] = kept
}

func (m *model) remove(t *rapid.T) {
	list := m.log.Sealed()
	if len(list) == 0 {
		return
	}
	n := rapid.SampledFrom(list).Draw(t, "segment").Segment
	if err := m.log.Remove(n); err != nil {
		require.True(t, m.faults, "%v", err)
		m.doubt[n] = true
		return
	}
	delete(m.records, n)
	delete(m.settled, n)
	delete(m.doubt, n)
}

func (m *model) fault(t *rapid.T) {
	m.faults = true
	if rapid.Bool().Draw(t, "full") {
		m.disk.SetFree(int64(rapid.IntRange(0, 4000).Draw(t, "free")))
		return
	}
	op := rapid.SampledFrom([]fsystest.Op{
		fsystest.OpWrite, fsystest.OpWrite, fsystest.OpSync, fsystest.OpSync, fsystest.OpTruncate,
		fsystest.OpOpen, fsystest.OpSyncDir, fsystest.OpRemove, fsystest.OpRead,
	}).Draw(t, "op")
	m.disk.Fail(op, rapid.IntRange(1, 4).Draw(t, "nth"), errDisk)
}

func (m *model) heal(*rapid.T) {
	m.disk.ClearFaults()
}

// restart ends the process in one of the ways there are and opens the log again.
func (m *model) restart(t *rapid.T) {
	id, old, faults := m.log.ID(), m.log, m.faults
	powerCut := false
	switch how := rapid.SampledFrom([]string{"close", "kill", "crash", "torn"}).Draw(t, "how"); how {
	case "close":
		_ = m.log.Close()
		m.disk = m.disk.Kill()
	case "kill":
		m.disk = m.disk.Kill()
	case "crash":
		powerCut = true
		m.disk = m.disk.Crash()
	default:
		powerCut = true
		m.disk = m.disk.CrashTorn(rapid.Uint64().Draw(t, "seed"))
	}
	_ = old.Close()
	m.disk.ClearFaults()
	m.faults = false
	var err error
	m.log, err = Open(Options{Dir: "/wal", FS: m.disk})
	require.NoError(t, err)
	require.Equal(t, id, m.log.ID())

	there := map[uint64]bool{}
	for _, s := range m.log.Sealed() {
		require.Contains(t, m.records, s.Segment, "segment %d was removed, or never was", s.Segment)
		there[s.Segment] = true
		m.highest = max(m.highest, s.Segment)
		m.read(t, s)
		switch {
		case powerCut:
			delete(m.tainted, s.Segment)
		case faults && !m.settled[s.Segment]:
			m.tainted[s.Segment] = true
		}
		if m.tainted[s.Segment] {
			continue
		}
		for _, r := range m.records[s.Segment] {
			r.fate = acknowledged // from here on it stays
		}
		m.settled[s.Segment] = true
	}
	for n, list := range m.records {
		if there[n] {
			continue
		}
		for _, r := range list {
			require.True(t, r.fate != acknowledged || m.doubt[n], "acknowledged record %.10q is lost with its segment %d", r.text, n)
		}
		delete(m.records, n)
		delete(m.settled, n)
	}
	clear(m.doubt)
}

func TestModelOfFaultsCrashesAndPowerCuts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &model{
			disk: fsystest.NewCrash(), records: map[uint64][]*modelRecord{},
			settled: map[uint64]bool{}, doubt: map[uint64]bool{}, tainted: map[uint64]bool{},
		}
		var err error
		m.log, err = Open(Options{Dir: "/wal", FS: m.disk})
		require.NoError(t, err)
		m.log.buffer = rapid.SampledFrom([]int{600, bufferSize}).Draw(t, "buffer")
		t.Repeat(map[string]func(*rapid.T){
			"":        m.check,
			"append":  m.append,
			"append2": m.append,
			"sync":    m.sync,
			"sync2":   m.sync,
			"seal":    m.seal,
			"remove":  m.remove,
			"fault":   m.fault,
			"heal":    m.heal,
			"restart": m.restart,
		})
		m.restart(t)
		require.NoError(t, m.log.Close())
	})
}
