package journal

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/fsys/fsystest"
)

func TestTheLastRulingCounts(t *testing.T) {
	disk := fsystest.NewCrash()
	j, _ := open(t, disk)
	c := admit(t, j, "one", "two").Chunks
	first, second := ruling(true, c[0]), ruling(true, c[0])
	second.Class, second.Pieces[0].Skip = Class{Name: "second"}, []uint64{1}
	j.Rule([]Ruling{first})
	id, err := j.Release([]Ruling{first})
	require.NoError(t, err)
	j.Rule([]Ruling{second})
	j.Maintain()
	_, f := open(t, disk.Crash())
	require.Equal(t, []string{"one (second)", "two"}, texts(f.chunks()))
	require.Equal(t, []uint64{1}, f.chunks()[0].Skip)
	require.Equal(t, []Batch{{ID: id, Rulings: []Ruling{first}}}, f.batches, "as it was released")
}

func TestAChunkIsInOneBatch(t *testing.T) {
	disk := fsystest.NewCrash()
	j, _ := open(t, disk)
	c := admit(t, j, "one", "two").Chunks
	one, two := ruling(true, c[0]), ruling(true, c[1])
	first, err := j.Release([]Ruling{one, two})
	require.NoError(t, err)
	second, err := j.Release([]Ruling{one})
	require.NoError(t, err)
	_, f := open(t, disk.Crash())
	require.Equal(t, []Batch{{ID: first, Rulings: []Ruling{two}}, {ID: second, Rulings: []Ruling{one}}}, f.batches)
}

func TestARulingComesWithoutThePiecesThatAreThrough(t *testing.T) {
	disk := fsystest.NewCrash()
	j, _ := open(t, disk)
	c := admit(t, j, "one", "two").Chunks
	c[1].Trace = c[0].Trace
	j.Rule([]Ruling{ruling(true, c...)})
	j.Discard([]Ref{c[0].Ref})
	j.Maintain()
	_, f := open(t, disk.Crash())
	require.Equal(t, []string{"two (normal)"}, texts(f.chunks()))
	require.Equal(t, []Piece{{Ref: c[1].Ref}}, f.chunks()[0].Ruling.Pieces)
}

// Before Recover the journal does not know what is held, so nothing may go.
func TestNothingIsRemovedBeforeRecover(t *testing.T) {
	disk := fsystest.NewCrash()
	j, _ := open(t, disk)
	admit(t, j, "one")
	require.NoError(t, j.Close())
	j, err := Open(Options{Directory: "/journal", MaxBytes: 1 << 20, FS: disk})
	require.NoError(t, err)
	defer j.Close()
	j.Maintain()
	f := &found{}
	_, err = j.Recover(f)
	require.NoError(t, err)
	require.Equal(t, []string{"one"}, texts(f.chunks()))
}

func TestADiskThatFailsEndsRecover(t *testing.T) {
	for nth := 1; nth <= 3; nth++ {
		disk := fsystest.NewCrash()
		j, _ := open(t, disk)
		c := admit(t, j, "one").Chunks
		j.Rule([]Ruling{ruling(true, c[0])})
		require.NoError(t, j.Close())
		j, err := Open(Options{Directory: "/journal", MaxBytes: 1 << 20, FS: disk})
		require.NoError(t, err)
		disk.Fail(fsystest.OpRead, nth, errDisk)
		_, err = j.Recover(&found{})
		require.ErrorIs(t, err, errDisk, "rulings twice, then spans: %d", nth)
		require.NoError(t, j.Close())
	}
}
