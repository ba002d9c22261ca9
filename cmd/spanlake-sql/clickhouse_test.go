package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanlake/spanlake/cmd/spanlake-sql/internal/storetest"
	"github.com/spanlake/spanlake/internal/npmtest"
	"github.com/spanlake/spanlake/internal/schema/schematest"
	v1 "github.com/spanlake/spanlake/internal/schema/v1"
)

// both are questions that DuckDB and ClickHouse are asked, in one text where it
// serves both; $spans and $logs stand for the files.
var both = map[string]struct{ duckdb, clickhouse string }{
	"counts":    {"select count(*) as n, count(parent_span_id) as parents, count(duration_ns) as ended, count(distinct trace_id) as traces from $spans", ""},
	"times":     {"select min(timestamp) as first, max(timestamp) as last from $spans", ""},
	"one nano":  {"select name from $spans where timestamp = timestamp_ns '2026-11-21 12:00:00.123456789'", "select name from $spans where timestamp = toDateTime64('2026-11-21 12:00:00.123456789', 9, 'UTC')"},
	"next nano": {"select count(*) as n from $spans where timestamp > timestamp_ns '2026-11-21 12:00:00.123456788' and timestamp < timestamp_ns '2026-11-21 12:00:00.123456790'", "select count() as n from $spans where timestamp > toDateTime64('2026-11-21 12:00:00.123456788', 9, 'UTC') and timestamp < toDateTime64('2026-11-21 12:00:00.123456790', 9, 'UTC')"},
	"a trace": {"select span_id, parent_span_id, name, kind, status_code, status_message, flags, trimmed, adjusted_count, trace_state, duration_ns, attributes, resource_attributes" +
		" from $spans where trace_id = 'ab000000000000000000000000000001' order by span_id", ""},
	"no trace": {"select count(*) as n from $spans where trace_id = 'ffffffffffffffffffffffffffffffff'", ""},
	"routes":   {`select service_name, "http.route" as route, "http.response.status_code" as status, sum(adjusted_count) as n, max(duration_ns) as longest from $spans group by all order by all`, `select service_name, "http.route" as route, "http.response.status_code" as status, sum(adjusted_count) as n, max(duration_ns) as longest from $spans group by all order by all nulls last`},
	"json":     {`select (attributes->>'$."cart.items"')::int as items, count(*) as n from $spans where service_name = 'cart' group by items order by items`, `select JSONExtractInt(attributes, 'cart.items') as items, count() as n from $spans where service_name = 'cart' group by items order by items`},
	"unicode":  {"select name, attributes, length(name) as characters from $spans where name = 'GET /Zoë/店主🦆' order by span_id", "select name, attributes, lengthUTF8(name) as characters from $spans where name = 'GET /Zoë/店主🦆' order by span_id"},
	"events": {
		"select e.name as name, e.timestamp as happened, e.attributes as attributes, e.dropped_attributes_count as dropped from (select unnest(events) as e from $spans) order by happened, name, attributes",
		"select e.name as name, e.timestamp as happened, e.attributes as attributes, e.dropped_attributes_count as dropped from $spans array join events as e order by happened, name, attributes",
	},
	"links": {
		"select l.trace_id as trace, l.span_id as span, l.trace_state as state, l.flags as flags, l.attributes as attributes from (select unnest(links) as l from $spans) order by all",
		"select l.trace_id as trace, l.span_id as span, l.trace_state as state, l.flags as flags, l.attributes as attributes from $spans array join links as l order by all",
	},
	"list lengths":    {"select len(events) as events, len(links) as links, count(*) as n from $spans group by all order by all", "select length(events) as events, length(links) as links, count() as n from $spans group by all order by all"},
	"log bodies":      {"select body, body_is_json, severity_number, severity_text, timestamp, timestamp_is_observed, observed_timestamp, event_name from $logs where source is null order by timestamp, body", ""},
	"logs of a trace": {"select timestamp, body from $logs where trace_id = 'aa0000000000000000000000000000c1' order by timestamp", ""},
	"join":            {"select s.name as name, l.body as body from $spans s join $logs l on l.trace_id = s.trace_id and l.span_id = s.span_id where l.severity_number >= 13 order by body, name", ""},
}

// perColumn asks for counts and bounds of every column of a signal.
func perColumn(s *v1.Schema) string {
	var sql strings.Builder
	sql.WriteString("select count(*) as rows")
	for _, c := range s.Columns {
		fmt.Fprintf(&sql, `, count("%[1]s") as "n:%[1]s", count(distinct "%[1]s") as "d:%[1]s", min("%[1]s") as "min:%[1]s", max("%[1]s") as "max:%[1]s"`, c.Name)
	}
	return sql.String() + " from $" + map[string]string{v1.SignalTraces: "spans", v1.SignalLogs: "logs"}[s.Signal]
}

func TestDuckDBAndClickHouseReadTheSame(t *testing.T) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("the ClickHouse library is installed for linux/amd64 only")
	}
	modules := npmtest.Modules(t, filepath.Join("testdata", "clickhouse"))
	dir := t.TempDir()
	storetest.WriteShop(t, dir)
	odd, generated := schematest.New(7, storetest.ShopNow), schematest.New(8, storetest.ShopNow)
	storetest.Append(t, dir, oddSpans(), oddLogs())
	storetest.Append(t, dir, odd.Traces(2000), generated.Logs(500))

	names := []string{"columns of spans", "columns of logs"}
	duckdb := []string{perColumn(v1.Traces), perColumn(v1.Logs)}
	clickhouse := append([]string(nil), duckdb...)
	for name, q := range both {
		names = append(names, name)
		duckdb = append(duckdb, q.duckdb)
		if q.clickhouse == "" {
			q.clickhouse = q.duckdb
		}
		clickhouse = append(clickhouse, q.clickhouse)
	}
	got := askClickHouse(t, modules, dir, clickhouse)
	for i, name := range names {
		t.Run(name, func(t *testing.T) {
			sql := strings.NewReplacer("$spans", "spans", "$logs", "logs").Replace(duckdb[i])
			answer := runWith("", "--data", dir, "--format", "json", sql)
			require.Empty(t, answer.err)
			var want []map[string]any
			require.NoError(t, json.Unmarshal([]byte(answer.out), &want))
			require.NotEmpty(t, want)
			require.Equal(t, want, got[i])
		})
	}
}

