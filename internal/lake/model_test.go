package lake

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/spanlake/spanlake/internal/fsys/fsystest"
)

// world is what the model holds a lake to be.
type world struct {
	files   []File
	segment uint64
	batches []string
}

func (w world) after(c Commit) world {
	w.files = slices.DeleteFunc(slices.Clone(w.files), func(f File) bool { return slices.Contains(c.Remove, f.Path) })
	w.files = append(w.files, c.Add...)
	if c.Log != "" {
		w.segment = c.Segment
	}
	w.batches = append(slices.Clone(w.batches), c.Batches...)
	return w
}

// model drives a store through commits, faults, crashes and power cuts.
type model struct {
	disk  *fsystest.Crash
	store *Store
	next  int // number of the next file
	world world
	// doubts are the commits that may be found after a restart instead of not:
	// Commit said that they are unsettled.
	doubts []world
	faults bool
}

func (m *model) check(t *rapid.T) {
	m.require(t, m.store, m.world)
	if !m.faults {
		m.require(t, m.store, m.onDisk(t))
	}
}

func (m *model) require(t *rapid.T, s *Store, w world) {
	require.Equal(t, fmt.Sprint(w.files), fmt.Sprint(s.Snapshot().Files))
	require.True(t, s.Committed(logA, w.segment))
	require.False(t, s.Committed(logA, w.segment+1))
	for _, id := range w.batches {
		require.True(t, s.SeenBatch(id))
	}
}

// onDisk is what a reader without lock sees.
func (m *model) onDisk(t *rapid.T) world {
	data, err := fsystest.ReadFile(m.disk, "/lake/MANIFEST")
	require.NoError(t, err)
	s, err := decode(data)
	require.NoError(t, err)
	return world{files: s.files, segment: s.logs[logA], batches: s.batches.list()}
}

func (m *model) commit(t *rapid.T) {
	c := Commit{}
	if rapid.Bool().Draw(t, "segment") {
		c.Log, c.Segment = logA, m.world.segment+uint64(rapid.IntRange(1, 3).Draw(t, "step"))
		c.Batches = []string{fmt.Sprintf("batch %d", m.next)}
	}
	for range rapid.IntRange(0, 3).Draw(t, "add") {
		c.Add = append(c.Add, file(m.next))
		m.next++
	}
	for _, f := range m.world.files {
		if rapid.IntRange(0, 3).Draw(t, "remove") == 0 {
			c.Remove = append(c.Remove, f.Path)
		}
	}
	err := m.store.Commit(c)
	switch {
	case err == nil:
		m.world, m.doubts = m.world.after(c), nil
	case errors.Is(err, ErrUnsettled):
		require.True(t, m.faults)
		m.doubts = append(m.doubts, m.world.after(c))
	default:
		require.ErrorIs(t, err, errDisk)
		m.doubts = nil
	}
}

func (m *model) rewrite(*rapid.T) {
	m.store.base = -slack // the next commit finds the manifest grown
}

func (m *model) fault(t *rapid.T) {
	m.faults = true
	if rapid.Bool().Draw(t, "full") {
		m.disk.SetFree(int64(rapid.IntRange(0, 2000).Draw(t, "free")))
		return
	}
	op := rapid.SampledFrom([]fsystest.Op{
		fsystest.OpWrite, fsystest.OpSync, fsystest.OpSync, fsystest.OpRename, fsystest.OpSyncDir, fsystest.OpOpen,
	}).Draw(t, "op")
	m.disk.Fail(op, rapid.IntRange(1, 3).Draw(t, "nth"), errDisk)
}

func (m *model) restart(t *rapid.T) {
	switch how := rapid.SampledFrom([]string{"close", "kill", "crash", "torn"}).Draw(t, "how"); how {
	case "close":
		_ = m.store.Close()
		m.disk = m.disk.Kill()
	case "kill":
		m.disk = m.disk.Kill()
	case "crash":
		m.disk = m.disk.Crash()
	default:
		m.disk = m.disk.CrashTorn(rapid.Uint64().Draw(t, "seed"))
	}
	_ = m.store.Close()
	m.disk.ClearFaults()
	m.faults = false
	var err error
	m.store, err = Open("/lake", m.disk)
	require.NoError(t, err)
	for _, w := range m.doubts {
		if fmt.Sprint(w.files) == fmt.Sprint(m.store.Snapshot().Files) && m.store.Committed(logA, w.segment) {
			m.world = w
			break
		}
	}
	m.doubts = nil
	m.require(t, m.store, m.world)
}

func TestModelOfCommitsFaultsCrashesAndPowerCuts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &model{disk: fsystest.NewCrash(), next: 1}
		var err error
		m.store, err = Open("/lake", m.disk)
		require.NoError(t, err)
		t.Repeat(map[string]func(*rapid.T){
			"":        m.check,
			"commit":  m.commit,
			"commit2": m.commit,
			"commit3": m.commit,
			"rewrite": m.rewrite,
			"fault":   m.fault,
			"heal":    func(*rapid.T) { m.disk.ClearFaults() },
			"restart": m.restart,
		})
		m.restart(t)
		require.NoError(t, m.store.Close())
	})
}
