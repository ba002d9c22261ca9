package wire

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/protobuf/encoding/protowire"
)

var (
	traceID = []byte{0x4b, 0xf9, 0x2f, 0x35, 0x77, 0xb3, 0x4d, 0xa6, 0xa3, 0xce, 0x92, 0x9d, 0x0e, 0x0e, 0x47, 0x36}
	spanID  = []byte{0x00, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7}

	unlimited = Limits{Depth: MaxDepth, Decoded: math.MaxInt64}
)

// fields writes a message of length-delimited fields, given as numbers and
// values in turn.
func fields(numbersAndValues ...any) []byte {
	var b []byte
	for i := 0; i < len(numbersAndValues); i += 2 {
		var value []byte
		switch v := numbersAndValues[i+1].(type) {
		case string:
			value = []byte(v)
		case []byte:
			value = v
		}
		b = append(b, lengthDelimited(protowire.Number(numbersAndValues[i].(int)), value)...)
	}
	return b
}

// inScope writes a request of one resource and one scope.
func inScope(items ...[]byte) []byte {
	var scope []byte
	for _, item := range items {
		scope = append(scope, fields(2, item)...)
	}
	return fields(1, fields(2, scope))
}

// mend walks and mends a request, and checks that nothing is left to mend.
func mend(t *testing.T, s Signal, body []byte) ([]byte, Mended) {
	t.Helper()
	found, err := Proto(s, body, unlimited)
	require.NoError(t, err)
	require.True(t, found.Faulty)
	out, mended := Mend(s, nil, body)
	again, err := Proto(s, out, unlimited)
	require.NoError(t, err)
	require.False(t, again.Faulty)
	return out, mended
}

func mendTraces(t *testing.T, body []byte) (ptrace.Traces, Mended) {
	t.Helper()
	out, mended := mend(t, Traces, body)
	req := ptraceotlp.NewExportRequest()
	require.NoError(t, req.UnmarshalProto(out))
	return req.Traces(), mended
}

func TestIDsOfASpanAreReadInEveryForm(t *testing.T) {
	digits := hex.EncodeToString
	misread := func(id []byte) []byte {
		b, err := base64.StdEncoding.DecodeString(hex.EncodeToString(id))
		require.NoError(t, err)
		return b
	}
	for _, form := range []struct {
		name string
		of   func(id []byte) any
	}{
		{"digits", func(id []byte) any { return digits(id) }},
		{"upper-case digits", func(id []byte) any { return strings.ToUpper(digits(id)) }},
		{"base64", func(id []byte) any { return base64.StdEncoding.EncodeToString(id) }},
		{"base64 of digits", func(id []byte) any { return base64.StdEncoding.EncodeToString([]byte(digits(id))) }},
		{"misread digits", func(id []byte) any { return misread(id) }},
	} {
		t.Run(form.name, func(t *testing.T) {
			td, mended := mendTraces(t, inScope(fields(
				1, form.of(traceID), 2, form.of(spanID), 4, form.of(spanID), 5, "GET /cart",
				13, fields(1, form.of(traceID), 2, form.of(spanID)),
			)))
			require.Equal(t, Mended{IDsRead: 5}, mended)
			span := td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
			require.Equal(t, pcommon.TraceID(traceID), span.TraceID())
			require.Equal(t, pcommon.SpanID(spanID), span.SpanID())
			require.Equal(t, pcommon.SpanID(spanID), span.ParentSpanID())
			require.Equal(t, "GET /cart", span.Name())
			require.Equal(t, pcommon.TraceID(traceID), span.Links().At(0).TraceID())
			require.Equal(t, pcommon.SpanID(spanID), span.Links().At(0).SpanID())
		})
	}
}

func TestShortTraceIDIsPadded(t *testing.T) {
	td, mended := mendTraces(t, inScope(fields(1, traceID[8:], 2, spanID)))
	require.Equal(t, Mended{IDsRead: 1}, mended)
	require.Equal(t, pcommon.TraceID(append(make([]byte, 8), traceID[8:]...)), td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).TraceID())
}

