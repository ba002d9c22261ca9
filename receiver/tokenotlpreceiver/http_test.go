package tokenotlpreceiver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/spanlake/spanlake/internal/attr"
	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/body"
)

const (
	jsonType  = "application/json"
	protoType = "application/x-protobuf"
)

func TestHTTPTakesEverySignalInEveryEncodingAndCompression(t *testing.T) {
	h := start(t, options{})
	codings := []string{"", "identity"}
	for coding := range compressors {
		codings = append(codings, coding)
	}
	want := 0
	for s := range signals {
		for _, contentType := range []string{jsonType, protoType, "application/json; charset=utf-8", "Application/X-Protobuf"} {
			for _, coding := range codings {
				for _, chunked := range []bool{false, true} {
					t.Run(fmt.Sprintf("%s/%s/%s/chunked=%v", s, contentType, coding, chunked), func(t *testing.T) {
						body, wantType, wantBody := protoOf(t, requestOf(s)), protoType, ""
						if strings.HasPrefix(contentType, jsonType) {
							body, wantType, wantBody = jsonOf(t, requestOf(s)), jsonType, "{}"
						}
						headers := bearer("Content-Type", contentType)
						if coding != "" {
							headers["Content-Encoding"] = strings.TrimSuffix(coding, " block")
						}
						if compressors[coding] != nil {
							body = compress(t, coding, body)
						}
						got := h.http(call{path: paths[s], headers: headers, body: body, chunked: chunked})
						require.Equal(t, http.StatusOK, got.status, got.body)
						require.Equal(t, wantType, got.headers.Get("Content-Type"))
						require.Equal(t, wantBody, got.body)
						require.Empty(t, got.headers.Get("WWW-Authenticate"))
						want++
						require.Equal(t, want, h.items())
					})
				}
			}
		}
	}
}

// refusal is a request and the exact answer to it.
type refusal struct {
	name    string
	call    call
	status  int
	headers map[string]string // besides Content-Type
	json    string            // exact body in JSON
	code    uint32            // in protobuf: the google.rpc code
	message string            // in protobuf: exact
	config  func(*Config)
	next    *consumers
}

func (r refusal) check(t *testing.T, got answer) {
	t.Helper()
	require.Equal(t, r.status, got.status, got.body)
	for _, name := range []string{"WWW-Authenticate", "Retry-After", "Allow", "Accept-Encoding"} {
		require.Equal(t, r.headers[name], got.headers.Get(name), name)
	}
	if r.json != "" {
		require.Equal(t, []string{jsonType, r.json}, []string{got.headers.Get("Content-Type"), got.body})
		return
	}
	require.Equal(t, protoType, got.headers.Get("Content-Type"))
	var st spb.Status
	require.NoError(t, proto.Unmarshal([]byte(got.body), &st))
	require.Equal(t, r.code, uint32(st.GetCode()))
	require.Equal(t, r.message, st.GetMessage())
}

func smallLimits(cfg *Config) {
	cfg.MaxRequestSizeMiB = 1
	cfg.MaxUncompressedSizeMiB = 2
	cfg.MaxDecodedSizeMiB = 3
	cfg.MaxInFlightMiB = 13
	cfg.MaxAttributeDepth = 5
}

