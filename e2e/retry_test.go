package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/spanlake/spanlake/internal/npmtest"
)

// retryConfig makes room in flight for a dozen stalled requests.
// Each client is a source of its own, so that it is known who was refused.
const retryConfig = `
receivers:
  token_otlp:
    sources:
      - {name: local, tokens: ["${env:SPANLAKE_TOKEN}"]}
      - {name: go-grpc, tokens: [token-of-go-grpc]}
      - {name: go-http, tokens: [token-of-go-http]}
      - {name: node-http-json, tokens: [token-of-node-http-json]}
      - {name: node-http-protobuf, tokens: [token-of-node-http-protobuf]}
      - {name: limited-go-grpc, tokens: [token-of-limited-go-grpc], rate_limit: 50000}
      - {name: limited-go-http, tokens: [token-of-limited-go-http], rate_limit: 50000}
    max_request_size_mib: 1
    max_uncompressed_size_mib: 1
    max_decoded_size_mib: 2
    max_in_flight_mib: 12
`

// limitedRate is that of the limited sources in retryConfig, in bytes a second.
const limitedRate = 50_000

// An SDK, as it is configured by default, that is refused with 503 and
// Retry-After, or with UNAVAILABLE and RetryInfo, sends again and loses nothing.
//
// The exporters of the Node SDK for gRPC are not here: up to 0.223 they never
// send again, whatever the code and RetryInfo say, and drop the batch.
func TestABurstOfRefusalsLosesNothing(t *testing.T) {
	t.Parallel() // most of it is waiting
	modules := npmtest.Modules(t, filepath.Join("testdata", "node"))
	c := startCollector(t, t.TempDir(), retryConfig)
	// A burst for each that takes time to start, so that it is short for all: told
	// to come back in a second, the Node SDK does so five times.
	sold := map[string]soldBy{}
	for _, sources := range [][]string{{"node-http-json"}, {"node-http-protobuf"}, {"go-grpc", "go-http"}} {
		maps.Copy(sold, requireBurstSurvived(t, c, `reason="busy"`, c.occupy(t), clients(c, modules, sources)))
	}
	requireSold(t, c.lake(), sold)
}

// The same for 429 and RESOURCE_EXHAUSTED, which say for how long the source is
// over its rate limit. Node is not here: it takes long to start, and gives up at
// once where it is to wait for longer than the ten seconds that it has.
func TestASourceOverItsRateLosesNothing(t *testing.T) {
	t.Parallel() // most of it is waiting
	c := startCollector(t, t.TempDir(), retryConfig)
	sources := []string{"limited-go-grpc", "limited-go-http"}
	for _, source := range sources {
		c.overdraw(t, source, 3)
	}
	sold := requireBurstSurvived(t, c, `reason="rate_limited"`, func() {}, clients(c, "", sources))
	requireSold(t, c.lake(), sold)
}

// overdraw sends so much as a source that it owes seconds at limitedRate.
func (c *collector) overdraw(t *testing.T, source string, seconds int) {
	t.Helper()
	body := fmt.Sprintf(`{"unknown":%q}`, strings.Repeat("x", (seconds+1)*limitedRate))
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+c.ports.http+"/v1/metrics", strings.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer token-of-"+source)
	request.Header.Set("Content-Type", "application/json")
	response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusOK, response.StatusCode)
}

// clients are the SDKs by the names of the sources that they send as.
func clients(c *collector, modules string, sources []string) map[string]client {
	golang := func(over func(map[string]string) transport) client {
		return func(ctx context.Context, source string) (soldBy, error) { return sellOver(ctx, over, c.ports, source) }
	}
	all := make(map[string]client, len(sources))
	for _, source := range sources {
		switch name := strings.TrimPrefix(source, "limited-"); name {
		case "go-grpc":
			all[source] = golang(goGRPC)
		case "go-http":
			all[source] = golang(goHTTP)
		default:
			protocol := strings.Replace(strings.TrimPrefix(name, "node-"), "-", "/", 1)
			all[source] = func(ctx context.Context, source string) (soldBy, error) {
				return shopOver(ctx, modules, protocol, c.ports, source)
			}
		}
	}
	return all
}

// client runs an SDK that sends as a source, until all is sent or given up.
type client func(ctx context.Context, source string) (soldBy, error)

// requireBurstSurvived runs the clients while the receiver refuses what they
// send. It calls release when spans and logs of each have been refused for the
// reason, wants each to be content in the end, and returns what they sent.
func requireBurstSurvived(t *testing.T, c *collector, reason string, release func(), clients map[string]client) map[string]soldBy {
	t.Helper()
	var (
		running sync.WaitGroup
		mu      sync.Mutex // guards sold and errs
		sold    = map[string]soldBy{}
		errs    []error
	)
	for source, run := range clients {
		running.Go(func() {
			s, err := run(t.Context(), source)
			mu.Lock()
			defer mu.Unlock()
			sold[source] = s
			if err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", source, err))
			}
		})
	}
	err := poll(startDeadline, func() error {
		for source := range clients {
			for _, signal := range []string{"traces", "logs"} {
				if c.sum(t, "otelcol_token_otlp_rejected_requests", reason, `signal="`+signal+`"`, `source="`+source+`"`) == 0 {
					return fmt.Errorf("%s of %s were not refused yet", signal, source)
				}
			}
		}
		return nil
	})
	release()
	running.Wait()
	require.NoError(t, err)
	require.NoError(t, errors.Join(errs...))
	return sold
}

