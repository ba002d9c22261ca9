package reader

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/spanlake/spanlake/cmd/spanlake-sql/internal/storetest"
	"github.com/spanlake/spanlake/internal/lake"
)

const (
	ten   = int64(1_795_255_200_000_000_000) // 2026-11-21 10:00 UTC
	trace = "5b8efff798038103d269b633813fc60c"
	other = "ab000000000000000000000000000001"
)

func openPlanner(t *testing.T) *planner {
	t.Helper()
	p := &planner{}
	require.NoError(t, p.open(t.Context(), newViews()))
	t.Cleanup(p.close)
	return p
}

func TestWhatAQueryNeeds(t *testing.T) {
	p := openPlanner(t)
	all := everything()
	of := func(traces ...string) needed {
		return needed{from: math.MinInt64, to: math.MaxInt64, traces: traces}
	}
	from := func(at int64) needed { return needed{from: at, to: math.MaxInt64, anyTrace: true} }
	to := func(at int64) needed { return needed{from: math.MinInt64, to: at, anyTrace: true} }
	for name, tc := range map[string]struct {
		sql  string
		want map[string]needed
	}{
		"trace":             {"select * from spans where trace_id = '" + trace + "'", map[string]needed{"spans": of(trace)}},
		"trace and more":    {"select count(*) from spans where name = 'x' and trace_id = '" + trace + "' and duration_ns > 3", map[string]needed{"spans": of(trace)}},
		"or another column": {"select * from spans where trace_id = '" + trace + "' or name = 'x'", map[string]needed{"spans": all}},
		"two traces":        {"select * from spans where trace_id in ('" + trace + "', '" + other + "')", map[string]needed{"spans": of(trace, other)}},
		"one or the other":  {"select * from spans where trace_id = '" + trace + "' or trace_id = '" + other + "'", map[string]needed{"spans": of(trace, other)}},
		"not the trace":     {"select * from spans where trace_id <> '" + trace + "'", map[string]needed{"spans": all}},
		"changed trace":     {"select * from spans where lower(trace_id) = '" + trace + "'", map[string]needed{"spans": all}},
		"trace of both": {
			"select * from spans s join logs l using (trace_id) where s.trace_id = '" + trace + "'",
			map[string]needed{"spans": of(trace), "logs": of(trace)},
		},
		"outer join": {
			"select * from spans s left join logs l on l.trace_id = s.trace_id and l.trace_id = '" + trace + "'",
			map[string]needed{"spans": all, "logs": of(trace)},
		},
		"two scans": {
			"select (select count(*) from spans where trace_id = '" + trace + "'), (select count(*) from spans where trace_id = '" + other + "')",
			map[string]needed{"spans": of(other, trace)},
		},
		"one scan of all": {
			"select (select count(*) from spans where trace_id = '" + trace + "'), (select count(*) from spans)",
			map[string]needed{"spans": all},
		},
		"from":     {"select * from spans where timestamp >= timestamp_ns '2026-11-21 10:00:00'", map[string]needed{"spans": from(ten)}},
		"text":     {"select * from spans where timestamp > '2026-11-21 10:00:00'", map[string]needed{"spans": from(ten)}},
		"to":       {"select * from spans where timestamp < '2026-11-21 10:00:00'", map[string]needed{"spans": to(ten)}},
		"equal":    {"select * from spans where timestamp = '2026-11-21 10:00:00'", map[string]needed{"spans": {from: ten, to: ten, anyTrace: true}}},
		"backward": {"select * from spans where '2026-11-21 10:00:00' < timestamp", map[string]needed{"spans": from(ten)}},
		"between": {
			"select * from spans where timestamp between '2026-11-21 10:00:00' and '2026-11-21 11:00:00'",
			map[string]needed{"spans": {from: ten, to: ten + int64(time.Hour), anyTrace: true}},
		},
		"coarse type":       {"select * from spans where timestamp >= timestamp '2026-11-21 10:00:00'", map[string]needed{"spans": from(ten)}},
		"day":               {"select * from spans where timestamp >= date '2026-11-21' + interval 10 hour", map[string]needed{"spans": from(ten)}},
		"top with filter":   {"select * from spans where timestamp >= '2026-11-21 10:00:00' order by timestamp desc limit 20", map[string]needed{"spans": from(ten)}},
		"in a CTE":          {"with x as materialized (select * from spans where timestamp >= '2026-11-21 10:00:00') select * from x a join x b using (trace_id)", map[string]needed{"spans": from(ten)}},
		"null":              {"select * from spans where trace_id is null", map[string]needed{"spans": all}},
		"table of a select": {"create table x as select trace_id from spans where trace_id = '" + trace + "'; select trace_id from logs", map[string]needed{"spans": of(trace), "logs": all}},
		"no view":           {"select 1 as trace_id", map[string]needed{}},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := p.needs(t.Context(), tc.sql)
			require.True(t, ok)
			for _, n := range got {
				slices.Sort(n.traces)
			}
			for _, n := range tc.want {
				slices.Sort(n.traces)
			}
			require.Equal(t, tc.want, got)
		})
	}
	for name, sql := range map[string]string{
		"unknown table": "select trace_id from mine",
		"syntax":        "selec trace_id from spans",
		"nothing":       "select trace_id from spans where false",
		"explain":       "explain select trace_id from spans",
	} {
		t.Run(name, func(t *testing.T) {
			_, ok := p.needs(t.Context(), sql)
			require.False(t, ok)
		})
	}
}

