package reader

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanlake/spanlake/internal/fsys"
	"github.com/spanlake/spanlake/internal/lake"
	"github.com/spanlake/spanlake/internal/parquetfile"
	v1 "github.com/spanlake/spanlake/internal/schema/v1"
)

// What the exporter writes comes out of SQL, and its bloom filters, statistics
// and nanosecond times are read rightly by the engine.
func TestFilesOfTheExporterReadBack(t *testing.T) {
	const count = 3000
	start := time.Date(2026, 11, 21, 9, 59, 58, 123_456_789, time.UTC)
	traces := ptrace.NewTraces()
	resource := traces.ResourceSpans().AppendEmpty()
	resource.Resource().Attributes().PutStr("service.name", "shop")
	spans := resource.ScopeSpans().AppendEmpty().Spans()
	for i := range count {
		s := spans.AppendEmpty()
		s.SetTraceID(pcommon.TraceID{0xab, 14: byte(i >> 8), 15: byte(i)})
		s.SetSpanID(pcommon.SpanID{0xcd, 6: byte(i >> 8), 7: byte(i)})
		s.SetName(fmt.Sprintf("span %d", i))
		at := start.Add(time.Duration(i) * time.Millisecond) // over the end of the hour
		s.SetStartTimestamp(pcommon.NewTimestampFromTime(at))
		s.SetEndTimestamp(pcommon.NewTimestampFromTime(at.Add(time.Duration(i))))
		s.Attributes().PutInt("http.response.status_code", 200)
		s.Attributes().PutDouble("ratio", 1)
		s.Events().AppendEmpty().SetName("event")
	}
	logs := plog.NewLogs()
	record := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	record.SetTimestamp(pcommon.NewTimestampFromTime(start))
	record.SetTraceID(pcommon.TraceID{0xab, 15: 7})
	record.Body().SetStr("hello")

	spanRows, logRows := v1.New(v1.Traces), v1.New(v1.Logs)
	spanRows.AppendTraces(traces, "30d")
	logRows.AppendLogs(logs, "7d")
	dir := t.TempDir()
	store, err := lake.Open(dir, fsys.OS)
	require.NoError(t, err)
	defer store.Close()
	files, err := parquetfile.NewWriter(fsys.OS, dir).Write(t.Context(), parquetfile.Segment{Log: "0123456789abcdef", Number: 1, Rows: []*v1.Rows{spanRows, logRows}})
	require.NoError(t, err)
	require.Len(t, files, 3, "spans of two hours and a log record")
	require.NoError(t, store.Commit(lake.Commit{Log: "0123456789abcdef", Segment: 1, Add: files}))

	s := openReader(t, dir)
	require.Equal(t, []string{"3000|3000|2026-11-21T09:59:58.123456789Z|2026-11-21T10:00:01.122456789Z"},
		ask(t, s, "select count(*), count(distinct trace_id), min(timestamp), max(timestamp) from spans"))
	require.Equal(t, []string{`span 7|2026-11-21T09:59:58.130456789Z|7|shop|200|{"ratio":1.0}|event|30d|hello`},
		ask(t, s, `select s.name, s.timestamp, s.duration_ns, s.service_name, s."http.response.status_code", s.attributes, s.events[1].name, s.retention, l.body
			from spans s join logs l using (trace_id) where trace_id = 'ab000000000000000000000000000007'`))
	require.Equal(t, []string{"span 2999"}, ask(t, s, "select name from spans where trace_id = 'ab000000000000000000000000000bb7'"))
	require.Empty(t, ask(t, s, "select name from spans where trace_id = 'ab000000000000000000000000ffffff'"))
	require.Equal(t, []string{"1"}, ask(t, s, "select count(*) from spans where timestamp = timestamp_ns '2026-11-21 10:00:01.122456789'"))
}
