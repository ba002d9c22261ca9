package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanlake/spanlake/internal/attr"
	"github.com/spanlake/spanlake/internal/fsys"
	"github.com/spanlake/spanlake/internal/lake"
	"github.com/spanlake/spanlake/internal/parquetfile"
	v1 "github.com/spanlake/spanlake/internal/schema/v1"
)

// ShopNow is the time at which the shop of WriteShop is looked at.
var ShopNow = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// WriteShop writes a store of a small shop as the exporter would: two requests a
// minute, kept at 1/4, for the last five minutes and for the same five of
// yesterday, and today two checkouts that failed, which are kept all.
func WriteShop(t *testing.T, dir string) {
	t.Helper()
	for _, day := range []time.Time{ShopNow.AddDate(0, 0, -1), ShopNow} {
		s := newShop(day)
		for minute := range 5 {
			at := day.Add(time.Duration(minute-5) * time.Minute)
			charge := 40 * time.Millisecond
			if day.Equal(ShopNow) {
				charge = 120 * time.Millisecond
			}
			s.browse(at, byte(2*minute), "ada", 10*time.Millisecond)
			s.checkout(at.Add(30*time.Second), byte(2*minute+1), "bob", charge, false)
		}
		if day.Equal(ShopNow) {
			s.checkout(day.Add(-90*time.Second), 0xc1, "ada", 200*time.Millisecond, true)
			s.checkout(day.Add(-50*time.Second), 0xc2, "eve", 210*time.Millisecond, true)
		}
		Append(t, dir, s.traces, s.logs)
	}
}

// Append writes spans and log records into the store in dir as the exporter
// would: as a segment, committed.
func Append(t *testing.T, dir string, td ptrace.Traces, ld plog.Logs) {
	t.Helper()
	store, err := lake.Open(dir, fsys.OS)
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Close()) }()
	spans, records := v1.New(v1.Traces), v1.New(v1.Logs)
	spans.AppendTraces(td, "7d")
	records.AppendLogs(ld, "7d")
	const log = "0123456789abcdef"
	segment := store.Snapshot().Version + 1
	files, err := parquetfile.NewWriter(fsys.OS, dir).Write(t.Context(), parquetfile.Segment{Log: log, Number: segment, Rows: []*v1.Rows{spans, records}})
	require.NoError(t, err)
	require.NoError(t, store.Commit(lake.Commit{Log: log, Segment: segment, Add: files}))
}

// shop makes the spans and logs of a day.
type shop struct {
	traces ptrace.Traces
	logs   plog.Logs
	spans  map[string]ptrace.SpanSlice // by service
	lines  map[string]plog.LogRecordSlice
	day    byte
}

func newShop(day time.Time) *shop {
	s := &shop{
		traces: ptrace.NewTraces(), logs: plog.NewLogs(),
		spans: map[string]ptrace.SpanSlice{}, lines: map[string]plog.LogRecordSlice{}, day: byte(ShopNow.Sub(day).Hours() / 24),
	}
	for _, service := range []string{"frontend", "cart", "payment"} {
		describe := func(r pcommon.Resource) {
			r.Attributes().PutStr("service.name", service)
			r.Attributes().PutStr("service.version", "1.4."+string('1'-s.day))
			r.Attributes().PutStr("k8s.pod.name", service+"-7c9d8")
			r.Attributes().PutStr(attr.Source, "shop")
		}
		rs := s.traces.ResourceSpans().AppendEmpty()
		describe(rs.Resource())
		s.spans[service] = rs.ScopeSpans().AppendEmpty().Spans()
		rl := s.logs.ResourceLogs().AppendEmpty()
		describe(rl.Resource())
		s.lines[service] = rl.ScopeLogs().AppendEmpty().LogRecords()
	}
	return s
}

// trace numbers the spans of a request.
type trace struct {
	id     pcommon.TraceID
	next   byte
	failed bool
	user   string
}

func (s *shop) begin(n byte, user string, failed bool) *trace {
	return &trace{id: pcommon.TraceID{0: 0xaa, 14: s.day, 15: n}, user: user, failed: failed}
}

