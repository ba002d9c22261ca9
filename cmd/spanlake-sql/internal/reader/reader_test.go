package reader

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/cmd/spanlake-sql/internal/duck"
	"github.com/spanlake/spanlake/cmd/spanlake-sql/internal/storetest"
	"github.com/spanlake/spanlake/internal/lake"
)

// rows collects the values of a query, joined by "|".
type rows struct {
	columns []string
	lines   []string
	onRow   func() error
}

func (r *rows) Begin(columns []duck.Column) error {
	r.columns = nil
	for _, c := range columns {
		r.columns = append(r.columns, c.Name)
	}
	return nil
}

func (r *rows) Row(row duck.Row) error {
	var line []string
	for i := range r.columns {
		line = append(line, string(row.AppendText(nil, i)))
	}
	r.lines = append(r.lines, strings.Join(line, "|"))
	if r.onRow != nil {
		return r.onRow()
	}
	return nil
}

func (r *rows) End() error { return nil }

func openReader(t *testing.T, dir string) *Reader {
	t.Helper()
	s, err := Open(Options{Dir: dir, Threads: 1, MemoryLimit: "256MB"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func ask(t *testing.T, s *Reader, sql string) []string {
	t.Helper()
	var got rows
	require.NoError(t, s.Query(t.Context(), sql, &got))
	return got.lines
}

func TestAnEmptyStoreHasTheColumnsAndNoRows(t *testing.T) {
	dir := t.TempDir()
	storetest.New(t, dir)
	s := openReader(t, dir)

	var got rows
	require.NoError(t, s.Query(t.Context(), "select * from spans", &got))
	require.Empty(t, got.lines)
	require.Subset(t, got.columns, []string{"timestamp", "duration_ns", "trace_id", "parent_span_id", "class", "adjusted_count", "http.route", "events", "links"})

	require.NoError(t, s.Query(t.Context(), "select * from logs", &got))
	require.Empty(t, got.lines)
	require.Subset(t, got.columns, []string{"timestamp", "severity_number", "body", "trace_id", "source"})

	require.Equal(t, []string{"TIMESTAMP_NS|TIMESTAMP_NS|VARCHAR"},
		ask(t, s, "select any_value(typeof(timestamp)), typeof(null::timestamp_ns), typeof('') from (select timestamp from spans union all select null)"))
}

func TestWithoutAStoreTheErrorSaysWhatToDo(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "lake")
	err := openReader(t, dir).Query(t.Context(), "select 1", &rows{})
	require.EqualError(t, err, "no store in "+dir+": start the collector that writes there (make run), or name another directory with --data")
}

func TestEachQuerySeesTheStoreOfItsTime(t *testing.T) {
	dir := t.TempDir()
	store := storetest.New(t, dir)
	s := openReader(t, dir)
	const count = "select (select count(*) from spans), (select count(*) from logs)"
	require.Equal(t, []string{"0|0"}, ask(t, s, count))

	first := store.File("traces", "select 'a' as name")
	store.Commit([]lake.File{first})
	require.Equal(t, []string{"1|0"}, ask(t, s, count))

	store.Commit([]lake.File{store.File("traces", "select 'b' as name"), store.File("logs", "select 'hello' as body")})
	require.Equal(t, []string{"2|1"}, ask(t, s, count))

	// A file that is written but not committed is none of the store's.
	store.File("traces", "select 'c' as name")
	require.Equal(t, []string{"a", "b"}, ask(t, s, "select name from spans order by all"))

	store.Commit(nil, first.Path)
	require.Equal(t, []string{"b"}, ask(t, s, "select name from spans"))
}

func TestWhatAQueryCreatesStaysForTheNext(t *testing.T) {
	dir := t.TempDir()
	store := storetest.New(t, dir)
	s := openReader(t, dir)
	require.Empty(t, ask(t, s, "create temp table kept as select 7 as n; set variable v = 8"))
	store.Commit([]lake.File{store.File("traces", "select 'a' as name")})
	require.Equal(t, []string{"7|8|1"}, ask(t, s, "select n, getvariable('v'), (select count(*) from spans) from kept"))
}

func TestColumnsMissingInAFileAreNullAndNewOnesComeLast(t *testing.T) {
	dir := t.TempDir()
	store := storetest.New(t, dir)
	store.Commit([]lake.File{
		store.File("traces", "select 'new' as name, 1 as \"later.column\", 200::bigint as \"http.response.status_code\""),
		store.File("traces", "select 'old' as name"),
	})
	s := openReader(t, dir)
	require.Equal(t, []string{"new|200|1", "old||"},
		ask(t, s, `select name, "http.response.status_code", "later.column" from spans order by name`))

	var got rows
	require.NoError(t, s.Query(t.Context(), "select * from spans", &got))
	require.Equal(t, "timestamp", got.columns[0])
	require.Equal(t, "later.column", got.columns[len(got.columns)-1])
}

func TestThePartitionsInThePathAreNotRead(t *testing.T) {
	dir := t.TempDir()
	store := storetest.New(t, dir)
	store.Commit([]lake.File{store.File("traces", "select '1d' as retention")}) // under retention=30d
	s := openReader(t, dir)
	var got rows
	require.NoError(t, s.Query(t.Context(), "select * from spans", &got))
	require.NotContains(t, got.columns, "hour")
	require.Equal(t, []string{"1d"}, ask(t, s, "select retention from spans"))
}

func TestOddDirectoryNames(t *testing.T) {
	for _, name := range []string{"it's", "with space", "a[1]", "star*", "q?", "ünïcode", "comma,{x}"} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), name)
			require.NoError(t, os.Mkdir(dir, 0o750))
			store := storetest.New(t, dir)
			store.Commit([]lake.File{store.File("traces", "select 'a' as name")})
			require.Equal(t, []string{"a"}, ask(t, openReader(t, dir), "select name from spans"))
		})
	}
}