func TestSpanWithoutReadableIDsIsLeftOut(t *testing.T) {
	zeros := make([]byte, 16)
	for name, test := range map[string]struct {
		span []byte
		want string
	}{
		"no trace ID":         {fields(2, spanID, 5, "x"), "trace ID missing: 1"},
		"empty trace ID":      {fields(1, "", 2, spanID, 5, "x"), "trace ID missing: 1"},
		"zero trace ID":       {fields(1, zeros, 2, spanID, 5, "x"), "trace ID zero: 1"},
		"zero digits":         {fields(1, strings.Repeat("0", 32), 2, spanID, 5, "x"), "trace ID zero: 1"},
		"unreadable trace ID": {fields(1, "abc", 2, spanID, 5, "x"), "trace ID unreadable: 1"},
		"no span ID":          {fields(1, traceID, 5, "x"), "span ID missing: 1"},
		"zero span ID":        {fields(1, traceID, 2, zeros[:8], 5, "x"), "span ID zero: 1"},
		"unreadable span ID":  {fields(1, traceID, 2, "abcdefg", 5, "x"), "span ID unreadable: 1"},
		"nothing":             {fields(5, "x"), "trace ID missing: 1"},
		"the last of two IDs": {fields(1, traceID, 2, spanID, 1, "abc", 5, "x"), "trace ID unreadable: 1"},
	} {
		t.Run(name, func(t *testing.T) {
			good := fields(1, traceID, 2, spanID, 5, "good")
			td, mended := mendTraces(t, inScope(good, test.span, good))
			require.Equal(t, 2, td.SpanCount())
			require.Equal(t, 1, mended.Spans)
			require.Equal(t, "1 of 3 spans rejected ("+test.want+`); the first is resourceSpans[0].scopeSpans[0].spans[1], named "x"`, mended.Message(3))
		})
	}
}

func TestMessageNamesTheFirstAndCountsTheReasons(t *testing.T) {
	good, bad := fields(1, traceID, 2, spanID), fields(1, "?", 2, spanID, 5, strings.Repeat("é", 40)+"\xff")
	body := fields(1, fields(2, fields(2, good)), 1, fields(2, fields(2, good), 2, fields(2, good, 2, bad, 2, fields(1, traceID), 2, bad)))
	td, mended := mendTraces(t, body)
	require.Equal(t, 3, td.SpanCount())
	require.Equal(t, 3, mended.Spans)
	require.Equal(t, "3 of 6 spans rejected (trace ID unreadable: 2, span ID missing: 1); "+
		`the first is resourceSpans[1].scopeSpans[1].spans[1], named "`+strings.Repeat("é", 32)+`…"`, mended.Message(6))
}

func TestOtherIDsNeverCostTheRecord(t *testing.T) {
	td, mended := mendTraces(t, inScope(fields(1, traceID, 2, spanID, 4, "parent", 13, fields(1, "x", 2, "y", 3, "a=b"))))
	require.Equal(t, Mended{IDsDropped: 3}, mended)
	span := td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
	require.True(t, span.ParentSpanID().IsEmpty())
	require.Equal(t, "a=b", span.Links().At(0).TraceState().AsRaw())
	require.True(t, span.Links().At(0).TraceID().IsEmpty())

	out, mended := mend(t, Logs, inScope(fields(3, "info", 9, hex.EncodeToString(traceID), 10, "nonsense!")))
	require.Equal(t, Mended{IDsRead: 1, IDsDropped: 1}, mended)
	logs := plogotlp.NewExportRequest()
	require.NoError(t, logs.UnmarshalProto(out))
	record := logs.Logs().ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
	require.Equal(t, pcommon.TraceID(traceID), record.TraceID())
	require.True(t, record.SpanID().IsEmpty())

	out, mended = mend(t, Metrics, inScope(fields(1, "requests", 7, fields(1, fields(5, fields(4, "nonsense!", 5, "x"))))))
	require.Equal(t, Mended{IDsDropped: 2}, mended)
	metrics := pmetricotlp.NewExportRequest()
	require.NoError(t, metrics.UnmarshalProto(out))
	require.Equal(t, 1, metrics.Metrics().DataPointCount())
}

