package duck

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// collect keeps every value of a query as text and as JSON.
type collect struct {
	columns    []string
	text, json [][]string
	ended      int
	onRow      func() error
}

func (c *collect) Begin(columns []Column) error {
	c.columns = nil
	for _, column := range columns {
		c.columns = append(c.columns, column.Name)
	}
	return nil
}

func (c *collect) Row(row Row) error {
	text, json := make([]string, len(c.columns)), make([]string, len(c.columns))
	for i := range c.columns {
		text[i] = string(row.AppendText(nil, i))
		json[i] = string(row.AppendJSON(nil, i))
	}
	c.text, c.json = append(c.text, text), append(c.json, json)
	if c.onRow != nil {
		return c.onRow()
	}
	return nil
}

func (c *collect) End() error {
	c.ended++
	return nil
}

func openDB(t *testing.T, directories ...string) *DB {
	t.Helper()
	db, err := Open(Settings{Threads: 1, MemoryLimit: "256MB", TempDir: filepath.Join(t.TempDir(), "spill"), Directories: directories})
	require.NoError(t, err)
	t.Cleanup(db.Close)
	return db
}

func TestStatementsRunInOrderAndEachResultIsHandedOut(t *testing.T) {
	db := openDB(t)
	var got collect
	require.NoError(t, db.Query(t.Context(), "create table t (a int); insert into t values (3); select a from t; select 'x' as b, 2 as c", &got))
	require.Equal(t, [][]string{{"3"}, {"x", "2"}}, got.text)
	require.Equal(t, []string{"b", "c"}, got.columns)
	require.Equal(t, 2, got.ended)
}

func TestAQueryOfCommentsOnlyYieldsNothing(t *testing.T) {
	var got collect
	require.NoError(t, openDB(t).Query(t.Context(), "-- nothing", &got))
	require.Zero(t, got.ended)
}

func TestErrorsAreLowerCaseAndKeepThePlaceInTheQuery(t *testing.T) {
	db := openDB(t)
	for name, tc := range map[string]struct{ sql, want string }{
		"parser":    {"select a b c", "parser error: syntax error at or near \"c\"\n\nLINE 1: select a b c\n                   ^"},
		"binder":    {"select nope", "binder error: referenced column \"nope\" was not found because the FROM clause is missing\n\nLINE 1: select nope\n               ^"},
		"execution": {"select error('Out of tea')", "invalid input error: out of tea"},
		"parameter": {"select ?", "a parameter such as $1 or ? has no value here: write the value into the query"},
		"type":      {"select '101'::bit as b", `column "b": type BIT cannot be shown: cast it to varchar`},
		"nested":    {"select [union_value(n := 1)] as b", `column "b": type UNION cannot be shown: cast it to varchar`},
	} {
		t.Run(name, func(t *testing.T) {
			require.EqualError(t, db.Query(t.Context(), tc.sql, &collect{}), tc.want)
		})
	}
}

func TestAnErrorOfTheSinkEndsTheQuery(t *testing.T) {
	enough := errors.New("enough")
	got := collect{onRow: func() error { return enough }}
	require.ErrorIs(t, openDB(t).Query(t.Context(), "from range(100000)", &got), enough)
	require.Len(t, got.text, 1)
	require.Zero(t, got.ended)
}

func TestFilesOutsideTheDirectoriesAreClosed(t *testing.T) {
	inside, outside := t.TempDir(), t.TempDir()
	for _, dir := range []string{inside, outside} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "f.csv"), []byte("a\n1\n"), 0o600))
	}
	db := openDB(t, inside)
	var got collect
	require.NoError(t, db.Query(t.Context(), "from read_csv("+Quote(filepath.Join(inside, "f.csv"))+")", &got))
	require.Equal(t, [][]string{{"1"}}, got.text)

	for name, sql := range map[string]string{
		"read":     "from read_csv(" + Quote(filepath.Join(outside, "f.csv")) + ")",
		"traverse": "from read_csv(" + Quote(inside+"/../"+filepath.Base(outside)+"/f.csv") + ")",
		"attach":   "attach " + Quote(filepath.Join(outside, "x.db")),
		"install":  "install httpfs",
		"load":     "load httpfs",
		"url":      "from read_csv('http://127.0.0.1:1/f.csv')",
		"reopen":   "set enable_external_access = true",
		"widen":    "set allowed_directories = ['/']",
		"threads":  "set threads = 64",
	} {
		t.Run(name, func(t *testing.T) {
			require.Error(t, db.Query(t.Context(), sql, &collect{}))
		})
	}
}

