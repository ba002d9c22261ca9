package e2e

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Tokens that are nearly right, and headers that are no tokens at all.
func attackWithTokens(t *testing.T, c *collector) {
	t.Helper()
	last := len(token) - 1
	var hits []hit
	try := func(name, authorization string, want ...verdict) {
		hits = append(hits, hit{name: name, path: "/v1/traces", token: authorization, body: sampleSpans(), want: want})
	}
	for i := range 256 {
		if b := byte(i); b > ' ' && b <= '~' && b != token[last] {
			try(fmt.Sprintf("last byte %q", b), "Bearer "+token[:last]+string(b), unauthorized)
		}
	}
	for name, value := range map[string]string{
		"one more":        token + "x",
		"one less":        token[:last],
		"twice":           token + token,
		"blank within":    token[:3] + " " + token[3:],
		"tab after":       token + "\tx",
		"upper case":      strings.ToUpper(token),
		"comma":           token + "," + token,
		"12 kB":           strings.Repeat("x", 12_000), // a call may have 16 KiB of headers
		"12 kB of itself": strings.Repeat(token, 12_000/len(token)),
		"two":             token + " " + token,
		"beyond ASCII":    token + "é",
	} {
		try(name, "Bearer "+value, unauthorized)
	}
	try("no scheme", token, unauthorized)
	try("other scheme", "Basic "+token, unauthorized)
	try("scheme twice", "Bearer Bearer "+token, unauthorized)
	try("joined", "Bearer"+token, unauthorized)
	try("only scheme", "Bearer", unauthorized)
	try("nothing", noToken, unauthorized)
	hits = bothTransports(hits)
	try("60 kB", "Bearer "+strings.Repeat("x", 60_000), unauthorized)
	for _, values := range [][]string{{"Bearer wrong-token", "Bearer " + token}, {"Bearer " + token, "Bearer wrong-token"}, {"", "Bearer " + token}} {
		hits = append(hits, hit{
			name: fmt.Sprintf("several: %q", values), path: "/v1/traces", token: noToken, body: sampleSpans(),
			header: http.Header{"Authorization": values}, want: []verdict{unauthorized, taken},
		})
	}
	sendAtOnce(t, c, hits)

	// What no client library sends.
	for name, value := range map[string]string{
		"NUL":          token + "\x00",
		"NUL before":   "\x00" + token,
		"newline":      token[:3] + "\n" + token[3:],
		"folded":       token[:3] + "\r\n " + token[3:],
		"control":      token + "\x01",
		"header after": "x\r\nAuthorization: Bearer wrong",
	} {
		status := rawHTTP(t, c, "POST /v1/traces HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+value+"\r\nContent-Length: 0\r\n\r\n")
		require.Contains(t, []int{http.StatusBadRequest, http.StatusUnauthorized}, status, name)
	}
}

// Methods and paths: without a token nobody learns which there are.
func attackWithPaths(t *testing.T, c *collector) {
	t.Helper()
	without := []verdict{unauthorized, malformed}
	with := []verdict{notFound, badMethod, malformed, unsupported, taken}
	var hits []hit
	for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "BREW", "post", "PRI"} {
		for _, path := range []string{"/", "/v1/traces", "/nowhere"} {
			hits = append(hits,
				hit{name: method, method: method, path: path, want: []verdict{notFound, badMethod}},
				hit{name: method + " without token", method: method, path: path, token: noToken, want: []verdict{unauthorized}})
		}
	}
	long := "/" + strings.Repeat("a", 50_000)
	for _, path := range []string{
		"//v1/traces", "/v1/traces/", "/v1//traces", "/./v1/traces", "/v1/../v1/traces", "/%2e%2e/%2e%2e/etc/passwd", "/v1/traces%00", "/v1%2ftraces",
		"/V1/TRACES", "/v1/traces?a=b", "/?q=" + strings.Repeat("x", 50_000), long, "/v1/profiles", "/metrics", "/debug/pprof/", "/v1/traces;x",
	} {
		hits = append(hits,
			hit{name: "path", path: path, want: with},
			hit{name: "path without token", path: path, token: noToken, want: without})
	}
	for _, path := range []string{
		"/", "/x", "/x/y", "/x/y/z", "//", "/" + rpcs["/v1/traces"], rpcs["/v1/traces"] + "/", strings.ToLower(rpcs["/v1/traces"]),
		"/opentelemetry.proto.collector.trace.v1.TraceService/", "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", long[:5000],
	} {
		hits = append(hits,
			hit{name: "method", overGRPC: true, path: path, want: []verdict{unsupported, malformed}},
			hit{name: "method without token", overGRPC: true, path: path, token: noToken, want: append([]verdict{unsupported}, without...)})
	}
	for _, kind := range []string{"text/plain", "application/grpc", "application/json; charset=\xff", ";", strings.Repeat("a/", 1000), "application/x-protobuf, application/json"} {
		hits = append(hits, hit{name: "type " + kind, path: "/v1/logs", contentType: kind, body: []byte("x"), want: []verdict{unsupported, malformed}})
	}
	for _, encoding := range []string{"br", "gzip, br", "GZIP ", "identity, identity", "x", strings.Repeat("gzip,", 10_000)} {
		hits = append(hits, hit{name: "encoding", path: "/v1/logs", encoding: encoding, body: []byte("x"), want: []verdict{unsupported, malformed}})
	}
	sendAtOnce(t, c, hits)

	for _, line := range []string{"OPTIONS * HTTP/1.1", "CONNECT x:1 HTTP/1.1", "GET http://elsewhere/v1/traces HTTP/1.1", "POST /v1/traces HTTP/1.0", "POST /v1/traces HTTP/9.9", "\x16\x03\x01 TLS", "POST /v1/traces"} {
		status := rawHTTP(t, c, line+"\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
		require.Contains(t, []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusHTTPVersionNotSupported}, status, line)
	}
	// Two requests in one, should anyone between see it otherwise.
	status := rawHTTP(t, c, "POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /")
	require.Contains(t, []int{http.StatusBadRequest, http.StatusUnauthorized}, status)
}

// rawHTTP writes to a connection of its own and returns the status of the
// answer.
func rawHTTP(t *testing.T, c *collector, request string) int {
	t.Helper()
	conn, err := net.Dial("tcp", c.ports.http)
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(answerDeadline)))
	_, err = conn.Write([]byte(request))
	require.NoError(t, err)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err, "%.100q", request)
	require.NoError(t, response.Body.Close())
	return response.StatusCode
}
