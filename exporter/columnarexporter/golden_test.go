package columnarexporter

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanlake/spanlake/internal/attr"
	"github.com/spanlake/spanlake/internal/fsys"
	"github.com/spanlake/spanlake/internal/parquetfile"
	v1 "github.com/spanlake/spanlake/internal/schema/v1"
)

// golden are the files in testdata, written by the release that had them first;
// every later one reads them. Only a new schema version renews them: to write
// one anew, delete it and set SPANLAKE_UPDATE_GOLDEN.
var golden = map[string]func(*testing.T) *v1.Rows{
	"traces": func(*testing.T) *v1.Rows {
		rows := v1.New(v1.Traces)
		rows.AppendTraces(goldenTraces(), "7d")
		return rows
	},
	"logs": func(*testing.T) *v1.Rows {
		rows := v1.New(v1.Logs)
		rows.AppendLogs(goldenLogs(), "3d")
		return rows
	},
	"traces-columns": func(t *testing.T) *v1.Rows {
		t.Helper()
		schema, err := v1.Extend(v1.Traces, []v1.Lift{
			{Name: "int", Type: v1.Int64},
			{Name: "double", Type: v1.Double},
			{Name: "map", Type: v1.String},
			{Name: "tenant.id", Type: v1.String},
			{Name: "cache.hit", Type: v1.Bool},
		})
		require.NoError(t, err)
		td := goldenTraces()
		m := td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(1).Attributes()
		m.PutStr("tenant.id", "blue")
		m.PutBool("cache.hit", false)
		rows := v1.New(schema)
		rows.AppendTraces(td, "7d")
		return rows
	},
}

func TestGoldenFilesAreReadable(t *testing.T) {
	for name, rows := range golden {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join("testdata", "v1", name+".parquet")
			text := filepath.Join("testdata", "v1", name+".json")
			if _, err := os.Stat(file); err != nil && os.Getenv("SPANLAKE_UPDATE_GOLDEN") != "" {
				writeGolden(t, file, rows(t))
				require.NoError(t, os.WriteFile(text, goldenJSON(t, file), 0o644))
			}
			want, err := os.ReadFile(text)
			require.NoError(t, err)
			require.JSONEq(t, string(want), string(goldenJSON(t, file)))
		})
	}
}

func writeGolden(t *testing.T, name string, rows *v1.Rows) {
	t.Helper()
	dir := t.TempDir()
	files, err := parquetfile.NewWriter(fsys.OS, dir).Write(t.Context(), parquetfile.Segment{
		Log: "0123456789abcdef", Number: 1, Rows: []*v1.Rows{rows},
	})
	require.NoError(t, err)
	require.Len(t, files, 1)
	data, err := os.ReadFile(filepath.Join(dir, files[0].Path))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(name, data, 0o644))
}

// goldenJSON is what a file holds, as OTLP.
func goldenJSON(t *testing.T, name string) []byte {
	t.Helper()
	f, err := os.Open(name)
	require.NoError(t, err)
	defer f.Close()
	info, err := f.Stat()
	require.NoError(t, err)
	schema, err := parquetfile.Schema(f, info.Size())
	require.NoError(t, err)
	rows := v1.New(schema)
	require.NoError(t, parquetfile.Read(f, info.Size(), rows))
	var text []byte
	if schema.Signal == v1.SignalLogs {
		ld, err := rows.Logs(0, rows.Len())
		require.NoError(t, err)
		text, err = (&plog.JSONMarshaler{}).MarshalLogs(ld)
		require.NoError(t, err)
	} else {
		td, err := rows.Traces(0, rows.Len())
		require.NoError(t, err)
		text, err = (&ptrace.JSONMarshaler{}).MarshalTraces(td)
		require.NoError(t, err)
	}
	var indented bytes.Buffer
	require.NoError(t, json.Indent(&indented, text, "", "  "))
	return indented.Bytes()
}

