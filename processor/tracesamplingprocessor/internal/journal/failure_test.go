package journal

import (
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/fsys/fsystest"
)

func TestAFailedWriteIsRefusedAndMended(t *testing.T) {
	for _, op := range []fsystest.Op{fsystest.OpWrite, fsystest.OpSync} {
		t.Run(op.String(), func(t *testing.T) {
			disk := fsystest.NewCrash()
			j, _ := open(t, disk)
			kept := admit(t, j, "kept").Chunks
			disk.Fail(op, 1, errDisk)
			refused := arrival("refused", "too")
			err := j.Admit(refused)
			require.ErrorIs(t, err, ErrFailed)
			require.ErrorIs(t, err, errDisk)
			require.Zero(t, refused.Chunks[0].Ref)
			require.EqualValues(t, 1, j.books.chunks)
			require.ErrorIs(t, j.Admit(refused), ErrFailed, "until the segment is sealed")
			j.Maintain()
			admit(t, j, "next")

			r := []Ruling{ruling(true, kept[0])}
			disk.Fail(op, 1, errDisk)
			_, err = j.Release(r)
			require.ErrorIs(t, err, ErrFailed)
			_, err = j.Release(r)
			require.ErrorIs(t, err, ErrFailed)
			j.Rule([]Ruling{ruling(false, kept[0])})
			require.EqualValues(t, 1, j.Unwritten())
			j.Maintain()
			require.EqualValues(t, 2, j.Unwritten(), "and a sync")
			id, err := j.Release(r)
			require.NoError(t, err)
			_, f := open(t, disk.Crash())
			require.Equal(t, []string{"next"}, texts(f.chunks()), "the segment of the dropped one has gone")
			require.Empty(t, f.batches, "%s", id)
		})
	}
}

func TestWhatCouldNotBeRecordedIsDecidedAgain(t *testing.T) {
	disk := fsystest.NewCrash()
	j, _ := open(t, disk)
	c := admit(t, j, "dropped", "discarded", "done", "undecided").Chunks
	r := []Ruling{ruling(true, c[2])}
	id, err := j.Release(r)
	require.NoError(t, err)
	j.Rule([]Ruling{ruling(false, c[0])})
	disk.Fail(fsystest.OpSync, 1, errDisk)
	j.Maintain()
	require.EqualValues(t, 1, j.Unwritten(), "the sync")
	j.Discard([]Ref{c[1].Ref})
	j.Done(id, r)
	require.EqualValues(t, 3, j.Unwritten())
	require.EqualValues(t, 1, j.books.chunks, "free all the same")
	j.Maintain()
	j.Maintain()
	require.EqualValues(t, 3, j.Unwritten(), "counted once")
	j.Rule([]Ruling{ruling(true, c[3])})
	j.Maintain()
	require.EqualValues(t, 3, j.Unwritten(), "works again")
	_, f := open(t, disk.Crash())
	require.Equal(t, []string{"dropped", "discarded", "done (normal)", "undecided (normal)"}, texts(f.chunks()))
	require.Equal(t, []Batch{{ID: id, Rulings: r}}, f.batches)
}

func TestAFullDiskRefusesUntilThereIsRoom(t *testing.T) {
	disk := fsystest.NewCrash()
	j, _ := open(t, disk)
	first := admit(t, j, strings.Repeat("x", 3000)).Chunks
	admit(t, j, "second")
	disk.SetFree(1000)
	for range 3 {
		err := j.Admit(arrival(strings.Repeat("y", 2000)))
		require.ErrorIs(t, err, ErrFailed)
		require.ErrorIs(t, err, syscall.ENOSPC)
		j.Maintain()
	}
	require.EqualValues(t, 2, j.books.chunks)
	_, err := j.Fetch(first[0].Trace, first[0].Ref, 3000, nil, checkOf)
	require.NoError(t, err)
	j.Discard([]Ref{first[0].Ref})
	disk.SetFree(10_000)
	j.Maintain()
	admit(t, j, strings.Repeat("y", 2000))
	_, f := open(t, disk.Crash())
	require.Equal(t, []string{"second", strings.Repeat("y", 2000)}, texts(f.chunks()))
}

func TestASegmentThatCannotGoIsTriedAgain(t *testing.T) {
	disk := fsystest.NewCrash()
	j, _ := open(t, disk)
	c := admit(t, j, strings.Repeat("x", 5000)).Chunks
	j.Discard([]Ref{c[0].Ref})
	disk.Fail(fsystest.OpRemove, 1, errDisk)
	disk.Fail(fsystest.OpSyncDir, 1, errDisk)
	for range 4 {
		j.Maintain()
	}
	require.Empty(t, j.spans.Sealed())
}

func TestASealThatFailsIsTriedAgain(t *testing.T) {
	disk := fsystest.NewCrash()
	j, _ := open(t, disk)
	admit(t, j, "kept")
	disk.Fail(fsystest.OpSync, 1, errDisk)
	require.ErrorIs(t, j.Admit(arrival("refused")), ErrFailed)
	disk.Fail(fsystest.OpTruncate, 1, errDisk)
	j.Maintain()
	require.ErrorIs(t, j.Admit(arrival("refused")), ErrFailed)
	j.Maintain()
	admit(t, j, "next")
	_, f := open(t, disk.Crash())
	require.Equal(t, []string{"kept", "next"}, texts(f.chunks()))
}
