package logcorrelationprocessor

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/spanlake/spanlake/internal/traceid"
)

const (
	traceA = "4bf92f3577b34da6a3ce929d0e0e4736"
	traceB = "0af7651916cd43dd8448eb211c80319c"
	spanA  = "00f067aa0ba902b7"
	spanB  = "b7ad6b7169203331"
)

// when and whenNs are one instant.
const (
	when   = "2026-11-21T09:30:05.123Z"
	whenNs = 1795253405123000000
)

// record is a log record in plain Go.
type record struct {
	trace, span string
	flags       uint32
	time        int64
	sevNumber   int32
	sevText     string
	attrs       map[string]any
	body        any
}

func (r record) build(tb testing.TB) plog.LogRecord {
	tb.Helper()
	lr := plog.NewLogRecord()
	if r.trace != "" {
		id, ok := traceid.ParseTrace(r.trace)
		require.True(tb, ok)
		lr.SetTraceID(id)
	}
	if r.span != "" {
		id, ok := traceid.ParseSpan(r.span)
		require.True(tb, ok)
		lr.SetSpanID(id)
	}
	lr.SetFlags(plog.LogRecordFlags(r.flags))
	lr.SetTimestamp(pcommon.Timestamp(r.time))
	lr.SetSeverityNumber(plog.SeverityNumber(r.sevNumber))
	lr.SetSeverityText(r.sevText)
	require.NoError(tb, lr.Attributes().FromRaw(r.attrs))
	require.NoError(tb, lr.Body().FromRaw(r.body))
	return lr
}

func plain(lr plog.LogRecord) record {
	r := record{
		trace: lr.TraceID().String(), span: lr.SpanID().String(), flags: uint32(lr.Flags()),
		time: int64(lr.Timestamp()), sevNumber: int32(lr.SeverityNumber()), sevText: lr.SeverityText(),
		body: lr.Body().AsRaw(),
	}
	if lr.Attributes().Len() > 0 {
		r.attrs = lr.Attributes().AsRaw()
	}
	return r
}

type m = map[string]any

// planWith is the plan for the defaults with changes.
func planWith(tb testing.TB, change func(*Config)) *plan {
	tb.Helper()
	cfg := createDefaultConfig().(*Config)
	if change != nil {
		change(cfg)
	}
	require.NoError(tb, cfg.Validate())
	p, _ := newPlan(&cfg.Settings, cfg.Output, 0, nil)
	return p
}

// correlate is the work of a fresh worker on one record.
func correlate(p *plan, lr plog.LogRecord) *worker {
	w := new(worker)
	p.correlate(w, lr)
	return w
}

func outcomes(w *worker) map[outcome]int {
	n := make(map[outcome]int)
	w.tally.each(func(s series, count int64) { n[s.outcome()] += int(count) })
	return n
}

