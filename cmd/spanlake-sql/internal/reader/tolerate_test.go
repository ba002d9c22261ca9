package reader

import (
	"os"
	"path"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/cmd/spanlake-sql/internal/storetest"
	"github.com/spanlake/spanlake/internal/lake"
)

func TestABadFileOfOneSignalFailsNoQueryOfTheOther(t *testing.T) {
	for name, harm := range map[string]func(file string) error{
		"damaged": func(file string) error { return os.Truncate(file, 100) },
		"missing": os.Remove,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			store := storetest.New(t, dir)
			file := store.File("traces", "select 'a' as name")
			store.Commit([]lake.File{file, store.File("logs", "select 'x' as body")})
			s := openReader(t, dir)
			require.NoError(t, harm(s.index.path(file)))
			require.Equal(t, []string{"1"}, ask(t, s, "select 1"))
			require.Equal(t, []string{"x"}, ask(t, s, "select body from logs"))
			require.ErrorContains(t, s.Query(t.Context(), "select name from spans", &rows{}), path.Base(file.Path))
			require.Equal(t, []string{"logs", "spans"}, ask(t, s, "select table_name from information_schema.tables order by all"))
			require.Equal(t, []string{"x"}, ask(t, s, "select body from logs"))
		})
	}
}

func TestWhatStandsForAViewSeesIt(t *testing.T) {
	dir := t.TempDir()
	store := storetest.New(t, dir)
	store.Commit([]lake.File{store.File("traces", "select 'a' as name")})
	s := openReader(t, dir)
	require.Empty(t, ask(t, s, "create macro mine() as table select name from spans"))
	store.Commit([]lake.File{store.File("traces", "select 'b' as name")})
	require.Equal(t, []string{"a", "b"}, ask(t, s, "from mine() order by all"))

	fresh := openReader(t, dir)
	require.Equal(t, []string{"2"}, ask(t, fresh, "select count(*) from query_table('sp' || 'ans')"))
}

func TestTolerateLeavesOutWhatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	store := storetest.New(t, dir)
	files := []lake.File{
		store.File("traces", "select 'a' as name"), store.File("traces", "select 'b' as name"),
		store.File("traces", "select 'c' as name"), store.File("traces", "select 'd' || range as name from range(10000)"),
	}
	store.Commit(files)
	s := openReader(t, dir)
	require.NoError(t, os.Remove(s.index.path(files[0])))
	require.NoError(t, os.Truncate(s.index.path(files[1]), 100))
	// Its footer is whole, and the rows are not: the error does not name the file.
	data, err := os.ReadFile(s.index.path(files[3]))
	require.NoError(t, err)
	for i := 4; i < len(data)/2; i++ {
		data[i] ^= 0xff
	}
	require.NoError(t, os.WriteFile(s.index.path(files[3]), data, 0o600))

	var notes []string
	var got rows
	require.NoError(t, s.Tolerate(t.Context(), func(text string) { notes = append(notes, text) }, func() error {
		return s.Query(t.Context(), "select name from spans order by all", &got)
	}))
	require.Equal(t, []string{"c"}, got.lines)
	require.Len(t, notes, 3)
	require.Error(t, s.Query(t.Context(), "select name from spans order by all", &rows{}), "only what is tolerated is left out")

	err = s.Tolerate(t.Context(), func(string) {}, func() error { return s.Query(t.Context(), "select nope from spans", &rows{}) })
	require.ErrorContains(t, err, "nope")
}

func TestTheNamesOfTheViewsStayTheirs(t *testing.T) {
	dir := t.TempDir()
	store := storetest.New(t, dir)
	store.Commit([]lake.File{store.File("traces", "select 'a' as name")})
	s := openReader(t, dir)
	for _, sql := range []string{
		"create temp view spans as select 1", "create table \"Logs\" (a int)", "drop view spans", "alter view spans rename to x",
		"create table x (a int); alter table x rename to logs", "create schema y; create table y.spans (a int)",
	} {
		require.ErrorContains(t, s.Query(t.Context(), sql, &rows{}), "is a view of the store", sql)
	}
	require.Empty(t, ask(t, s, "create schema z; use z; create table mine as select 1 as n"))
	store.Commit([]lake.File{store.File("traces", "select 'b' as name")})
	require.Equal(t, []string{"2|1"}, ask(t, s, "select (select count(*) from spans), n from mine"))
}

func TestStatementsThatTookEffectAreNotRepeated(t *testing.T) {
	dir := t.TempDir()
	store := storetest.New(t, dir)
	old := store.File("traces", "select 'a' as name")
	store.Commit([]lake.File{old})
	s := openReader(t, dir)
	require.Empty(t, ask(t, s, "create temp table n (a int)"))
	s.manifest.seen = nil
	s.manifest.read = func(dir string) (lake.Snapshot, error) {
		snapshot, err := Snapshot(dir)
		if _, gone := os.Lstat(s.index.path(old)); gone == nil {
			store.Commit([]lake.File{store.File("traces", "select 'b' as name")}, old.Path)
			store.Unlink(old)
		}
		return snapshot, err
	}
	require.Error(t, s.Query(t.Context(), "insert into n values (1); create table copied as from spans", &rows{}))
	require.Equal(t, []string{"1"}, ask(t, s, "select count(*) from n"))
}

func TestFollowLeavesOutABadFileAndGoesOn(t *testing.T) {
	dir := t.TempDir()
	store := storetest.New(t, dir)
	store.Commit([]lake.File{store.File("traces", "select 'old' as name")})
	s := openReader(t, dir)
	f := follow(t, s, false)
	require.Empty(t, f.look())
	bad := store.File("logs", "select 'x' as body")
	require.NoError(t, os.Truncate(s.index.path(bad), 100))
	store.Commit([]lake.File{bad, store.File("traces", "select 'a' as name")})
	require.Equal(t, []string{"a"}, f.look())
	store.Commit([]lake.File{store.File("traces", "select 'b' as name")})
	require.Equal(t, []string{"b"}, f.look())
	f.end()
	require.Len(t, f.notes, 1)
	require.Contains(t, f.notes[0], "the rows of "+bad.Path+" are left out: ")
}