func TestTheLastHourIsUnderstood(t *testing.T) {
	got, ok := openPlanner(t).needs(t.Context(), "select * from spans where timestamp > now()::timestamp - interval 1 hour")
	require.True(t, ok)
	require.WithinDuration(t, time.Now().Add(-time.Hour), time.Unix(0, got["spans"].from), time.Minute)
}

// The clock may strike between the plan and the query.
func TestBoundsThatTheClockMovesAreNone(t *testing.T) {
	p := openPlanner(t)
	for sql, below := range map[string]bool{ // whether there is a bound below
		"timestamp < now()::timestamp":                                               false,
		"timestamp < current_date":                                                   false,
		"timestamp = date_trunc('hour', now()::timestamp)":                           true,
		"timestamp >= today() and timestamp < today() + 1":                           true,
		"timestamp >= timestamp '2026-01-01' + to_hours(hour(now()::timestamp))":     false,
		"timestamp between current_date - 1 and date_trunc('day', now()::timestamp)": true,
		"timestamp > cast(current_localtimestamp() as date)":                         true,
	} {
		got, ok := p.needs(t.Context(), "select * from spans where "+sql)
		require.True(t, ok, sql)
		require.EqualValues(t, math.MaxInt64, got["spans"].to, sql)
		require.Equal(t, below, got["spans"].from > math.MinInt64, sql)
	}
}

// Whatever files are left out, the answers are those over all files.
func TestLeavingFilesOutChangesNoAnswer(t *testing.T) {
	dir := t.TempDir()
	store := storetest.New(t, dir)
	var files []lake.File
	for i := range 8 {
		more := ""
		if i%3 == 0 {
			more = ", 'blue' as \"tenant.id\""
		}
		for _, signal := range []string{"traces", "logs"} {
			files = append(files, store.File(signal, fmt.Sprintf(
				"select make_timestamp_ns(%d + range * 5000000000) as timestamp, format('{:032x}', (range * 7 + %d) %% 13 + %d) as trace_id, 's' || (range %% 3) as service_name%s from range(120)",
				ten+int64(i)*int64(10*time.Minute), i, i/4*13, more)))
		}
	}
	store.Commit(files)
	pruned, whole := openReader(t, dir), openReader(t, dir)
	ask(t, pruned, "create view mine as select trace_id from spans; select count(trace_id) from mine")
	queries := rapid.Custom(randomQuery)
	for i := range 40 { // a hundred, as rapid.Check does, take seconds
		sql := queries.Example(i)
		got := ask(t, pruned, sql)
		// The second statement needs a table that the planner does not have.
		require.Equal(t, ask(t, whole, "create or replace temp table answer as "+sql+"; from answer"), got, sql)
	}
}

func randomQuery(r *rapid.T) string {
	view := rapid.SampledFrom([]string{"spans", "logs"})
	condition := func(alias, label string) string {
		one := rapid.Custom(func(r *rapid.T) string {
			at := time.Unix(0, ten).Add(time.Duration(rapid.IntRange(-10, 90).Draw(r, "minutes")) * time.Minute).UTC().Format(time.DateTime)
			id := fmt.Sprintf("%032x", rapid.IntRange(0, 28).Draw(r, "id"))
			return rapid.SampledFrom([]string{
				alias + ".timestamp >= '" + at + "'", alias + ".timestamp < '" + at + "'", alias + ".timestamp = '" + at + "'",
				alias + ".trace_id = '" + id + "'", alias + ".trace_id in ('" + id + "', '" + strings.Repeat("0", 32) + "')",
				"not " + alias + ".trace_id = '" + id + "'", alias + ".service_name = 's1'",
			}).Draw(r, "term")
		})
		terms := rapid.SliceOfN(one, 1, 3).Draw(r, label)
		return "(" + strings.Join(terms, rapid.SampledFrom([]string{" and ", " or "}).Draw(r, "operator")) + ")"
	}
	a, b := view.Draw(r, "view"), view.Draw(r, "view")
	switch rapid.IntRange(0, 3).Draw(r, "shape") {
	case 0:
		return "select a.timestamp, a.trace_id from " + a + " a where " + condition("a", "where") + " order by all"
	case 1:
		return "select a.timestamp from " + a + " a where " + condition("a", "where") + " order by a.timestamp desc limit 3"
	case 2:
		return "select count(*), count(b.trace_id) from " + a + " a left join " + b + " b on a.trace_id = b.trace_id and " + condition("b", "on") + " where " + condition("a", "where")
	default:
		return "select (select count(*) from " + a + " a where " + condition("a", "first") + ") as x, (select min(timestamp) from " + b + " b where " + condition("b", "second") + ") as y"
	}
}

