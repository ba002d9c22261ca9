package v1

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanlake/spanlake/internal/attr"
)

// oneSpan appends a span and returns its rows.
func oneSpan(fill func(pcommon.Resource, ptrace.Span)) (*Rows, Stats) {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	fill(rs.Resource(), rs.ScopeSpans().AppendEmpty().Spans().AppendEmpty())
	rows := New(Traces)
	stats := rows.AppendTraces(td, "7d")
	return rows, stats
}

// cell is a value of row 0 as text, or "null".
func cell(r *Rows, name string) any {
	i := r.schema.Index(name)
	switch c := r.schema.Columns[i]; c.Type {
	case String:
		if v, ok := r.String(i, 0); ok {
			return string(v)
		}
	case Double:
		v, _ := r.Num(i, 0)
		return math.Float64frombits(uint64(v))
	case TraceID, SpanID:
		if v, ok := r.IDValue(i, 0); ok {
			return v
		}
	default:
		if v, ok := r.Num(i, 0); ok {
			return v
		}
	}
	return nil
}

func TestSpanColumns(t *testing.T) {
	rows, stats := oneSpan(func(r pcommon.Resource, s ptrace.Span) {
		r.Attributes().PutStr("service.name", "shop")
		r.Attributes().PutStr("k8s.pod.name", "shop-1")
		r.Attributes().PutStr("a", "first")
		r.Attributes().PutStr(attr.Source, "team-a")
		r.Attributes().PutStr(attr.Batch, "b1")
		s.SetStartTimestamp(1_800_000_000_000_000_001)
		s.SetEndTimestamp(1_800_000_000_000_000_004)
		s.Attributes().PutStr("http.method", "GET")
		s.Attributes().PutInt("http.status_code", 200)
		s.Attributes().PutStr("other", "x")
		s.Attributes().PutStr(attr.Class, "errors")
		s.Attributes().PutStr(attr.Retention, "30d")
		s.Attributes().PutDouble(attr.AdjustedCount, 20)
		s.Attributes().PutBool(attr.Trimmed, true)
	})
	require.Equal(t, Stats{Rows: 1}, stats)
	for column, want := range map[string]any{
		ColTimestamp: int64(1_800_000_000_000_000_001), ColDuration: int64(3),
		ColServiceName: "shop", "k8s.pod.name": "shop-1",
		ColResourceAttributes: `{"a":"first","k8s.pod.name":"shop-1","service.name":"shop"}`,
		ColAttributes:         `{"other":"x"}`,
		"http.request.method": "GET", "http.response.status_code": int64(200), "http.route": nil,
		ColSource: "team-a", ColClass: "errors", ColRetention: "30d", ColAdjustedCount: 20.0, ColTrimmed: int64(1),
		ColParentSpanID: nil, ColStatusMessage: nil, ColTraceState: nil, ColDroppedEvents: nil,
	} {
		require.Equal(t, want, cell(rows, column), column)
	}
}

func TestSpanWithoutSampler(t *testing.T) {
	rows, _ := oneSpan(func(pcommon.Resource, ptrace.Span) {})
	for column, want := range map[string]any{
		ColClass: nil, ColSource: nil, ColRetention: "7d", ColAdjustedCount: 1.0, ColTrimmed: int64(0),
		ColServiceName: "", ColAttributes: "{}", ColResourceAttributes: "{}", ColScopeAttributes: nil, ColDuration: nil,
	} {
		require.Equal(t, want, cell(rows, column), column)
	}
}

func TestDurationIsNeverNegative(t *testing.T) {
	for name, tc := range map[string]struct {
		start, end uint64
		want       any
	}{
		"plain":                {5, 9, int64(4)},
		"none":                 {5, 5, int64(0)},
		"end before start":     {9, 5, int64(0)},
		"no end":               {5, 0, nil},
		"end beyond range":     {5, math.MaxUint64, int64(math.MaxInt64 - 6)},
		"both beyond range":    {math.MaxUint64 - 1, math.MaxUint64, int64(0)},
		"no start, huge end":   {0, math.MaxUint64, int64(math.MaxInt64 - 1)},
		"start beyond, no end": {math.MaxUint64, 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			rows, _ := oneSpan(func(_ pcommon.Resource, s ptrace.Span) {
				s.SetStartTimestamp(pcommon.Timestamp(tc.start))
				s.SetEndTimestamp(pcommon.Timestamp(tc.end))
			})
			require.Equal(t, tc.want, cell(rows, ColDuration))
			require.GreaterOrEqual(t, cell(rows, ColTimestamp).(int64), int64(0))
		})
	}
}

