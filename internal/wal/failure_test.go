package wal

import (
	"context"
	"errors"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/fsys"
	"github.com/spanlake/spanlake/internal/fsys/fsystest"
)

var errDisk = errors.New("disk on fire")

func TestAfterAFailedWriteOrSyncNothingGoesIntoTheSegment(t *testing.T) {
	for _, op := range []fsystest.Op{fsystest.OpWrite, fsystest.OpSync} {
		t.Run(op.String(), func(t *testing.T) {
			disk := fsystest.NewCrash()
			l := open(t, disk, "/wal")
			kept := add(t, l, "kept")
			refused, err := l.Append([]byte("refused"))
			require.NoError(t, err)
			disk.Fail(op, 1, errDisk)
			require.ErrorIs(t, l.Sync(t.Context(), refused), ErrFailed)
			err = l.Sync(t.Context(), refused)
			require.ErrorIs(t, err, ErrFailed, "the disk works again, but its failed sync is not repeated as a success")
			require.ErrorIs(t, err, errDisk)
			_, err = l.Append([]byte("x"))
			require.ErrorIs(t, err, ErrFailed)
			require.NoError(t, l.Sync(t.Context(), kept), "was synced before")

			require.Equal(t, Sealed(kept), seal(t, l))
			require.Equal(t, []string{"kept"}, readAll(t, l))
			require.ErrorIs(t, l.Sync(t.Context(), refused), ErrFailed, "for ever")
			require.NoError(t, l.Sync(t.Context(), kept))
			require.Equal(t, sizeOnDisk(t, disk, "/wal"), l.Bytes())

			add(t, l, "next")
			require.Equal(t, []string{"kept", "next"}, readAll(t, open(t, disk.Crash(), "/wal")))
		})
	}
}

// A failed sync leaves pages that can be read and are on no disk. Whoever has
// read them at a start may have acted on them.
func TestWhatIsReadAfterAStartSurvivesAPowerCut(t *testing.T) {
	disk := fsystest.NewCrash()
	l := open(t, disk, "/wal")
	add(t, l, "kept")
	p, err := l.Append([]byte("refused"))
	require.NoError(t, err)
	disk.Fail(fsystest.OpSync, 1, errDisk)
	require.ErrorIs(t, l.Sync(t.Context(), p), ErrFailed)

	disk = disk.Kill()
	require.Equal(t, []string{"kept", "refused"}, readAll(t, open(t, disk, "/wal")))
	disk = disk.Crash()
	require.Equal(t, []string{"kept", "refused"}, readAll(t, open(t, disk, "/wal")))
}

func TestAStartWithoutRoomForACopyRepairsInPlace(t *testing.T) {
	disk := fsystest.NewCrash()
	l := open(t, disk, "/wal")
	add(t, l, "one", "two")
	disk = disk.Kill()
	disk.SetFree(0)
	l = open(t, disk, "/wal")
	require.Equal(t, []string{"one", "two"}, readAll(t, l))
	require.NoError(t, l.Close())
	require.Equal(t, []string{"one", "two"}, readAll(t, open(t, disk.Crash(), "/wal")))
}

