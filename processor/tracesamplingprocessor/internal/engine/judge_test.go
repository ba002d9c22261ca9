package engine

import (
	"bytes"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/class"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/otlpwire"
)

// pieces is a walk written down.
type pieces struct {
	resource, scope string
	spans           []piece
}

type piece struct {
	resource, scope string
	encoded         []byte
}

func (p *pieces) Resource(head []byte) { p.resource = string(head) }
func (p *pieces) Scope(head []byte)    { p.scope = string(head) }
func (p *pieces) Span(encoded []byte) error {
	p.spans = append(p.spans, piece{p.resource, p.scope, encoded})
	return nil
}

func piecesOf(tb testing.TB, td ptrace.Traces) (*pieces, []byte) {
	tb.Helper()
	otlp, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
	require.NoError(tb, err)
	p := &pieces{}
	require.NoError(tb, otlpwire.Walk(otlp, p))
	return p, otlp
}

// judged returns the facts of the only trace in td.
func judged(tb testing.TB, table *class.Table, td ptrace.Traces) class.Facts {
	tb.Helper()
	_, otlp := piecesOf(tb, td)
	in := cutUp(tb, table, otlp)
	require.NoError(tb, in.conditions())
	require.Len(tb, in.groups, 1)
	return in.groups[0].facts
}

// cutUp is what Ingest does to a batch before it asks for conditions.
func cutUp(tb testing.TB, table *class.Table, otlp []byte) *intake {
	tb.Helper()
	e := New(Options{Table: table})
	in := e.intake()
	require.NoError(tb, in.read(otlp))
	e.cut(in, true)
	return in
}

func tableOf(tb testing.TB, matches ...class.Match) *class.Table {
	tb.Helper()
	var classes []class.Config
	for i := range matches {
		classes = append(classes, class.Config{Name: string(rune('a' + i)), Keep: "100%", Match: &matches[i]})
	}
	table, err := class.NewTable(append(classes, class.Config{Name: "rest", Keep: "100%"}))
	require.NoError(tb, err)
	return table
}

// twoServices is a trace with a root in the shop, called from a browser, and a
// child that reads a database for a gold customer.
func twoServices() ptrace.Traces {
	td := ptrace.NewTraces()
	add := func(service string, parent byte, kind ptrace.SpanKind) ptrace.Span {
		rs := td.ResourceSpans().AppendEmpty()
		rs.Resource().Attributes().PutStr("service.name", service)
		rs.Resource().Attributes().PutStr("zone", service+"-zone")
		s := rs.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
		s.SetTraceID([16]byte{1})
		s.SetSpanID([8]byte{parent + 1})
		s.SetParentSpanID([8]byte{parent})
		s.SetKind(kind)
		s.SetStartTimestamp(1)
		s.SetEndTimestamp(2)
		return s
	}
	root := add("shop", 0, ptrace.SpanKindServer)
	root.Attributes().PutStr("http.route", "/checkout/{id}")
	root.Attributes().PutInt("http.response.status_code", 503)
	child := add("db", 1, ptrace.SpanKindClient)
	child.Attributes().PutStr("tenant.tier", "gold")
	child.Attributes().PutBool("debug", true)
	return td
}

func TestWhatSpansAndResourcesMeet(t *testing.T) {
	at := func(x float64) *float64 { return &x }
	attribute := func(a class.Attribute) class.Match { return class.Match{Attributes: []class.Attribute{a}} }
	rootOnly := func(m class.Match) class.Match {
		m.RootOnly = true
		return m
	}
	for _, tc := range []struct {
		name  string
		match class.Match
		want  bool
	}{
		{"route", class.Match{Routes: []string{"/checkout*"}}, true},
		{"route and attribute of one span", class.Match{
			Routes:     []string{"/checkout*"},
			Attributes: []class.Attribute{{Key: "http.response.status_code", Min: at(500), Max: at(599)}},
		}, true},
		{"number out of range", attribute(class.Attribute{Key: "http.response.status_code", Max: at(502)}), false},
		{"attribute of the root", rootOnly(attribute(class.Attribute{Key: "http.response.status_code"})), true},
		{"attribute of a child", attribute(class.Attribute{Key: "tenant.tier", Values: []string{"gold"}}), true},
		{"attribute of a child, root only", rootOnly(attribute(class.Attribute{Key: "tenant.tier"})), false},
		{"resource of the root", attribute(class.Attribute{Key: "zone", Values: []string{"shop-*"}}), true},
		{"resource of the root, root only", rootOnly(attribute(class.Attribute{Key: "zone", Values: []string{"shop-*"}})), true},
		{"resource of a child", attribute(class.Attribute{Key: "zone", Values: []string{"db-*"}}), true},
		{"resource of a child, root only", rootOnly(attribute(class.Attribute{Key: "zone", Values: []string{"db-*"}})), false},
		{"service", class.Match{Services: []string{"db"}}, true},
		{"kind of a child", class.Match{Kinds: []string{"client"}}, true},
		{"kind of a child, root only", rootOnly(class.Match{Kinds: []string{"client"}}), false},
		{"kind of the root", rootOnly(class.Match{Kinds: []string{"producer", "server"}}), true},
		{"spans", class.Match{MinSpans: 2, MaxSpans: 2}, true},
		{"more spans", class.Match{MinSpans: 3}, false},
		{"condition", class.Match{Condition: `span.attributes["debug"] == true`}, true},
		{"condition, root only", rootOnly(class.Match{Condition: `span.attributes["debug"] == true`}), false},
		{"condition on the resource", class.Match{Condition: `resource.attributes["service.name"] == "db" and span.kind == SPAN_KIND_CLIENT`}, true},
		{"condition on one span, met by two", class.Match{Condition: `resource.attributes["service.name"] == "db" and span.kind == SPAN_KIND_SERVER`}, false},
		{"conditions met by two spans", class.Match{Condition: `IsRootSpan()`, Attributes: []class.Attribute{{Key: "debug"}}}, true},
		{"condition that fails", class.Match{Condition: `Int(span.attributes) == 1`}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			table := tableOf(t, tc.match)
			facts := judged(t, table, twoServices())
			require.Equal(t, tc.want, table.Classify(&facts) == 0)
		})
	}
}