func TestZeroParentsAndLogIDsAreNoFault(t *testing.T) {
	zeros := make([]byte, 16)
	found, err := Proto(Traces, inScope(fields(1, traceID, 2, spanID, 4, zeros[:8], 13, fields(1, zeros, 2, ""))), unlimited)
	require.NoError(t, err)
	require.False(t, found.Faulty)
	found, err = Proto(Logs, inScope(fields(9, zeros, 10, zeros[:8])), unlimited)
	require.NoError(t, err)
	require.False(t, found.Faulty)
}

func TestStringsBecomeUTF8(t *testing.T) {
	attribute := fields(1, "k\xffey", 2, fields(1, "v\xff\xfealue"))
	td, mended := mendTraces(t, fields(1, fields(
		1, fields(1, attribute),
		2, fields(
			1, fields(1, "sc\xffope", 2, "\xff"),
			2, fields(1, traceID, 2, spanID, 3, "a=\xff", 5, "n\xffame", 9, attribute, 11, fields(2, "e\xff"), 15, fields(2, "m\xff")),
			3, "s\xff"),
		3, "r\xff")))
	require.Equal(t, Mended{StringsReplaced: 12}, mended)
	rs := td.ResourceSpans().At(0)
	require.Equal(t, map[string]any{"k\uFFFDey": "v\uFFFDalue"}, rs.Resource().Attributes().AsRaw())
	require.Equal(t, "r\uFFFD", rs.SchemaUrl())
	ss := rs.ScopeSpans().At(0)
	require.Equal(t, "sc\uFFFDope", ss.Scope().Name())
	require.Equal(t, "\uFFFD", ss.Scope().Version())
	span := ss.Spans().At(0)
	require.Equal(t, "n\uFFFDame", span.Name())
	require.Equal(t, "m\uFFFD", span.Status().Message())
	require.Equal(t, "a=\uFFFD", span.TraceState().AsRaw())
	require.Equal(t, "e\uFFFD", span.Events().At(0).Name())
}

// Strings that grow make the lengths of every message around them grow.
func TestLengthsGrowWithStrings(t *testing.T) {
	for _, n := range []int{1, 20, 42, 43, 64, 127, 128, 8191, 16383, 16384} {
		name := strings.Repeat("\xffa", n)
		body := inScope(fields(1, traceID, 2, spanID, 5, name))
		found, err := Proto(Traces, body, unlimited)
		require.NoError(t, err)
		require.EqualValues(t, 2*n+lengthsGrowth, found.Growth)
		td, _ := mendTraces(t, body)
		require.Equal(t, strings.Repeat("\uFFFDa", n), td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).Name())
	}
}

// FuzzMend holds mending against the walk and the decoder: what was no fault
// stays as it is, and what is mended can be decoded and needs no mending.
func FuzzMend(f *testing.F) {
	for _, build := range places {
		e := build(f, func(v pcommon.Value) { nested(v, 3, true) })
		f.Add(uint8(e.signal), e.proto)
	}
	f.Add(uint8(Traces), inScope(fields(1, "x", 2, spanID), fields(1, hex.EncodeToString(traceID), 2, spanID, 4, "p", 5, "n\xff", 13, fields(1, "x"))))
	f.Add(uint8(Logs), inScope(fields(3, "\xff", 9, "x", 10, base64.StdEncoding.EncodeToString(spanID))))
	f.Add(uint8(Metrics), inScope(fields(1, "requests\xff", 7, fields(1, fields(5, fields(4, "nonsense!", 5, "x"))))))
	f.Fuzz(func(t *testing.T, signal uint8, body []byte) {
		s := Signal(signal % 3)
		found, err := Proto(s, body, unlimited)
		if err != nil {
			return
		}
		out, mended := Mend(s, []byte("before"), body)
		out, before := bytes.CutPrefix(out, []byte("before"))
		require.True(t, before)
		if !found.Faulty {
			require.Equal(t, Mended{}, mended)
			require.Equal(t, string(body), string(out))
			return
		}
		again, err := Proto(s, out, unlimited)
		require.NoError(t, err)
		require.False(t, again.Faulty)
		require.Equal(t, found.Reserved || again.Reserved, found.Reserved)
		if err := newRequest(s).UnmarshalProto(out); err != nil {
			require.Error(t, newRequest(s).UnmarshalProto(body), "only %v", err)
		}
	})
}