// askClickHouse answers queries in a process of its own over the files of the
// store as spanlake-sql lists them.
func askClickHouse(t *testing.T, modules, dir string, queries []string) [][]map[string]any {
	t.Helper()
	tables := make(map[string]string)
	for line := range strings.Lines(runWith("", "--data", dir, "--files").out) {
		path := strings.TrimPrefix(strings.TrimSuffix(line, "\n"), dir+"/")
		signal, _, _ := strings.Cut(path, "/")
		tables[signal] += "," + path
	}
	table := func(signal string) string { return "file('" + dir + "/{" + tables[signal][1:] + "}', Parquet)" }
	replace := strings.NewReplacer("$spans", table(v1.SignalTraces), "$logs", table(v1.SignalLogs))
	texts := make([]string, len(queries))
	for i, sql := range queries {
		texts[i] = replace.Replace(sql)
	}
	input, err := json.Marshal(texts)
	require.NoError(t, err)

	node := exec.CommandContext(t.Context(), "node", filepath.Join("testdata", "clickhouse", "query.js"))
	node.Env = append(os.Environ(), "NODE_PATH="+modules)
	node.Stdin = bytes.NewReader(input)
	var out, stderr bytes.Buffer
	node.Stdout, node.Stderr = &out, &stderr
	require.NoError(t, node.Run(), "%s", &stderr)
	var answers [][]map[string]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &answers))
	require.Len(t, answers, len(queries))
	return answers
}

// oddSpans are a trace with values at the edges of every type.
func oddSpans() ptrace.Traces {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", "ünï")
	rs.SetSchemaUrl("https://opentelemetry.io/schemas/1.37.0")
	ss := rs.ScopeSpans().AppendEmpty()
	ss.Scope().SetName("scope")
	ss.Scope().Attributes().PutBool("on", true)
	at := pcommon.NewTimestampFromTime(storetest.ShopNow.Add(123_456_789))
	for i := range 3 {
		s := ss.Spans().AppendEmpty()
		s.SetTraceID(pcommon.TraceID{0: 0xab, 15: 1})
		s.SetSpanID(pcommon.SpanID{7: byte(i + 1)})
		s.SetName("GET /Zoë/店主🦆")
		s.SetStartTimestamp(at + pcommon.Timestamp(i))
		switch i {
		case 0:
			s.SetEndTimestamp(at + pcommon.Timestamp(24*time.Hour) + 1)
			s.SetFlags(math.MaxUint32)
			s.TraceState().FromRaw("a=1,b=2")
			s.SetDroppedAttributesCount(math.MaxUint32)
			m := s.Attributes()
			m.PutInt("max", math.MaxInt64)
			m.PutInt("min", math.MinInt64)
			m.PutDouble("nan", math.NaN())
			m.PutEmptyBytes("bytes").FromRaw([]byte{0, 255})
			m.PutEmptyMap("map").PutEmptySlice("list").AppendEmpty().SetStr("tab\t\"quote\" \\ \x00 end")
			m.PutInt("http.response.status_code", math.MaxInt64)
			event := s.Events().AppendEmpty()
			event.SetName("exception")
			event.SetTimestamp(1)
			event.Attributes().PutStr("exception.message", "line\nline")
			s.Events().AppendEmpty().SetDroppedAttributesCount(7)
			link := s.Links().AppendEmpty()
			link.SetTraceID(pcommon.TraceID{15: 9})
			link.SetSpanID(pcommon.SpanID{7: 9})
			link.SetFlags(257)
		case 1:
			s.SetParentSpanID(pcommon.SpanID{7: 1})
			s.SetEndTimestamp(s.StartTimestamp())
			s.Status().SetCode(ptrace.StatusCodeError)
			s.Status().SetMessage("it's \"failed\"")
			s.Attributes().PutBool("spanlake.trimmed", true)
			s.Attributes().PutDouble("spanlake.adjusted_count", 2.5)
		}
	}
	return td
}

func oddLogs() plog.Logs {
	ld := plog.NewLogs()
	records := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for i, fill := range []func(plog.LogRecord){
		func(r plog.LogRecord) { r.Body().SetStr("plain { 世界") },
		func(r plog.LogRecord) { r.Body().SetStr("") },
		func(r plog.LogRecord) { r.Body().SetEmptyMap().PutStr("message", "hello") },
		func(r plog.LogRecord) { r.Body().SetInt(math.MinInt64) },
		func(plog.LogRecord) {},
	} {
		r := records.AppendEmpty()
		if i%2 == 0 {
			r.SetTimestamp(pcommon.NewTimestampFromTime(storetest.ShopNow.Add(time.Duration(i))))
		}
		r.SetObservedTimestamp(pcommon.NewTimestampFromTime(storetest.ShopNow.Add(time.Second + time.Duration(i))))
		r.SetSeverityNumber(plog.SeverityNumber(i))
		fill(r)
	}
	return ld
}
