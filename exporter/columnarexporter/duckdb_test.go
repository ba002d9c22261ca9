package columnarexporter

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	_ "github.com/duckdb/duckdb-go/v2"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanlake/spanlake/internal/attr"
	"github.com/spanlake/spanlake/internal/fsys"
	"github.com/spanlake/spanlake/internal/parquetfile"
	"github.com/spanlake/spanlake/internal/schema/schematest"
	v1 "github.com/spanlake/spanlake/internal/schema/v1"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func openDuckDB(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open("duckdb", "?threads=1&memory_limit=512MB")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// scan is the one row of a query, as text.
func scan(t *testing.T, db *sql.DB, query string) []string {
	t.Helper()
	rows := scanAll(t, db, query)
	require.Len(t, rows, 1, query)
	return rows[0]
}

func scanAll(t *testing.T, db *sql.DB, query string) [][]string {
	t.Helper()
	rows, err := db.Query(query)
	require.NoError(t, err, query)
	defer rows.Close()
	columns, err := rows.Columns()
	require.NoError(t, err)
	var all [][]string
	for rows.Next() {
		row := make([]any, len(columns))
		to := make([]any, len(columns))
		for i := range row {
			to[i] = &row[i]
		}
		require.NoError(t, rows.Scan(to...), query)
		text := make([]string, len(columns))
		for i, v := range row {
			text[i] = fmt.Sprint(v)
		}
		all = append(all, text)
	}
	require.NoError(t, rows.Err(), query)
	return all
}

func glob(dir, signal string) string {
	return fmt.Sprintf("read_parquet('%s/%s/**/*.parquet', hive_partitioning = true)", dir, signal)
}

// writeRows writes spans and log records as one segment below dir.
func writeRows(t *testing.T, dir string, td ptrace.Traces, ld plog.Logs) {
	t.Helper()
	traces, logs := v1.New(v1.Traces), v1.New(v1.Logs)
	traces.AppendTraces(td, "7d")
	logs.AppendLogs(ld, "7d")
	_, err := parquetfile.NewWriter(fsys.OS, dir).Write(t.Context(), parquetfile.Segment{
		Log: "0123456789abcdef", Number: 1, Rows: []*v1.Rows{traces, logs},
	})
	require.NoError(t, err)
}

func TestDuckDBReadsSpans(t *testing.T) {
	dir := t.TempDir()
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", "shop")
	rs.Resource().Attributes().PutStr(attr.Source, "team")
	span := rs.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	span.SetTraceID(pcommon.TraceID{0xab, 15: 1})
	span.SetSpanID(pcommon.SpanID{0xcd, 7: 2})
	span.SetFlags(0xffffffff)
	span.SetStartTimestamp(1_795_262_400_123_456_789)
	span.SetEndTimestamp(1_795_262_400_123_456_999)
	span.Attributes().PutStr("http.route", "/a")
	span.Attributes().PutInt("http.response.status_code", 503)
	span.Attributes().PutInt("int", 1<<60)
	span.Attributes().PutDouble("double", 1)
	span.Attributes().PutBool("bool", true)
	span.Attributes().PutStr("text", "it's\x00 \"quoted\"")
	span.Attributes().PutStr(attr.Retention, "30d")
	span.Attributes().PutDouble(attr.AdjustedCount, 2.5)
	event := span.Events().AppendEmpty()
	event.SetName("exception")
	event.SetTimestamp(1_795_262_400_123_456_800)
	event.Attributes().PutStr("exception.type", "Boom")
	span.Links().AppendEmpty().SetTraceID(pcommon.TraceID{15: 9})
	writeRows(t, dir, td, plog.NewLogs())

	db := openDuckDB(t)
	spans := glob(dir, "traces")
	require.Equal(t, []string{
		"2026-11-21 12:00:00.123456789", "210", "shop", "ab000000000000000000000000000001", "cd00000000000002", "<nil>",
		"4294967295", "503", "/a", "team", "30d", "2.5", "false",
	}, scan(t, db, `select timestamp::varchar, duration_ns, service_name, trace_id, span_id, parent_span_id,
		flags, "http.response.status_code", "http.route", source, retention, adjusted_count, trimmed from `+spans))
	require.Equal(t, []string{"1152921504606846976", "UBIGINT", "DOUBLE", "BOOLEAN"}, scan(t, db,
		`select (attributes->>'int'), json_type(attributes, '$.int'), json_type(attributes, '$.double'), json_type(attributes, '$.bool') from `+spans))
	require.Equal(t, []string{"exception", "2026-11-21 12:00:00.1234568", "Boom"}, scan(t, db,
		`select events[1].name, events[1].timestamp::varchar, (events[1].attributes->>'exception.type') from `+spans))
	require.Equal(t, []string{"00000000000000000000000000000009", "1"}, scan(t, db, `select links[1].trace_id, len(links) from `+spans))
	require.Equal(t, []string{"2026-11-21", "12"}, scan(t, db, `select date::varchar, hour::int from `+spans))
	require.Equal(t, []string{"1"}, scan(t, db, `select count(*) from `+spans+` where timestamp = '2026-11-21 12:00:00.123456789'::timestamp_ns`))
}

func TestDuckDBColumnTypes(t *testing.T) {
	dir := t.TempDir()
	writeRows(t, dir, schematest.New(1, noon).Traces(10), schematest.New(1, noon).Logs(10))
	db := openDuckDB(t)
	want := map[v1.Type]string{
		v1.String: "VARCHAR", v1.TraceID: "VARCHAR", v1.SpanID: "VARCHAR", v1.Time: "TIMESTAMP_NS", v1.Int64: "BIGINT",
		v1.Int32: "INTEGER", v1.Uint32: "UINTEGER", v1.Double: "DOUBLE", v1.Bool: "BOOLEAN",
	}
	for _, s := range []*v1.Schema{v1.Traces, v1.Logs} {
		types := map[string]string{}
		for _, row := range scanAll(t, db, "describe select * from "+glob(dir, s.Signal)) {
			types[row[0]] = row[1]
		}
		for _, c := range s.Columns {
			require.Equal(t, want[c.Type], types[c.Name], c.Name)
		}
	}
	require.Equal(t, []string{"STRUCT(\"timestamp\" TIMESTAMP_NS, \"name\" VARCHAR, attributes VARCHAR, dropped_attributes_count UINTEGER)[]"},
		scan(t, db, "select typeof(events) from "+glob(dir, "traces")+" limit 1"))
}

// Files with and without additional columns are one table; where the column is
// not, the attribute is.
func TestDuckDBReadsAdditionalColumns(t *testing.T) {
	dir := t.TempDir()
	td := batch(1, 1, "")
	m := td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).Attributes()
	m.PutStr("tenant.id", "blue")
	m.PutInt("cart.items", 3)
	m.PutDouble("cart.total", 2.5)
	m.PutBool("cache.hit", false)
	more, err := v1.Extend(v1.Traces, []v1.Lift{
		{Name: "tenant.id", Type: v1.String},
		{Name: "cart.items", Type: v1.Int64},
		{Name: "cart.total", Type: v1.Double},
		{Name: "cache.hit", Type: v1.Bool},
	})
	require.NoError(t, err)
	for i, schema := range []*v1.Schema{v1.Traces, more} {
		rows := v1.New(schema)
		rows.AppendTraces(td, "7d")
		_, err := parquetfile.NewWriter(fsys.OS, dir).Write(t.Context(), parquetfile.Segment{
			Log: "0123456789abcdef", Number: uint64(i + 1), Rows: []*v1.Rows{rows},
		})
		require.NoError(t, err)
	}
	db := openDuckDB(t)
	spans := fmt.Sprintf("read_parquet('%s/traces/**/*.parquet', hive_partitioning = true, union_by_name = true)", dir)
	require.Equal(t, []string{"blue", "3", "2.5", "false", "BIGINT", "{}"}, scan(t, db,
		`select "tenant.id", "cart.items", "cart.total", "cache.hit", typeof("cart.items"), attributes from `+spans+` where "tenant.id" = 'blue'`))
	require.Equal(t, []string{"2"}, scan(t, db,
		`select count(*) from `+spans+` where coalesce("tenant.id", (attributes->>'$."tenant.id"')) = 'blue'`))
}

