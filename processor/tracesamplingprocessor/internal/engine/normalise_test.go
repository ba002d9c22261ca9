package engine_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/engine"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/otlpwire"
)

func TestNormalise(t *testing.T) {
	addLink := func(s ptrace.Span, trace [16]byte, span uint64, attribute string) {
		l := s.Links().AppendEmpty()
		l.SetTraceID(trace)
		l.SetSpanID(spanID(span))
		l.Attributes().PutStr("of", attribute)
	}
	for _, tc := range []struct {
		name   string
		change func(ptrace.Span)
		want   func(ptrace.Span)
		faults map[otlpwire.Fault]int
	}{
		{
			name:   "nothing to do",
			change: func(s ptrace.Span) { s.SetParentSpanID(spanID(7)); addLink(s, traceID(2), 3, "x") },
			want:   func(s ptrace.Span) { s.SetParentSpanID(spanID(7)); addLink(s, traceID(2), 3, "x") },
		},
		{
			name:   "parent equal to self",
			change: func(s ptrace.Span) { s.SetParentSpanID(s.SpanID()) },
			want:   func(ptrace.Span) {},
			faults: map[otlpwire.Fault]int{otlpwire.SelfParent: 1},
		},
		{
			name: "links without trace or span",
			change: func(s ptrace.Span) {
				addLink(s, [16]byte{}, 3, "no trace")
				addLink(s, traceID(2), 3, "good")
				addLink(s, traceID(2), 0, "no span")
			},
			want:   func(s ptrace.Span) { addLink(s, traceID(2), 3, "good") },
			faults: map[otlpwire.Fault]int{otlpwire.EmptyLink: 1},
		},
		{
			name:   "end before start",
			change: func(s ptrace.Span) { s.SetEndTimestamp(999) },
			want:   func(s ptrace.Span) { s.SetEndTimestamp(1000) },
			faults: map[otlpwire.Fault]int{otlpwire.EndBeforeStart: 1},
		},
		{
			name: "everything at once",
			change: func(s ptrace.Span) {
				s.SetParentSpanID(s.SpanID())
				s.SetEndTimestamp(1)
				addLink(s, [16]byte{}, 0, "none")
			},
			want:   func(s ptrace.Span) { s.SetEndTimestamp(1000) },
			faults: map[otlpwire.Fault]int{otlpwire.SelfParent: 1, otlpwire.EmptyLink: 1, otlpwire.EndBeforeStart: 1},
		},
		{
			name:   "start unknown",
			change: func(s ptrace.Span) { s.SetStartTimestamp(0) },
			want:   func(s ptrace.Span) { s.SetStartTimestamp(0) },
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newT(t, keepAll())
			got, want := full(), full()
			tc.change(got.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0))
			tc.want(want.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0))
			require.NoError(t, h.Ingest(0, marshal(t, got)))
			h.DecideAll(0)
			b := h.TryNext()
			require.NotNil(t, b)
			defer b.Done()
			out := h.decode(b)
			unstamp(out)
			require.Equal(t, asJSON(t, want), asJSON(t, out))
			if tc.faults == nil {
				tc.faults = map[otlpwire.Fault]int{}
			}
			require.Equal(t, tc.faults, h.faults)
		})
	}
}

// full is one span in which every field is set.
func full() ptrace.Traces {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.SetSchemaUrl("urn:resource")
	rs.Resource().SetDroppedAttributesCount(1)
	rs.Resource().Attributes().PutStr("service.name", "shop")
	ss := rs.ScopeSpans().AppendEmpty()
	ss.SetSchemaUrl("urn:scope")
	ss.Scope().SetName("lib")
	ss.Scope().SetVersion("1.2")
	ss.Scope().Attributes().PutBool("b", true)
	s := ss.Spans().AppendEmpty()
	s.SetTraceID(traceID(1))
	s.SetSpanID(spanID(1))
	s.SetName("name")
	s.SetKind(ptrace.SpanKindServer)
	s.SetFlags(0x301)
	s.SetStartTimestamp(1000)
	s.SetEndTimestamp(2000)
	s.SetDroppedAttributesCount(2)
	s.SetDroppedEventsCount(3)
	s.SetDroppedLinksCount(4)
	s.Status().SetCode(ptrace.StatusCodeError)
	s.Status().SetMessage("broken")
	s.Attributes().PutStr("http.route", "/a")
	s.Attributes().PutInt("n", -5)
	s.Attributes().PutEmptyBytes("raw").FromRaw([]byte{0, 1})
	s.Attributes().PutEmptyMap("m").PutEmptySlice("l").AppendEmpty().SetDouble(1.5)
	e := s.Events().AppendEmpty()
	e.SetName("event")
	e.SetTimestamp(1500)
	e.Attributes().PutStr("exception.type", "x")
	return td
}

