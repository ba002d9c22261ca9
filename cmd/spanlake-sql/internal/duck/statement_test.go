package duck

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWhatIsAnswered(t *testing.T) {
	db := openDB(t)
	for _, sql := range []string{
		"select 1; (select 2); from (values (3)); values (4); table duckdb_tables",
		"with a as (select 1) select * from a", "describe select 1", "show tables", "summarize select 1", "pragma version",
		"create temp table t (a int); insert into t values (1); update t set a = 2; delete from t; alter table t rename to u; drop table u",
		"create view v as select 1; create macro f(x) as x + 1; create schema s; use s; use main; set variable x = 1; reset variable x",
		"pivot (select 1 as a, 2 as b) on a using sum(b)",
		"explain select 1", "explain analyze select 1", "explain (format json) select 1", "explain (select 1)", "explain analyze (from (select 1))",
		"select 'copy; attach', \"begin\" from (select 1 as begin)",
	} {
		require.NoError(t, db.Query(t.Context(), sql, &collect{}), sql)
	}
	for name, tc := range map[string]struct {
		sql  string
		want error
	}{
		"begin":       {"begin", ErrTransaction},
		"start":       {"start transaction", ErrTransaction},
		"commit":      {"select 1; COMMIT", ErrTransaction},
		"abort":       {"/**/abort", ErrTransaction},
		"call":        {"call pragma_version()", ErrNotAnswered},
		"checkpoint":  {"force checkpoint", ErrNotAnswered},
		"install":     {"install httpfs", ErrNotAnswered},
		"extensions":  {"update extensions", ErrNotAnswered},
		"nothing ran": {"create table left_over (a int); rollback", ErrTransaction},
	} {
		t.Run(name, func(t *testing.T) {
			require.ErrorIs(t, db.Query(t.Context(), tc.sql, &collect{}), tc.want)
		})
	}
	require.ErrorContains(t, db.Query(t.Context(), "from left_over", &collect{}), "does not exist")
}

func TestWhatAStatementChanges(t *testing.T) {
	db := openDB(t)
	for sql, want := range map[string][]string{
		"select 1 as spans":                                   {},
		"create table a (logs int, spans int)":                {"a"},
		"create or replace temp view \"Spans\" as select 1":   {"spans"},
		"create table if not exists memory.main.logs (a int)": {"logs"},
		"drop view if exists b.spans":                         {"spans"},
		"alter table a rename to logs":                        {"a", "logs"},
	} {
		statements, err := db.Statements(t.Context(), sql)
		require.NoError(t, err)
		require.ElementsMatch(t, want, statements[0].Changes(), sql)
	}
}

func TestStatementsAreThoseOfTheEngine(t *testing.T) {
	db := openDB(t)
	for sql, want := range map[string][]string{
		"":                                  {},
		";;-- x\n;":                         {},
		"select 1 -- ;":                     {"select 1 -- ;"},
		"select 1;select ';';":              {"select 1", "select ';'"},
		"select 'a''; b'; select 2":         {"select 'a''; b'", " select 2"},
		"select $a$ ; $$ $a$;select 1":      {"select $a$ ; $$ $a$", "select 1"},
		"select /* /* ; */ ; */ 1; /* ; */": {"select /* /* ; */ ; */ 1"},
	} {
		statements, err := db.Statements(t.Context(), sql)
		require.NoError(t, err, sql)
		got := []string{}
		for _, s := range statements {
			got = append(got, s.Text())
		}
		require.Equal(t, want, got)
	}
}

// Text of the engine's grammar is cut where the engine cuts it, or refused.
func FuzzSplit(f *testing.F) {
	for _, sql := range []string{"select ';'; select E'\\';'", "select $$;$$ /* /* ; */ */ ; -- ;", "select \";\"\"\"", "select 1e'a'", "select $1$;$1$"} {
		f.Add(sql)
	}
	db, err := Open(Settings{Threads: 1, MemoryLimit: "256MB"})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(db.Close)
	f.Fuzz(func(t *testing.T, sql string) {
		pieces := split(sql)
		joined := 0
		for _, piece := range pieces {
			require.NotEmpty(t, piece.tokens)
			require.Len(t, piece.ends, len(piece.tokens))
			joined += len(piece.text)
		}
		require.LessOrEqual(t, joined, len(sql))
		if strings.ContainsRune(sql, 0) || strings.Contains(strings.ToLower(sql), "p") { // import, pragma, pivot are rewritten
			return
		}
		statements, err := db.Statements(t.Context(), sql)
		if err != nil {
			return
		}
		n, err := db.count(sql)
		require.NoError(t, err)
		require.Len(t, statements, n)
	})
}
