package load

import (
	"fmt"
	"math/rand/v2"

	"go.opentelemetry.io/collector/pdata/ptrace"
)

// service is one of the simulated services.
type service struct {
	name, language, runtime, version string
	// routes are the HTTP routes it serves.
	routes []route
	// database is the system it keeps its data in, with the tables.
	database string
	tables   []string
	// calls are the services it calls, by index.
	calls []int
}

type route struct{ method, path string }

var services = [...]service{
	{"web-gateway", "nodejs", "nodejs", "22.11.0", []route{{"GET", "/"}, {"GET", "/products/{id}"}, {"POST", "/cart/items"}, {"POST", "/checkout"}, {"GET", "/search"}, {"GET", "/account/orders"}}, "redis", []string{"session"}, []int{1, 2, 3, 9, 10}},
	{"checkout", "java", "OpenJDK Runtime Environment", "21.0.5+11", []route{{"POST", "/v1/orders"}, {"GET", "/v1/orders/{id}"}}, "postgresql", []string{"orders", "order_lines"}, []int{2, 4, 5, 6, 7, 11}},
	{"cart", "go", "go", "go1.26.8", []route{{"GET", "/carts/{id}"}, {"POST", "/carts/{id}/items"}, {"DELETE", "/carts/{id}/items/{item}"}}, "redis", []string{"cart"}, []int{3, 4}},
	{"catalog", "java", "OpenJDK Runtime Environment", "21.0.5+11", []route{{"GET", "/products/{id}"}, {"GET", "/products"}}, "postgresql", []string{"products", "categories", "media"}, []int{4, 5, 8}},
	{"pricing", "go", "go", "go1.26.8", []route{{"POST", "/quotes"}}, "redis", []string{"price", "discount"}, []int{9}},
	{"inventory", "dotnet", ".NET", "9.0.0", []route{{"GET", "/stock/{sku}"}, {"POST", "/reservations"}}, "mssql", []string{"stock", "reservations"}, []int{7}},
	{"payment", "java", "OpenJDK Runtime Environment", "21.0.5+11", []route{{"POST", "/payments"}, {"POST", "/payments/{id}/capture"}}, "postgresql", []string{"payments", "ledger"}, []int{9, 11}},
	{"shipping", "go", "go", "go1.26.8", []route{{"POST", "/shipments"}, {"GET", "/rates"}}, "mysql", []string{"shipments", "carriers"}, []int{11}},
	{"recommendation", "python", "CPython", "3.13.0", []route{{"GET", "/recommendations/{user}"}}, "elasticsearch", []string{"recommendations-v3"}, []int{9}},
	{"user", "dotnet", ".NET", "9.0.0", []route{{"GET", "/users/{id}"}, {"POST", "/sessions"}}, "postgresql", []string{"users", "addresses"}, []int{11}},
	{"search", "python", "CPython", "3.13.0", []route{{"GET", "/query"}}, "elasticsearch", []string{"products-v12"}, []int{3, 8}},
	{"notification", "nodejs", "nodejs", "22.11.0", []route{{"POST", "/messages"}}, "mongodb", []string{"templates", "outbox"}, []int{9}},
}

// scopes are the instrumentation libraries, by the role of a span.
var scopes = [roles]string{server: "http", client: "http-client", database: "database", internal: "app"}

// instance is one running copy of a service. It collects spans until they are
// as many as it exports at once.
type instance struct {
	service *service
	number  int

	request  ptrace.Traces
	template ptrace.ResourceSpans // resource and empty scopes
	spans    int                  // in request
	limit    int
}

func newInstances(r *rand.Rand, s *service) []*instance {
	out := make([]*instance, instancesPerService)
	for i := range out {
		in := &instance{service: s, number: i, template: ptrace.NewResourceSpans()}
		in.fillResource(r)
		for _, scope := range scopes {
			ss := in.template.ScopeSpans().AppendEmpty()
			ss.Scope().SetName(fmt.Sprintf("@telemetry/instrumentation-%s-%s", s.language, scope))
			ss.Scope().SetVersion("2.11.0")
		}
		in.reset(minRequestSpans + r.IntN(maxRequestSpans-minRequestSpans+1))
		out[i] = in
	}
	return out
}

func (in *instance) fillResource(r *rand.Rand) {
	s, a := in.service, in.template.Resource().Attributes()
	pod := fmt.Sprintf("%s-%08x-%05x", s.name, r.Uint32(), r.Uint32()&0xfffff)
	a.PutStr("service.name", s.name)
	a.PutStr("service.namespace", "shop")
	a.PutStr("service.version", fmt.Sprintf("4.%d.%d", r.IntN(30), r.IntN(10)))
	a.PutStr("service.instance.id", fmt.Sprintf("%08x-%04x-4%03x-a%03x-%012x", r.Uint32(), r.Uint32()&0xffff, r.Uint32()&0xfff, r.Uint32()&0xfff, r.Uint64()&0xffffffffffff))
	a.PutStr("deployment.environment.name", "production")
	a.PutStr("telemetry.sdk.name", "opentelemetry")
	a.PutStr("telemetry.sdk.language", s.language)
	a.PutStr("telemetry.sdk.version", "1.44.0")
	a.PutStr("process.runtime.name", s.runtime)
	a.PutStr("process.runtime.version", s.version)
	a.PutInt("process.pid", int64(1+r.IntN(60)))
	a.PutStr("os.type", "linux")
	a.PutStr("host.name", pod)
	a.PutStr("k8s.cluster.name", "prod-eu-1")
	a.PutStr("k8s.namespace.name", "shop")
	a.PutStr("k8s.deployment.name", s.name)
	a.PutStr("k8s.pod.name", pod)
	a.PutStr("k8s.node.name", fmt.Sprintf("node-%02d", r.IntN(24)))
	a.PutStr("cloud.provider", "aws")
	a.PutStr("cloud.region", "eu-central-1")
	a.PutStr("cloud.availability_zone", fmt.Sprintf("eu-central-1%c", 'a'+r.IntN(3)))
}

// reset begins a new request that is full at limit spans.
func (in *instance) reset(limit int) {
	in.request = ptrace.NewTraces()
	in.template.CopyTo(in.request.ResourceSpans().AppendEmpty())
	in.spans, in.limit = 0, limit
}

// add appends a span to the request, under the scope of its role.
func (in *instance) add(r role) ptrace.Span {
	in.spans++
	return in.request.ResourceSpans().At(0).ScopeSpans().At(int(r)).Spans().AppendEmpty()
}

// encode encodes the request, without the scopes that have no span.
func (in *instance) encode() ([]byte, error) {
	in.request.ResourceSpans().At(0).ScopeSpans().RemoveIf(func(ss ptrace.ScopeSpans) bool { return ss.Spans().Len() == 0 })
	return (&ptrace.ProtoMarshaler{}).MarshalTraces(in.request)
}