func TestOfARepeatedKeyTheFirstValueCounts(t *testing.T) {
	for name, tc := range map[string]struct {
		keys []string // with the values 0, 1, …
		want any
	}{
		"current":               {[]string{"deployment.environment.name", "deployment.environment.name"}, "0"},
		"older":                 {[]string{"deployment.environment", "deployment.environment"}, "0"},
		"current before older":  {[]string{"deployment.environment.name", "deployment.environment"}, "0"},
		"current behind older":  {[]string{"deployment.environment", "deployment.environment.name"}, "1"},
		"current between older": {[]string{"deployment.environment", "deployment.environment.name", "deployment.environment"}, "1"},
	} {
		t.Run(name, func(t *testing.T) {
			rows, _ := oneSpan(func(resource pcommon.Resource, s ptrace.Span) {
				repeatKeys(t, resource, tc.keys)
				s.Attributes().PutStr("db.system", "a")
			})
			require.Equal(t, tc.want, cell(rows, "deployment.environment.name"))
			require.Equal(t, "a", cell(rows, "db.system.name"))
		})
	}
}

// repeatKeys gives a resource attributes with the values 0, 1, … by way of JSON,
// which may repeat a key as pdata's own methods do not.
func repeatKeys(t *testing.T, resource pcommon.Resource, keys []string) {
	t.Helper()
	var list []string
	for i, key := range keys {
		list = append(list, fmt.Sprintf(`{"key":%q,"value":{"stringValue":"%d"}}`, key, i))
	}
	td, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces([]byte(
		`{"resourceSpans":[{"resource":{"attributes":[` + strings.Join(list, ",") + `]}}]}`))
	require.NoError(t, err)
	td.ResourceSpans().At(0).Resource().CopyTo(resource)
}

func TestOlderNames(t *testing.T) {
	for name, tc := range map[string]struct {
		kind       ptrace.SpanKind
		attributes map[string]any
		column     string
		want       any
		rest       string
	}{
		"older only":          {0, map[string]any{"db.statement": "q"}, "db.query.text", "q", `{}`},
		"current wins":        {0, map[string]any{"db.statement": "old", "db.query.text": "new"}, "db.query.text", "new", `{"db.statement":"old"}`},
		"current wrong type":  {0, map[string]any{"db.statement": "old", "db.query.text": 5}, "db.query.text", nil, `{"db.query.text":5,"db.statement":"old"}`},
		"older of wrong type": {0, map[string]any{"http.status_code": "200"}, "http.response.status_code", nil, `{"http.status_code":"200"}`},
		"first older wins":    {0, map[string]any{"db.mongodb.collection": "m", "db.sql.table": "s"}, "db.collection.name", "s", `{"db.mongodb.collection":"m"}`},
		"peer of a client":    {ptrace.SpanKindClient, map[string]any{"net.peer.name": "db", "net.host.name": "me"}, "server.address", "db", `{"net.host.name":"me"}`},
		"host of a server":    {ptrace.SpanKindServer, map[string]any{"net.peer.name": "caller", "net.host.name": "me"}, "server.address", "me", `{"net.peer.name":"caller"}`},
	} {
		t.Run(name, func(t *testing.T) {
			rows, _ := oneSpan(func(_ pcommon.Resource, s ptrace.Span) {
				s.SetKind(tc.kind)
				require.NoError(t, s.Attributes().FromRaw(tc.attributes))
			})
			require.Equal(t, tc.want, cell(rows, tc.column))
			require.JSONEq(t, tc.rest, cell(rows, ColAttributes).(string))
		})
	}
}