// goldenLogs are a few records that use every kind of column and value.
func goldenLogs() plog.Logs {
	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	rl.SetSchemaUrl("https://opentelemetry.io/schemas/1.37.0")
	rl.Resource().Attributes().PutStr("service.name", "shop")
	rl.Resource().Attributes().PutStr("service.namespace", "market")
	rl.Resource().Attributes().PutStr("deployment.environment", "production")
	rl.Resource().Attributes().PutStr(attr.Source, "team")
	sl := rl.ScopeLogs().AppendEmpty()
	sl.Scope().SetName("com.example.shop.Checkout")
	sl.SetSchemaUrl("https://example.com/schema")
	for i := range 4 {
		r := sl.LogRecords().AppendEmpty()
		r.SetTimestamp(pcommon.Timestamp(1_795_262_400_123_456_789 + i))
		r.SetObservedTimestamp(r.Timestamp() + 1_000)
		r.SetSeverityNumber(plog.SeverityNumberWarn)
		r.SetSeverityText("WARN")
		r.Body().SetStr("payment declined")
		r.Attributes().PutStr("thread.name", "main")
		r.Attributes().PutDouble("ratio", math.Inf(1))
	}
	of := sl.LogRecords().At
	of(0).SetTraceID(pcommon.TraceID{1, 15: 0xff})
	of(0).SetSpanID(pcommon.SpanID{1, 7: 2})
	of(0).SetFlags(plog.LogRecordFlags(1))
	of(0).SetEventName("payment")
	of(0).SetDroppedAttributesCount(3)
	of(1).SetTimestamp(0) // it has only been observed
	body := of(1).Body().SetEmptyMap()
	body.PutEmptySlice("list").AppendEmpty().SetInt(1 << 62)
	body.PutEmptyBytes("bytes").FromRaw([]byte{0, 255})
	body.PutEmptyMap("like a tag").PutStr("@double", "x")
	pcommon.NewValueEmpty().CopyTo(of(2).Body())
	of(2).Attributes().Clear()
	of(3).SetObservedTimestamp(0)
	of(3).Body().SetStr("")
	return ld
}

// goldenTraces are a few spans that use every kind of column and value.
func goldenTraces() ptrace.Traces {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.SetSchemaUrl("https://opentelemetry.io/schemas/1.37.0")
	rs.Resource().SetDroppedAttributesCount(1)
	r := rs.Resource().Attributes()
	r.PutStr("service.name", "shop")
	r.PutStr("service.version", "1.2.3")
	r.PutStr("k8s.pod.name", "shop-7c9d8-1")
	r.PutStr(attr.Source, "team")
	ss := rs.ScopeSpans().AppendEmpty()
	ss.Scope().SetName("io.opentelemetry.http")
	ss.Scope().SetVersion("2.1.0")
	ss.Scope().Attributes().PutBool("stable", true)
	for i := range 3 {
		s := ss.Spans().AppendEmpty()
		s.SetTraceID(pcommon.TraceID{1, 15: 0xff})
		s.SetSpanID(pcommon.SpanID{1, 7: byte(i)})
		s.SetName("GET /orders")
		s.SetKind(ptrace.SpanKindServer)
		s.SetStartTimestamp(pcommon.Timestamp(1_795_262_400_123_456_789 + i))
		if i > 0 {
			s.SetParentSpanID(pcommon.SpanID{1, 7: byte(i - 1)})
			s.SetEndTimestamp(s.StartTimestamp() + 1_000_001)
		}
		m := s.Attributes()
		m.PutStr("http.route", "/orders")
		m.PutStr("http.method", "GET")
		m.PutInt("http.response.status_code", int64(200+i))
		m.PutInt("int", -1<<63)
		m.PutDouble("double", 1)
		m.PutEmptyBytes("bytes").FromRaw([]byte{0, 255})
		m.PutEmptyMap("map").PutEmptySlice("list").AppendEmpty().SetStr("Łódź 🚀")
		m.PutEmpty("empty")
		m.PutEmptyMap("like a tag").PutStr("@bytes", "x")
		m.PutStr(attr.Class, "normal")
		m.PutStr(attr.Retention, "7d")
		m.PutDouble(attr.AdjustedCount, 20)
	}
	last := ss.Spans().At(2)
	last.Status().SetCode(ptrace.StatusCodeError)
	last.Status().SetMessage("declined")
	last.TraceState().FromRaw("ot=th:8")
	last.SetFlags(0x101)
	last.SetDroppedEventsCount(2)
	event := last.Events().AppendEmpty()
	event.SetName("exception")
	event.SetTimestamp(last.EndTimestamp())
	event.Attributes().PutStr("exception.type", "Declined")
	link := last.Links().AppendEmpty()
	link.SetTraceID(pcommon.TraceID{15: 9})
	link.SetSpanID(pcommon.SpanID{7: 9})
	link.Attributes().PutDouble("weight", 0.5)
	return td
}