func TestCorrelate(t *testing.T) {
	tests := []struct {
		name     string
		in, want record
	}{
		// Places.
		{"flat key in attributes", record{attrs: m{"trace_id": traceA, "k": "v"}}, record{trace: traceA, attrs: m{"k": "v"}}},
		{"dotted key in attributes", record{attrs: m{"context.trace_id": traceA, "context.span_id": spanA}}, record{trace: traceA, span: spanA}},
		{
			"nested in attributes, other keys stay",
			record{attrs: m{"context": m{"trace_id": traceA, "user": "u"}}},
			record{trace: traceA, attrs: m{"context": m{"user": "u"}}},
		},
		{
			"nested in attributes, the emptied parent goes",
			record{attrs: m{"context": m{"trace_id": traceA, "span_id": spanA}, "k": int64(1)}},
			record{trace: traceA, span: spanA, attrs: m{"k": int64(1)}},
		},
		{"a parent that was empty before stays", record{attrs: m{"context": m{}, "trace_id": traceA}}, record{trace: traceA, attrs: m{"context": m{}}}},
		{
			"a JSON event: flat keys of a body",
			record{body: m{"dt": when, "message": "hi", "level": "warn", "trace_id": traceA, "span_id": spanA}},
			record{trace: traceA, span: spanA, time: whenNs, sevNumber: 13, sevText: "warn", body: "hi"},
		},
		{
			"a JSON event: nested in the body",
			record{body: m{"message": "hi", "context": m{"trace_id": traceA, "span_id": spanA, "trace_flags": "01"}}},
			record{trace: traceA, span: spanA, flags: 1, body: "hi"},
		},
		{"a body that was all fields becomes an empty map", record{body: m{"trace_id": traceA}}, record{trace: traceA, body: m{}}},
		{"free text is left alone", record{body: "got trace_id=" + traceA}, record{body: "got trace_id=" + traceA}},
		{"attributes come before the body", record{attrs: m{"context.trace_id": traceA}, body: m{"trace_id": traceB}}, record{trace: traceA, body: m{"trace_id": traceB}}},
		{"an unknown parent is not searched", record{attrs: m{"other": m{"trace_id": traceA}}}, record{attrs: m{"other": m{"trace_id": traceA}}}},
		{
			"a message that is a number too big for one is text, beside its key",
			record{attrs: m{"msg": int64(7)}, body: `{"msg":18446744073709551615,"level":"info"}`},
			record{sevNumber: 9, sevText: "info", attrs: m{"msg": int64(7)}, body: "18446744073709551615"},
		},
		{
			"a message that is a number too long for a double is text, beside its key",
			record{attrs: m{"msg": int64(7)}, body: `{"msg":1e400,"x":1}`},
			record{attrs: m{"msg": int64(7), "x": int64(1)}, body: "1e400"},
		},
		{
			"a number is not the message, however it is written",
			record{attrs: m{"message": int64(8)}, body: `{"msg":"7","message":7,"level":"info"}`},
			record{sevNumber: 9, sevText: "info", attrs: m{"message": int64(8)}, body: m{"msg": "7", "message": int64(7)}},
		},
		{"lists are not searched", record{body: []any{m{"trace_id": traceA}}}, record{body: []any{m{"trace_id": traceA}}}},
		{"ECS", record{attrs: m{"trace.id": traceA, "span": m{"id": spanA}, "log": m{"level": "ERROR", "logger": "a.B"}, "@timestamp": when}}, record{trace: traceA, span: spanA, sevNumber: 17, sevText: "ERROR", time: whenNs, attrs: m{"log": m{"logger": "a.B"}}}},
		{"Python", record{attrs: m{"otelTraceID": traceA, "otelSpanID": spanA, "levelname": "CRITICAL"}}, record{trace: traceA, span: spanA, sevNumber: 18, sevText: "CRITICAL"}},

		// Order.
		{"the first name of the list wins, the other stays", record{attrs: m{"traceId": traceB, "trace_id": traceA}}, record{trace: traceA, attrs: m{"traceId": traceB}}},
		{"the same value twice is taken twice", record{attrs: m{"traceId": strings.ToUpper(traceA), "trace_id": traceA}, body: m{"trace_id": traceA, "k": "v"}}, record{trace: traceA, body: m{"k": "v"}}},
		{"flat comes before nested", record{attrs: m{"context.trace_id": traceA, "context": m{"trace_id": traceB}}}, record{trace: traceA, attrs: m{"context": m{"trace_id": traceB}}}},
		{"an unreadable first name lets the next one win", record{attrs: m{"trace_id": "?", "traceId": traceA}}, record{trace: traceA, attrs: m{"trace_id": "?"}}},

		// What is set.
		{"a set trace ID wins, both stay", record{trace: traceA, attrs: m{"trace_id": traceB}}, record{trace: traceA, attrs: m{"trace_id": traceB}}},
		{"a set trace ID that agrees", record{trace: traceA, attrs: m{"trace_id": traceA}}, record{trace: traceA}},
		{"a set span ID wins, both stay", record{span: spanA, attrs: m{"span_id": spanB}}, record{span: spanA, attrs: m{"span_id": spanB}}},
		{"a set trace ID is completed by a span ID", record{trace: traceA, attrs: m{"span_id": spanA}}, record{trace: traceA, span: spanA}},
		{
			"no span ID is taken while trace IDs differ from the record's",
			record{trace: traceA, attrs: m{"trace_id": traceB, "span_id": spanB, "trace_flags": "01"}},
			record{trace: traceA, attrs: m{"trace_id": traceB, "span_id": spanB, "trace_flags": "01"}},
		},
		{
			"no span ID is taken while trace IDs differ from each other",
			record{attrs: m{"trace_id": traceA, "span_id": spanA, "context": m{"trace_id": traceB}}},
			record{trace: traceA, attrs: m{"span_id": spanA, "context": m{"trace_id": traceB}}},
		},
		{
			"a set trace ID of 64 bits is no other than the whole one, which stays",
			record{trace: traceA[16:], attrs: m{"trace_id": traceA, "span_id": spanA}},
			record{trace: strings.Repeat("0", 16) + traceA[16:], span: spanA, attrs: m{"trace_id": traceA}},
		},
		{
			"a trace ID of 64 bits is completed by text within the message",
			record{body: m{"traceId": traceA[16:], "log": `{"trace_id":"` + traceA + `","span_id":"` + spanA + `","msg":"hi"}`}},
			record{trace: traceA, span: spanA, body: "hi"},
		},
		{
			"the half of another trace completes none",
			record{body: m{"traceId": traceA[16:], "log": `{"dd.trace_id":"9532127138774266268","_dd.p.tid":"` + traceB[:16] + `","traceFlags":"01"}`}},
			record{trace: strings.Repeat("0", 16) + traceA[16:], body: `{"dd.trace_id":"9532127138774266268","_dd.p.tid":"` + traceB[:16] + `","traceFlags":"01"}`},
		},
		{"a set time wins, both stay", record{time: 1, attrs: m{"time": when}}, record{time: 1, attrs: m{"time": when}}},
		{"a set time that agrees", record{time: whenNs, attrs: m{"time": when, "ts": int64(whenNs / 1e6)}}, record{time: whenNs}},

		// Spellings.
		{"upper case", record{attrs: m{"trace_id": strings.ToUpper(traceA), "span_id": strings.ToUpper(spanA)}}, record{trace: traceA, span: spanA}},
		{"64-bit trace ID", record{attrs: m{"traceId": spanB}}, record{trace: "0000000000000000" + spanB}},
		{"UUID", record{attrs: m{"trace_id": "4bf92f35-77b3-4da6-a3ce-929d0e0e4736"}}, record{trace: traceA}},
		{"bytes", record{attrs: m{"trace_id": decoded(traceA), "span_id": decoded(spanA)}}, record{trace: traceA, span: spanA}},
		{"bytes of half a trace ID", record{attrs: m{"trace_id": decoded(spanB)}}, record{trace: "0000000000000000" + spanB}},
		{"bytes of another number, or zeros", record{attrs: m{"trace_id": decoded(traceA + "00"), "span_id": make([]byte, 8)}}, record{attrs: m{"trace_id": decoded(traceA + "00"), "span_id": make([]byte, 8)}}},
		{"traceparent as Go spells headers", record{attrs: m{"Traceparent": "00-" + traceA + "-" + spanA + "-01"}}, record{trace: traceA, span: spanA, flags: 1}},
		{"flags as text", record{attrs: m{"trace_flags": "01"}}, record{flags: 1}},
		{"flags as a number", record{attrs: m{"trace_flags": int64(3)}}, record{flags: 3}},
		{"flags as a double", record{attrs: m{"trace_flags": 1.0}}, record{flags: 1}},
		{"flags zero are moved", record{attrs: m{"trace_flags": "00"}}, record{}},
		{"flags zero give way, whatever the order", record{attrs: m{"trace_flags": "00"}, body: m{"traceFlags": "01"}}, record{flags: 1, attrs: m{"trace_flags": "00"}, body: m{}}},
		{"reserved flag bits are kept", record{flags: 0x100, attrs: m{"trace_flags": "01"}}, record{flags: 0x101}},

		// Left alone.
		{"zero and empty IDs are not IDs", record{attrs: m{"trace_id": strings.Repeat("0", 32), "traceId": "", "traceID": "00000000-0000-0000-0000-000000000000", "otelTraceID": "0", "otelSpanID": "0", "span_id": nil}}, record{attrs: m{"trace_id": strings.Repeat("0", 32), "traceId": "", "traceID": "00000000-0000-0000-0000-000000000000", "otelTraceID": "0", "otelSpanID": "0", "span_id": nil}}},
		{"zeros in base64 give way to an ID", record{attrs: m{"trace_id": "AAAAAAAAAAAAAAAAAAAAAA==", "traceId": traceA}}, record{trace: traceA, attrs: m{"trace_id": "AAAAAAAAAAAAAAAAAAAAAA=="}}},
		{"names that are unpadded base64 stay", record{attrs: m{"trace_id": "checkout-request-flowA", "span_id": "db-query-08"}}, record{attrs: m{"trace_id": "checkout-request-flowA", "span_id": "db-query-08"}}},
		{"unreadable values stay", record{attrs: m{"trace_id": "abc", "span_id": int64(7), "trace_flags": "2", "time": "soon", "level": int64(30)}}, record{attrs: m{"trace_id": "abc", "span_id": int64(7), "trace_flags": "2", "time": "soon", "level": int64(30)}}},
		{"flags out of range stay", record{attrs: m{"trace_flags": int64(256), "traceFlags": 0.5}}, record{attrs: m{"trace_flags": int64(256), "traceFlags": 0.5}}},
		{"a map where a value should be stays", record{attrs: m{"trace_id": m{"id": traceA}}}, record{attrs: m{"trace_id": m{"id": traceA}}}},

		// Severity.
		{"severity by name, in the sender's spelling", record{attrs: m{"level": "Warning"}}, record{sevNumber: 13, sevText: "Warning"}},
		{"severity of the same number is taken twice", record{attrs: m{"severity": "INFO", "level": "info"}}, record{sevNumber: 9, sevText: "INFO"}},
		{"other spellings of the same word go", record{attrs: m{"severity": "err", "level": "ERROR"}}, record{sevNumber: 17, sevText: "err"}},
		{"another word of the same number stays", record{attrs: m{"severity": "alert", "level": "panic"}}, record{sevNumber: 19, sevText: "alert", attrs: m{"level": "panic"}}},
		{"another word than the set text stays", record{sevNumber: 9, sevText: "audit", attrs: m{"level": "info"}}, record{sevNumber: 9, sevText: "audit", attrs: m{"level": "info"}}},
		{"a set severity number that agrees gets the text", record{sevNumber: 9, attrs: m{"severity": "error", "level": "info"}}, record{sevNumber: 9, sevText: "info", attrs: m{"severity": "error"}}},
		{"a set severity number wins, both stay", record{sevNumber: 9, attrs: m{"level": "error"}}, record{sevNumber: 9, attrs: m{"level": "error"}}},
		{"a set severity text that agrees gets the number", record{sevText: "INFO", attrs: m{"level": "info"}}, record{sevNumber: 9, sevText: "INFO"}},
		{"a set severity text wins, both stay", record{sevText: "audit", attrs: m{"level": "info"}}, record{sevText: "audit", attrs: m{"level": "info"}}},
		{"an unknown severity name stays", record{attrs: m{"level": "audit", "severity": "a name longer than all others"}}, record{attrs: m{"level": "audit", "severity": "a name longer than all others"}}},
	}
	p := planWith(t, nil)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			lr := tt.in.build(t)
			correlate(p, lr)
			require.Equal(t, tt.want, plain(lr))
			again := correlate(p, lr)
			require.Equal(t, tt.want, plain(lr), "a second time")
			require.Zero(t, outcomes(again)[outcomeMoved])
		})
	}
}

