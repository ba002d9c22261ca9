package e2e

import (
	"bytes"
	"context"
	endian "encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
)

// verdict is what the receiver says to a request, whatever the transport.
type verdict string

const (
	taken        verdict = "taken"
	malformed    verdict = "malformed"
	tooLarge     verdict = "too large"
	busy         verdict = "busy" // to be sent again
	unauthorized verdict = "unauthorized"
	unsupported  verdict = "unsupported" // encoding or content type
	notFound     verdict = "not found"
	badMethod    verdict = "method not allowed"
	badHeaders   verdict = "headers too large"
)

// answerDeadline is the longest that an answer may take: nothing hangs.
const answerDeadline = 20 * time.Second

// hit is one request of an attack. The token is valid unless it is set.
type hit struct {
	name        string
	overGRPC    bool
	method      string // POST unless set
	path        string
	contentType string // protobuf unless set
	encoding    string
	token       string
	header      http.Header
	body        []byte
	want        []verdict
}

const (
	protobufType = "application/x-protobuf"
	noToken      = "none"
)

// rpcs are the methods of OTLP/gRPC, by the path of OTLP/HTTP.
var rpcs = map[string]string{
	"/v1/traces":  "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
	"/v1/logs":    "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
	"/v1/metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
}

// attacker sends hits over HTTP/1 and, by plain HTTP/2, over gRPC: a gRPC
// library would not let through what attackers send.
type attacker struct {
	c        *collector
	overHTTP *http.Client
	overGRPC *http.Client
}

func newAttacker(t *testing.T, c *collector) *attacker {
	t.Helper()
	http2 := new(http.Protocols)
	http2.SetUnencryptedHTTP2(true)
	a := &attacker{
		c:        c,
		overHTTP: &http.Client{Transport: &http.Transport{DisableCompression: true}},
		overGRPC: &http.Client{Transport: &http.Transport{Protocols: http2, DisableCompression: true}},
	}
	t.Cleanup(a.overHTTP.CloseIdleConnections)
	t.Cleanup(a.overGRPC.CloseIdleConnections)
	return a
}

// sendEach sends one hit after the other, so that each has all the room there
// is, and holds every answer to what the hit allows.
func sendEach(t *testing.T, c *collector, hits []hit) {
	t.Helper()
	sendFrom(t, 1, c, hits)
}

// sendAtOnce sends several hits at a time.
func sendAtOnce(t *testing.T, c *collector, hits []hit) {
	t.Helper()
	const attackers = 4
	sendFrom(t, attackers, c, hits)
}

// orBusy is for hits that keep the room from each other.
func orBusy(hits []hit) []hit {
	crowd := slices.Clone(hits)
	for i := range crowd {
		crowd[i].want = append(slices.Clone(crowd[i].want), busy)
	}
	return crowd
}

func sendFrom(t *testing.T, attackers int, c *collector, hits []hit) {
	t.Helper()
	a := newAttacker(t, c)
	work := make(chan hit)
	var (
		running sync.WaitGroup
		mu      sync.Mutex // guards faults
		faults  []error
	)
	for range attackers {
		running.Go(func() {
			for h := range work {
				if err := a.send(t.Context(), h); err != nil {
					mu.Lock()
					faults = append(faults, err)
					mu.Unlock()
				}
			}
		})
	}
	for _, h := range hits {
		work <- h
	}
	close(work)
	running.Wait()
	const shown = 10
	if n := len(faults); n > shown {
		faults = append(faults[:shown], fmt.Errorf("and %d more", n-shown))
	}
	require.NoError(t, errors.Join(faults...))
}

// send returns an error where the answer is not one of those that h allows.
func (a *attacker) send(ctx context.Context, h hit) error {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, answerDeadline)
	defer cancel()
	client, post := a.overHTTP, a.request
	if h.overGRPC {
		client, post = a.overGRPC, a.call
	}
	var got verdict
	var err error
	for {
		var request *http.Request
		if request, err = post(ctx, h); err != nil {
			return err
		}
		// Who was before may still hold the room: the answer is put off.
		if got, err = ask(client, request); got != busy || slices.Contains(h.want, busy) || wait(ctx, busyDelay) != nil {
			break
		}
	}
	if err == nil && !slices.Contains(h.want, got) {
		err = fmt.Errorf("%q is none of %q", got, h.want)
	}
	if err != nil {
		transport := "HTTP"
		if h.overGRPC {
			transport = "gRPC"
		}
		return fmt.Errorf("%s %s over %s, after %s: %w", h.path, h.name, transport, time.Since(began).Round(time.Millisecond), err)
	}
	return nil
}