func TestDuckDBReadsLogs(t *testing.T) {
	dir := t.TempDir()
	ld := plog.NewLogs()
	records := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for i, fill := range []func(plog.LogRecord){
		func(r plog.LogRecord) { r.Body().SetStr("plain {") },
		func(r plog.LogRecord) { r.Body().SetEmptyMap().PutStr("message", "hello") },
		func(plog.LogRecord) {},
	} {
		r := records.AppendEmpty()
		r.SetTimestamp(pcommon.NewTimestampFromTime(noon.Add(time.Duration(i))))
		fill(r)
	}
	records.At(1).SetTraceID(pcommon.TraceID{15: 7})
	writeRows(t, dir, ptrace.NewTraces(), ld)

	db := openDuckDB(t)
	logs := glob(dir, "logs")
	require.Equal(t, [][]string{{"plain {", "false"}, {`{"message":"hello"}`, "true"}, {"<nil>", "false"}},
		scanAll(t, db, "select body, body_is_json from "+logs+" order by timestamp"))
	require.Equal(t, []string{"hello"}, scan(t, db, "select (body->>'message') from "+logs+" where trace_id = '00000000000000000000000000000007'"))
	require.Equal(t, []string{"2"}, scan(t, db, "select count(*) from "+logs+" where trace_id is null"))
}