// A store is compacted between the snapshot and the opening of its files: the
// query is answered from the next snapshot.
func TestAFileThatVanishedCostsOneMoreSnapshot(t *testing.T) {
	dir := t.TempDir()
	store := storetest.New(t, dir)
	small := []lake.File{store.File("traces", "select 'a' as name"), store.File("traces", "select 'b' as name")}
	store.Commit(small)
	s := openReader(t, dir)

	compact := func() {
		merged := store.File("traces", "select unnest(['a', 'b']) as name")
		store.Commit([]lake.File{merged}, small[0].Path, small[1].Path)
		store.Unlink(small[0])
		store.Unlink(small[1])
	}
	reads := 0
	s.manifest.read = func(dir string) (lake.Snapshot, error) {
		snapshot, err := Snapshot(dir)
		if reads++; reads == 1 {
			compact()
		}
		return snapshot, err
	}
	require.Equal(t, []string{"a", "b"}, ask(t, s, "select name from spans order by name"))
	require.Equal(t, 2, reads)
}

// The views are defined already and the snapshot has the version they show, but
// a file goes away under them.
func TestAFileThatVanishesUnderTheViewsCostsOneMoreSnapshot(t *testing.T) {
	dir := t.TempDir()
	store := storetest.New(t, dir)
	old := store.File("traces", "select 'a' as name")
	store.Commit([]lake.File{old})
	s := openReader(t, dir)
	require.Equal(t, []string{"a"}, ask(t, s, "select name from spans"))

	s.manifest.seen = nil
	reads := 0
	s.manifest.read = func(dir string) (lake.Snapshot, error) {
		snapshot, err := Snapshot(dir)
		if reads++; reads == 1 {
			store.Commit([]lake.File{store.File("traces", "select 'b' as name")}, old.Path)
			store.Unlink(old)
		}
		return snapshot, err
	}
	require.Equal(t, []string{"b"}, ask(t, s, "select name from spans"))
}

func TestAFileThatStaysMissingIsNamed(t *testing.T) {
	dir := t.TempDir()
	store := storetest.New(t, dir)
	file := store.File("traces", "select 'a' as name")
	store.Commit([]lake.File{file})
	store.Unlink(file)
	err := openReader(t, dir).Query(t.Context(), "select name from spans", &rows{})
	require.ErrorContains(t, err, "the store names a file that is not there: "+filepath.Join(dir, filepath.FromSlash(file.Path)))
}

func TestADamagedFileIsNamedAndTheRestStaysReadable(t *testing.T) {
	dir := t.TempDir()
	store := storetest.New(t, dir)
	file := store.File("logs", "select 'x' as body")
	store.Commit([]lake.File{file, store.File("traces", "select 'a' as name")})
	require.NoError(t, os.Truncate(filepath.Join(dir, filepath.FromSlash(file.Path)), 100))
	s := openReader(t, dir)
	require.ErrorContains(t, s.Query(t.Context(), "select * from logs", &rows{}), path.Base(file.Path))
	require.Equal(t, []string{"a"}, ask(t, s, "select name from spans"))
}

func TestRowsHandedOutAreNotHandedOutAgain(t *testing.T) {
	dir := t.TempDir()
	store := storetest.New(t, dir)
	file := store.File("traces", "select 'a' as name from range(10)")
	store.Commit([]lake.File{file})
	broken := fmt.Errorf("broken pipe: %w", duck.ErrIO)
	got := rows{onRow: func() error {
		store.Unlink(file)
		return broken
	}}
	require.ErrorIs(t, openReader(t, dir).Query(t.Context(), "select name from spans", &got), broken)
	require.Len(t, got.lines, 1)
}

func TestTheStoreCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	store := storetest.New(t, dir)
	store.Commit([]lake.File{store.File("traces", "select 'a' as name")})
	s := openReader(t, dir)
	require.ErrorIs(t, s.Query(t.Context(), "copy spans to "+duck.Quote(filepath.Join(dir, "x.parquet")), &rows{}), duck.ErrWrites)
	require.Error(t, s.Query(t.Context(), "from read_text('/etc/hostname')", &rows{}))
}

func TestCancelledBeforeTheStart(t *testing.T) {
	dir := t.TempDir()
	storetest.New(t, dir)
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("interrupt")
	cancel(cause)
	require.ErrorIs(t, openReader(t, dir).Query(ctx, "select 1", &rows{}), cause)
}

func TestCloseRemovesTheTemporaryFiles(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	s, err := Open(Options{Dir: t.TempDir()})
	require.NoError(t, err)
	entries, err := os.ReadDir(temp)
	require.NoError(t, err)
	require.Len(t, entries, 1)
	require.NoError(t, s.Close())
	entries, err = os.ReadDir(temp)
	require.NoError(t, err)
	require.Empty(t, entries)
}
