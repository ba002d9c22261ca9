package main

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/cmd/spanlake-sql/internal/duck"
	"github.com/spanlake/spanlake/cmd/spanlake-sql/internal/format"
	"github.com/spanlake/spanlake/cmd/spanlake-sql/internal/storetest"
	"github.com/spanlake/spanlake/internal/lake"
)

var update = flag.Bool("update", false, "write the golden files of this test anew")

// result is what a run of the program left behind.
type result struct {
	code     int
	out, err string
}

func runWith(in string, args ...string) result {
	var out, err bytes.Buffer
	code := run(args, streams{in: strings.NewReader(in), out: &out, err: &err})
	return result{code: code, out: out.String(), err: err.String()}
}

// newShop is a store with one trace of two spans and a log record.
func newShop(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	store := storetest.New(t, dir)
	store.Commit([]lake.File{
		store.File("traces", `select * from (values
			(timestamp_ns '2026-11-21 09:00:00.000000001', 1500000::bigint, 'shop', 'GET /cart', 2::integer, 0::integer, '5b8efff798038103d269b633813fc60c', 'eee19b7ec3c1b174', null,
			 '{"n":9007199254740993,"ratio":1.0,"who":"Zoë, \"the\" 店主"}', 200::bigint, 1.0::double,
			 [{'timestamp': timestamp_ns '2026-11-21 09:00:00.000500000', 'name': 'exception', 'attributes': '{"exception.type":"Timeout"}', 'dropped_attributes_count': 0::uinteger}]),
			(timestamp_ns '2026-11-21 09:00:00.000100000', 900000::bigint, 'shop', E'SELECT\n"cart"', 3::integer, 2::integer, '5b8efff798038103d269b633813fc60c', 'eee19b7ec3c1b175', 'eee19b7ec3c1b174',
			 '{}', null, 'nan'::double, [])
			) t(timestamp, duration_ns, service_name, name, kind, status_code, trace_id, span_id, parent_span_id, attributes, "http.response.status_code", adjusted_count, events)`),
		store.File("logs", `select timestamp_ns '2026-11-21 09:00:00.000200000' as timestamp, 17::integer as severity_number, '5b8efff798038103d269b633813fc60c' as trace_id,
			'cart lost' as body, '' as severity_text`),
	})
	return dir
}

func TestOutputs(t *testing.T) {
	dir := newShop(t)
	const (
		spans = `select timestamp, duration_ns, name, parent_span_id, attributes, "http.response.status_code", adjusted_count, events from spans order by timestamp`
		join  = `select s.name, l.body, s.trace_id, l.trace_id from spans s join logs l using (trace_id) where s.parent_span_id is null`
	)
	for name, args := range map[string][]string{
		"spans.table": {spans},
		"spans.csv":   {"--format", "csv", spans},
		"spans.json":  {"--format=json", spans},
		"join.table":  {join},
		"join.csv":    {"--format", "csv", join},
		"join.json":   {"--format", "json", join},
		"none.table":  {"select name, kind from spans where false"},
		"none.csv":    {"--format", "csv", "select name, kind from spans where false"},
		"none.json":   {"--format", "json", "select name, kind from spans where false"},
		"two.table":   {"select count(*) as spans from spans; select count(*) as logs from logs"},
		"two.json":    {"--format", "json", "select count(*) as spans from spans; select count(*) as logs from logs"},
	} {
		t.Run(name, func(t *testing.T) {
			got := runWith("", append([]string{"--data", dir}, args...)...)
			require.Empty(t, got.err)
			require.Equal(t, exitOK, got.code)
			golden := filepath.Join("testdata", name+".golden")
			if *update {
				require.NoError(t, os.WriteFile(golden, []byte(got.out), 0o600))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			require.Equal(t, string(want), got.out)
		})
	}
}

func TestTheQueryIsReadFromStandardInput(t *testing.T) {
	dir := newShop(t)
	got := runWith("select count(*) as n\nfrom spans; -- all of them\n", "--data", dir, "--format", "csv")
	require.Equal(t, result{out: "n\n2\n"}, got)

	got = runWith(" \n", "--data", dir)
	require.Equal(t, result{code: exitFailed, err: "spanlake-sql: no query: give one as argument or on standard input\n"}, got)
}

func TestFilesAreListedOneALine(t *testing.T) {
	dir := newShop(t)
	got := runWith("", "--files", "--data", dir)
	require.Equal(t, exitOK, got.code)
	require.Empty(t, got.err)
	lines := strings.Split(strings.TrimSuffix(got.out, "\n"), "\n")
	require.Len(t, lines, 2)
	for _, line := range lines {
		require.FileExists(t, line)
	}

	got = runWith("", "--files", "--data", filepath.Join(dir, "none"))
	require.Equal(t, exitFailed, got.code)
	require.Contains(t, got.err, "no store in "+filepath.Join(dir, "none")+": ")
}

func TestTheWindow(t *testing.T) {
	dir := newShop(t)
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"all":         {nil, "2"},
		"from":        {[]string{"--from", "2026-11-21T09:00:00.00005Z"}, "1"},
		"to":          {[]string{"--to", "2026-11-21 09:00:00"}, "0"},
		"day":         {[]string{"--from", "2026-11-21", "--to", "2026-11-22"}, "2"},
		"offset":      {[]string{"--from", "2026-11-21T10:00:00+01:00", "--to", "2026-11-21T10:30:00+01:00"}, "2"},
		"last second": {[]string{"--since", "1s", "--to", "2036-01-01"}, "0"},
		"since":       {[]string{"--since", "36500d"}, "2"},
	} {
		t.Run(name, func(t *testing.T) {
			got := runWith("", append([]string{"--data", dir, "--format", "csv", "select count(*) as n from spans"}, tc.args...)...)
			require.Equal(t, result{out: "n\n" + tc.want + "\n"}, got)
		})
	}
	require.Empty(t, runWith("", "--data", dir, "--files", "--to", "2026-11-21").out)
}

