package tokenotlpreceiver

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
)

// tokenRows are of requests without a right token: they are told nothing else,
// wherever they go.
func tokenRows(t *testing.T) []row {
	t.Helper()
	var rows []row
	for _, path := range []string{"/v1/traces", "/v1/logs", "/v1/metrics", "/", "/v1/traces/", "/v1/profiles", "/metrics"} {
		rows = append(rows,
			refused("no token, "+path+", JSON", post(path, jsonType, []byte(`{}`)).authorized(), unauthorized),
			refused("no token, "+path+", protobuf", post(path, protoType, nil).authorized(), unauthorized),
			refused("no token, GET "+path, post(path, "", nil).by(http.MethodGet).authorized(), unauthorized),
		)
	}
	rows = append(rows,
		refused("no token, HEAD", post("/", "", nil).by(http.MethodHead).authorized(), unauthorized),
		refused("no token, OPTIONS", post("/v1/traces", "", nil).by(http.MethodOptions).authorized(), unauthorized),
		refused("no token, form", post("/", "application/x-www-form-urlencoded", []byte(`{"a":1}`)).authorized(), unauthorized),
		refused("no token, protobuf with a parameter", post("/v1/logs", protoType+"; charset=utf-8", nil).authorized(), unauthorized),
		refused("no token, text", post("/v1/logs", "text/html", nil).authorized(), unauthorized),
	)
	for s := range signals {
		rows = append(rows, refused("no token, "+s.String()+", gRPC", export(s, protoOf(t, requestOf(s))).authorized(), unauthorized))
	}
	return append(rows,
		refused("no token, unknown service", rpc{method: "/grpc.health.v1.Health/Check"}, unauthorized),
		refused("no token, unknown method", rpc{method: "/" + services[traces] + "/Import"}, unauthorized),
	)
}

// tokenFirstRows are of requests with many faults: the token is what is told.
func tokenFirstRows(t *testing.T) []row {
	t.Helper()
	large := bytes.Repeat([]byte{' '}, mib+1)
	broken := post("/v1/traces", jsonType, []byte("no gzip")).with("Content-Encoding", "gzip").authorized()
	return []row{
		refused("no token, too large", post("/v1/traces", jsonType, large).authorized(), unauthorized).at(small),
		refused("no token, too large, gRPC", export(traces, large).authorized(), unauthorized).at(small),
		refused("no token, corrupt", broken, unauthorized),
		refused("no token, unknown coding", broken.with("Content-Encoding", "br"), unauthorized),
		refused("no token, malformed, gRPC", export(traces, []byte("hello")).authorized(), unauthorized),
		refused("no token, no pipeline", post("/v1/metrics", jsonType, nil).authorized(), unauthorized).at(noLogs),
		refused("no token, no pipeline, gRPC", export(metrics, nil).authorized(), unauthorized).at(noLogs),
		refused("no token, too much in flight", post("/v1/traces", protoType, nil).authorized(), unauthorized).at(spent),
		refused("no token, over the rate", post("/", "", nil).authorized(), unauthorized).at(overdrawn),
		refused("no token, over the rate, gRPC", export(logs, nil).authorized(), unauthorized).at(overdrawn),
	}
}

