package journal

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/fsys"
	"github.com/spanlake/spanlake/internal/fsys/fsystest"
)

var errDisk = errors.New("disk on fire")

func TestWhatWasAdmittedIsRecovered(t *testing.T) {
	disk := fsystest.NewCrash()
	j, f := open(t, disk)
	require.Zero(t, f.stats)
	seed := j.Seed()
	require.NotZero(t, seed)
	a, b := admit(t, j, "one", "", "three", "four"), admit(t, j, "five")
	require.NoError(t, j.Admit(&Arrival{}), "there is nothing to take")

	j, f = open(t, disk.Crash())
	require.Equal(t, seed, j.Seed())
	require.Equal(t, Stats{Chunks: 5, Spans: 11}, f.stats)
	for i, want := range []*Arrival{a, b} {
		got := f.arrivals[i]
		require.Equal(t, want.Time, got.Time)
		for n, h := range want.Heads {
			require.Equal(t, string(h.Resource), string(got.Heads[n].Resource))
			require.Equal(t, string(h.Scope), string(got.Heads[n].Scope))
		}
		for n := range want.Chunks {
			want.Chunks[n].Frames, got.Chunks[n].Frames = append([]byte{}, want.Chunks[n].Frames...), append([]byte{}, got.Chunks[n].Frames...)
		}
		require.Equal(t, want.Chunks, got.Chunks)
	}
	require.EqualValues(t, 5, j.books.chunks)
}

func TestRulingsAreRecovered(t *testing.T) {
	disk := fsystest.NewCrash()
	j, _ := open(t, disk)
	a := admit(t, j, "dropped", "kept", "released", "done", "undecided", "discarded")
	c := a.Chunks
	dropped, kept, released, done := ruling(false, c[0]), ruling(true, c[1]), ruling(true, c[2]), ruling(true, c[3])
	kept.Trimmed, kept.Pieces[0].Skip, kept.Fingerprints = true, []uint64{2}, []uint64{7, 1 << 63}
	kept.Class = Class{Name: "errors"}
	j.Rule([]Ruling{dropped, kept, released})
	j.Rule([]Ruling{done})
	j.Discard([]Ref{c[5].Ref})
	j.Discard(nil)
	id, err := j.Release([]Ruling{released})
	require.NoError(t, err)
	other, err := j.Release([]Ruling{done})
	require.NoError(t, err)
	require.NotEqual(t, id, other)
	j.Done(other, []Ruling{done})
	require.EqualValues(t, 3, j.books.chunks)
	require.NoError(t, j.Close())

	j, f := open(t, disk.Kill())
	require.Equal(t, Stats{Chunks: 3, Spans: 10, Resolved: 3, Batches: 1}, f.stats)
	require.Equal(t, []Ruling{dropped, kept, released, done, released, done}, f.verdicts)
	require.Equal(t, []string{"kept (errors)", "released (normal)", "undecided"}, texts(f.chunks()))
	kept.Fingerprints = nil // given with the verdict
	require.Equal(t, kept, *f.chunks()[0].Ruling)
	require.Equal(t, []uint64{2}, f.chunks()[0].Skip)
	require.Equal(t, []Batch{{ID: id, Rulings: []Ruling{released}}}, f.batches)

	// What was taken up again goes on as before.
	again, err := j.Release([]Ruling{kept})
	require.NoError(t, err)
	require.NotContains(t, []string{id, other}, again)
	j.Done(id, f.batches[0].Rulings)
	j.Rule([]Ruling{ruling(false, c[4])})
	require.EqualValues(t, 1, j.books.chunks)
	j.Maintain()
	j, f = open(t, disk.Kill().Crash())
	require.Equal(t, []string{"kept (errors)"}, texts(f.chunks()))
	require.Equal(t, again, f.batches[0].ID)
	j.Done(again, f.batches[0].Rulings)
	require.Zero(t, j.books.chunks)
}

