package reader

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/cmd/spanlake-sql/internal/duck"
	"github.com/spanlake/spanlake/cmd/spanlake-sql/internal/storetest"
	"github.com/spanlake/spanlake/internal/lake"
)

// following is a Follow that a test drives, look by look.
type following struct {
	t      *testing.T
	got    guarded
	notes  []string // read after the end
	ticks  chan time.Time
	done   chan error
	cancel context.CancelCauseFunc
}

var errEnough = errors.New("enough")

func follow(t *testing.T, s *Reader, old bool) *following {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	f := &following{t: t, ticks: make(chan time.Time), done: make(chan error, 1), cancel: cancel}
	go func() {
		f.done <- s.Follow(ctx, Follow{
			SQL:   "select name from spans union all select body from logs order by all",
			Sink:  &f.got,
			Old:   old,
			Ticks: f.ticks,
			// Called by the goroutine that takes the ticks, between them.
			Notice: func(text string) { f.notes = append(f.notes, text) },
		})
	}()
	return f
}

// look has it look, and returns when it waits for the next tick but one: two
// ticks, because the first is taken before the look.
func (f *following) look() []string {
	f.t.Helper()
	for range 2 {
		f.ticks <- time.Time{}
	}
	return f.got.take()
}

// guarded are rows of which a test takes some while others may come.
type guarded struct {
	mu sync.Mutex
	rows
}

func (g *guarded) Row(row duck.Row) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.rows.Row(row)
}

func (g *guarded) take() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	lines := g.lines
	g.lines = nil
	return lines
}

func (f *following) end() {
	f.t.Helper()
	f.cancel(errEnough)
	require.ErrorIs(f.t, <-f.done, errEnough)
}

func TestFollow(t *testing.T) {
	dir := t.TempDir()
	store := storetest.New(t, dir)
	first := store.File("traces", "select 'old' as name")
	store.Commit([]lake.File{first})
	f := follow(t, openReader(t, dir), false)
	require.Empty(t, f.look())

	second := store.File("traces", "select unnest(['b', 'a']) as name")
	store.Commit([]lake.File{second, store.File("logs", "select 'c' as body")})
	require.Equal(t, []string{"a", "b", "c"}, f.look())
	require.Empty(t, f.look(), "once only")

	merged := store.Merged("traces", "select unnest(['old', 'a', 'b']) as name")
	store.Commit([]lake.File{merged}, first.Path, second.Path)
	require.Empty(t, f.look(), "rows that were seen")

	store.Commit(nil, merged.Path)
	store.Commit([]lake.File{store.File("traces", "select 'd' as name, 7 as \"new.column\"")})
	require.Equal(t, []string{"d"}, f.look())
	f.end()
	require.Empty(t, f.notes)
}

func TestFollowFromTheWindowOn(t *testing.T) {
	dir := t.TempDir()
	store := storetest.New(t, dir)
	store.Commit([]lake.File{
		store.File("traces", "select 'early' as name, timestamp_ns '2026-11-21 08:00:00' as timestamp"),
		store.Merged("traces", "select 'late' as name, timestamp_ns '2026-11-21 10:00:00' as timestamp"),
	})
	s := openReader(t, dir)
	s.window = Window{From: time.Unix(0, ten)}
	f := follow(t, s, true)
	require.Equal(t, []string{"late"}, f.look())
	f.end()
}

func TestFollowAStoreThatIsNotThereYet(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "lake")
	f := follow(t, openReader(t, dir), false)
	require.Empty(t, f.look())
	store := storetest.New(t, dir)
	store.Commit([]lake.File{store.File("traces", "select 'a' as name")})
	require.Equal(t, []string{"a"}, f.look())
	f.end()
	require.Equal(t, []string{"waiting for a store in " + dir}, f.notes)
}

func TestFollowTellsOfSegmentsThatItMissed(t *testing.T) {
	dir := t.TempDir()
	store := storetest.New(t, dir)
	store.Commit([]lake.File{store.File("traces", "select 'a' as name")})
	f := follow(t, openReader(t, dir), false)
	require.Empty(t, f.look())
	missed := []lake.File{store.File("traces", "select 'b' as name"), store.File("traces", "select 'c' as name")}
	store.Commit(missed)
	store.Commit([]lake.File{store.Merged("traces", "select unnest(['b', 'c']) as name")}, missed[0].Path, missed[1].Path)
	store.Commit([]lake.File{store.File("traces", "select 'd' as name")})
	require.Equal(t, []string{"d"}, f.look())
	f.end()
	require.Equal(t, []string{"2 segments were merged before they were read here: their rows are not shown"}, f.notes)
}

func TestFollowEndsWithTheErrorOfTheQuery(t *testing.T) {
	dir := t.TempDir()
	store := storetest.New(t, dir)
	store.Commit([]lake.File{store.File("traces", "select 'a' as name")})
	err := openReader(t, dir).Follow(t.Context(), Follow{SQL: "select nope from spans", Sink: &rows{}, Old: true})
	require.ErrorContains(t, err, `column "nope" not found`)
}