func TestUnusableStamps(t *testing.T) {
	rows, stats := oneSpan(func(_ pcommon.Resource, s ptrace.Span) {
		s.Attributes().PutStr(attr.Retention, "../../etc")
		s.Attributes().PutDouble(attr.AdjustedCount, math.NaN())
		s.Attributes().PutInt(attr.Class, 5)
	})
	require.Equal(t, Stats{Rows: 1, InvalidRetention: 1}, stats)
	require.Equal(t, "7d", cell(rows, ColRetention))
	require.InDelta(t, 1.0, cell(rows, ColAdjustedCount), 0)
	require.Nil(t, cell(rows, ColClass))
	require.Equal(t, `{"spanlake.class":5}`, cell(rows, ColAttributes))
}

func TestTextIsMendedEverywhere(t *testing.T) {
	rows, _ := oneSpan(func(r pcommon.Resource, s ptrace.Span) {
		r.Attributes().PutStr("service.name", "a\xff")
		s.SetName("\xc3(")
		s.TraceState().FromRaw("x\x80")
		s.Attributes().PutStr("http.route", "/\xff")
		s.Attributes().PutStr("k\xff", "v\xff")
	})
	for column, want := range map[string]any{
		ColServiceName: "a\uFFFD", ColName: "\uFFFD(", ColTraceState: "x\uFFFD", "http.route": "/\uFFFD",
		ColAttributes: "{\"k\uFFFD\":\"v\uFFFD\"}", ColResourceAttributes: "{\"service.name\":\"a\uFFFD\"}",
	} {
		require.Equal(t, want, cell(rows, column), column)
	}
}

func TestLogTimeFallsBackToObserved(t *testing.T) {
	for name, tc := range map[string]struct {
		timestamp, observed uint64
		want                int64
		isObserved          int64
		wantObserved        any
	}{
		"both":     {5, 7, 5, 0, int64(7)},
		"observed": {0, 7, 7, 1, int64(7)},
		"own":      {5, 0, 5, 0, nil},
		"neither":  {0, 0, 0, 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			ld := plog.NewLogs()
			r := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
			r.SetTimestamp(pcommon.Timestamp(tc.timestamp))
			r.SetObservedTimestamp(pcommon.Timestamp(tc.observed))
			rows := New(Logs)
			rows.AppendLogs(ld, "3d")
			require.Equal(t, tc.want, cell(rows, ColTimestamp))
			require.Equal(t, tc.isObserved, cell(rows, ColIsObserved))
			require.Equal(t, tc.wantObserved, cell(rows, ColObserved))
			require.Nil(t, cell(rows, ColTraceID))
			require.Equal(t, "3d", cell(rows, ColRetention))
		})
	}
}

// What came back once comes back unchanged from then on, whatever was sent.
func FuzzTraces(f *testing.F) {
	td := ptrace.NewTraces()
	span := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	span.SetName("a")
	span.Attributes().PutStr("http.method", "GET")
	span.Events().AppendEmpty().Attributes().PutDouble("d", 1)
	f.Add(marshalTraces(f, td))
	f.Fuzz(func(t *testing.T, data []byte) {
		sent, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(data)
		if err != nil {
			return
		}
		once := throughRows(t, sent)
		require.Equal(t, sent.SpanCount(), once.SpanCount())
		twice := throughRows(t, once)
		require.Equal(t, spanLines(once), spanLines(twice))
	})
}

func throughRows(t *testing.T, td ptrace.Traces) ptrace.Traces {
	t.Helper()
	rows := New(Traces)
	rows.AppendTraces(td, "7d")
	back, err := rows.Traces(0, rows.Len())
	require.NoError(t, err)
	return back
}

func FuzzLogs(f *testing.F) {
	ld := plog.NewLogs()
	record := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	record.Body().SetEmptyMap().PutStr("@bytes", "x")
	seed, err := (&plog.ProtoMarshaler{}).MarshalLogs(ld)
	require.NoError(f, err)
	f.Add(seed)
	f.Fuzz(func(t *testing.T, data []byte) {
		sent, err := (&plog.ProtoUnmarshaler{}).UnmarshalLogs(data)
		if err != nil {
			return
		}
		through := func(ld plog.Logs) plog.Logs {
			rows := New(Logs)
			rows.AppendLogs(ld, "7d")
			back, err := rows.Logs(0, rows.Len())
			require.NoError(t, err)
			return back
		}
		once := through(sent)
		require.Equal(t, sent.LogRecordCount(), once.LogRecordCount())
		require.Equal(t, recordLines(once), recordLines(through(once)))
	})
}
