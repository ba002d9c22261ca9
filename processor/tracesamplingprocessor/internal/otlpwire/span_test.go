package otlpwire_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/otlpwire"
)

// encodedSpan returns the wire form of one span.
func encodedSpan(tb testing.TB, fill func(ptrace.Span)) []byte {
	tb.Helper()
	td := ptrace.NewTraces()
	fill(td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty())
	v := &recorder{}
	require.NoError(tb, otlpwire.Walk(marshal(tb, td), v))
	require.Len(tb, v.spans, 1)
	return []byte(v.spans[0])
}

func marshal(tb testing.TB, td ptrace.Traces) []byte {
	tb.Helper()
	otlp, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
	require.NoError(tb, err)
	return otlp
}

func TestParseReadsWhatASamplerWants(t *testing.T) {
	b := encodedSpan(t, func(s ptrace.Span) {
		s.SetTraceID([16]byte{1, 15: 2})
		s.SetSpanID([8]byte{3})
		s.SetParentSpanID([8]byte{4})
		s.SetName("GET")
		s.SetKind(ptrace.SpanKindServer)
		s.SetStartTimestamp(10)
		s.SetEndTimestamp(20)
		s.Status().SetCode(ptrace.StatusCodeError)
		s.TraceState().FromRaw("a=b")
		s.Attributes().PutStr("http.route", "/r/{id}")
		s.Attributes().PutStr("url.path", "/r/1")
		s.Attributes().PutStr("http.target", "/r/1?x")
	})
	var s otlpwire.Span
	require.NoError(t, s.Parse(b))
	require.Equal(t, otlpwire.Span{
		TraceID: [16]byte{1, 15: 2}, ID: [8]byte{3}, Start: 10, End: 20, StatusCode: 2, Kind: 2,
		TraceState: []byte("a=b"), Name: []byte("GET"),
	}, s)
	var r otlpwire.Routes
	require.NoError(t, otlpwire.EachAttribute(b, r.Take))
	require.Equal(t, otlpwire.Routes{Route: []byte("/r/{id}"), Path: []byte("/r/1"), Target: []byte("/r/1?x")}, r)
}

func TestParseDoesNotDependOnTheOrderOfFields(t *testing.T) {
	b := encodedSpan(t, func(s ptrace.Span) {
		s.SetTraceID([16]byte{1})
		s.SetSpanID([8]byte{3})
		s.SetParentSpanID([8]byte{3})
		s.SetStartTimestamp(10)
		s.SetEndTimestamp(5)
		s.Links().AppendEmpty()
	})
	var want, got otlpwire.Span
	require.NoError(t, want.Parse(b))
	require.Equal(t, otlpwire.SelfParent|otlpwire.EmptyLink|otlpwire.EndBeforeStart, want.Faults)
	require.NoError(t, got.Parse(reversed(t, b)))
	require.Equal(t, want, got)
}

// reversed turns the order of the fields round.
func reversed(t *testing.T, message []byte) []byte {
	t.Helper()
	var fields [][]byte
	for len(message) > 0 {
		num, typ, n := protowire.ConsumeTag(message)
		m := protowire.ConsumeFieldValue(num, typ, message[n:])
		require.Positive(t, m)
		fields = append(fields, message[:n+m])
		message = message[n+m:]
	}
	slices.Reverse(fields)
	return slices.Concat(fields...)
}

func TestParseTakesIDsOfAWrongLengthForNone(t *testing.T) {
	var b []byte
	for _, num := range []protowire.Number{1, 2, 4} {
		b = protowire.AppendTag(b, num, protowire.BytesType)
		b = protowire.AppendBytes(b, []byte("12345"))
	}
	var s otlpwire.Span
	require.NoError(t, s.Parse(b))
	require.Equal(t, otlpwire.Span{Root: true}, s)
}

func TestParseRefusesMalformedSpans(t *testing.T) {
	whole := encodedSpan(t, func(s ptrace.Span) {
		s.SetName("name")
		s.SetEndTimestamp(1)
		s.Status().SetCode(ptrace.StatusCodeOk)
		s.Links().AppendEmpty().SetTraceID([16]byte{1})
	})
	for _, tc := range []struct {
		name string
		b    []byte
	}{
		{"cut tag", []byte{0x80}},
		{"field number zero", []byte{0x00, 0x00}},
		{"no length", []byte{0x0a}},
		{"cut length", []byte{0x0a, 0x80}},
		{"length beyond the end", []byte{0x0a, 0x05, 1}},
		{"length beyond int", []byte{0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}},
		{"cut fixed64", []byte{0x39, 1, 2}},
		{"reserved wire type", []byte{0x0f}},
		{"malformed status", []byte{0x7a, 0x01, 0x80}},
		{"malformed link", []byte{0x6a, 0x01, 0x80}},
		{"cut at its end", whole[:len(whole)-1]},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var s otlpwire.Span
			require.ErrorIs(t, s.Parse(tc.b), otlpwire.ErrMalformed)
		})
	}
}

func TestAppendWithoutRemovesOnlyTheGivenKeys(t *testing.T) {
	b := encodedSpan(t, func(s ptrace.Span) {
		s.SetName("n")
		s.Attributes().PutStr("a", "1")
		s.Attributes().PutStr("b", "2")
		s.Attributes().PutInt("c", 3)
	})
	want := encodedSpan(t, func(s ptrace.Span) {
		s.SetName("n")
		s.Attributes().PutStr("b", "2")
	})
	got, err := otlpwire.AppendWithout([]byte("x"), b, "a", "c", "absent")
	require.NoError(t, err)
	require.Equal(t, "x"+string(want), string(got))
}
