package class

import (
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/otlpwire"
)

// testSpan is a span with its resource and the candidates for its route.
type testSpan struct {
	ptrace.ResourceSpans
	routes []string
}

func (s *testSpan) span() ptrace.Span { return s.ScopeSpans().At(0).Spans().At(0) }
func (s *testSpan) root() bool        { return s.span().ParentSpanID().IsEmpty() }

// Matches looks plainly through all spans for everything a match asks.
func matches(m *Match, spans []testSpan) bool {
	some := func(rootOnly bool, holds func(s *testSpan) bool) bool {
		return slices.ContainsFunc(spans, func(s testSpan) bool { return (!rootOnly || s.root()) && holds(&s) })
	}
	if m.Status != "" && m.Status != statusOf(spans) {
		return false
	}
	d := durationOf(spans)
	if d < m.MinDuration || (m.MaxDuration > 0 && d > m.MaxDuration) {
		return false
	}
	if len(spans) < m.MinSpans || (m.MaxSpans > 0 && len(spans) > m.MaxSpans) {
		return false
	}
	if len(m.Routes) > 0 && !some(!m.AnySpan, func(s *testSpan) bool { return slices.ContainsFunc(s.routes, likeAny(m.Routes)) }) {
		return false
	}
	if len(m.Services) > 0 && !some(false, func(s *testSpan) bool {
		name, ok := s.Resource().Attributes().Get("service.name")
		return ok && likeAny(m.Services)(name.Str())
	}) {
		return false
	}
	if len(m.Kinds) > 0 && !some(m.RootOnly, func(s *testSpan) bool {
		return slices.Contains(m.Kinds, strings.ToLower(s.span().Kind().String()))
	}) {
		return false
	}
	for _, a := range m.Attributes {
		if !some(m.RootOnly, func(s *testSpan) bool {
			return hasAttribute(&a, s.span().Attributes()) || hasAttribute(&a, s.Resource().Attributes())
		}) {
			return false
		}
	}
	if m.Condition != "" && !some(m.RootOnly, testExpressions[m.Condition]) {
		return false
	}
	if len(m.Any) > 0 && !slices.ContainsFunc(m.Any, func(b Match) bool { return matches(&b, spans) }) {
		return false
	}
	return m.Not == nil || !matches(m.Not, spans)
}

var testExpressions = map[string]func(s *testSpan) bool{
	`IsRootSpan()`: (*testSpan).root,
	`span.attributes["k"] == "gold"`: func(s *testSpan) bool {
		v, ok := s.span().Attributes().Get("k")
		return ok && v.Type() == pcommon.ValueTypeStr && v.Str() == "gold"
	},
	`span.kind == SPAN_KIND_SERVER and resource.attributes["service.name"] == "shop"`: func(s *testSpan) bool {
		v, ok := s.Resource().Attributes().Get("service.name")
		return s.span().Kind() == ptrace.SpanKindServer && ok && v.Str() == "shop"
	},
}

func statusOf(spans []testSpan) string {
	seen := map[ptrace.StatusCode]bool{}
	for _, s := range spans {
		seen[s.span().Status().Code()] = true
	}
	switch {
	case seen[ptrace.StatusCodeError]:
		return "error"
	case seen[ptrace.StatusCodeOk]:
		return "ok"
	default:
		return "unset"
	}
}

func durationOf(spans []testSpan) time.Duration {
	first, last := spans[0].span().StartTimestamp(), spans[0].span().EndTimestamp()
	for _, s := range spans {
		first, last = min(first, s.span().StartTimestamp()), max(last, s.span().EndTimestamp())
	}
	return time.Duration(last - first)
}

func hasAttribute(a *Attribute, attributes pcommon.Map) bool {
	v, ok := attributes.Get(a.Key)
	switch {
	case !ok:
		return false
	case a.Min != nil || a.Max != nil:
		n, ok := numberOf(v)
		return ok && (a.Min == nil || n.Cmp(big.NewFloat(*a.Min)) >= 0) && (a.Max == nil || n.Cmp(big.NewFloat(*a.Max)) <= 0)
	case len(a.Values) == 0:
		return true
	}
	switch v.Type() {
	case pcommon.ValueTypeStr, pcommon.ValueTypeBool, pcommon.ValueTypeInt:
		return likeAny(a.Values)(v.AsString())
	case pcommon.ValueTypeDouble:
		_, finite := numberOf(v)
		return finite && likeAny(a.Values)(strconv.FormatFloat(v.Double(), 'f', -1, 64))
	default:
		return false
	}
}

// numberOf knows no NaN; infinities are left out of the tests.
func numberOf(v pcommon.Value) (*big.Float, bool) {
	switch v.Type() {
	case pcommon.ValueTypeInt:
		return new(big.Float).SetInt64(v.Int()), true
	case pcommon.ValueTypeDouble:
		if v.Double() != v.Double() {
			return nil, false
		}
		return big.NewFloat(v.Double()), true
	case pcommon.ValueTypeStr:
		return new(big.Float).SetString(v.Str())
	default:
		return nil, false
	}
}

func likeAny(patterns []string) func(string) bool {
	return func(value string) bool {
		for _, p := range patterns {
			re := strings.ReplaceAll(regexp.QuoteMeta(p), `\*`, `.*`)
			if regexp.MustCompile("^" + re + "$").MatchString(value) {
				return true
			}
		}
		return false
	}
}

// facts extracts what the table asks of one span.
func (s *testSpan) facts(t require.TestingT, tab *Table) *Facts {
	span, root := s.span(), s.root()
	f := &Facts{Start: uint64(span.StartTimestamp()), End: uint64(span.EndTimestamp()), Spans: 1}
	f.Status = [...]Status{0, StatusOK, StatusError}[span.Status().Code()]
	tab.Kind(uint64(span.Kind()), root, &f.Met)
	if tab.WantsRoutes(root) {
		for _, route := range s.routes {
			tab.Routes([]byte(route), root, &f.Met)
		}
	}
	if name, ok := s.Resource().Attributes().Get("service.name"); ok {
		tab.Services([]byte(name.Str()), &f.Met)
	}
	td := ptrace.NewTraces()
	s.CopyTo(td.ResourceSpans().AppendEmpty())
	otlp, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
	require.NoError(t, err)
	require.NoError(t, otlpwire.Walk(otlp, &attributeReader{tab, root, &f.Met}))
	if tab.WantsPdata() {
		tab.Conditions(s.ResourceSpans, s.ScopeSpans().At(0), span, root, &f.Met)
	}
	return f
}

// attributeReader reads attributes where the table asks for them.
type attributeReader struct {
	tab  *Table
	root bool
	met  *Bits
}

func (r *attributeReader) take(root bool) func(key, anyValue []byte) error {
	return func(key, anyValue []byte) error { return r.tab.Attribute(key, anyValue, root, r.met) }
}

func (r *attributeReader) Resource(head []byte) {
	if err := otlpwire.EachResourceAttribute(head, r.take(false)); err != nil {
		panic(err)
	}
	if r.root && r.tab.WantsRootAttributes() {
		if err := otlpwire.EachResourceAttribute(head, r.take(true)); err != nil {
			panic(err)
		}
	}
}

func (*attributeReader) Scope([]byte) {}

func (r *attributeReader) Span(span []byte) error {
	if !r.tab.WantsAttributes(r.root) {
		return nil
	}
	return otlpwire.EachAttribute(span, r.take(r.root))
}
