package load

import (
	"fmt"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// attributes writes to a map until it has as many as were drawn for the span.
type attributes struct {
	pcommon.Map
	room int
}

func (a *attributes) str(k, v string) {
	if a.room > 0 {
		a.PutStr(k, v)
		a.room--
	}
}

func (a *attributes) int(k string, v int) {
	if a.room > 0 {
		a.PutInt(k, int64(v))
		a.room--
	}
}

// describe sets the name, the kind and the attributes of a span.
func (g *generator) describe(s ptrace.Span, n *node) {
	a := &attributes{Map: s.Attributes(), room: g.between(MinAttributes, MaxAttributes)}
	a.EnsureCapacity(a.room)
	switch n.role {
	case server:
		g.describeServer(a, s, n)
	case client:
		g.describeClient(a, s, n)
	case database:
		g.describeDatabase(a, s, n)
	default:
		g.describeInternal(a, s)
	}
	g.fill(a)
}

func (g *generator) describeServer(a *attributes, s ptrace.Span, n *node) {
	s.SetName(n.route.method + " " + n.route.path)
	s.SetKind(ptrace.SpanKindServer)
	a.str("http.request.method", n.route.method)
	a.str("http.route", n.route.path)
	a.str("url.path", g.path(n.route))
	a.int("http.response.status_code", status(n))
	a.str("url.scheme", "http")
	a.str("server.address", n.instance.service.name+".shop.svc.cluster.local")
	a.int("server.port", 8080)
	if n.health {
		a.str("user_agent.original", "kube-probe/1.34")
	} else {
		a.str("user_agent.original", pick(g, userAgents[:]))
	}
	a.str("client.address", fmt.Sprintf("10.%d.%d.%d", g.rand.IntN(8), g.rand.IntN(256), g.rand.IntN(256)))
	a.str("network.protocol.version", "1.1")
}

func (g *generator) describeClient(a *attributes, s ptrace.Span, n *node) {
	s.SetName(n.route.method)
	s.SetKind(ptrace.SpanKindClient)
	a.str("http.request.method", n.route.method)
	a.str("url.full", "http://backend.shop.svc.cluster.local:8080"+g.path(n.route))
	a.int("http.response.status_code", status(n))
	a.str("server.address", "backend.shop.svc.cluster.local")
	a.int("server.port", 8080)
	a.str("network.protocol.version", "1.1")
	a.int("http.request.resend_count", g.rand.IntN(2))
}

func (g *generator) describeDatabase(a *attributes, s ptrace.Span, n *node) {
	system, operation := n.instance.service.database, pick(g, operations[:])
	s.SetName(operation + " " + n.table)
	s.SetKind(ptrace.SpanKindClient)
	a.str("db.system.name", system)
	a.str("db.namespace", "shop")
	a.str("db.operation.name", operation)
	a.str("db.collection.name", n.table)
	a.str("db.query.text", fmt.Sprintf("%s FROM %s WHERE tenant_id = $1 AND id = ANY($2) AND deleted_at IS NULL LIMIT %d", operation, n.table, 10*(1+g.rand.IntN(10))))
	a.str("server.address", system+"-primary.data.svc.cluster.local")
	a.int("server.port", 5432)
	a.int("db.response.returned_rows", g.rand.IntN(200))
}

func (g *generator) describeInternal(a *attributes, s ptrace.Span) {
	fn := pick(g, functions[:])
	s.SetName(fn)
	s.SetKind(ptrace.SpanKindInternal)
	a.str("code.function.name", fn)
	a.str("code.file.path", "src/"+strings.ToLower(strings.ReplaceAll(fn, ".", "/")))
	a.int("code.line.number", 1+g.rand.IntN(900))
}

// fill adds attributes that any span may have, enough for every role.
func (g *generator) fill(a *attributes) {
	a.int("thread.id", 1+g.rand.IntN(64))
	a.str("thread.name", "worker-"+strconv.Itoa(g.rand.IntN(64)))
	a.str("enduser.id", "u-"+strconv.Itoa(g.rand.IntN(50_000)))
	a.str("session.id", fmt.Sprintf("%016x", g.rand.Uint64()))
	a.str("tenant.id", "tenant-"+strconv.Itoa(g.rand.IntN(40)))
	if a.room > 0 {
		a.PutBool("app.experiment", g.percent(20))
		a.room--
	}
	if a.room > 0 {
		a.PutDouble("app.cart.value", float64(g.rand.IntN(50_000))/100)
		a.room--
	}
	a.str("feature_flag.key", pick(g, flags[:]))
	a.str("feature_flag.result.variant", "on")
	a.str("app.build", "2026.11.21-4711")
	a.int("app.cart.items", g.rand.IntN(12))
	a.str("app.region", "eu")
}

// path fills the variable parts of a route.
func (g *generator) path(r route) string {
	if !strings.Contains(r.path, "{") {
		return r.path
	}
	parts := strings.Split(r.path, "/")
	for i, p := range parts {
		if strings.HasPrefix(p, "{") {
			parts[i] = strconv.Itoa(g.rand.IntN(1_000_000))
		}
	}
	return strings.Join(parts, "/")
}

func status(n *node) int {
	if n.failed {
		return 500
	}
	return 200
}

type exception struct{ kind, message string }

var exceptions = [...]exception{
	{"java.net.SocketTimeoutException", "Read timed out after 2000 ms waiting for the upstream"},
	{"IllegalStateException", "reservation is no longer valid"},
	{"PaymentDeclinedError", "issuer declined the authorisation (code 51)"},
	{"OptimisticLockException", "row was updated by another transaction"},
}

// stacktrace is a dozen frames, of the size that runtimes print.
func (e exception) stacktrace(service string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", e.kind, e.message)
	for i := range 12 {
		fmt.Fprintf(&b, "\tat com.shop.%s.%s(Handler.java:%d)\n", service, functions[i%len(functions)], 40+17*i)
	}
	return b.String()
}

var (
	operations = [...]string{"SELECT", "INSERT", "UPDATE", "DELETE"}
	functions  = [...]string{
		"OrderService.Validate", "PriceEngine.ApplyDiscounts", "CartSerializer.Encode", "StockPolicy.Reserve",
		"TemplateRenderer.Render", "TokenVerifier.Verify", "Ranker.Score", "TaxTable.Lookup", "Ledger.Append",
	}
	flags      = [...]string{"new-checkout", "fast-search", "dark-mode", "price-v2"}
	userAgents = [...]string{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
		"Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0",
		"okhttp/4.12.0",
		"axios/1.7.7",
	}
)
