package tokenotlpreceiver

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/config/configgrpc"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"

	"github.com/spanlake/spanlake/internal/attr"
)

// rawBytes sends and receives messages as they are.
type rawBytes struct{}

func (rawBytes) Name() string { return "proto" }

func (rawBytes) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(v.([]byte))}, nil
}

func (rawBytes) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*[]byte) = data.Materialize()
	return nil
}

func exportMethod(s signal) string { return "/" + services[s] + "/Export" }

// send calls Export with a message of any bytes.
func (h *harness) send(ctx context.Context, method string, message []byte, opts ...grpc.CallOption) ([]byte, error) {
	h.t.Helper()
	answer := []byte("untouched")
	err := h.conn.Invoke(ctx, method, message, &answer, append(opts, grpc.ForceCodecV2(rawBytes{}))...)
	return answer, err
}

func TestGRPCTakesTheClientsOfTheCollector(t *testing.T) {
	h := start(t, options{})
	ctx := h.withToken(otherToken)
	_, err := ptraceotlp.NewGRPCClient(h.conn).Export(ctx, ptraceotlp.NewExportRequestFromTraces(oneSpan()))
	require.NoError(t, err)
	_, err = plogotlp.NewGRPCClient(h.conn).Export(ctx, plogotlp.NewExportRequestFromLogs(oneRecord()))
	require.NoError(t, err)
	_, err = pmetricotlp.NewGRPCClient(h.conn).Export(ctx, pmetricotlp.NewExportRequestFromMetrics(onePoint()))
	require.NoError(t, err)
	require.Equal(t, 3, h.items())
	name, _ := h.traceSink.AllTraces()[0].ResourceSpans().At(0).Resource().Attributes().Get(attr.Source)
	require.Equal(t, "billing", name.Str())
}

// rawCall sends frames of any bytes, which gRPC's client does not.
func (h *harness) rawCall(compression string, frames []byte) *status.Status {
	h.t.Helper()
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	client := &http.Client{Transport: &http.Transport{Protocols: &protocols}}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(h.t.Context(), http.MethodPost, "http://"+h.receiver.grpcAddr.String()+exportMethod(traces), struct{ io.Reader }{bytes.NewReader(frames)})
	require.NoError(h.t, err)
	req.Header.Set("Content-Type", "application/grpc")
	req.Header.Set("Te", "trailers")
	req.Header.Set("Authorization", "Bearer "+shopToken)
	if compression != "" {
		req.Header.Set("Grpc-Encoding", compression)
	}
	resp, err := client.Do(req)
	require.NoError(h.t, err)
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	require.NoError(h.t, err)
	trailer := resp.Trailer
	if trailer.Get("Grpc-Status") == "" {
		trailer = resp.Header // an answer of trailers only
	}
	code, err := strconv.Atoi(trailer.Get("Grpc-Status"))
	require.NoError(h.t, err)
	require.Empty(h.t, trailer.Get("Grpc-Status-Details-Bin"), "nothing that these are refused for passes")
	text, err := url.PathUnescape(trailer.Get("Grpc-Message"))
	require.NoError(h.t, err)
	return status.New(codes.Code(code), text)
}

func TestLargeGRPCMessageIsTaken(t *testing.T) {
	h := start(t, options{})
	td := oneSpan()
	td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).Attributes().PutStr("large", strings.Repeat("x", 30<<20))
	_, err := ptraceotlp.NewGRPCClient(h.conn).Export(h.withToken(shopToken), ptraceotlp.NewExportRequestFromTraces(td), grpc.UseCompressor("gzip"))
	require.NoError(t, err)
	require.Equal(t, 1, h.items())
}

func TestOneProtocolIsEnough(t *testing.T) {
	h := start(t, options{config: func(cfg *Config) { cfg.Protocols.GRPC = configoptional.None[configgrpc.ServerConfig]() }})
	require.Nil(t, h.conn)
	require.Equal(t, 202, h.post("/", "", []byte(`{}`)).status)
	h = start(t, options{config: func(cfg *Config) { cfg.Protocols.HTTP = configoptional.None[confighttp.ServerConfig]() }})
	require.Nil(t, h.receiver.httpAddr)
	_, err := h.send(h.withToken(shopToken), exportMethod(logs), protoOf(t, requestOf(logs)))
	require.NoError(t, err)
}
