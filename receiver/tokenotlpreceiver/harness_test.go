package tokenotlpreceiver

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/golang/snappy"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.opentelemetry.io/otel/trace/noop"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	grpcmetadata "google.golang.org/grpc/metadata"

	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/metadata"
	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/otlptest"
)

const (
	shopToken    = "shop-token-000000000001"
	shopNewToken = "shop-token-000000000002"
	otherToken   = "billing-token-00000001"
)

var testTime = time.Date(2026, 11, 21, 9, 30, 0, 123456789, time.UTC)

func nowForTests() time.Time { return testTime }

// harness is a running receiver with sinks behind it.
type harness struct {
	t         testing.TB
	cfg       *Config
	receiver  *tokenReceiver
	telemetry *componenttest.Telemetry
	logs      *observer.ObservedLogs
	conn      *grpc.ClientConn

	traceSink  *consumertest.TracesSink
	logSink    *consumertest.LogsSink
	metricSink *consumertest.MetricsSink
}

// options change a harness before it starts.
type options struct {
	config func(*Config)
	// next replaces the sinks; a nil consumer leaves its signal without pipeline.
	next *consumers
	// now replaces nowForTests.
	now func() time.Time
	// ticks replaces the ticker of token files.
	ticks <-chan time.Time
	host  component.Host
	// receiver changes the receiver before it starts.
	receiver func(*tokenReceiver)
	// untraced leaves the spans of the servers out, which a test would pile up.
	untraced bool
}

func testConfig() *Config {
	cfg := createDefaultConfig().(*Config)
	cfg.Protocols.GRPC.GetOrInsertDefault().NetAddr.Endpoint = "localhost:0"
	cfg.Protocols.HTTP.GetOrInsertDefault().NetAddr.Endpoint = "localhost:0"
	cfg.Sources = []Source{
		{Name: "shop", Tokens: []configopaque.String{shopToken, shopNewToken}},
		{Name: "billing", Tokens: []configopaque.String{otherToken}},
	}
	return cfg
}

func start(t testing.TB, opts options) *harness {
	t.Helper()
	h := &harness{t: t, cfg: testConfig(), telemetry: componenttest.NewTelemetry()}
	h.newSinks()
	if opts.config != nil {
		opts.config(h.cfg)
	}
	require.NoError(t, h.cfg.Validate())
	next := consumers{traces: h.traceSink, logs: h.logSink, metrics: h.metricSink}
	if opts.next != nil {
		next = *opts.next
	}
	set := receivertest.NewNopSettings(metadata.Type)
	set.TelemetrySettings = h.telemetry.NewTelemetrySettings()
	var core zapcore.Core
	core, h.logs = observer.New(zapcore.DebugLevel)
	set.Logger = zap.New(core)
	if opts.untraced {
		set.TracerProvider = noop.NewTracerProvider()
	}

	if opts.now == nil {
		opts.now = nowForTests
	}
	if opts.host == nil {
		opts.host = componenttest.NewNopHost()
	}
	shared := &sharedReceivers{now: opts.now, receivers: make(map[*Config]*tokenReceiver)}
	var components []receiver.Traces
	if next.traces != nil {
		c, err := shared.createTraces(t.Context(), set, h.cfg, next.traces)
		require.NoError(t, err)
		components = append(components, c)
	}
	if next.logs != nil {
		c, err := shared.createLogs(t.Context(), set, h.cfg, next.logs)
		require.NoError(t, err)
		components = append(components, c)
	}
	if next.metrics != nil {
		c, err := shared.createMetrics(t.Context(), set, h.cfg, next.metrics)
		require.NoError(t, err)
		components = append(components, c)
	}
	if opts.receiver != nil {
		opts.receiver(components[0].(*tokenReceiver))
	}
	for _, c := range components {
		h.receiver = c.(*tokenReceiver)
		h.receiver.every = func(time.Duration) (<-chan time.Time, func()) { return opts.ticks, func() {} }
		require.NoError(t, c.Start(t.Context(), opts.host))
	}
	if h.receiver.grpcAddr != nil {
		conn, err := grpc.NewClient(h.receiver.grpcAddr.String(),
			grpc.WithTransportCredentials(insecure.NewCredentials()),
			// The answers are held against the contract, not tried again.
			grpc.WithDisableRetry())
		require.NoError(t, err)
		h.conn = conn
	}
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		if h.conn != nil {
			require.NoError(t, h.conn.Close())
		}
		for _, c := range components {
			// The test's context is done by now.
			require.NoError(t, c.Shutdown(context.Background()))
		}
		require.NoError(t, h.telemetry.Shutdown(context.Background()))
	})
	return h
}

func (h *harness) newSinks() {
	h.traceSink, h.logSink, h.metricSink = new(consumertest.TracesSink), new(consumertest.LogsSink), new(consumertest.MetricsSink)
}

// call is an HTTP request.
type call struct {
	method  string // POST unless given
	path    string
	headers map[string]string
	// authorization are more headers of that name, one for each.
	authorization []string
	body          []byte
	chunked       bool // does not say how long it is
}