func TestHTTPRefusals(t *testing.T) {
	const unauthorized = `{"message":"Unauthorized"}`
	span := protoOf(t, requestOf(traces))
	spanJSON := jsonOf(t, requestOf(traces))
	challenge := map[string]string{"WWW-Authenticate": "Bearer"}
	retry := map[string]string{"Retry-After": "1"}
	authorization := func(value string) map[string]string {
		return map[string]string{"Authorization": value, "Content-Type": jsonType}
	}
	mib := func(n float64) []byte { return bytes.Repeat([]byte{' '}, int(n*1024*1024)) }

	for _, r := range []refusal{
		// Tokens.
		{name: "no token, json", call: call{path: "/v1/traces", headers: map[string]string{"Content-Type": jsonType}, body: spanJSON}, status: 401, headers: challenge, json: unauthorized},
		{name: "no token, protobuf", call: call{path: "/v1/traces", headers: map[string]string{"Content-Type": protoType}, body: span}, status: 401, headers: challenge, code: 16, message: "Unauthorized"},
		{name: "no token, form", call: call{path: "/", headers: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, body: []byte(`{"a":1}`)}, status: 401, headers: challenge, json: unauthorized},
		{name: "no token, no content type", call: call{path: "/v1/logs"}, status: 401, headers: challenge, json: unauthorized},
		{name: "no token, unknown path", call: call{path: "/metrics", method: http.MethodGet}, status: 401, headers: challenge, json: unauthorized},
		{name: "no token, wrong method", call: call{path: "/v1/traces", method: http.MethodGet}, status: 401, headers: challenge, json: unauthorized},
		{name: "no token, too large", call: call{path: "/v1/traces", body: mib(1.5)}, config: smallLimits, status: 401, headers: challenge, json: unauthorized},
		{name: "unknown token", call: call{path: "/v1/traces", headers: authorization("Bearer shop-token-000000000009"), body: spanJSON}, status: 401, headers: challenge, json: unauthorized},
		{name: "token cut off", call: call{path: "/v1/traces", headers: authorization("Bearer " + shopToken[:len(shopToken)-1]), body: spanJSON}, status: 401, headers: challenge, json: unauthorized},
		{name: "token and more", call: call{path: "/v1/traces", headers: authorization("Bearer " + shopToken + "0"), body: spanJSON}, status: 401, headers: challenge, json: unauthorized},
		{name: "token in capitals", call: call{path: "/v1/traces", headers: authorization("Bearer " + strings.ToUpper(shopToken)), body: spanJSON}, status: 401, headers: challenge, json: unauthorized},
		{name: "two tokens", call: call{path: "/v1/traces", headers: authorization("Bearer " + shopToken + " " + otherToken), body: spanJSON}, status: 401, headers: challenge, json: unauthorized},
		{name: "endless token", call: call{path: "/v1/traces", headers: authorization("Bearer " + strings.Repeat("x", 5000)), body: spanJSON}, status: 401, headers: challenge, json: unauthorized},
		{name: "empty token", call: call{path: "/v1/traces", headers: authorization("Bearer "), body: spanJSON}, status: 401, headers: challenge, json: unauthorized},
		{name: "scheme only", call: call{path: "/v1/traces", headers: authorization("Bearer"), body: spanJSON}, status: 401, headers: challenge, json: unauthorized},
		{name: "no scheme", call: call{path: "/v1/traces", headers: authorization(shopToken), body: spanJSON}, status: 401, headers: challenge, json: unauthorized},
		{name: "basic", call: call{path: "/v1/traces", headers: authorization("Basic " + shopToken), body: spanJSON}, status: 401, headers: challenge, json: unauthorized},
		{name: "token in the query", call: call{path: "/v1/traces?access_token=" + shopToken, headers: map[string]string{"Content-Type": jsonType}, body: spanJSON}, status: 401, headers: challenge, json: unauthorized},

		// Paths, methods, types.
		{name: "unknown path", call: call{path: "/v1/profiles", headers: bearer(), body: spanJSON}, status: 404, json: `{"code":12,"message":"no such path: OTLP is taken at /v1/traces, /v1/logs and /v1/metrics, JSON log events at /"}`},
		{name: "unknown path, protobuf", call: call{path: "/v1/traces/", headers: bearer("Content-Type", protoType), body: span}, status: 404, code: 12, message: "no such path: OTLP is taken at /v1/traces, /v1/logs and /v1/metrics, JSON log events at /"},
		{name: "no pipeline", next: &consumers{traces: failing{}}, call: call{path: "/v1/metrics", headers: bearer(), body: spanJSON}, status: 404, json: `{"code":12,"message":"no pipeline of this receiver takes metrics"}`},
		{name: "no pipeline for events", next: &consumers{traces: failing{}}, call: call{path: "/", headers: bearer(), body: []byte(`{}`)}, status: 404, json: `{"code":12,"message":"no pipeline of this receiver takes logs"}`},
		{name: "GET", call: call{path: "/v1/traces", method: http.MethodGet, headers: bearer()}, status: 405, headers: map[string]string{"Allow": "POST"}, json: `{"code":12,"message":"method GET is not allowed: use POST"}`},
		{name: "PUT events", call: call{path: "/", method: http.MethodPut, headers: bearer(), body: []byte(`{}`)}, status: 405, headers: map[string]string{"Allow": "POST"}, json: `{"code":12,"message":"method PUT is not allowed: use POST"}`},
		{name: "no content type", call: call{path: "/v1/traces", headers: bearer(), body: spanJSON}, status: 415, json: `{"code":3,"message":"unsupported content type: use application/json or application/x-protobuf"}`},
		{name: "text", call: call{path: "/v1/traces", headers: bearer("Content-Type", "text/plain"), body: spanJSON}, status: 415, json: `{"code":3,"message":"unsupported content type: use application/json or application/x-protobuf"}`},
		{name: "malformed content type", call: call{path: "/v1/logs", headers: bearer("Content-Type", "application/json; charset"), body: spanJSON}, status: 415, json: `{"code":3,"message":"unsupported content type: use application/json or application/x-protobuf"}`},
		{
			name: "unknown encoding", call: call{path: "/v1/traces", headers: bearer("Content-Type", jsonType, "Content-Encoding", "br"), body: spanJSON},
			status: 415, headers: map[string]string{"Accept-Encoding": "gzip, zstd, deflate, zlib, snappy, x-snappy-framed, lz4, identity"},
			json: `{"code":12,"message":"unsupported content encoding \"br\": use one of gzip, zstd, deflate, zlib, snappy, x-snappy-framed, lz4, identity"}`,
		},
		{
			name: "two encodings", call: call{path: "/", headers: bearer("Content-Encoding", "gzip, gzip"), body: spanJSON},
			status: 415, headers: map[string]string{"Accept-Encoding": "gzip, zstd, deflate, zlib, snappy, x-snappy-framed, lz4, identity"},
			json: `{"code":12,"message":"unsupported content encoding \"gzip, gzip\": use one of gzip, zstd, deflate, zlib, snappy, x-snappy-framed, lz4, identity"}`,
		},

		// Sizes.
		{name: "announced too large", config: smallLimits, call: call{path: "/v1/traces", headers: bearer("Content-Type", jsonType), body: mib(1.5)}, status: 413, json: `{"code":8,"message":"request body too large: 1572864 bytes, limit 1048576"}`},
		{name: "too large, protobuf", config: smallLimits, call: call{path: "/v1/traces", headers: bearer("Content-Type", protoType), body: mib(1.5)}, status: 413, code: 8, message: "request body too large: 1572864 bytes, limit 1048576"},
		{name: "turns out too large", config: smallLimits, call: call{path: "/v1/traces", headers: bearer("Content-Type", jsonType), body: mib(1.5), chunked: true}, status: 413, json: `{"code":8,"message":"request body too large: over the limit as received"}`},
		{name: "a byte too large", config: smallLimits, call: call{path: "/", headers: bearer(), body: append(mib(1), ' '), chunked: true}, status: 413, json: `{"code":8,"message":"request body too large: over the limit as received"}`},
		{name: "too large when decompressed", config: smallLimits, call: call{path: "/v1/traces", headers: bearer("Content-Type", jsonType, "Content-Encoding", "gzip"), body: compress(t, "gzip", mib(3))}, status: 413, json: `{"code":8,"message":"request body too large: over 2097152 bytes when decompressed"}`},
		{name: "snappy block says it is too large", config: smallLimits, call: call{path: "/v1/traces", headers: bearer("Content-Type", jsonType, "Content-Encoding", "snappy"), body: compress(t, "snappy block", mib(3))}, status: 413, json: `{"code":8,"message":"request body too large: 3145728 bytes when decompressed, limit 2097152"}`},
		{name: "too large when decoded", config: smallLimits, call: call{path: "/v1/traces", headers: bearer("Content-Type", protoType), body: manySpans(20_000)}, status: 413, code: 8, message: "the decoded request would take too much memory"},
		{name: "too large when decoded, json", config: smallLimits, call: call{path: "/v1/traces", headers: bearer("Content-Type", jsonType), body: []byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[` + strings.Repeat("{},", 20_000) + `{}]}]}]}`)}, status: 413, json: `{"code":8,"message":"the decoded request would take too much memory"}`},
		{name: "too large when decoded, events", config: smallLimits, call: call{path: "/", headers: bearer(), body: []byte(strings.Repeat("{}", 20_000))}, status: 413, json: `{"code":8,"message":"the decoded events would take too much memory"}`},

		// Content.
		{name: "not JSON", call: call{path: "/v1/traces", headers: bearer("Content-Type", jsonType), body: []byte(`{"resourceSpans":`)}, status: 400, json: `{"code":3,"message":"malformed message: resourceSpans at byte 17: not an array"}`},
		{name: "empty JSON", call: call{path: "/v1/traces", headers: bearer("Content-Type", jsonType)}, status: 400, json: `{"code":3,"message":"malformed message: at byte 0: not an object"}`},
		{name: "not protobuf", call: call{path: "/v1/logs", headers: bearer("Content-Type", protoType), body: []byte("hello")}, status: 400, code: 3, message: "malformed message"},
		{name: "corrupt gzip", call: call{path: "/v1/traces", headers: bearer("Content-Type", jsonType, "Content-Encoding", "gzip"), body: spanJSON}, status: 400, json: `{"code":3,"message":"unreadable request body: gzip: invalid header"}`},
		{name: "gzip cut off", call: call{path: "/v1/traces", headers: bearer("Content-Type", jsonType, "Content-Encoding", "gzip"), body: compress(t, "gzip", spanJSON)[:60]}, status: 400, json: `{"code":3,"message":"unreadable request body: unexpected EOF"}`},
		{name: "too deep", call: call{path: "/v1/logs", headers: bearer("Content-Type", protoType), body: deepBody(1_000_000)}, status: 400, code: 3, message: "attribute values nest too deeply"},
		{name: "too deep, json", call: call{path: "/v1/logs", headers: bearer("Content-Type", jsonType), body: []byte(strings.Repeat(`{"a":`, 100_000))}, status: 400, json: `{"code":3,"message":"attribute values nest too deeply: at byte 5125"}`},

		// The pipeline.
		{name: "pipeline full", next: failingWith(errors.New("memory limit")), call: call{path: "/v1/traces", headers: bearer("Content-Type", jsonType), body: spanJSON}, status: 503, headers: retry, json: `{"code":14,"message":"memory limit"}`},
		{name: "pipeline full, protobuf", next: failingWith(errors.New("memory limit")), call: call{path: "/v1/traces", headers: bearer("Content-Type", protoType), body: span}, status: 503, headers: retry, code: 14, message: "memory limit"},
		{name: "pipeline full, events", next: failingWith(errors.New("memory limit")), call: call{path: "/", headers: bearer(), body: []byte(`{"a":1}`)}, status: 503, headers: retry, json: `{"code":14,"message":"memory limit"}`},
		{name: "pipeline refuses", next: failingWith(consumererror.NewPermanent(errors.New("bad \xff batch"))), call: call{path: "/v1/traces", headers: bearer("Content-Type", jsonType), body: spanJSON}, status: 400, json: `{"code":3,"message":"Permanent error: bad ` + "\uFFFD" + ` batch"}`},
		{name: "pipeline refuses, protobuf", next: failingWith(consumererror.NewPermanent(errors.New("bad batch"))), call: call{path: "/v1/logs", headers: bearer("Content-Type", protoType), body: protoOf(t, requestOf(logs))}, status: 400, code: 3, message: "Permanent error: bad batch"},
	} {
		t.Run(r.name, func(t *testing.T) {
			h := start(t, options{config: r.config, next: r.next})
			r.check(t, h.http(r.call))
			require.Zero(t, h.items())
		})
	}
}

// manySpans is a request of n empty spans, two bytes each.
func manySpans(n int) []byte {
	return message(1, message(2, bytes.Repeat([]byte{2<<3 | 2, 0}, n)))
}

// deepBody is a request with a log body of nested arrays.
func deepBody(depth int) []byte {
	// Built from the end, lengths being known then only.
	var reversed []byte
	size := 0
	for range depth {
		for _, tag := range []byte{1<<3 | 2, 5<<3 | 2} { // ArrayValue.values, AnyValue.array_value
			length := varint(uint64(size))
			for i := range length {
				reversed = append(reversed, length[len(length)-1-i])
			}
			reversed = append(reversed, tag)
			size += len(length) + 1
		}
	}
	body := make([]byte, size)
	for i, b := range reversed {
		body[size-1-i] = b
	}
	return message(1, message(2, message(2, message(5, body))))
}

// message is a length-delimited field.
func message(field byte, content []byte) []byte {
	return append(append([]byte{field<<3 | 2}, varint(uint64(len(content)))...), content...)
}

func varint(v uint64) []byte {
	var b []byte
	for ; v >= 0x80; v >>= 7 {
		b = append(b, byte(v)|0x80)
	}
	return append(b, byte(v))
}

func TestTwoAuthorizationHeadersAreRefused(t *testing.T) {
	h := start(t, options{})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+h.receiver.httpAddr.String()+"/", strings.NewReader("{}"))
	require.NoError(t, err)
	req.Header["Authorization"] = []string{"Bearer " + shopToken, "Bearer " + shopToken}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusUnauthorized, resp.StatusCode)
}

func TestBearerSchemeIsReadAsRFC9110Says(t *testing.T) {
	h := start(t, options{})
	for i, value := range []string{"Bearer " + shopToken, "bearer " + shopToken, "BEARER " + shopToken, "Bearer   " + shopToken + "  "} {
		got := h.http(call{path: "/", headers: map[string]string{"Authorization": value}, body: []byte(`{"a":1}`)})
		require.Equal(t, http.StatusAccepted, got.status, value)
		require.Equal(t, i+1, h.items())
	}
}

func TestEveryTokenOfASourceStampsItsName(t *testing.T) {
	h := start(t, options{})
	for _, token := range []string{shopToken, shopNewToken, otherToken} {
		got := h.http(call{path: "/v1/traces", headers: map[string]string{"Authorization": "Bearer " + token, "Content-Type": jsonType}, body: jsonOf(t, requestOf(traces))})
		require.Equal(t, http.StatusOK, got.status)
	}
	var names []string
	for _, td := range h.traceSink.AllTraces() {
		name, ok := td.ResourceSpans().At(0).Resource().Attributes().Get(attr.Source)
		require.True(t, ok)
		names = append(names, name.Str())
	}
	require.Equal(t, []string{"shop", "shop", "billing"}, names)
}

func TestEmptyRequestsAreTaken(t *testing.T) {
	h := start(t, options{})
	for s := range signals {
		got := h.post(paths[s], jsonType, []byte(`{}`))
		require.Equal(t, http.StatusOK, got.status)
		require.Equal(t, "{}", got.body)
		got = h.post(paths[s], protoType, nil)
		require.Equal(t, http.StatusOK, got.status)
		require.Empty(t, got.body)
	}
	require.Zero(t, len(h.traceSink.AllTraces())+len(h.logSink.AllLogs())+len(h.metricSink.AllMetrics()))
}

func TestLargeRequestWithinTheLimitsIsTaken(t *testing.T) {
	h := start(t, options{})
	td := oneSpan()
	span := td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
	span.Attributes().PutStr("large", strings.Repeat("x", 30<<20))
	body := compress(t, "gzip", protoOf(t, ptraceotlp.NewExportRequestFromTraces(td)))
	got := h.http(call{path: "/v1/traces", headers: bearer("Content-Type", protoType, "Content-Encoding", "gzip"), body: body})
	require.Equal(t, http.StatusOK, got.status, got.body)
	require.Equal(t, 1, h.items())
}

// endless is a body that never ends. It remembers how much of it was read; the
// client may go on reading it behind the answer.
type endless struct{ read atomic.Int64 }

func (e *endless) Read(p []byte) (int, error) {
	if e.read.Add(int64(len(p))) > math.MaxInt32 {
		return 0, errors.New("nobody stopped reading")
	}
	return len(p), nil
}

func TestReadingStopsAtTheLimit(t *testing.T) {
	h := start(t, options{config: smallLimits})
	src := &endless{}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+h.receiver.httpAddr.String()+"/v1/traces", struct{ io.Reader }{src})
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+shopToken)
	req.Header.Set("Content-Type", protoType)
	resp, err := http.DefaultClient.Do(req)
	if err == nil { // else the server hung up before the client looked for an answer
		require.Equal(t, http.StatusRequestEntityTooLarge, resp.StatusCode)
		require.NoError(t, resp.Body.Close())
	}
	// What the limit lets in, and what the sockets' buffers hold.
	require.Less(t, src.read.Load(), int64(32<<20))
	require.Equal(t, http.StatusAccepted, h.post("/", jsonType, []byte(`{}`)).status)
}

// What a small body decodes to counts as well: empty spans and events are the
// cheapest way to fill a receiver's memory.
func TestDecodedRequestsInFlightAreBounded(t *testing.T) {
	h := start(t, options{config: smallLimits})
	spans := manySpans(5000)
	events := []byte(strings.Repeat("{}\n", 5000))
	send := func() []int {
		return []int{h.post("/v1/traces", protoType, spans).status, h.post("/", jsonType, events).status}
	}
	require.Equal(t, []int{200, 202}, send())
	const others = 25 << 19 // of 13 MiB
	require.True(t, h.receiver.ingest.budget.Reserve(others))
	require.Equal(t, []int{503, 503}, send())
	h.receiver.ingest.budget.Release(others)
	require.Equal(t, []int{200, 202}, send())
	require.Zero(t, h.receiver.ingest.budget.Used())
}

func TestRequestsInFlightAreBounded(t *testing.T) {
	h := start(t, options{config: smallLimits})
	const others = 10 << 20
	require.True(t, h.receiver.bodies.Budget.Reserve(others))
	// Other requests hold all but a little of the remaining 3 MiB.
	var held []*body.Body
	for _, size := range []int{1 << 20, 1 << 20, 1<<20 - 400<<10} {
		b, err := h.receiver.bodies.Read("", bytes.NewReader(make([]byte, size)), int64(size))
		require.NoError(t, err)
		held = append(held, b)
	}
	busy := refusal{status: 503, headers: map[string]string{"Retry-After": "1"}, json: `{"code":14,"message":"too many requests in flight"}`}
	large := []byte(`{"a":"` + strings.Repeat("x", 600<<10) + `"}`)
	busy.check(t, h.http(call{path: "/", headers: bearer(), body: large}))
	busy.check(t, h.http(call{path: "/", headers: bearer(), body: large, chunked: true}))
	for coding := range compressors {
		busy.check(t, h.http(call{path: "/", headers: bearer("Content-Encoding", strings.TrimSuffix(coding, " block")), body: compress(t, coding, large)}))
	}
	require.Equal(t, http.StatusAccepted, h.post("/", "", []byte(`{"small":true}`)).status)

	// All of it.
	last, err := h.receiver.bodies.Read("", bytes.NewReader(make([]byte, 400<<10)), 400<<10)
	require.NoError(t, err)
	busy.check(t, h.post("/", "", []byte(`{"small":true}`)))
	_, err = ptraceotlp.NewGRPCClient(h.conn).Export(h.withToken(shopToken), ptraceotlp.NewExportRequestFromTraces(oneSpan()))
	requireRefused(t, err, codes.Unavailable, "too many requests in flight", true)

	h.receiver.bodies.Budget.Release(others)
	for _, b := range append(held, last) {
		b.Close()
	}
	require.Equal(t, http.StatusAccepted, h.http(call{path: "/", headers: bearer(), body: large}).status)
	require.Eventually(t, func() bool { return h.receiver.bodies.Budget.Used() == 0 }, 10*time.Second, time.Millisecond)
}

func TestRequestHoldsItsBodyUntilThePipelineHasIt(t *testing.T) {
	var h *harness
	used := make(chan int64, 1)
	next, err := consumer.NewLogs(func(context.Context, plog.Logs) error {
		used <- h.receiver.bodies.Budget.Used()
		return nil
	})
	require.NoError(t, err)
	h = start(t, options{next: &consumers{logs: next}})
	require.Equal(t, http.StatusAccepted, h.post("/", "", []byte(`{"a":"`+strings.Repeat("x", 100_000)+`"}`)).status)
	require.GreaterOrEqual(t, <-used, int64(100_000))
}

func TestLargeHeadersAreRefused(t *testing.T) {
	h := start(t, options{})
	got := h.http(call{path: "/", headers: bearer("X-Large", strings.Repeat("x", 2*maxHeaderBytes)), body: []byte(`{}`)})
	require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, got.status)
}

func TestNoAnswerIsAServerError(t *testing.T) {
	// Whatever the bytes: a refusal that blames the client, or a success.
	h := start(t, options{})
	for _, path := range []string{"/v1/traces", "/v1/logs", "/v1/metrics", "/"} {
		for _, contentType := range []string{jsonType, protoType} {
			for coding := range compressors {
				for _, body := range []string{"", "\x00", "{", "\xff\xff\xff\xff", "\x28\xb5\x2f\xfd", "\x1f\x8b\x08", "\x04\x22\x4d\x18"} {
					got := h.http(call{path: path, headers: bearer("Content-Type", contentType, "Content-Encoding", strings.TrimSuffix(coding, " block")), body: []byte(body)})
					require.Less(t, got.status, 500, "%s %s %s %q: %s", path, contentType, coding, body, got.body)
				}
			}
		}
	}
}