func TestUsersCannotWriteFilesIntoTheDirectories(t *testing.T) {
	dir := t.TempDir()
	db := openDB(t, dir)
	for name, sql := range map[string]string{
		"copy":    "copy (select 1) to " + Quote(filepath.Join(dir, "x.parquet")),
		"export":  "export database " + Quote(filepath.Join(dir, "x")),
		"prepare": "prepare p as copy (select 1) to " + Quote(filepath.Join(dir, "x.parquet")),
		"execute": "execute p",
		"import":  "import database " + Quote(dir),
		"attach":  "attach " + Quote(filepath.Join(dir, "evil.db")) + " as e",
		"explain": "explain analyze copy (select 1 as z) to " + Quote(filepath.Join(dir, "MANIFEST")) + " (format csv)",
		"options": "explain (analyze, format json) copy (select 1) to " + Quote(filepath.Join(dir, "MANIFEST")),
		"planned": "explain export database " + Quote(filepath.Join(dir, "x")),
		"comment": "/* a /* b */ ; */ -- ;\n explain -- '\n analyze /* ' */ copy (select 1) to " + Quote(filepath.Join(dir, "MANIFEST")),
		"later":   "select ';', $$;'$$, E'\\';', \";\"\"\" from (select 1 as \";\"\"\"); ; explain analyze copy (select 1) to " + Quote(filepath.Join(dir, "MANIFEST")),
		"space":   "\u00a0attach " + Quote(filepath.Join(dir, "evil.db")),
		"logging": "from enable_logging(storage = 'file', storage_config = {'path': " + Quote(dir) + "})",
		"quoted":  "from system.main.\"enable_LOGGING\" (storage = 'file', storage_config = {'path': " + Quote(dir) + "})",
		"dynamic": "from query('from enable_' || 'logging()')",
		"secret":  "create or replace persistent secret s (type http)",
	} {
		t.Run(name, func(t *testing.T) {
			require.ErrorIs(t, db.Query(t.Context(), sql, &collect{}), ErrWrites)
		})
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
}

func TestAMissingFileIsAFileError(t *testing.T) {
	dir := t.TempDir()
	err := openDB(t, dir).Query(t.Context(), "from read_parquet("+Quote(filepath.Join(dir, "gone.parquet"))+")", &collect{})
	require.ErrorIs(t, err, ErrIO)
	require.ErrorContains(t, err, "gone.parquet")
}

func TestCancellingEndsARunningQueryAndSparesTheNext(t *testing.T) {
	db := openDB(t)
	for name, sql := range map[string]string{
		"before rows":  "select count(*) from range(1000000000000) where hash(range) = 1",
		"between rows": "from range(1000000000000)",
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			got := collect{onRow: func() error { cancel(); return nil }}
			timer := time.AfterFunc(100*time.Millisecond, cancel)
			defer timer.Stop()
			require.ErrorIs(t, db.Query(ctx, sql, &got), context.Canceled)

			got = collect{}
			require.NoError(t, db.Query(t.Context(), "select 42", &got))
			require.Equal(t, [][]string{{"42"}}, got.text)
		})
	}
}

func TestALongResultIsStreamed(t *testing.T) {
	db := openDB(t)
	stop := errors.New("stop")
	rows := 0
	got := collect{onRow: func() error {
		if rows++; rows == 10_000 {
			return stop
		}
		return nil
	}}
	// Materialized, this would take more memory than any machine has.
	require.ErrorIs(t, db.Query(t.Context(), "select range, repeat('x', 1000) from range(1000000000000)", &got), stop)
}

func TestClosingTwiceIsAllowed(t *testing.T) {
	db, err := Open(Settings{})
	require.NoError(t, err)
	db.Close()
	db.Close()
}

func TestABadMemoryLimitIsRefused(t *testing.T) {
	_, err := Open(Settings{MemoryLimit: "much"})
	require.ErrorContains(t, err, "memory_limit")
}