// Every trace is found by its ID through statistics and bloom filters, in a
// file of several row groups, and one that is not there is not.
func TestDuckDBFindsEveryTrace(t *testing.T) {
	dir := t.TempDir()
	td := schematest.New(3, noon).Traces(31_000)
	writeRows(t, dir, td, plog.NewLogs())
	counts := map[pcommon.TraceID]int{}
	for _, rs := range td.ResourceSpans().All() {
		for _, span := range rs.ScopeSpans().At(0).Spans().All() {
			counts[span.TraceID()]++
		}
	}
	db := openDuckDB(t)
	require.Equal(t, []string{fmt.Sprint(td.SpanCount())}, scan(t, db, "select count(*) from "+glob(dir, "traces")))
	n := 0
	for id, count := range counts {
		got := scan(t, db, fmt.Sprintf("select count(*) from %s where trace_id = '%s'", glob(dir, "traces"), id))
		require.Equal(t, []string{fmt.Sprint(count)}, got, "trace %s", id)
		if n++; n == 60 {
			break
		}
	}
	require.Equal(t, []string{"0"}, scan(t, db, "select count(*) from "+glob(dir, "traces")+" where trace_id = 'ffffffffffffffffffffffffffffffff'"))
}

// What the JSON convention makes of any string, DuckDB reads as JSON.
func TestDuckDBReadsEveryJSONText(t *testing.T) {
	dir := t.TempDir()
	td := ptrace.NewTraces()
	m := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty().Attributes()
	for c := range 256 {
		m.PutStr(fmt.Sprintf("k%d", c), "x"+string([]byte{byte(c)})+"y")
	}
	m.PutEmptyBytes("bytes").FromRaw([]byte{0, 1})
	writeRows(t, dir, td, plog.NewLogs())
	db := openDuckDB(t)
	require.Equal(t, []string{"true", "257", "AAE="}, scan(t, db,
		`select json_valid(attributes), len(json_keys(attributes)), (attributes->'bytes'->>'@bytes') from `+glob(dir, "traces")))
}

func TestDuckDBReadsEmptyFile(t *testing.T) {
	db := openDuckDB(t)
	for _, signal := range []string{v1.SignalTraces, v1.SignalLogs} {
		data, err := v1.EmptyFile(signal)
		require.NoError(t, err)
		name := filepath.Join(t.TempDir(), "empty.parquet")
		require.NoError(t, os.WriteFile(name, data, 0o600))
		require.Equal(t, []string{"0"}, scan(t, db, "select count(*) from read_parquet('"+name+"')"))
		columns := scanAll(t, db, "describe select * from read_parquet('"+name+"')")
		require.Len(t, columns, len(v1.ForSignal(signal).Columns)+len(v1.ForSignal(signal).Lists))
	}
}