func TestFetch(t *testing.T) {
	disk := fsystest.NewCrash()
	j, _ := open(t, disk)
	a := admit(t, j, "one", "", strings.Repeat("three ", 1000))
	for _, c := range a.Chunks {
		got, err := j.Fetch(c.Trace, c.Ref, len(c.Frames), []byte("before "), checkOf)
		require.NoError(t, err)
		require.Equal(t, "before "+string(c.Frames), string(got))
	}
	c := a.Chunks[0]
	for name, fetch := range map[string]func() ([]byte, error){
		"another trace": func() ([]byte, error) { return j.Fetch(traceID(9), c.Ref, len(c.Frames), nil, checkOf) },
		"another size":  func() ([]byte, error) { return j.Fetch(c.Trace, c.Ref, len(c.Frames)+1, nil, checkOf) },
		"another place": func() ([]byte, error) {
			return j.Fetch(c.Trace, Ref{c.Ref.Segment, c.Ref.Offset + 1}, len(c.Frames), nil, checkOf)
		},
		"behind the end": func() ([]byte, error) {
			return j.Fetch(c.Trace, Ref{c.Ref.Segment, 1 << 30}, len(c.Frames), nil, checkOf)
		},
		"no segment": func() ([]byte, error) { return j.Fetch(c.Trace, Ref{99, c.Ref.Offset}, len(c.Frames), nil, checkOf) },
		"none":       func() ([]byte, error) { return j.Fetch(c.Trace, Ref{}, len(c.Frames), nil, checkOf) },
	} {
		_, err := fetch()
		require.ErrorIs(t, err, ErrDamaged, name)
	}
	_, err := j.Fetch(c.Trace, c.Ref, len(c.Frames), nil, func([]byte) uint32 { return c.Check + 1 })
	require.ErrorIs(t, err, ErrDamaged, "the check does not fit")
	disk.Fail(fsystest.OpRead, 1, errDisk)
	_, err = j.Fetch(c.Trace, c.Ref, len(c.Frames), nil, checkOf)
	require.ErrorIs(t, err, errDisk)
	require.NotErrorIs(t, err, ErrDamaged, "it may work the next time")
	require.NoError(t, j.Close())
	_, err = j.Fetch(c.Trace, c.Ref, len(c.Frames), nil, checkOf)
	require.ErrorIs(t, err, ErrClosed)
	require.ErrorIs(t, j.Admit(arrival("late")), ErrClosed)
	_, err = j.Release(nil)
	require.ErrorIs(t, err, ErrClosed)
}

func TestSpaceIsGivenBack(t *testing.T) {
	j, _ := open(t, fsystest.NewCrash())
	var chunks []Chunk
	for range 40 {
		chunks = append(chunks, admit(t, j, strings.Repeat("x", 1000)).Chunks...)
		j.Maintain()
	}
	require.Greater(t, j.spans.Active(), uint64(8))
	_, ok := j.OldestHeld()
	require.True(t, ok)
	for i, c := range chunks[1:] {
		if i%2 == 0 {
			j.Rule([]Ruling{ruling(false, c)})
		} else {
			j.Rule([]Ruling{ruling(true, c)})
			id, err := j.Release([]Ruling{ruling(true, c)})
			require.NoError(t, err)
			j.Done(id, []Ruling{ruling(true, c)})
		}
		j.Maintain()
	}
	oldest, ok := j.OldestHeld()
	require.True(t, ok)
	require.Equal(t, chunks[0].Ref.Segment, oldest)
	require.Greater(t, j.Bytes(), int64(40_000), "one chunk holds everything younger")
	require.EqualValues(t, 1, j.rulings.Sealed()[0].Segment, "and the rulings on it")

	j.Discard([]Ref{chunks[0].Ref})
	j.Maintain()
	_, ok = j.OldestHeld()
	require.False(t, ok)
	require.Empty(t, j.spans.Sealed())
	require.Less(t, j.Bytes(), 4000+2000+4000+4000+j.ballast.size)
	younger := int64(0)
	for _, s := range j.rulings.Sealed()[1:] {
		younger += s.End
	}
	require.Less(t, younger+j.activeRulings(), int64(2000))
	require.Greater(t, younger+j.rulings.Sealed()[0].End, int64(2000), "the newest verdicts stay")
	require.LessOrEqual(t, len(j.highest), len(j.rulings.Sealed())+1)
}

func TestTheBoundHolds(t *testing.T) {
	const limit = 200_000
	j, _ := open(t, fsystest.NewCrash(), func(o *Options) { o.MaxBytes = limit })
	require.ErrorIs(t, j.Admit(arrival(strings.Repeat("x", limit/4))), ErrTooLarge)
	var chunks []Chunk
	for {
		a := arrival(strings.Repeat("x", 300))
		require.Less(t, len(chunks), 1000)
		near := j.Near()
		if err := j.Admit(a); err != nil {
			require.ErrorIs(t, err, ErrFull)
			require.True(t, near)
			break
		}
		chunks = append(chunks, a.Chunks...)
		j.Maintain()
	}
	for _, c := range chunks { // as dear as can be: each on its own
		r := ruling(true, c)
		r.Fingerprints = []uint64{1}
		j.Rule([]Ruling{r})
		id, err := j.Release([]Ruling{r})
		require.NoError(t, err)
		defer j.Done(id, []Ruling{r})
		require.LessOrEqual(t, j.Bytes(), int64(limit+len(chunks)*110))
	}
	require.Zero(t, j.Unwritten())
	require.Zero(t, j.books.reserved)
}