func marshal(t require.TestingT, td ptrace.Traces) []byte {
	otlp, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
	require.NoError(t, err)
	return otlp
}

func asJSON(t require.TestingT, td ptrace.Traces) string {
	text, err := (&ptrace.JSONMarshaler{}).MarshalTraces(td)
	require.NoError(t, err)
	return string(text)
}

func unstamp(td ptrace.Traces) {
	eachSpan(td, func(_ ptrace.ResourceSpans, _ ptrace.ScopeSpans, s ptrace.Span) {
		n := s.Attributes().Len()
		i := 0
		s.Attributes().RemoveIf(func(string, pcommon.Value) bool { i++; return i > n-3 })
		s.TraceState().FromRaw("")
	})
}

// FuzzIngest: whatever pdata can decode comes out as it came in, but for what
// normalising changes, and whatever it cannot does no harm.
func FuzzIngest(f *testing.F) {
	td := full()
	f.Add(marshal(f, td))
	f.Add(encode(f, root(1, 1), child(1, 2), child(2, 3)))
	f.Add([]byte{0x0a, 0x02, 0x12, 0x00})
	f.Fuzz(func(t *testing.T, raw []byte) {
		h := newT(t, keepAll())
		_ = h.Ingest(0, raw) // anything at all: no panic
		h.DecideAll(0)
		for b := h.TryNext(); b != nil; b = h.TryNext() {
			_, _ = h.encoder.Encode(b)
			b.Done()
		}
		require.Zero(t, h.Held())

		td, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(raw)
		if err != nil {
			return
		}
		h = newT(t, keepAll())
		require.NoError(t, h.Ingest(0, marshal(t, td)))
		h.DecideAll(0)
		got := map[string]int{}
		for b := h.TryNext(); b != nil; b = h.TryNext() {
			out := h.decode(b)
			unstamp(out)
			census(t, out, got)
			b.Done()
		}
		want := map[string]int{}
		normalise(td)
		census(t, td, want)
		require.Equal(t, want, got)
		require.Zero(t, h.Held())
		require.Equal(t, td.SpanCount(), h.received-h.reasons[engine.InProgress]-h.reasons[engine.InvalidID])
	})
}

// normalise is the plain form of what the engine does on the wire.
func normalise(td ptrace.Traces) {
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			ss.Spans().RemoveIf(func(s ptrace.Span) bool {
				return s.TraceID().IsEmpty() || s.SpanID().IsEmpty() || s.EndTimestamp() == 0
			})
		}
	}
	eachSpan(td, func(_ ptrace.ResourceSpans, _ ptrace.ScopeSpans, s ptrace.Span) {
		s.TraceState().FromRaw("")
		if s.ParentSpanID() == s.SpanID() {
			s.SetParentSpanID([8]byte{})
		}
		s.Links().RemoveIf(func(l ptrace.SpanLink) bool { return l.TraceID().IsEmpty() || l.SpanID().IsEmpty() })
		if s.EndTimestamp() < s.StartTimestamp() {
			s.SetEndTimestamp(s.StartTimestamp())
		}
		s.Attributes().RemoveIf(func(k string, _ pcommon.Value) bool {
			return k == "spanlake.class" || k == "spanlake.retention" || k == "spanlake.adjusted_count"
		})
	})
}

// census counts each span together with its scope and resource.
func census(t require.TestingT, td ptrace.Traces, into map[string]int) {
	eachSpan(td, func(rs ptrace.ResourceSpans, ss ptrace.ScopeSpans, s ptrace.Span) {
		one := ptrace.NewTraces()
		r := one.ResourceSpans().AppendEmpty()
		rs.Resource().CopyTo(r.Resource())
		r.SetSchemaUrl(rs.SchemaUrl())
		c := r.ScopeSpans().AppendEmpty()
		ss.Scope().CopyTo(c.Scope())
		c.SetSchemaUrl(ss.SchemaUrl())
		s.CopyTo(c.Spans().AppendEmpty())
		into[string(marshal(t, one))]++
	})
}
