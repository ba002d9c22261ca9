package journal

import (
	"bytes"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/fsys"
	"github.com/spanlake/spanlake/internal/fsys/fsystest"
)

const ballastFile = "/journal/" + ballastName

// outage is a journal on a disk smaller than its bound, that has been filled
// while nothing was handed on.
type outage struct {
	tb      testing.TB
	disk    *fsystest.Crash
	journal *Journal
	held    []Chunk
	next    int
}

// newOutage leaves the logs some room on the disk beside the ballast.
func newOutage(tb testing.TB, room int64, change ...func(*Options)) *outage {
	tb.Helper()
	o := &outage{tb: tb, disk: fsystest.NewCrash()}
	o.journal, _ = open(tb, o.disk, change...)
	o.disk.SetFree(room)
	o.fill()
	return o
}

// admit tries to have one more request taken.
func (o *outage) admit() error {
	o.next++
	a := arrival(fmt.Sprintf("%d %s", o.next, strings.Repeat("x", o.next%700)))
	err := o.journal.Admit(a)
	if err == nil {
		o.held = append(o.held, a.Chunks...)
	}
	return err
}

// fill admits, and decides, until the disk takes nothing any more.
func (o *outage) fill() {
	o.tb.Helper()
	for refused := 0; refused < 20; {
		err := o.admit()
		o.journal.Maintain()
		if err != nil {
			require.ErrorIs(o.tb, err, syscall.ENOSPC)
			refused++
			continue
		}
		o.journal.Rule([]Ruling{ruling(true, o.held[len(o.held)-1])})
	}
	require.Greater(o.tb, len(o.held), 80)
	require.True(o.tb, o.journal.ballast.there.Load(), "nobody needs it yet")
}

// handOn hands on what is held, oldest first, in batches of 10, and checks that
// no request is taken while the disk is full.
func (o *outage) handOn() {
	o.tb.Helper()
	for len(o.held) > 0 {
		var rulings []Ruling
		for _, c := range o.held[:min(10, len(o.held))] {
			rulings = append(rulings, ruling(true, c))
		}
		id, err := o.journal.Release(rulings)
		for tries := 0; err != nil; tries++ {
			require.Less(o.tb, tries, 3, "%v", err)
			require.ErrorIs(o.tb, err, ErrFailed)
			o.journal.Maintain()
			id, err = o.journal.Release(rulings)
		}
		o.journal.Done(id, rulings)
		o.held = o.held[len(rulings):]
		o.journal.Maintain()
	}
}

// resume checks that requests are taken again, soon, and more than one.
func (o *outage) resume(n int) {
	o.tb.Helper()
	for range 2 * ballastPause {
		o.journal.Maintain()
	}
	require.True(o.tb, o.journal.ballast.there.Load())
	require.False(o.tb, o.journal.Near())
	from := len(o.held)
	for range n {
		require.NoError(o.tb, o.admit())
		o.journal.Maintain()
	}
	require.Len(o.tb, o.held, from+n)
}

func (o *outage) restart() *found {
	o.tb.Helper()
	o.disk = o.disk.Crash()
	var f *found
	o.journal, f = open(o.tb, o.disk)
	var want []string
	for _, c := range o.held {
		want = append(want, string(c.Frames))
	}
	var got []string
	for _, c := range f.chunks() {
		got = append(got, string(c.Frames))
	}
	require.Equal(o.tb, want, got, "all that is held, once")
	return f
}

func TestAJournalThatFilledItsDiskRecovers(t *testing.T) {
	o := newOutage(t, 300_000)
	for range 3 {
		o.handOn()
		o.resume(300)
		o.fill()
	}
}

func TestAJournalThatFilledItsDiskRecoversAfterARestart(t *testing.T) {
	o := newOutage(t, 300_000)
	o.restart()
	o.handOn()
	o.resume(300)
	o.restart()
}

// The ballast is given up, and then the process ends: there is no room for
// another one at the start.
func TestARestartWithoutABallast(t *testing.T) {
	o := newOutage(t, 300_000)
	for n := 0; o.journal.ballast.there.Load(); n++ {
		require.Less(t, n, 4)
		_, err := o.journal.Release([]Ruling{ruling(true, o.held[0])})
		require.ErrorIs(t, err, ErrFailed)
		o.journal.Maintain()
	}
	require.True(t, o.journal.Near())
	require.ErrorIs(t, o.admit(), ErrFull)
	f := o.restart()
	require.Empty(t, f.batches)
	require.ErrorIs(t, o.admit(), ErrFull, "there is no room for a ballast")
	o.handOn()
	o.resume(300)
}

