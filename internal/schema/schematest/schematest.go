// Package schematest makes realistic traces and logs for tests and benchmarks.
package schematest

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanlake/spanlake/internal/attr"
)

// Generator makes data of a dozen services with three pods each. The same seed
// gives the same data.
type Generator struct {
	// Gap is the greatest time between the starts of two traces.
	Gap time.Duration

	rand *rand.Rand
	now  time.Time
}

const (
	services = 12
	pods     = 3
)

// New returns a generator of data from start on.
func New(seed uint64, start time.Time) *Generator {
	return &Generator{Gap: 2 * time.Millisecond, rand: rand.New(rand.NewPCG(seed, 1)), now: start}
}

// Traces returns at least n spans in whole traces of 8 to 40, grouped by
// resource as SDKs send them: 8 to 15 attributes a span, 2 % errors with an
// exception event. They carry the sampler's stamps.
func (g *Generator) Traces(n int) ptrace.Traces {
	td := ptrace.NewTraces()
	var scopes [services * pods]ptrace.SpanSlice
	for made := 0; made < n; {
		g.now = g.now.Add(time.Duration(g.rand.IntN(int(g.Gap/time.Microsecond))) * time.Microsecond)
		traceID := g.traceID()
		var ids []pcommon.SpanID
		start := g.now
		for i, size := 0, 8+g.rand.IntN(33); i < size; i++ {
			at := g.rand.IntN(len(scopes))
			if scopes[at] == (ptrace.SpanSlice{}) {
				scopes[at] = g.scope(td, at)
			}
			span := scopes[at].AppendEmpty()
			span.SetTraceID(traceID)
			span.SetSpanID(g.spanID())
			if i > 0 {
				span.SetParentSpanID(ids[g.rand.IntN(len(ids))])
			}
			ids = append(ids, span.SpanID())
			start = start.Add(time.Duration(g.rand.IntN(3_000_000)))
			span.SetStartTimestamp(pcommon.NewTimestampFromTime(start))
			span.SetEndTimestamp(pcommon.NewTimestampFromTime(start.Add(time.Duration(g.rand.ExpFloat64() * 20e6))))
			span.SetFlags(0x101)
			g.fill(span, i)
			made++
		}
	}
	return td
}

func (g *Generator) scope(td ptrace.Traces, at int) ptrace.SpanSlice {
	rs := td.ResourceSpans().AppendEmpty()
	g.resource(rs.Resource(), at)
	rs.SetSchemaUrl("https://opentelemetry.io/schemas/1.37.0")
	ss := rs.ScopeSpans().AppendEmpty()
	ss.Scope().SetName("io.opentelemetry.http")
	ss.Scope().SetVersion("2.1.0")
	return ss.Spans()
}

func (*Generator) resource(r pcommon.Resource, at int) {
	service, pod := at/pods, at%pods
	m := r.Attributes()
	m.PutStr("service.name", fmt.Sprintf("service-%02d", service))
	m.PutStr("service.namespace", "shop")
	m.PutStr("service.version", fmt.Sprintf("1.%d.0", service))
	m.PutStr("deployment.environment.name", "production")
	m.PutStr("host.name", fmt.Sprintf("node-%d", pod))
	m.PutStr("k8s.namespace.name", "shop")
	m.PutStr("k8s.pod.name", fmt.Sprintf("service-%02d-7c9d8-%d", service, pod))
	m.PutStr("k8s.deployment.name", fmt.Sprintf("service-%02d", service))
	m.PutStr("telemetry.sdk.language", "java")
	m.PutStr("telemetry.sdk.name", "opentelemetry")
	m.PutStr("telemetry.sdk.version", "1.55.0")
	m.PutStr("process.runtime.name", "OpenJDK Runtime Environment")
	m.PutInt("process.pid", int64(1000+at))
	m.PutStr(attr.Source, "shop")
}

var (
	methods = []string{"GET", "GET", "GET", "POST", "PUT", "DELETE"}
	routes  = []string{"/api/orders/{id}", "/api/orders", "/api/users/{id}", "/checkout", "/api/products/{id}/reviews"}
	tables  = []string{"orders", "users", "products", "carts"}
)