type answer struct {
	status  int
	headers http.Header
	body    string
}

func (h *harness) http(c call) answer {
	h.t.Helper()
	if c.method == "" {
		c.method = http.MethodPost
	}
	var src io.Reader = bytes.NewReader(c.body)
	if c.chunked {
		src = struct{ io.Reader }{src}
	}
	req, err := http.NewRequestWithContext(h.t.Context(), c.method, "http://"+h.receiver.httpAddr.String()+c.path, src)
	require.NoError(h.t, err)
	for k, v := range c.headers {
		req.Header.Set(k, v)
	}
	for _, v := range c.authorization {
		req.Header.Add("Authorization", v)
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(h.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(h.t, err)
	return answer{resp.StatusCode, resp.Header, string(body)}
}

// post sends with the shop's token.
func (h *harness) post(path, contentType string, body []byte) answer {
	h.t.Helper()
	return h.http(call{path: path, headers: bearer("Content-Type", contentType), body: body})
}

// bearer returns headers with the shop's token, and more in pairs.
func bearer(pairs ...string) map[string]string {
	headers := map[string]string{"Authorization": "Bearer " + shopToken}
	for i := 0; i < len(pairs); i += 2 {
		headers[pairs[i]] = pairs[i+1]
	}
	return headers
}

func (h *harness) withToken(token string) context.Context {
	return grpcmetadata.AppendToOutgoingContext(h.t.Context(), "authorization", "Bearer "+token)
}

// items is how many items reached the sinks.
func (h *harness) items() int {
	return h.traceSink.SpanCount() + h.logSink.LogRecordCount() + h.metricSink.DataPointCount()
}

// Requests of one item each.

func oneSpan() ptrace.Traces {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", "cart")
	span := rs.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	span.SetTraceID([16]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16})
	span.SetSpanID([8]byte{1, 2, 3, 4, 5, 6, 7, 8})
	span.SetName("GET /cart")
	span.SetStartTimestamp(1)
	span.SetEndTimestamp(2)
	span.Attributes().PutInt("http.response.status_code", 200)
	return td
}

func oneRecord() plog.Logs {
	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	rl.Resource().Attributes().PutStr("service.name", "cart")
	rl.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().Body().SetStr("hello")
	return ld
}

func onePoint() pmetric.Metrics {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr("service.name", "cart")
	m := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName("requests")
	m.SetEmptySum().DataPoints().AppendEmpty().SetIntValue(3)
	return md
}

func requestOf(s signal) otlptest.Request {
	switch s {
	case traces:
		return ptraceotlp.NewExportRequestFromTraces(oneSpan())
	case logs:
		return plogotlp.NewExportRequestFromLogs(oneRecord())
	default:
		return pmetricotlp.NewExportRequestFromMetrics(onePoint())
	}
}

func protoOf(t testing.TB, m otlptest.Request) []byte {
	t.Helper()
	b, err := m.MarshalProto()
	require.NoError(t, err)
	return b
}

func jsonOf(t testing.TB, m otlptest.Request) []byte {
	t.Helper()
	b, err := m.MarshalJSON()
	require.NoError(t, err)
	return b
}

var paths = [signals]string{traces: "/v1/traces", logs: "/v1/logs", metrics: "/v1/metrics"}

// compressors have one entry for each content coding; "snappy" in both formats.
var compressors = map[string]func(w io.Writer) io.WriteCloser{
	"gzip":    func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) },
	"x-gzip":  func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) },
	"deflate": func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) },
	"zlib":    func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) },
	"zstd": func(w io.Writer) io.WriteCloser {
		z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
		if err != nil {
			panic(err)
		}
		return z
	},
	"lz4":             func(w io.Writer) io.WriteCloser { return lz4.NewWriter(w) },
	"x-snappy-framed": func(w io.Writer) io.WriteCloser { return snappy.NewBufferedWriter(w) },
	"snappy":          func(w io.Writer) io.WriteCloser { return snappy.NewBufferedWriter(w) },
	"snappy block":    func(w io.Writer) io.WriteCloser { return &blockWriter{w: w} },
}

type blockWriter struct {
	bytes.Buffer
	w io.Writer
}

func (b *blockWriter) Close() error {
	_, err := b.w.Write(snappy.Encode(nil, b.Bytes()))
	return err
}

func compress(t testing.TB, coding string, data []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := compressors[coding](&buf)
	_, err := w.Write(data)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return buf.Bytes()
}

// failing is a consumer of every signal that fails.
type failing struct{ err error }

func (failing) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (f failing) ConsumeTraces(context.Context, ptrace.Traces) error    { return f.err }
func (f failing) ConsumeLogs(context.Context, plog.Logs) error          { return f.err }
func (f failing) ConsumeMetrics(context.Context, pmetric.Metrics) error { return f.err }

func failingWith(err error) *consumers {
	return &consumers{traces: failing{err}, logs: failing{err}, metrics: failing{err}}
}