// A segment is copied once, not at each start as long as it is there.
func TestASegmentIsRepairedOnce(t *testing.T) {
	for name, tc := range map[string]struct {
		tail string
		free int64
	}{
		"whole": {"", -1}, "torn": {"torn tail", -1}, "no room": {"", 0}, "torn, no room": {"torn tail", 0},
		"room for a part": {"torn tail", headerSize + 10}, "room but for the trailer": {"", headerSize + 1000 + trailerSize},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBroken(t, false, strings.Repeat("x", 1000-frameSize), "last")
			last := b.ends[len(b.ends)-1]
			b.disk.SetFree(-1)
			disk := b.disk.Kill()
			require.NoError(t, fsys.WriteFile(disk, "/wal/"+segmentName(b.number), append(b.data, tc.tail...)))
			disk.SetFree(tc.free)
			copies := 0
			count := func(op fsystest.Op, name string) error {
				if op == fsystest.OpRename && name == "/wal/"+segmentName(b.number) {
					copies++
				}
				return nil
			}
			for start := range 3 {
				disk.Hook(count)
				l := open(t, disk, "/wal")
				require.Equal(t, []Sealed{{Segment: b.number, End: last}}, l.Sealed())
				require.Equal(t, b.records, readAll(t, l))
				require.Equal(t, sizeOnDisk(t, disk, "/wal"), l.Bytes())
				want := int64(0)
				if start == 0 {
					want = int64(len(tc.tail))
				}
				require.Equal(t, want, l.TornBytes())
				_, err := disk.Stat("/wal/" + segmentName(b.number) + fsys.TempSuffix)
				require.Error(t, err)
				disk.Hook(nil)
				disk = disk.Crash()
				disk.SetFree(-1)
			}
			require.Equal(t, 1, copies, "by the first start that has room")
		})
	}
}

func TestFailedSegmentWithoutDurableRecordsGoes(t *testing.T) {
	disk := fsystest.NewCrash()
	l := open(t, disk, "/wal")
	refused, err := l.Append([]byte("refused"))
	require.NoError(t, err)
	disk.Fail(fsystest.OpSync, 1, errDisk)
	require.ErrorIs(t, l.Sync(t.Context(), refused), errDisk)
	_, ok, err := l.Seal()
	require.NoError(t, err)
	require.False(t, ok)
	require.Empty(t, l.Sealed())
	require.ErrorIs(t, l.Sync(t.Context(), refused), ErrFailed)
	require.Greater(t, add(t, l, "next").Segment, refused.Segment, "the file of the failed sync is not used again")
	require.Equal(t, sizeOnDisk(t, disk, "/wal"), l.Bytes())
}

func TestSealThatFailsCutsAndRefuses(t *testing.T) {
	disk := fsystest.NewCrash()
	l := open(t, disk, "/wal")
	kept := add(t, l, "kept")
	pending, err := l.Append([]byte("pending"))
	require.NoError(t, err)
	disk.Fail(fsystest.OpSync, 1, errDisk)
	s := seal(t, l)
	require.Equal(t, kept.End, s.End)
	require.ErrorIs(t, l.Sync(t.Context(), pending), ErrFailed)
	require.Equal(t, []string{"kept"}, readAll(t, l))
}

func TestSealCanBeRepeatedUntilItsCutSucceeds(t *testing.T) {
	for _, op := range []fsystest.Op{fsystest.OpTruncate, fsystest.OpSync} {
		t.Run(op.String(), func(t *testing.T) {
			disk := fsystest.NewCrash()
			l := open(t, disk, "/wal")
			add(t, l, "kept")
			refused, err := l.Append([]byte("refused"))
			require.NoError(t, err)
			disk.Fail(fsystest.OpWrite, 1, errDisk)
			require.ErrorIs(t, l.Sync(t.Context(), refused), errDisk)
			for range 3 {
				disk.Fail(op, 1, errDisk)
				_, _, err = l.Seal()
				require.ErrorIs(t, err, ErrFailed)
				require.ErrorIs(t, err, errDisk)
				_, err = l.Append([]byte("x"))
				require.ErrorIs(t, err, ErrFailed)
				require.ErrorIs(t, l.Sync(t.Context(), refused), ErrFailed)
			}
			seal(t, l)
			require.Equal(t, []string{"kept"}, readAll(t, l))
			require.Equal(t, sizeOnDisk(t, disk, "/wal"), l.Bytes())
			add(t, l, "next")
		})
	}
}

