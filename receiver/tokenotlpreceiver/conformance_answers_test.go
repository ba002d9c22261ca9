package tokenotlpreceiver

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/wireerr"
)

// reply is all of an answer that is promised.
type reply struct {
	status  int                 // of HTTP; zero for gRPC
	headers map[string][]string // those of promised that there are
	body    string              // exact bytes; of gRPC the message
	code    codes.Code          // of gRPC, and decoded from a refusal in protobuf
	message string              // likewise
	retry   time.Duration       // of RetryInfo
	details int                 // how many
}

// promised are the headers that a client may act upon.
var promised = []string{
	"Content-Type", "Www-Authenticate", "Retry-After", "Allow", "Accept-Encoding", "Content-Encoding", "Location",
}

func (a answer) reply(t testing.TB) reply {
	t.Helper()
	got := reply{status: a.status, headers: make(map[string][]string), body: a.body}
	for _, name := range promised {
		if values := a.headers.Values(name); len(values) > 0 {
			got.headers[name] = values
		}
	}
	if a.status >= 400 && a.headers.Get("Content-Type") == protoType {
		var st spb.Status
		require.NoError(t, proto.Unmarshal([]byte(a.body), &st))
		require.Empty(t, st.GetDetails())
		got.code, got.message = codes.Code(st.GetCode()), st.GetMessage() //nolint:gosec // not negative
	}
	return got
}

func httpReply(status int, contentType, body string, headers map[string]string) reply {
	r := reply{status: status, headers: map[string][]string{"Content-Type": {contentType}}, body: body}
	for name, value := range headers {
		r.headers[name] = []string{value}
	}
	return r
}

// refusal is why a request is refused, apart from how that is told.
type refusal struct {
	reason  wireerr.Reason
	status  int
	code    codes.Code
	message string
	headers map[string]string // besides Content-Type
	retry   time.Duration
}

// inHTTP is the refusal as HTTP tells it.
func (r refusal) inHTTP(inProtobuf bool) reply {
	if inProtobuf {
		body, err := proto.Marshal(&spb.Status{Code: int32(r.code), Message: r.message})
		if err != nil {
			panic(err)
		}
		told := httpReply(r.status, protoType, string(body), r.headers)
		told.code, told.message = r.code, r.message
		return told
	}
	body := fmt.Sprintf(`{"code":%d,"message":"%s"}`, r.code, strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(r.message))
	if r.status == http.StatusUnauthorized {
		body = `{"message":"Unauthorized"}`
	}
	return httpReply(r.status, jsonType, body, r.headers)
}

func (r refusal) inGRPC() reply {
	details := 0
	if r.retry > 0 {
		details = 1
	}
	return reply{code: r.code, message: r.message, retry: r.retry, details: details}
}

// What follows is the table of answers in the README.

var unauthorized = refusal{
	reason: wireerr.Unauthorized, status: 401, code: codes.Unauthenticated, message: "Unauthorized",
	headers: map[string]string{"Www-Authenticate": "Bearer"},
}

func notFound(message string) refusal {
	return refusal{reason: wireerr.NotFound, status: 404, code: codes.Unimplemented, message: message}
}

var noSuchPath = notFound("no such path: OTLP is taken at /v1/traces, /v1/logs and /v1/metrics, JSON log events at /")

func methodRefused(method string) refusal {
	return refusal{
		reason: wireerr.Method, status: 405, code: codes.Unimplemented, message: "method " + method + " is not allowed: use POST",
		headers: map[string]string{"Allow": "POST"},
	}
}

var wrongType = refusal{
	reason: wireerr.ContentType, status: 415, code: codes.InvalidArgument,
	message: "unsupported content type: use application/json or application/x-protobuf",
}

func unknownCoding(coding string) refusal {
	const codings = "gzip, zstd, deflate, zlib, snappy, x-snappy-framed, lz4, identity"
	return refusal{
		reason: wireerr.Encoding, status: 415, code: codes.Unimplemented,
		message: fmt.Sprintf("unsupported content encoding %q: use one of %s", coding, codings),
		headers: map[string]string{"Accept-Encoding": codings},
	}
}

func tooLarge(message string) refusal {
	return refusal{reason: wireerr.TooLarge, status: 413, code: codes.ResourceExhausted, message: message}
}

var tooLargeDecoded = tooLarge("the decoded request would take too much memory")

func malformed(message string) refusal {
	return refusal{reason: wireerr.Malformed, status: 400, code: codes.InvalidArgument, message: message}
}

func tooDeep(where string) refusal {
	return refusal{reason: wireerr.TooDeep, status: 400, code: codes.InvalidArgument, message: "attribute values nest too deeply" + where}
}

var busy = refusal{
	reason: wireerr.Busy, status: 503, code: codes.Unavailable, message: "too many requests in flight",
	headers: map[string]string{"Retry-After": "1"}, retry: time.Second,
}

var rateLimited = refusal{
	reason: wireerr.RateLimited, status: 429, code: codes.ResourceExhausted, message: "over the rate limit of this source, 10 bytes a second",
	headers: map[string]string{"Retry-After": "2"}, retry: 1500 * time.Millisecond,
}

func unavailable(message string) refusal {
	return refusal{
		reason: wireerr.Unavailable, status: 503, code: codes.Unavailable, message: message,
		headers: map[string]string{"Retry-After": "1"}, retry: time.Second,
	}
}

func refusedForGood(message string) refusal {
	return refusal{reason: wireerr.Refused, status: 400, code: codes.InvalidArgument, message: message}
}