// tokenKindRows have something in their Authorization.
func tokenKindRows(t *testing.T) []row {
	t.Helper()
	span, call := post("/v1/traces", jsonType, jsonOf(t, requestOf(traces))), export(traces, protoOf(t, requestOf(traces)))
	var rows []row
	for _, right := range []struct{ name, value string }{
		{"lower-case scheme", "bearer " + shopToken},
		{"upper-case scheme", "BEARER " + shopToken},
		{"blanks before the token", "Bearer   " + shopToken},
		{"blanks behind the token", "Bearer " + shopToken + "  "},
	} {
		rows = append(rows,
			accepted(right.name, span.authorized(right.value), 1),
			accepted(right.name+", gRPC", call.authorized(right.value), 1),
		)
	}
	last := shopToken[len(shopToken)-1]
	for _, wrong := range []struct{ name, value string }{
		{"empty authorization", ""},
		{"scheme only", "Bearer"},
		{"empty token", "Bearer "},
		{"no scheme", shopToken},
		{"Basic", "Basic c2hvcDpzaG9wLXRva2VuLTAwMDAwMDAwMDAwMQ=="},
		{"token as Basic", "Basic " + shopToken},
		{"other scheme", "Token " + shopToken},
		{"scheme run into the token", "Bearer" + shopToken},
		{"scheme with a colon", "Bearer: " + shopToken},
		{"unknown token", "Bearer unknown-token-0000001"},
		{"token cut off", "Bearer " + shopToken[:len(shopToken)-1]},
		{"token and more", "Bearer " + shopToken + "0"},
		{"last byte of the token differs", "Bearer " + shopToken[:len(shopToken)-1] + string(last^1)},
		{"first byte of the token differs", "Bearer " + "t" + shopToken[1:]},
		{"token in capitals", "Bearer " + strings.ToUpper(shopToken)},
		{"token in quotes", `Bearer "` + shopToken + `"`},
		{"two tokens", "Bearer " + shopToken + " " + otherToken},
		{"two tokens with a comma", "Bearer " + shopToken + ", Bearer " + otherToken},
		{"endless token", "Bearer " + strings.Repeat("x", 5000)},
		{"local token", "Bearer local-dev-token"},
	} {
		rows = append(rows,
			refused(wrong.name, span.authorized(wrong.value), unauthorized),
			refused(wrong.name+", gRPC", call.authorized(wrong.value), unauthorized),
		)
	}
	return append(rows,
		refused("tab before the token", span.authorized("Bearer\t"+shopToken), unauthorized), // grpc-go does not send it
		refused("two headers", span.authorized("Bearer "+shopToken, "Bearer "+otherToken), unauthorized),
		refused("two headers, gRPC", call.authorized("Bearer "+shopToken, "Bearer "+otherToken), unauthorized),
		refused("two equal headers", span.authorized("Bearer "+shopToken, "Bearer "+shopToken), unauthorized),
		refused("two equal headers, gRPC", call.authorized("Bearer "+shopToken, "Bearer "+shopToken), unauthorized),
		refused("a wrong header before the right one", span.authorized("Basic x", "Bearer "+shopToken), unauthorized),
		refused("wrong token, protobuf", post("/v1/traces", protoType, nil).authorized("Bearer x"), unauthorized),
		refused("token in the query", post("/v1/traces?access_token="+shopToken, jsonType, nil).authorized(), unauthorized),
		refused("token in another header", span.authorized().with("X-Api-Key", shopToken), unauthorized),
		refused("token for a proxy", span.authorized().with("Proxy-Authorization", "Bearer "+shopToken), unauthorized),
		refused("token in a cookie", span.authorized().with("Cookie", "authorization=Bearer "+shopToken), unauthorized),
	)
}

func pathRows(t *testing.T) []row {
	t.Helper()
	inJSON := jsonOf(t, requestOf(traces))
	var rows []row
	for _, path := range []string{"/v1/profiles", "/v1/traces/", "/v1", "/v1/", "/V1/TRACES", "/v2/traces", "/metrics", "/logs", "/index.html", "/v1//traces"} {
		rows = append(rows, refused("path "+path, post(path, jsonType, inJSON), noSuchPath))
	}
	return append(rows,
		refused("unknown path, protobuf", post("/v1/trace", protoType, protoOf(t, requestOf(traces))), noSuchPath),
		refused("unknown path, GET", post("/healthz", "", nil).by(http.MethodGet), noSuchPath),
		refused("unknown path, no content type", post("/x", "", nil), noSuchPath),
		refused("unknown path, over the rate", post("/x", "", nil), noSuchPath).at(overdrawn),
		refused("unknown service", rpc{method: "/grpc.health.v1.Health/Check"}.authorized("Bearer "+shopToken), notFound("unknown service grpc.health.v1.Health")),
		refused("unknown method", rpc{method: "/" + services[traces] + "/Import"}.authorized("Bearer "+shopToken),
			notFound("unknown method Import for service "+services[traces])),
	)
}

func methodRows(t *testing.T) []row {
	t.Helper()
	var rows []row
	for _, method := range []string{"GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "post", "PROPFIND"} {
		rows = append(rows, refused("method "+method, post("/v1/traces", jsonType, nil).by(method), methodRefused(method)))
	}
	for _, method := range []string{"GET", "HEAD", "PUT", "OPTIONS"} {
		rows = append(rows, refused("method "+method+", events", post("/", "", nil).by(method), methodRefused(method)))
	}
	return append(rows,
		refused("method GET, logs", post("/v1/logs", "", nil).by("GET"), methodRefused("GET")),
		refused("method GET, metrics", post("/v1/metrics", "", nil).by("GET"), methodRefused("GET")),
		refused("method PUT, protobuf", post("/v1/traces", protoType, protoOf(t, requestOf(traces))).by("PUT"), methodRefused("PUT")),
		refused("method GET, no pipeline", post("/v1/metrics", "", nil).by("GET"), notFound("no pipeline of this receiver takes metrics")).at(noLogs),
	)
}

func noPipelineRows(t *testing.T) []row {
	t.Helper()
	var rows []row
	for s := range signals {
		to := noLogs
		if s == traces {
			to = noTraces
		}
		none := notFound("no pipeline of this receiver takes " + s.String())
		for _, r := range refusedAnyWay("no pipeline for "+s.String(), waysOf(t, s), none) {
			rows = append(rows, r.at(to))
		}
	}
	return append(rows,
		refused("no pipeline for events", post("/", "", []byte(`{}`)), notFound("no pipeline of this receiver takes logs")).at(noLogs),
		accepted("a pipeline for traces alone", post("/v1/traces", jsonType, jsonOf(t, requestOf(traces))), 1).at(noLogs),
		accepted("a pipeline for logs alone, events", post("/", "", []byte(`{}`)), 1).at(noTraces),
	)
}