func TestSealWithoutANextSegmentLeavesTheActiveOneAlone(t *testing.T) {
	for _, op := range []fsystest.Op{fsystest.OpOpen, fsystest.OpWrite, fsystest.OpSync, fsystest.OpSyncDir} {
		t.Run(op.String(), func(t *testing.T) {
			disk := fsystest.NewCrash()
			l := open(t, disk, "/wal")
			add(t, l, "a")
			disk.Fail(op, map[fsystest.Op]int{fsystest.OpOpen: 1, fsystest.OpSyncDir: 1, fsystest.OpWrite: 2, fsystest.OpSync: 2}[op], errDisk)
			seal(t, l) // has its next segment, and cannot make the one after
			add(t, l, "b")
			disk.Fail(op, 1, errDisk)
			_, _, err := l.Seal()
			require.ErrorIs(t, err, errDisk)
			add(t, l, "c")
			seal(t, l)
			require.Equal(t, []string{"a", "b", "c"}, readAll(t, l))
			require.Equal(t, sizeOnDisk(t, disk, "/wal"), l.Bytes())
			add(t, l, "d")
			require.Equal(t, []string{"a", "b", "c", "d"}, readAll(t, open(t, disk.Crash(), "/wal")))
		})
	}
}

func TestFileLeftByAFailedAttemptDoesNotBlockTheNextSegment(t *testing.T) {
	disk := fsystest.NewCrash()
	l := open(t, disk, "/wal")
	add(t, l, "a")
	disk.Fail(fsystest.OpSync, 2, errDisk)
	disk.Hook(func(op fsystest.Op, name string) error {
		if _, err := disk.Stat(name); op == fsystest.OpRemove && err == nil {
			return errDisk
		}
		return nil
	})
	seal(t, l)
	require.Len(t, readFile(t, disk, "/wal/"+segmentName(3)), headerSize, "left behind")
	disk.Hook(nil)
	add(t, l, "b")
	seal(t, l)
	require.Equal(t, []string{"a", "b"}, readAll(t, l))
}

func TestFullDiskRefusesAndGoesOnWhenThereIsRoom(t *testing.T) {
	disk := fsystest.NewCrash()
	l := open(t, disk, "/wal")
	var kept []string
	disk.SetFree(1000)
	for {
		r := strings.Repeat("x", 90)
		p, err := l.Append([]byte(r))
		require.NoError(t, err)
		if err := l.Sync(t.Context(), p); err != nil {
			require.ErrorIs(t, err, syscall.ENOSPC)
			break
		}
		kept = append(kept, r)
	}
	require.Len(t, kept, 9)
	s := seal(t, l)
	require.Equal(t, kept, readAll(t, l), "no part of a record is in it")
	require.NoError(t, l.Remove(s.Segment))
	disk.SetFree(-1)
	add(t, l, "next")
	seal(t, l)
	require.Equal(t, []string{"next"}, readAll(t, l))
}

func TestRemoveThatFailsCanBeRepeated(t *testing.T) {
	for _, op := range []fsystest.Op{fsystest.OpRemove, fsystest.OpSyncDir} {
		disk := fsystest.NewCrash()
		l := open(t, disk, "/wal")
		add(t, l, "x")
		s := seal(t, l)
		disk.Fail(op, 1, errDisk)
		require.ErrorIs(t, l.Remove(s.Segment), errDisk)
		require.Len(t, l.Sealed(), 1)
		require.NoError(t, l.Remove(s.Segment))
		require.Empty(t, l.Sealed())
		require.Equal(t, sizeOnDisk(t, disk, "/wal"), l.Bytes())
	}
}

func TestCloseReportsWhatItCouldNotWrite(t *testing.T) {
	disk := fsystest.NewCrash()
	l := open(t, disk, "/wal")
	add(t, l, "kept")
	p, err := l.Append([]byte("pending"))
	require.NoError(t, err)
	disk.Fail(fsystest.OpSync, 1, errDisk)
	require.ErrorIs(t, l.Close(), errDisk)
	require.ErrorIs(t, l.Sync(t.Context(), p), ErrFailed)
	require.Equal(t, []string{"kept"}, readAll(t, open(t, disk, "/wal")))
}

func TestSyncOfAWaitingCallerEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := fsystest.NewCrash()
		l := open(t, disk, "/wal")
		goOn := make(chan struct{})
		disk.Hook(func(op fsystest.Op, _ string) error {
			if op == fsystest.OpSync {
				<-goOn
			}
			return nil
		})
		first, err := l.Append([]byte("first"))
		require.NoError(t, err)
		leader := make(chan error)
		go func() { leader <- l.Sync(t.Context(), first) }()
		synctest.Wait()
		second, err := l.Append([]byte("second"))
		require.NoError(t, err, "Append does not wait for a running sync")
		ctx, cancel := context.WithCancel(t.Context())
		follower := make(chan error)
		go func() { follower <- l.Sync(ctx, second) }()
		synctest.Wait()
		cancel()
		require.ErrorIs(t, <-follower, context.Canceled)
		require.ErrorIs(t, l.Sync(ctx, second), context.Canceled)
		close(goOn)
		require.NoError(t, <-leader)
		require.NoError(t, l.Sync(ctx, first), "what is on disk is, whatever became of ctx")
		require.NoError(t, l.Sync(t.Context(), second))
		require.NoError(t, l.Close())
	})
}

func TestASyncWaitsForAsManyAsTheLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := fsystest.NewCrash()
		l := open(t, disk, "/wal")
		syncs := 0 // one goroutine syncs at a time
		hold := make(chan struct{})
		disk.Hook(func(op fsystest.Op, _ string) error {
			if op == fsystest.OpSync {
				syncs++
				<-hold
			}
			return nil
		})
		var writers sync.WaitGroup
		write := func(record string) {
			writers.Go(func() { add(t, l, record) })
			synctest.Wait()
		}
		began := time.Now()
		write("alone")
		write("one")
		write("two")
		write("three")
		close(hold)
		writers.Wait()
		require.Equal(t, 2, syncs)
		require.Zero(t, time.Since(began), "who was alone, and is now, waits for nobody")

		write("four")
		write("five")
		require.Equal(t, 2, syncs, "three were there the last time")
		time.Sleep(gatherTime - 1)
		write("six")
		require.Equal(t, 3, syncs)
		require.Equal(t, gatherTime-1, time.Since(began), "nobody waits for more than there were")

		write("seven")
		writers.Wait()
		require.Equal(t, 4, syncs)
		require.Equal(t, 2*gatherTime-1, time.Since(began), "the others may be gone")
		write("eight")
		writers.Wait()
		require.Equal(t, 2*gatherTime-1, time.Since(began))
		seal(t, l)
		require.Len(t, readAll(t, l), 9)
	})
}

// Writers who come back at different times end up in one group.
func TestAGroupGrowsToAllWhoWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := fsystest.NewCrash()
		l := open(t, disk, "/wal")
		syncs := 0 // one goroutine syncs at a time
		disk.Hook(func(op fsystest.Op, _ string) error {
			if op == fsystest.OpSync {
				syncs++
				time.Sleep(time.Millisecond)
			}
			return nil
		})
		const count, each = 8, 100
		var writers sync.WaitGroup
		for i := range count {
			writers.Go(func() {
				for range each {
					time.Sleep(time.Duration(i+1) * time.Millisecond)
					add(t, l, "record")
				}
			})
		}
		writers.Wait()
		require.Less(t, syncs, each*3/2, "not twice a round")
		seal(t, l)
		require.Len(t, readAll(t, l), count*each)
	})
}

// Who needs the file does not wait for company to come.
func TestTheWaitForCompanyEndsEarly(t *testing.T) {
	for name, hurry := range map[string]func(*Log) error{
		"half a buffer": func(l *Log) error {
			p, err := l.Append(make([]byte, 600))
			return errors.Join(err, l.Sync(context.Background(), p))
		},
		"no room": func(l *Log) error {
			_, err := l.Append(make([]byte, 1100))
			return err
		},
		"seal": func(l *Log) error {
			_, _, err := l.Seal()
			return err
		},
		"close": (*Log).Close,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := open(t, fsystest.NewCrash(), "/wal")
				l.buffer = 1000
				l.active.company = 9
				began := time.Now()
				var writer sync.WaitGroup
				writer.Go(func() { add(t, l, "waits") })
				synctest.Wait()
				require.NoError(t, hurry(l))
				writer.Wait()
				require.Zero(t, time.Since(began))
				require.NoError(t, l.Close())
			})
		})
	}
}

