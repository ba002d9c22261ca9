package engine_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/engine"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/journal"
)

// What the disk gives back other than it was written costs the spans of its chunk
// alone, counted.
func TestDamagedSpansAreCountedAndLeftOut(t *testing.T) {
	dir := t.TempDir()
	j, err := journal.Open(journal.Options{Directory: dir, MaxBytes: 64 << 20, VerdictBytes: 1 << 20})
	require.NoError(t, err)
	h := newHarness(t, func(o *engine.Options) {
		o.Journal = j
		o.MemoryLimit = 1 << 13 // all is left to the journal
	}, keepAll())
	_, err = h.Recover()
	require.NoError(t, err)
	for i := uint64(1); i <= 3; i++ {
		s := root(i, i)
		s.name = []string{"first", "second", "third"}[i-1] + string(make([]byte, 2000))
		h.mustIngest(s)
	}
	_, _, spilled := h.Undecided()
	require.Positive(t, spilled)

	name := filepath.Join(dir, "spans", "0000000001.wal")
	segment, err := os.ReadFile(name)
	require.NoError(t, err)
	at := bytes.Index(segment, []byte("second"))
	require.Positive(t, at)
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteAt([]byte("S"), int64(at))
	require.NoError(t, err)
	require.NoError(t, f.Close())

	h.DecideAll(h.now)
	h.drain()
	require.Equal(t, 1, h.reasons[engine.JournalDamaged])
	require.Contains(t, h.out, uint64(1))
	require.Contains(t, h.out, uint64(3))
	require.NotContains(t, h.out, uint64(2))
	require.Zero(t, h.Held())
	require.NoError(t, j.Close())
}