// Once the ballast is given up, no request gets in before there is room for it
// and as much again, and verdicts, which can be made again, leave the room alone.
func TestWithoutABallastThereIsRoomForReleasesAlone(t *testing.T) {
	o := newOutage(t, 300_000)
	_, err := o.journal.Release([]Ruling{ruling(true, o.held[0])})
	require.ErrorIs(t, err, ErrFailed)
	o.journal.Maintain()
	_, err = o.disk.Stat(ballastFile)
	require.Error(t, err)
	before, unwritten := o.journal.Bytes(), o.journal.Unwritten()
	o.disk.Hook(func(op fsystest.Op, name string) error {
		require.NotEqual(t, ballastFile+fsys.TempSuffix, name, "an attempt would fill the disk for nothing")
		return nil
	})
	for range 10 * ballastPause {
		require.ErrorIs(t, o.admit(), ErrFull)
		o.journal.Rule([]Ruling{ruling(true, o.held[1])})
		o.journal.Maintain()
	}
	require.LessOrEqual(t, o.journal.Bytes(), before)
	require.EqualValues(t, 10*ballastPause, o.journal.Unwritten()-unwritten)
	o.journal.Discard([]Ref{o.held[len(o.held)-1].Ref})
	o.held = o.held[:len(o.held)-1]
	o.disk.Hook(nil)
	require.EqualValues(t, 10*ballastPause+1, o.journal.Unwritten()-unwritten)
	o.handOn()
	o.resume(300)
}

// Everything held is in the active segment, and nearly all else is decisions to
// remember: both have to go for there to be room.
func TestADiskSmallerThanASegment(t *testing.T) {
	o := newOutage(t, 60_000, func(o *Options) { o.SegmentBytes, o.VerdictBytes = 1<<16, 1<<18 })
	for range 3 {
		o.handOn()
		o.resume(50)
		o.fill()
	}
}

// The disk is filled by others, while a segment is begun: it has to go, too.
func TestADiskFilledByOthers(t *testing.T) {
	o := &outage{tb: t, disk: fsystest.NewCrash()}
	o.journal, _ = open(t, o.disk, func(o *Options) { o.SegmentBytes = 1 << 16 })
	for range 200 {
		require.NoError(t, o.admit())
	}
	require.Empty(t, o.journal.spans.Sealed())
	o.disk.SetFree(0)
	o.handOn()
	o.resume(10)
}

// The rulings cannot be sealed, after another failure, for want of room.
func TestASealWithoutRoomTakesTheBallast(t *testing.T) {
	disk := fsystest.NewCrash()
	j, _ := open(t, disk)
	r := []Ruling{ruling(true, admit(t, j, "x").Chunks[0])}
	j.Rule(r)
	j.Maintain()
	disk.SetFree(20)
	_, _, err := j.rulings.Seal() // moves on to the segment made in advance
	require.NoError(t, err)
	failed := false
	disk.Hook(func(op fsystest.Op, name string) error {
		if op == fsystest.OpWrite && !failed {
			failed = true
			return errDisk
		}
		return nil
	})
	_, err = j.Release(r)
	require.ErrorIs(t, err, errDisk)
	j.Maintain()
	j.Maintain()
	_, err = j.Release(r)
	require.NoError(t, err)
}

// Attempts are rare, as each of them fills the disk.
func TestABallastIsTriedOnceInAWhile(t *testing.T) {
	disk := fsystest.NewCrash()
	disk.SetFree(5000)
	attempts := 0
	disk.Hook(func(op fsystest.Op, name string) error {
		if op == fsystest.OpOpen && name == ballastFile+fsys.TempSuffix {
			attempts++
		}
		return nil
	})
	j, _ := open(t, disk)
	require.Equal(t, 1, attempts)
	require.ErrorIs(t, j.Admit(arrival("x")), ErrFull)
	_, err := disk.Stat(ballastFile + fsys.TempSuffix)
	require.Error(t, err, "nothing is left of it")
	for range 10 * ballastPause {
		j.Maintain()
	}
	require.Equal(t, 11, attempts)
	disk.SetFree(-1)
	for range ballastPause {
		j.Maintain()
	}
	admit(t, j, "x")
	require.Equal(t, 12, attempts)
}