// While one sync runs, any number of writers come in; one more sync serves all.
func TestWritersShareASync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := fsystest.NewCrash()
		l := open(t, disk, "/wal")
		var mu sync.Mutex
		syncs, writes := 0, 0
		goOn := make(chan struct{})
		disk.Hook(func(op fsystest.Op, _ string) error {
			mu.Lock()
			switch op {
			case fsystest.OpSync:
				syncs++
			case fsystest.OpWrite:
				writes++
			default:
			}
			mu.Unlock()
			if op == fsystest.OpSync {
				<-goOn
			}
			return nil
		})
		var wg sync.WaitGroup
		write := func() {
			wg.Go(func() {
				p, err := l.Append([]byte("record"))
				if err == nil {
					err = l.Sync(t.Context(), p)
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		write()
		synctest.Wait()
		for range 50 {
			write()
		}
		synctest.Wait()
		close(goOn)
		wg.Wait()
		require.Equal(t, 2, syncs)
		require.Equal(t, 2, writes)
		seal(t, l)
		require.Len(t, readAll(t, l), 51)
		require.NoError(t, l.Close())
	})
}

// A failed sync refuses all that waited for it and all that came in meanwhile.
func TestFailedSyncFailsAllWaiters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := fsystest.NewCrash()
		l := open(t, disk, "/wal")
		add(t, l, "kept")
		goOn := make(chan struct{})
		disk.Hook(func(op fsystest.Op, _ string) error {
			if op == fsystest.OpSync {
				<-goOn
			}
			return nil
		})
		disk.Fail(fsystest.OpSync, 1, errDisk)
		results := make(chan error, 20)
		for range 20 {
			go func() {
				p, err := l.Append([]byte("refused"))
				if err == nil {
					err = l.Sync(t.Context(), p)
				}
				results <- err
			}()
		}
		synctest.Wait()
		close(goOn)
		for range 20 {
			require.ErrorIs(t, <-results, ErrFailed)
		}
		seal(t, l)
		add(t, l, "next")
		seal(t, l)
		require.Equal(t, []string{"kept", "next"}, readAll(t, l))
		require.NoError(t, l.Close())
	})
}

// Appends that come in while Seal works go into the next segment, none is lost.
func TestAppendDuringSealGoesIntoTheNextSegment(t *testing.T) {
	appendDuringSeal(t, false)
}

func TestAppendDuringSealOfAFailedSegmentGoesIntoTheNext(t *testing.T) {
	appendDuringSeal(t, true)
}

func appendDuringSeal(t *testing.T, failed bool) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		disk := fsystest.NewCrash()
		l := open(t, disk, "/wal")
		before, err := l.Append([]byte("before"))
		require.NoError(t, err)
		if failed {
			require.NoError(t, l.Sync(t.Context(), before))
			p, err := l.Append([]byte("refused"))
			require.NoError(t, err)
			disk.Fail(fsystest.OpWrite, 1, errDisk)
			require.ErrorIs(t, l.Sync(t.Context(), p), errDisk)
		}
		goOn := make(chan struct{})
		disk.Hook(func(op fsystest.Op, _ string) error {
			if op == fsystest.OpSync {
				<-goOn
			}
			return nil
		})
		done := make(chan Sealed)
		go func() {
			s, _, _ := l.Seal()
			done <- s
		}()
		synctest.Wait()
		after := make(chan Position)
		go func() {
			p, err := l.Append([]byte("after"))
			if err == nil {
				err = l.Sync(t.Context(), p)
			}
			if err != nil {
				t.Error(err)
			}
			after <- p
		}()
		synctest.Wait()
		close(goOn)
		require.Equal(t, Sealed(before), <-done)
		require.NoError(t, l.Sync(t.Context(), before))
		require.Equal(t, before.Segment+1, (<-after).Segment)
		require.NoError(t, l.Close())
	})
}