// busyDelay is less than the receiver asks for.
const busyDelay = 100 * time.Millisecond

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func (a *attacker) request(ctx context.Context, h hit) (*http.Request, error) {
	method := http.MethodPost
	if h.method != "" {
		method = h.method
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://"+a.c.ports.http+h.path, bytes.NewReader(h.body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", protobufType)
	if h.contentType != "" {
		request.Header.Set("Content-Type", h.contentType)
	}
	if h.encoding != "" {
		request.Header.Set("Content-Encoding", h.encoding)
	}
	h.authorize(request)
	return request, nil
}

// call is a gRPC call with one message, whose header is the message's own where
// the content type is raw.
func (a *attacker) call(ctx context.Context, h hit) (*http.Request, error) {
	path := h.path
	if rpc, found := rpcs[path]; found {
		path = rpc
	}
	body := h.body
	if h.contentType != raw {
		body = grpcMessage(h.encoding != "", len(h.body), h.body)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+a.c.ports.grpc+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/grpc")
	request.Header.Set("Te", "trailers")
	if h.encoding != "" {
		request.Header.Set("Grpc-Encoding", h.encoding)
	}
	h.authorize(request)
	return request, nil
}

// raw is the content type of a hit whose body is a gRPC message with its header.
const raw = "raw"

// grpcMessage is a message with the header that gRPC puts before it.
func grpcMessage(compressed bool, length int, payload []byte) []byte {
	header := make([]byte, 5, 5+len(payload))
	if compressed {
		header[0] = 1
	}
	endian.BigEndian.PutUint32(header[1:], uint32(length))
	return append(header, payload...)
}

func (h *hit) authorize(request *http.Request) {
	switch h.token {
	case noToken:
	case "":
		request.Header.Set("Authorization", "Bearer "+token)
	default:
		request.Header.Set("Authorization", h.token)
	}
	maps.Copy(request.Header, h.header)
}

func ask(client *http.Client, request *http.Request) (verdict, error) {
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return "", err
	}
	if client.Transport.(*http.Transport).Protocols != nil {
		return grpcVerdict(response)
	}
	return httpVerdict(response, body)
}

var httpVerdicts = map[int]verdict{
	http.StatusOK:                          taken,
	http.StatusAccepted:                    taken,
	http.StatusBadRequest:                  malformed,
	http.StatusUnauthorized:                unauthorized,
	http.StatusNotFound:                    notFound,
	http.StatusMethodNotAllowed:            badMethod,
	http.StatusRequestEntityTooLarge:       tooLarge,
	http.StatusUnsupportedMediaType:        unsupported,
	http.StatusRequestHeaderFieldsTooLarge: badHeaders,
	http.StatusServiceUnavailable:          busy,
}

// httpVerdict also holds the answer to the headers that its status promises.
func httpVerdict(response *http.Response, body []byte) (verdict, error) {
	got, known := httpVerdicts[response.StatusCode]
	switch header := response.Header; {
	case !known:
		return "", fmt.Errorf("%s, which is no answer of the receiver's: %.200q", response.Status, body)
	case got == busy && header.Get("Retry-After") == "":
		return "", errors.New("503 without Retry-After")
	case got == unauthorized && header.Get("Www-Authenticate") != "Bearer":
		return "", errors.New("401 without WWW-Authenticate")
	case got == badMethod && header.Get("Allow") != http.MethodPost:
		return "", errors.New("405 without Allow")
	}
	return got, nil
}

var grpcVerdicts = map[codes.Code]verdict{
	codes.OK:                taken,
	codes.InvalidArgument:   malformed,
	codes.Unauthenticated:   unauthorized,
	codes.Unimplemented:     unsupported,
	codes.ResourceExhausted: tooLarge,
	codes.Unavailable:       busy,
}

func grpcVerdict(response *http.Response) (verdict, error) {
	if response.StatusCode != http.StatusOK {
		return "", errors.New(response.Status)
	}
	// A call that is refused at once has its status among the headers.
	trailer := response.Trailer
	if response.Header.Get("Grpc-Status") != "" {
		trailer = response.Header
	}
	var code codes.Code
	if err := code.UnmarshalJSON([]byte(trailer.Get("Grpc-Status"))); err != nil {
		return "", fmt.Errorf("grpc-status: %w", err)
	}
	got, known := grpcVerdicts[code]
	hasDetails := trailer.Get("Grpc-Status-Details-Bin") != ""
	switch {
	case !known:
		return "", fmt.Errorf("%s, which is no answer of the receiver's: %s", code, trailer.Get("Grpc-Message"))
	case got == busy && !hasDetails:
		return "", fmt.Errorf("UNAVAILABLE without RetryInfo: %s", trailer.Get("Grpc-Message"))
	case got == tooLarge && hasDetails:
		return busy, nil // a rate limit
	}
	return got, nil
}

// bothTransports is each hit over HTTP and over gRPC.
func bothTransports(hits []hit) []hit {
	var all []hit
	for _, h := range hits {
		all = append(all, h)
		h.overGRPC = true
		all = append(all, h)
	}
	return all
}