func TestRulingsOfManyStayWithinTheBound(t *testing.T) {
	const limit = 200_000
	j, _ := open(t, fsystest.NewCrash(), func(o *Options) { o.MaxBytes = limit })
	var rulings []Ruling
	for a := arrival(""); j.Admit(a) == nil; a = arrival("") {
		r := ruling(true, a.Chunks[0])
		r.Fingerprints = []uint64{1}
		rulings = append(rulings, r)
	}
	require.Greater(t, len(rulings), 500)
	j.Rule(rulings)
	id, err := j.Release(rulings)
	require.NoError(t, err)
	j.Done(id, rulings)
	require.LessOrEqual(t, j.Bytes(), int64(limit))
	require.Zero(t, j.Unwritten())
}

// What is left of a journal whose chunks are all through is in the active
// segment; it has to go before the bound refuses everything for good.
func TestAnIdleJournalNearItsBoundGivesTheActiveSegmentBack(t *testing.T) {
	j, _ := open(t, fsystest.NewCrash(), func(o *Options) { o.MaxBytes, o.SegmentBytes = 40_000, 1<<20 })
	for i := 0; ; i++ {
		require.Less(t, i, 100)
		a := arrival(strings.Repeat("x", 3000))
		if errors.Is(j.Admit(a), ErrFull) {
			break
		}
		j.Discard([]Ref{a.Chunks[0].Ref})
	}
	require.True(t, j.Near())
	j.Maintain()
	require.False(t, j.Near())
	admit(t, j, strings.Repeat("x", 3000))
}

func TestADirectoryHasOneOwnerAndOneFormat(t *testing.T) {
	disk := fsystest.NewCrash()
	j, _ := open(t, disk)
	_, err := Open(Options{Directory: "/journal", MaxBytes: 1 << 20, FS: disk})
	require.ErrorIs(t, err, fsys.ErrInUse)
	require.NoError(t, j.Close())
	require.NoError(t, fsys.WriteFile(disk, "/journal/rulings/WAL", []byte("rubbish")))
	_, err = Open(Options{Directory: "/journal", MaxBytes: 1 << 20, FS: disk})
	require.ErrorContains(t, err, "open journal: open write-ahead log /journal/rulings: file WAL is damaged")
	require.NoError(t, fsys.WriteFile(disk, "/journal/spans/WAL", []byte("rubbish")))
	_, err = Open(Options{Directory: "/journal", MaxBytes: 1 << 20, FS: disk})
	require.ErrorContains(t, err, "open journal: open write-ahead log /journal/spans: file WAL is damaged", "and the lock is free")
}

func TestManyAtOnce(t *testing.T) {
	disk := fsystest.NewCrash()
	j, _ := open(t, disk, func(o *Options) { o.MaxBytes = 16 << 20 })
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				j.Maintain()
				j.Near()
				j.OldestHeld()
			}
		}
	}()
	var wg sync.WaitGroup
	var mu sync.Mutex
	held := map[string]bool{}
	for w := range 8 {
		wg.Go(func() {
			for n := range 100 {
				text := fmt.Sprintf("%d %d", w, n)
				a := arrival(text, text+" more")
				if err := j.Admit(a); err != nil {
					t.Error(err)
					return
				}
				got, err := j.Fetch(a.Chunks[0].Trace, a.Chunks[0].Ref, len(text), nil, checkOf)
				if err != nil || string(got) != text {
					t.Error(err, string(got))
				}
				kept := ruling(true, a.Chunks[1])
				j.Rule([]Ruling{ruling(n%2 == 0, a.Chunks[0]), kept})
				id, err := j.Release([]Ruling{kept})
				if err != nil {
					t.Error(err)
				}
				j.Done(id, []Ruling{kept})
				if n%2 == 0 && n < 90 {
					j.Discard([]Ref{a.Chunks[0].Ref})
				} else if n%2 == 0 {
					mu.Lock()
					held[text+" (normal)"] = true
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	close(stop)
	<-stopped
	require.Zero(t, j.Unwritten())
	require.EqualValues(t, len(held), j.books.chunks)
	j.Maintain()
	_, f := open(t, disk.Crash())
	require.Len(t, f.chunks(), len(held))
	for _, text := range texts(f.chunks()) {
		require.True(t, held[text], text)
	}
}

func TestTimeIsThatOfTheRequest(t *testing.T) {
	disk := fsystest.NewCrash()
	j, _ := open(t, disk)
	a := arrival("x")
	a.Time = time.Unix(0, -5)
	require.NoError(t, j.Admit(a))
	_, f := open(t, disk.Crash())
	require.True(t, a.Time.Equal(f.arrivals[0].Time))
}
