package otlpwire_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/otlpwire"
)

// recorder writes down a walk.
type recorder struct {
	resources, scopes, spans []string
	parents                  [][2]int // of each span: index of its resource and scope
}

func (r *recorder) Resource(head []byte) { r.resources = append(r.resources, string(head)) }
func (r *recorder) Scope(head []byte)    { r.scopes = append(r.scopes, string(head)) }
func (r *recorder) Span(span []byte) error {
	r.spans = append(r.spans, string(span))
	r.parents = append(r.parents, [2]int{len(r.resources) - 1, len(r.scopes) - 1})
	return nil
}

func nested() ptrace.Traces {
	td := ptrace.NewTraces()
	for i := range 3 {
		rs := td.ResourceSpans().AppendEmpty()
		rs.Resource().Attributes().PutInt("i", int64(i))
		rs.SetSchemaUrl("urn:r")
		for j := range i {
			ss := rs.ScopeSpans().AppendEmpty()
			ss.Scope().SetName("s")
			ss.SetSchemaUrl("urn:s")
			for k := range j + 1 {
				ss.Spans().AppendEmpty().SetName(string(rune('a' + k)))
			}
		}
	}
	return td
}

func TestWhatIsWalkedCanBePutTogetherAgain(t *testing.T) {
	otlp := marshal(t, nested())
	r := &recorder{}
	require.NoError(t, otlpwire.Walk(otlp, r))
	require.Len(t, r.resources, 3)
	require.Len(t, r.scopes, 3)
	require.Len(t, r.spans, 4)
	require.Equal(t, rebuilt(t, r), canonical(t, otlp))
}

// rebuilt puts every span into a ResourceSpans and ScopeSpans of its own.
func rebuilt(tb testing.TB, r *recorder) []string {
	tb.Helper()
	var spans []string
	for i, span := range r.spans {
		p := r.parents[i]
		scope := otlpwire.AppendScopeSpans(nil, r.scopes[p[1]], otlpwire.AppendSpan(nil, []byte(span), nil))
		spans = append(spans, canonical(tb, otlpwire.AppendResourceSpans(nil, r.resources[p[0]], scope))...)
	}
	return spans
}

// canonical lists the spans of OTLP data, each with its scope and resource.
func canonical(tb testing.TB, otlp []byte) []string {
	tb.Helper()
	td, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(otlp)
	require.NoError(tb, err)
	var spans []string
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, s := range ss.Spans().All() {
				one := ptrace.NewTraces()
				r := one.ResourceSpans().AppendEmpty()
				rs.Resource().CopyTo(r.Resource())
				r.SetSchemaUrl(rs.SchemaUrl())
				c := r.ScopeSpans().AppendEmpty()
				ss.Scope().CopyTo(c.Scope())
				c.SetSchemaUrl(ss.SchemaUrl())
				s.CopyTo(c.Spans().AppendEmpty())
				spans = append(spans, string(marshal(tb, one)))
			}
		}
	}
	return spans
}

func FuzzWalk(f *testing.F) {
	f.Add(marshal(f, nested()))
	f.Add([]byte{0x0a, 0x04, 0x12, 0x02, 0x12, 0x00})
	f.Fuzz(func(t *testing.T, raw []byte) {
		_ = otlpwire.Walk(raw, &recorder{}) // no panic, whatever it is
		td, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(raw)
		if err != nil {
			return
		}
		otlp := marshal(t, td)
		r := &recorder{}
		require.NoError(t, otlpwire.Walk(otlp, r))
		require.Len(t, r.spans, td.SpanCount())
		require.Equal(t, canonical(t, otlp), rebuilt(t, r))
		for _, span := range r.spans {
			var s otlpwire.Span
			require.NoError(t, s.Parse([]byte(span)))
			mended, err := s.Mend(nil, []byte(span))
			require.NoError(t, err)
			var again otlpwire.Span
			require.NoError(t, again.Parse(mended))
			require.Zero(t, again.Faults)
			var routes otlpwire.Routes
			require.NoError(t, otlpwire.EachAttribute([]byte(span), routes.Take))
		}
	})
}