func (g *Generator) fill(span ptrace.Span, i int) {
	m := span.Attributes()
	r := g.rand
	switch {
	case i == 0 || r.IntN(3) == 0:
		route := routes[r.IntN(len(routes))]
		span.SetKind(ptrace.SpanKindServer)
		span.SetName("GET " + route)
		m.PutStr("http.request.method", methods[r.IntN(len(methods))])
		m.PutStr("http.route", route)
		m.PutInt("http.response.status_code", 200)
		m.PutStr("url.path", fmt.Sprintf("/api/orders/%d", r.IntN(100_000)))
		m.PutStr("url.scheme", "https")
		m.PutStr("server.address", "shop.example.com")
		m.PutInt("server.port", 443)
		m.PutStr("network.protocol.version", "1.1")
		m.PutStr("network.peer.address", fmt.Sprintf("10.1.%d.%d", r.IntN(256), r.IntN(256)))
		m.PutStr("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36")
		m.PutStr("user.id", fmt.Sprintf("user-%d", r.IntN(20_000)))
	case r.IntN(2) == 0:
		table := tables[r.IntN(len(tables))]
		span.SetKind(ptrace.SpanKindClient)
		span.SetName("SELECT " + table)
		m.PutStr("db.system.name", "postgresql")
		m.PutStr("db.namespace", "shop")
		m.PutStr("db.operation.name", "SELECT")
		m.PutStr("db.collection.name", table)
		m.PutStr("db.query.text", "SELECT * FROM "+table+" WHERE id = $1")
		m.PutStr("server.address", "postgres-0.shop.svc")
		m.PutInt("server.port", 5432)
		m.PutInt("db.response.returned_rows", int64(r.IntN(50)))
	default:
		span.SetKind(ptrace.SpanKindInternal)
		span.SetName([]string{"validate", "render", "price", "authorize"}[r.IntN(4)])
		m.PutStr("code.function.name", "com.example.shop.Pricing.apply")
		m.PutBool("cache.hit", r.IntN(2) == 0)
		m.PutDouble("cart.total", float64(r.IntN(100_000))/100)
		m.PutInt("cart.items", int64(r.IntN(20)))
	}
	m.PutInt("thread.id", int64(r.IntN(64)))
	m.PutStr("thread.name", fmt.Sprintf("http-nio-8080-exec-%d", r.IntN(64)))
	m.PutStr("app.tenant", fmt.Sprintf("tenant-%d", r.IntN(40)))
	if r.IntN(50) == 0 {
		span.Status().SetCode(ptrace.StatusCodeError)
		span.Status().SetMessage("payment declined")
		m.PutStr("error.type", "PaymentError")
		event := span.Events().AppendEmpty()
		event.SetName("exception")
		event.SetTimestamp(span.EndTimestamp())
		event.Attributes().PutStr("exception.type", "PaymentError")
		event.Attributes().PutStr("exception.message", "card declined")
		event.Attributes().PutStr("exception.stacktrace", "at com.example.shop.Payment.charge(Payment.java:42)\nat com.example.shop.Checkout.run(Checkout.java:17)")
	}
	m.PutStr(attr.Class, "normal")
	m.PutStr(attr.Retention, "7d")
	m.PutDouble(attr.AdjustedCount, 20)
}

// Logs returns n log records, each of a trace.
func (g *Generator) Logs(n int) plog.Logs {
	ld := plog.NewLogs()
	var scopes [services * pods]plog.LogRecordSlice
	for range n {
		at := g.rand.IntN(len(scopes))
		if scopes[at] == (plog.LogRecordSlice{}) {
			rl := ld.ResourceLogs().AppendEmpty()
			g.resource(rl.Resource(), at)
			sl := rl.ScopeLogs().AppendEmpty()
			sl.Scope().SetName("com.example.shop.Checkout")
			scopes[at] = sl.LogRecords()
		}
		g.now = g.now.Add(time.Duration(g.rand.IntN(500)) * time.Microsecond)
		record := scopes[at].AppendEmpty()
		record.SetTimestamp(pcommon.NewTimestampFromTime(g.now))
		record.SetObservedTimestamp(pcommon.NewTimestampFromTime(g.now.Add(time.Millisecond)))
		record.SetTraceID(g.traceID())
		record.SetSpanID(g.spanID())
		record.SetSeverityNumber(plog.SeverityNumberInfo)
		record.SetSeverityText("INFO")
		record.Body().SetStr(fmt.Sprintf("order %d accepted in %d ms", g.rand.IntN(100_000), g.rand.IntN(900)))
		record.Attributes().PutStr("thread.name", fmt.Sprintf("http-nio-8080-exec-%d", g.rand.IntN(64)))
		record.Attributes().PutInt("order.items", int64(g.rand.IntN(20)))
	}
	return ld
}

func (g *Generator) traceID() pcommon.TraceID {
	var id pcommon.TraceID
	binary.BigEndian.PutUint64(id[:8], g.rand.Uint64())
	binary.BigEndian.PutUint64(id[8:], g.rand.Uint64())
	return id
}

func (g *Generator) spanID() pcommon.SpanID {
	var id pcommon.SpanID
	binary.BigEndian.PutUint64(id[:], g.rand.Uint64())
	return id
}