func TestTheBallastIsOnDisk(t *testing.T) {
	disk := fsystest.NewCrash()
	j, _ := open(t, disk)
	require.EqualValues(t, 1<<14, j.ballast.size)
	empty := j.spans.Bytes() + j.rulings.Bytes()
	require.Equal(t, empty+1<<14, j.Bytes())
	disk = disk.Crash()
	first := readAll(t, disk, ballastFile)
	require.Len(t, first, 1<<14)
	require.Less(t, bytes.Count(first, []byte{0}), 1<<14/100, "not what a file system stores as a hole")

	writes := 0
	disk.Hook(func(op fsystest.Op, name string) error {
		if strings.HasPrefix(name, ballastFile) && op == fsystest.OpWrite {
			writes++
		}
		return nil
	})
	j, _ = open(t, disk)
	require.Zero(t, writes, "that of before will do")
	require.NoError(t, j.Close())
	j, _ = open(t, disk, func(o *Options) { o.MaxBytes = 1 << 21 })
	require.Positive(t, writes, "but not that of another bound")
	require.Len(t, readAll(t, disk.Crash(), ballastFile), 1<<15)
	require.EqualValues(t, 32<<20, newBallast(Options{MaxBytes: 1 << 40}).size)
	_ = j
}

// Whatever fails while the ballast is made or given up, the journal works again.
func TestABallastThatFailsIsTriedAgain(t *testing.T) {
	for _, op := range []fsystest.Op{fsystest.OpOpen, fsystest.OpWrite, fsystest.OpSync, fsystest.OpTruncate, fsystest.OpRename, fsystest.OpSyncDir} {
		t.Run(op.String(), func(t *testing.T) {
			disk := fsystest.NewCrash()
			failing := true
			disk.Hook(func(o fsystest.Op, name string) error {
				mine := strings.HasPrefix(name, ballastFile) || name == "/journal"
				if _, err := disk.Stat("/journal/rulings/WAL"); failing && err == nil && mine && o == op {
					return errDisk
				}
				return nil
			})
			j, _ := open(t, disk)
			require.ErrorIs(t, j.Admit(arrival("x")), ErrFull)
			require.ErrorIs(t, j.Admit(arrival("x")), ErrFull)
			failing = false
			for range ballastPause {
				j.Maintain()
			}
			admit(t, j, "x")
		})
	}
	for _, op := range []fsystest.Op{fsystest.OpRemove, fsystest.OpSyncDir} {
		t.Run("given up, "+op.String(), func(t *testing.T) {
			o := newOutage(t, 300_000)
			failing := true
			o.disk.Hook(func(seen fsystest.Op, name string) error {
				if failing && (name == ballastFile || name == "/journal") && op == seen {
					failing = false
					return errDisk
				}
				return nil
			})
			_, err := o.journal.Release([]Ruling{ruling(true, o.held[0])})
			require.ErrorIs(t, err, ErrFailed)
			o.journal.Maintain()
			require.False(t, failing)
			require.ErrorIs(t, o.admit(), ErrFull)
			o.handOn()
			o.resume(300)
		})
	}
}

// A full disk keeps a log from being opened; the ballast is the room it needs.
func TestOpenTakesTheRoomOfTheBallast(t *testing.T) {
	for _, log := range []string{"spans", "rulings"} {
		t.Run(log, func(t *testing.T) {
			disk := fsystest.NewCrash()
			j, _ := open(t, disk)
			c := admit(t, j, "kept").Chunks
			j.Rule([]Ruling{ruling(true, c[0])})
			require.NoError(t, j.Close())
			disk = disk.Crash()
			entries, err := disk.ReadDir("/journal/" + log)
			require.NoError(t, err)
			for _, e := range entries {
				if info, err := e.Info(); err == nil && info.Size() == 32 { // made in advance
					require.NoError(t, disk.Remove("/journal/"+log+"/"+e.Name()))
				}
			}
			disk.SetFree(0)
			j, f := open(t, disk)
			require.Equal(t, []string{"kept (normal)"}, texts(f.chunks()))
			require.ErrorIs(t, j.Admit(arrival("x")), ErrFull)
			r := []Ruling{ruling(true, c[0])}
			id, err := j.Release(r)
			require.NoError(t, err)
			j.Done(id, r)
			disk.SetFree(1 << 16)
			for range ballastPause {
				j.Maintain()
			}
			admit(t, j, "x")
		})
	}
}