func (s *shop) span(tr *trace, parent pcommon.SpanID, service, name string, kind ptrace.SpanKind, at time.Time, took time.Duration) ptrace.Span {
	tr.next++
	span := s.spans[service].AppendEmpty()
	span.SetTraceID(tr.id)
	span.SetSpanID(pcommon.SpanID{5: s.day, 6: tr.id[15], 7: tr.next})
	span.SetParentSpanID(parent)
	span.SetName(name)
	span.SetKind(kind)
	span.SetStartTimestamp(pcommon.NewTimestampFromTime(at))
	span.SetEndTimestamp(pcommon.NewTimestampFromTime(at.Add(took)))
	m := span.Attributes()
	if tr.failed {
		m.PutStr(attr.Class, "errors")
		m.PutStr(attr.Retention, "30d")
	} else {
		m.PutStr(attr.Class, "normal")
		m.PutStr(attr.Retention, "7d")
		m.PutDouble(attr.AdjustedCount, 4)
	}
	return span
}

func (s *shop) server(tr *trace, parent pcommon.SpanID, service, method, route string, at time.Time, took time.Duration) ptrace.Span {
	span := s.span(tr, parent, service, method+" "+route, ptrace.SpanKindServer, at, took)
	m := span.Attributes()
	m.PutStr("http.request.method", method)
	m.PutStr("http.route", route)
	m.PutInt("http.response.status_code", 200)
	if service == "frontend" {
		m.PutStr("user.id", tr.user)
	}
	return span
}

func (s *shop) browse(at time.Time, n byte, user string, took time.Duration) {
	tr := s.begin(n, user, false)
	front := s.server(tr, pcommon.SpanID{}, "frontend", "GET", "/", at, took)
	cart := s.server(tr, front.SpanID(), "cart", "GET", "/cart", at.Add(time.Millisecond), took/2)
	cart.Attributes().PutInt("cart.items", int64(n%3))
}

func (s *shop) checkout(at time.Time, n byte, user string, took time.Duration, failed bool) {
	tr := s.begin(n, user, failed)
	front := s.server(tr, pcommon.SpanID{}, "frontend", "POST", "/checkout", at, took)
	pay := s.server(tr, front.SpanID(), "payment", "POST", "/charge", at.Add(2*time.Millisecond), took*3/4)
	query := s.span(tr, pay.SpanID(), "payment", "INSERT payments", ptrace.SpanKindClient, at.Add(3*time.Millisecond), took/2)
	m := query.Attributes()
	m.PutStr("db.system.name", "postgresql")
	m.PutStr("db.namespace", "billing")
	m.PutStr("db.query.text", "INSERT INTO payments VALUES ($1, $2)")
	m.PutStr("server.address", "db.internal")
	s.log(tr, front, "frontend", at.Add(time.Millisecond), plog.SeverityNumberInfo, "INFO", "checkout of "+user)
	if !failed {
		return
	}
	for _, span := range []ptrace.Span{front, pay, query} {
		span.Status().SetCode(ptrace.StatusCodeError)
	}
	query.Status().SetMessage("too many connections")
	event := query.Events().AppendEmpty()
	event.SetName("exception")
	event.SetTimestamp(query.EndTimestamp())
	event.Attributes().PutStr("exception.type", "PoolTimeout")
	event.Attributes().PutStr("exception.message", "no connection within 100 ms")
	s.log(tr, query, "payment", query.EndTimestamp().AsTime(), plog.SeverityNumberError, "ERROR", "charge failed: too many connections")
	s.log(tr, front, "frontend", front.EndTimestamp().AsTime(), plog.SeverityNumberWarn, "WARN", "checkout answered 500")
	front.Attributes().PutInt("http.response.status_code", 500)
}

func (s *shop) log(tr *trace, span ptrace.Span, service string, at time.Time, severity plog.SeverityNumber, text, body string) {
	r := s.lines[service].AppendEmpty()
	r.SetTimestamp(pcommon.NewTimestampFromTime(at))
	r.SetTraceID(tr.id)
	r.SetSpanID(span.SpanID())
	r.SetSeverityNumber(severity)
	r.SetSeverityText(text)
	r.Body().SetStr(body)
}