// requireSold wants the store to have what each source sent, once.
func requireSold(t *testing.T, lake string, sold map[string]soldBy) {
	t.Helper()
	for source, s := range sold {
		spans := waitRows(t, lake, len(s.spans), "select trace_id || ' ' || span_id as id from spans where source = "+literals([]string{source}))
		require.ElementsMatch(t, s.spans, column(spans, "id"), source)
		logs := waitRows(t, lake, s.logs, "select source from logs where source = "+literals([]string{source}))
		require.Len(t, logs, s.logs, source)
	}
}

// soldBy is what an SDK was given to export: the IDs of spans, and a number of
// log records.
type soldBy struct {
	spans []string
	logs  int
}

var (
	goGRPC = func(headers map[string]string) transport {
		return transport{
			spans: func(ctx context.Context, p ports) (sdktrace.SpanExporter, error) {
				return otlptracegrpc.New(ctx, otlptracegrpc.WithEndpoint(p.grpc), otlptracegrpc.WithInsecure(), otlptracegrpc.WithHeaders(headers))
			},
			logs: func(ctx context.Context, p ports) (sdklog.Exporter, error) {
				return otlploggrpc.New(ctx, otlploggrpc.WithEndpoint(p.grpc), otlploggrpc.WithInsecure(), otlploggrpc.WithHeaders(headers))
			},
		}
	}
	goHTTP = func(headers map[string]string) transport {
		return transport{
			spans: func(ctx context.Context, p ports) (sdktrace.SpanExporter, error) {
				return otlptracehttp.New(ctx, otlptracehttp.WithEndpoint(p.http), otlptracehttp.WithInsecure(), otlptracehttp.WithHeaders(headers))
			},
			logs: func(ctx context.Context, p ports) (sdklog.Exporter, error) {
				return otlploghttp.New(ctx, otlploghttp.WithEndpoint(p.http), otlploghttp.WithInsecure(), otlploghttp.WithHeaders(headers))
			},
		}
	}
)

// sellOver runs the Go SDK; its shutdown exports what is left, and waits for it.
func sellOver(ctx context.Context, over func(map[string]string) transport, to ports, source string) (soldBy, error) {
	exporters := over(map[string]string{"Authorization": "Bearer token-of-" + source})
	spans, err := exporters.spans(ctx, to)
	if err != nil {
		return soldBy{}, err
	}
	logs, err := exporters.logs(ctx, to)
	if err != nil {
		return soldBy{}, err
	}
	shop := resource.NewSchemaless(attribute.String("service.name", source))
	sent, records := &spanLog{}, &logLog{}
	tracing := sdktrace.NewTracerProvider(sdktrace.WithResource(shop), sdktrace.WithBatcher(spans), sdktrace.WithSyncer(sent))
	logging := sdklog.NewLoggerProvider(sdklog.WithResource(shop),
		sdklog.WithProcessor(sdklog.NewSimpleProcessor(records)), sdklog.WithProcessor(sdklog.NewBatchProcessor(logs)))
	sell(tracing, logging)

	// Both at once, as the delays before they send again add up otherwise.
	var ending sync.WaitGroup
	var loggingErr error
	ending.Go(func() { loggingErr = logging.Shutdown(ctx) })
	err = tracing.Shutdown(ctx)
	ending.Wait()

	sold := soldBy{logs: len(records.logs())}
	for _, s := range sent.spans() {
		sold.spans = append(sold.spans, s.TraceID+" "+s.SpanID)
	}
	return sold, errors.Join(err, loggingErr)
}

func shopOver(ctx context.Context, modules, protocol string, to ports, source string) (soldBy, error) {
	ended, err := runShop(ctx, modules, to, protocol, source, "token-of-"+source)
	sold := soldBy{logs: len(ended.Logs)}
	for _, s := range ended.Spans {
		sold.spans = append(sold.spans, s.TraceID+" "+s.SpanID)
	}
	return sold, err
}

// occupy fills the room in flight with requests that are sent but for their last
// byte, until an empty one is refused. The room is free again when they are
// ended by the function that it returns.
func (c *collector) occupy(t *testing.T) func() {
	t.Helper()
	const largest, smallest = 1 << 20, 64
	var conns []net.Conn
	release := func() {
		for _, conn := range conns {
			_ = conn.Close()
		}
		conns = nil
	}
	t.Cleanup(release)
	for size := largest; size >= smallest; {
		if c.probe(t) == busy {
			return release
		}
		conn, stalled := c.stall(t, size)
		if !stalled {
			size /= 2
			continue
		}
		conns = append(conns, conn)
	}
	require.Fail(t, "the room in flight does not fill", "with %d requests", len(conns))
	return nil
}

// probe asks with an empty request of another signal than those under test.
func (c *collector) probe(t *testing.T) verdict {
	t.Helper()
	got := c.post(t, "/v1/metrics", "{}")
	answer, err := httpVerdict(&http.Response{StatusCode: got.code, Header: got.header}, []byte(got.body))
	require.NoError(t, err)
	return answer
}

// stall sends a request but for its last byte, and reports whether it was let
// in: who is refused is told at once.
func (c *collector) stall(t *testing.T, size int) (net.Conn, bool) {
	t.Helper()
	const toldWithin = 100 * time.Millisecond
	conn, err := net.Dial("tcp", c.ports.http)
	require.NoError(t, err)
	_, err = fmt.Fprintf(conn, "POST /v1/metrics HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n", protobufType, token, size)
	require.NoError(t, err)
	_, _ = conn.Write(make([]byte, size-1)) // an error means that it was refused
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(toldWithin)))
	if _, err := io.ReadFull(conn, make([]byte, 1)); !isTimeout(err) {
		_ = conn.Close()
		return nil, false
	}
	return conn, true
}