func TestAQueryOpensOnlyTheFilesItNeeds(t *testing.T) {
	dir := t.TempDir()
	store := storetest.New(t, dir)
	var files []lake.File
	for i := range 5 {
		files = append(files, store.File("traces", fmt.Sprintf("select make_timestamp_ns(%d) as timestamp, repeat('%d', 32) as trace_id from range(100)", ten+int64(i)*int64(time.Hour), i)))
	}
	store.Commit(files)
	s := openReader(t, dir)
	shown := func() []string {
		var names []string
		for _, f := range s.views[0].shown {
			names = append(names, f.Path)
		}
		return names
	}
	require.Equal(t, []string{"100"}, ask(t, s, "select count(*) from spans where trace_id = repeat('3', 32)"))
	require.Equal(t, []string{files[3].Path}, shown())
	require.Equal(t, []string{"200"}, ask(t, s, "select count(*) from spans where timestamp >= '2026-11-21 13:00:00'"))
	require.Equal(t, []string{files[3].Path, files[4].Path}, shown())
	require.Equal(t, []string{"500"}, ask(t, s, "select count(*) from spans"))
	require.Len(t, shown(), 5)
}

// What a session holds is not known to the engine that plans.
func TestTheStateOfASessionCounts(t *testing.T) {
	dir := t.TempDir()
	store := storetest.New(t, dir)
	var files []lake.File
	for i := range 5 {
		files = append(files, store.File("traces", fmt.Sprintf("select make_timestamp_ns(%d) as timestamp, repeat('%d', 32) as trace_id from range(100)", ten+int64(i)*int64(time.Hour), i)))
	}
	store.Commit(files)
	s := openReader(t, dir)
	require.Empty(t, ask(t, s, "set variable id = repeat('3', 32)"))
	require.Equal(t, []string{"100"}, ask(t, s, "select count(*) from spans where trace_id = coalesce(getvariable('id'), 'none')"))
	require.Empty(t, ask(t, s, "create temp table mine as select repeat('2', 32) as trace_id"))
	require.Equal(t, []string{"100"}, ask(t, s, "select count(*) from spans where trace_id in (from mine)"))
	require.Empty(t, ask(t, s, "create macro repeat(a, b) as '44444444444444444444444444444444'"))
	require.Equal(t, []string{"100"}, ask(t, s, "select count(*) from spans where trace_id = repeat('none', 1)"))
}

func TestTheWindowBoundsTheViews(t *testing.T) {
	dir := t.TempDir()
	store := storetest.New(t, dir)
	store.Commit([]lake.File{
		store.File("traces", fmt.Sprintf("select make_timestamp_ns(%d + range * 60000000000) as timestamp from range(60)", ten)),
		store.File("traces", fmt.Sprintf("select make_timestamp_ns(%d) as timestamp", ten+int64(5*time.Hour))),
	})
	at := func(minutes int) time.Time { return time.Unix(0, ten).Add(time.Duration(minutes) * time.Minute) }
	for name, tc := range map[string]struct {
		window Window
		want   string
	}{
		"none":      {Window{}, "61"},
		"from":      {Window{From: at(30)}, "31"},
		"to":        {Window{To: at(30)}, "30"},
		"both":      {Window{From: at(10), To: at(30)}, "20"},
		"no file":   {Window{From: at(1000)}, "0"},
		"far apart": {Window{From: time.Unix(-1<<40, 0), To: time.Unix(1<<40, 0)}, "61"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Open(Options{Dir: dir, Threads: 1, MemoryLimit: "256MB", Window: tc.window})
			require.NoError(t, err)
			defer func() { require.NoError(t, s.Close()) }()
			require.Equal(t, []string{tc.want}, ask(t, s, "select count(*) from spans"))
		})
	}
}