func TestDuplicateKeys(t *testing.T) {
	duplicate := func(values ...string) plog.LogRecord {
		lr := plog.NewLogRecord()
		for i, v := range values {
			lr.Attributes().PutStr(strings.Repeat("x", i+1), v)
		}
		// The wire allows a key twice, Put does not: rename by way of JSON.
		ld := plog.NewLogs()
		lr.CopyTo(ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty())
		js, err := (&plog.JSONMarshaler{}).MarshalLogs(ld)
		require.NoError(t, err)
		text := string(js)
		for i := range values {
			text = strings.Replace(text, `"key":"`+strings.Repeat("x", i+1)+`"`, `"key":"trace_id"`, 1)
		}
		ld, err = (&plog.JSONUnmarshaler{}).UnmarshalLogs([]byte(text))
		require.NoError(t, err)
		return ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
	}
	p := planWith(t, nil)

	lr := duplicate(traceA, traceA)
	correlate(p, lr)
	require.Equal(t, traceA, lr.TraceID().String())
	require.Zero(t, lr.Attributes().Len())

	lr = duplicate(traceB, traceA, traceB)
	correlate(p, lr)
	require.Equal(t, traceB, lr.TraceID().String(), "the first wins")
	require.Equal(t, m{"trace_id": traceA}, lr.Attributes().AsRaw())
}

