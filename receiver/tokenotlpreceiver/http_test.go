package tokenotlpreceiver

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/body"
)

const (
	jsonType  = "application/json"
	protoType = "application/x-protobuf"
)

func smallLimits(cfg *Config) {
	cfg.MaxRequestSizeMiB = 1
	cfg.MaxUncompressedSizeMiB = 2
	cfg.MaxDecodedSizeMiB = 3
	cfg.MaxInFlightMiB = 13
	cfg.MaxAttributeDepth = 5
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
	for _, size := range []int{1 << 20, 1 << 20, 512 << 10} {
		b, err := h.receiver.bodies.Read("", bytes.NewReader(make([]byte, size)), int64(size))
		require.NoError(t, err)
		held = append(held, b)
	}
	large := []byte(`{"a":"` + strings.Repeat("x", 600<<10) + `"}`)
	require.Equal(t, http.StatusServiceUnavailable, h.post("/", "", large).status)
	require.Equal(t, http.StatusAccepted, h.post("/", "", []byte(`{"small":true}`)).status)
	h.receiver.bodies.Budget.Release(others)
	for _, b := range held {
		b.Close()
	}
	require.Equal(t, http.StatusAccepted, h.http(call{path: "/", headers: bearer(), body: large}).status)
	require.Eventually(t, func() bool { return h.receiver.bodies.Budget.Used() == 0 }, 10*time.Second, time.Millisecond)
}

func TestDecodedRequestIsHeldWhileThePipelineWorks(t *testing.T) {
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