func TestConditionsRefuseMalformedSpans(t *testing.T) {
	table := tableOf(t, class.Match{Condition: "IsRootSpan()"})
	_, otlp := piecesOf(t, twoServices())
	at := bytes.Index(otlp, []byte("\x04gold"))
	otlp[at] = 0x7f // the engine itself does not look
	in := cutUp(t, table, otlp)
	require.Error(t, in.conditions())
}

// fatRequest is a trace with one root span for each of traces, all of one
// resource with many attributes, in one scope or in one each.
func fatRequest(tb testing.TB, traces, attributes int, scopes bool) []byte {
	tb.Helper()
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("zone", "a")
	for i := range attributes {
		rs.Resource().Attributes().PutStr(fmt.Sprint("attribute", i), "")
	}
	var ss ptrace.ScopeSpans
	for i := range traces {
		if i == 0 || scopes {
			ss = rs.ScopeSpans().AppendEmpty()
			ss.Scope().SetName(fmt.Sprint(i))
		}
		s := ss.Spans().AppendEmpty()
		s.SetTraceID([16]byte{1, byte(i >> 8), byte(i)})
		s.SetSpanID([8]byte{1})
		s.SetEndTimestamp(1)
		s.Attributes().PutInt("n", int64(i))
	}
	otlp, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
	require.NoError(tb, err)
	return otlp
}

func TestResourceOfRootsIsReadWithItsHeadOnly(t *testing.T) {
	table := tableOf(t, class.Match{Attributes: []class.Attribute{{Key: "zone"}}, RootOnly: true})
	in := cutUp(t, table, fatRequest(t, 3, 1, false))
	require.NotEqual(t, class.Bits{}, in.acquired[0].resource.rootMet)
	for i := range in.groups {
		require.Equal(t, class.Bits{}, in.groups[i].facts.Met)
	}
	require.NoError(t, in.conditions())
	for i := range in.groups {
		require.Equal(t, 0, table.Classify(&in.groups[i].facts))
	}
}

// What a condition costs grows with the size of a request, not with the product
// of its traces and its resource.
func TestResourceIsDecodedOnceForAllConditions(t *testing.T) {
	for name, scopes := range map[string]bool{"one scope": false, "many scopes": true} {
		t.Run(name, func(t *testing.T) {
			table := tableOf(t, class.Match{Condition: `span.attributes["n"] == 7 and resource.attributes["zone"] == "a" and instrumentation_scope.name != "x"`})
			otlp := fatRequest(t, 300, 5000, scopes)
			in := cutUp(t, table, otlp)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			require.NoError(t, in.conditions())
			runtime.ReadMemStats(&after)
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(50*len(otlp)))
			for i := range in.groups {
				require.Equal(t, i == 7, table.Classify(&in.groups[i].facts) == 0, "trace %d", i)
			}
		})
	}
}

// benchmarkJudge judges spans of 13 attributes, one in ten of them a root.
func benchmarkJudge(b *testing.B, matches ...class.Match) {
	b.Helper()
	table := tableOf(b, matches...)
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", "shop")
	spans := rs.ScopeSpans().AppendEmpty().Spans()
	for i := range 10 {
		s := spans.AppendEmpty()
		s.SetTraceID([16]byte{1})
		s.SetSpanID([8]byte{byte(i + 1)})
		s.SetParentSpanID([8]byte{byte(i)})
		s.SetKind(ptrace.SpanKindServer)
		s.SetName("GET /checkout/{id}")
		s.SetStartTimestamp(1_700_000_000_000_000_000)
		s.SetEndTimestamp(1_700_000_000_100_000_000)
		for _, key := range []string{
			"http.request.method", "url.scheme", "server.address", "network.protocol.version", "user_agent.original",
			"client.address", "http.route", "tenant.id", "k8s.pod.name", "thread.name", "code.function.name",
		} {
			s.Attributes().PutStr(key, "/value/of/"+key)
		}
		s.Attributes().PutInt("http.response.status_code", 200)
		s.Attributes().PutInt("server.port", 8080)
	}
	p, otlp := piecesOf(b, td)
	in := New(Options{Table: table}).intake()
	require.NoError(b, in.read(otlp))
	b.ReportAllocs()
	for b.Loop() {
		for i := range p.spans {
			if err := in.span.Parse(p.spans[i].encoded); err != nil {
				b.Fatal(err)
			}
			if err := in.judge(&in.groups[0], p.spans[i].encoded); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N*len(p.spans)), "ns/span")
}

func BenchmarkJudgeRoutesOfRoots(b *testing.B) {
	benchmarkJudge(b, class.Match{Status: "error"}, class.Match{MinDuration: time.Second},
		class.Match{Routes: []string{"/health*"}}, class.Match{Routes: []string{"/checkout*"}, Services: []string{"shop"}})
}

func BenchmarkJudgeThreeAttributes(b *testing.B) {
	least := 500.0
	benchmarkJudge(b, class.Match{Status: "error"}, class.Match{MinDuration: time.Second},
		class.Match{Attributes: []class.Attribute{
			{Key: "http.response.status_code", Min: &least}, {Key: "tenant.id", Values: []string{"gold", "plat*"}}, {Key: "debug"},
		}})
}