func TestErrors(t *testing.T) {
	dir := newShop(t)
	for name, tc := range map[string]struct {
		args []string
		code int
		want string
	}{
		"sql":              {[]string{"selec 1"}, exitFailed, "spanlake-sql: parser error: syntax error at or near \"selec\"\n\nLINE 1: selec 1\n        ^\n"},
		"memory limit":     {[]string{"--memory-limit", "lots", "select 1"}, exitFailed, "spanlake-sql: open the query engine: setting memory_limit=lots refused\n"},
		"unknown flag":     {[]string{"--frmat", "csv", "select 1"}, exitUsage, "spanlake-sql: flag provided but not defined: -frmat\nspanlake-sql --help lists the flags\n"},
		"unknown format":   {[]string{"--format", "xml", "select 1"}, exitUsage, "spanlake-sql: --format: \"xml\" is not one of table, csv, json, parquet\nspanlake-sql --help lists the flags\n"},
		"flags at the end": {[]string{"select 1", "--format", "xml"}, exitUsage, "spanlake-sql: --format: \"xml\" is not one of table, csv, json, parquet\nspanlake-sql --help lists the flags\n"},
		"query not quoted": {[]string{"select", "1"}, exitUsage, "spanlake-sql: more than one query: put the query in quotes\nspanlake-sql --help lists the flags\n"},
		"empty query":      {[]string{" "}, exitUsage, "spanlake-sql: the query is empty\nspanlake-sql --help lists the flags\n"},
		"negative threads": {[]string{"--threads", "-1", "select 1"}, exitUsage, "spanlake-sql: --threads: -1 is less than 0\nspanlake-sql --help lists the flags\n"},
		"files and query":  {[]string{"--files", "select 1"}, exitUsage, "spanlake-sql: --files takes no query\nspanlake-sql --help lists the flags\n"},
		"no trace":         {[]string{"--trace", "1"}, exitUsage, "spanlake-sql: invalid value \"1\" for flag -trace: \"1\" is no trace ID: give 32 hexadecimal digits, 16, a UUID or a traceparent\nspanlake-sql --help lists the flags\n"},
		"trace and query":  {[]string{"--trace", "5b8efff798038103d269b633813fc60c", "select 1"}, exitUsage, "spanlake-sql: --trace takes no query\nspanlake-sql --help lists the flags\n"},
		"trace as csv":     {[]string{"--trace", "5b8efff798038103d269b633813fc60c", "--format", "csv"}, exitUsage, "spanlake-sql: --format: --trace writes table or json, not \"csv\"\nspanlake-sql --help lists the flags\n"},
		"tail of what":     {[]string{"--tail=metrics"}, exitUsage, "spanlake-sql: invalid boolean value \"metrics\" for -tail: not one of both, spans, logs\nspanlake-sql --help lists the flags\n"},
		"tail and query":   {[]string{"--tail", "select 1"}, exitUsage, "spanlake-sql: --tail takes no query\nspanlake-sql --help lists the flags\n"},
		"tail and trace":   {[]string{"--tail", "--trace", "5b8efff798038103d269b633813fc60c"}, exitUsage, "spanlake-sql: --files, --trace and --tail exclude each other\nspanlake-sql --help lists the flags\n"},
		"tail with an end": {[]string{"--tail", "--to", "2026-11-21"}, exitUsage, "spanlake-sql: --tail has no end: leave --to out\nspanlake-sql --help lists the flags\n"},
		"where alone":      {[]string{"--where", "true", "select 1"}, exitUsage, "spanlake-sql: --where goes with --tail: a query has its own\nspanlake-sql --help lists the flags\n"},
		"no time":          {[]string{"--from", "noon", "select 1"}, exitUsage, "spanlake-sql: invalid value \"noon\" for flag -from: not a time such as 2026-11-21 or 2026-11-21T09:30:00Z\nspanlake-sql --help lists the flags\n"},
		"no duration":      {[]string{"--since", "7days", "select 1"}, exitUsage, "spanlake-sql: invalid value \"7days\" for flag -since: not a duration such as 30m, 12h or 7d\nspanlake-sql --help lists the flags\n"},
		"backward window":  {[]string{"--from", "2026-11-21", "--to", "2026-11-20", "select 1"}, exitUsage, "spanlake-sql: --to is not after --from or --since\nspanlake-sql --help lists the flags\n"},
		"empty data":       {[]string{"--data", "", "select 1"}, exitUsage, "spanlake-sql: --data is empty: name the directory of the store\nspanlake-sql --help lists the flags\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got := runWith("", append([]string{"--data", dir}, tc.args...)...)
			require.Equal(t, result{code: tc.code, err: tc.want}, got)
		})
	}
}