func TestNamesAreFoundInEveryNesting(t *testing.T) {
	p := planWith(t, func(c *Config) {
		c.Settings.Fields = Fields{TraceID: []string{"a.b.c"}, SpanID: []string{"a", "a.b"}}
	})
	for name, attrs := range map[string]m{
		"a.b.c":   {"a.b.c": traceA},
		"a.b/c":   {"a.b": m{"c": traceA}},
		"a/b.c":   {"a": m{"b.c": traceA}},
		"a/b/c":   {"a": m{"b": m{"c": traceA}}},
		"a as ID": {"a": spanA, "a.b.c": traceA},
		"b as ID": {"a": m{"b": spanA, "b.c": traceA}},
	} {
		t.Run(name, func(t *testing.T) {
			lr := record{attrs: attrs}.build(t)
			correlate(p, lr)
			require.Equal(t, traceA, lr.TraceID().String())
			require.Zero(t, lr.Attributes().Len())
		})
	}
}

func TestLongNamesAreFound(t *testing.T) {
	long := strings.Repeat("n", 200)
	p := planWith(t, func(c *Config) { c.Settings.Fields = Fields{TraceID: []string{long}} })
	lr := record{attrs: m{long: traceA, strings.Repeat("n", 100): traceB}}.build(t)
	correlate(p, lr)
	require.Equal(t, record{trace: traceA, attrs: m{strings.Repeat("n", 100): traceB}}, plain(lr))
}

func TestRecordWithoutFieldsCostsNoAllocation(t *testing.T) {
	p := planWith(t, nil)
	attrs := m{"http.route": "/cart", "thread.id": int64(12), "duration": 1.5, "tenant": "t1", "context": m{"user": "u"}}
	for name, body := range map[string]any{
		"map":         m{"items": []any{int64(1)}, "span": m{"name": "x"}, "k": "v"},
		"text":        "item added to the cart: id=5",
		"JSON":        `{"items": [1, 2], "customer": {"name": "x", "escaped": "a\"b"}}`,
		"logfmt":      `at=cart item=5 why="a \"b\""`,
		"none at all": nil,
	} {
		t.Run(name, func(t *testing.T) {
			lr := record{attrs: attrs, body: body}.build(t)
			var w worker
			require.Zero(t, testing.AllocsPerRun(100, func() { p.correlate(&w, lr) }))
			require.Zero(t, w.tally.used)
			require.Equal(t, record{attrs: attrs, body: body}, plain(lr))
		})
	}
}
