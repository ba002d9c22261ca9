package columnarexporter

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanlake/spanlake/internal/attr"
	"github.com/spanlake/spanlake/internal/parquetfile"
	v1 "github.com/spanlake/spanlake/internal/schema/v1"
)

// The file in testdata was written by the first release; every later one reads
// it. It is renewed only by a new schema version.
func TestGoldenFileIsReadable(t *testing.T) {
	name := filepath.Join("testdata", "v1", "traces.parquet")
	if os.Getenv("SPANLAKE_UPDATE_GOLDEN") != "" {
		writeGolden(t, name)
	}
	f, err := os.Open(name)
	require.NoError(t, err)
	defer f.Close()
	info, err := f.Stat()
	require.NoError(t, err)
	rows := v1.New(v1.Traces)
	require.NoError(t, parquetfile.Read(f, info.Size(), rows))
	td, err := rows.Traces(0, rows.Len())
	require.NoError(t, err)
	got, err := (&ptrace.JSONMarshaler{}).MarshalTraces(td)
	require.NoError(t, err)
	want, err := os.ReadFile(filepath.Join("testdata", "v1", "traces.json"))
	require.NoError(t, err)
	require.JSONEq(t, string(want), string(got))
}

func writeGolden(t *testing.T, name string) {
	t.Helper()
	dir := t.TempDir()
	writeRows(t, dir, goldenTraces(), plog.NewLogs())
	found, err := filepath.Glob(filepath.Join(dir, "traces", "*", "*", "*", "*.parquet"))
	require.NoError(t, err)
	require.Len(t, found, 1)
	data, err := os.ReadFile(found[0])
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o750))
	require.NoError(t, os.WriteFile(name, data, 0o644))

	f, err := os.Open(name)
	require.NoError(t, err)
	defer f.Close()
	rows := v1.New(v1.Traces)
	require.NoError(t, parquetfile.Read(f, int64(len(data)), rows))
	td, err := rows.Traces(0, rows.Len())
	require.NoError(t, err)
	text, err := (&ptrace.JSONMarshaler{}).MarshalTraces(td)
	require.NoError(t, err)
	var indented any
	require.NoError(t, json.Unmarshal(text, &indented))
	text, err = json.MarshalIndent(indented, "", "  ")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(name), "traces.json"), text, 0o644))
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