func TestParquetKeepsTheTypes(t *testing.T) {
	dir := newShop(t)
	got := runWith("", "--data", dir, "--format", "parquet", "select timestamp, duration_ns, name, events, adjusted_count from spans; -- all\n;")
	require.Empty(t, got.err)
	got = runWith("", "--data", dir, "--format", "parquet", "describe spans")
	require.Empty(t, got.err)
	got = runWith("", "--data", dir, "--format", "parquet", "select timestamp, duration_ns, name, events, adjusted_count from spans -- all\n;")
	require.Empty(t, got.err)

	copied := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(copied, "x.parquet"), []byte(got.out), 0o600))
	db, err := duck.Open(duck.Settings{Directories: []string{copied}})
	require.NoError(t, err)
	defer db.Close()
	var out bytes.Buffer
	sink, err := format.New("csv", &out, false)
	require.NoError(t, err)
	require.NoError(t, db.Query(t.Context(), "select typeof(timestamp), typeof(duration_ns), count(*), max(timestamp) from read_parquet("+duck.Quote(filepath.Join(copied, "x.parquet"))+") group by all", sink))
	require.Contains(t, out.String(), "TIMESTAMP_NS,BIGINT,2,2026-11-21T09:00:00.000100000Z")

	for _, sql := range []string{"select 1; select 2", "create table x as select 1", "", "select 1) to '" + dir + "/x.parquet' --"} {
		got := runWith(sql+" ", "--data", dir, "--format", "parquet")
		require.Equal(t, exitFailed, got.code, sql)
		require.Empty(t, got.out)
	}
	require.NoFileExists(t, filepath.Join(dir, "x.parquet"))
}

func TestAnErrorDoesNothingToATerminal(t *testing.T) {
	got := runWith("", "--data", newShop(t), "select (chr(27) || '[2J' || chr(155))::int")
	require.Equal(t, exitFailed, got.code)
	require.Contains(t, got.err, `\u001b[2J\u009b`)
	require.NotRegexp(t, `[\x00-\x09\x0b-\x1f\x7f\x{80}-\x{9f}]`, got.err)
}

func TestParquetIsNotForATerminal(t *testing.T) {
	var stderr bytes.Buffer
	code := run([]string{"--data", newShop(t), "--format", "parquet", "select 1"}, streams{in: strings.NewReader(""), out: fullDisk{}, err: &stderr, drawn: true})
	require.Equal(t, exitFailed, code)
	require.Equal(t, "spanlake-sql: parquet is not for a terminal: redirect the output to a file\n", stderr.String())
}

func TestHelpGoesToStandardOutput(t *testing.T) {
	require.Equal(t, result{code: exitOK, out: usage}, runWith("", "--help"))
}

func TestAReaderThatWentAwayIsNoMessage(t *testing.T) {
	var stderr bytes.Buffer
	code := run([]string{"--data", newShop(t), "from range(100000)"}, streams{in: strings.NewReader(""), out: brokenPipe{}, err: &stderr})
	require.Equal(t, exitFailed, code)
	require.Empty(t, stderr.String())

	code = run([]string{"--data", newShop(t), "from range(100000)"}, streams{in: strings.NewReader(""), out: fullDisk{}, err: &stderr})
	require.Equal(t, exitFailed, code)
	require.Equal(t, "spanlake-sql: write output: no space left on device\n", stderr.String())
}

// interrupting sends the process an interrupt as soon as output arrives, which
// is when the query is running for sure.
type interrupting struct{ once sync.Once }

func (w *interrupting) Write(p []byte) (int, error) {
	var err error
	w.once.Do(func() { err = syscall.Kill(syscall.Getpid(), syscall.SIGINT) })
	return len(p), err
}

func TestAnInterruptCancelsTheQuery(t *testing.T) {
	var stderr bytes.Buffer
	code := run([]string{"--data", newShop(t), "--format", "csv", "from range(1000000000000)"}, streams{in: strings.NewReader(""), out: &interrupting{}, err: &stderr})
	require.Equal(t, exitFailed, code)
	require.Equal(t, "spanlake-sql: query cancelled: interrupt signal received\n", stderr.String())
}

func TestTheQueriesOfTheREADMERun(t *testing.T) {
	dir := newShop(t)
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	queries := regexp.MustCompile("(?s)```sql\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	require.NotEmpty(t, queries)
	for _, match := range queries {
		got := runWith(match[1], "--data", dir)
		require.Equal(t, exitOK, got.code, "%s\n%s", match[1], got.err)
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) {
	return 0, &os.PathError{Op: "write", Err: syscall.EPIPE}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) {
	return 0, errors.New("write output: no space left on device")
}
