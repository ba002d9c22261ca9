package tokenotlpreceiver

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/config/configgrpc"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	grpcmetadata "google.golang.org/grpc/metadata"
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

// requireRefused checks a gRPC error to the last detail.
func requireRefused(t *testing.T, err error, code codes.Code, message string, retry bool) {
	t.Helper()
	st := status.Convert(err)
	require.Equal(t, code, st.Code(), st.Message())
	require.Equal(t, message, st.Message())
	if !retry {
		require.Empty(t, st.Details())
		return
	}
	require.Len(t, st.Details(), 1)
	info, ok := st.Details()[0].(*errdetails.RetryInfo)
	require.True(t, ok)
	require.Equal(t, int64(1), info.GetRetryDelay().GetSeconds())
}

func TestGRPCTakesEverySignalInEveryCompression(t *testing.T) {
	h := start(t, options{})
	want := 0
	for s := range signals {
		for _, compression := range []string{"", "identity", "gzip", "zstd", "snappy"} {
			t.Run(fmt.Sprintf("%s/%s", s, compression), func(t *testing.T) {
				answer, err := h.send(h.withToken(shopToken), exportMethod(s), protoOf(t, requestOf(s)), grpc.UseCompressor(compression))
				require.NoError(t, err)
				require.Empty(t, answer)
				want++
				require.Equal(t, want, h.items())
			})
		}
	}
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

func TestGRPCRefusals(t *testing.T) {
	span := protoOf(t, requestOf(traces))
	large := func(n int) []byte { return message(15, make([]byte, n<<20)) } // a field that no message has
	for _, test := range []struct {
		name          string
		authorization []string // the shop's token unless given
		method        string
		message       []byte
		options       []grpc.CallOption
		config        func(*Config)
		next          *consumers
		code          codes.Code
		answer        string
		retry         bool
	}{
		{name: "no token", authorization: []string{}, message: span, code: codes.Unauthenticated, answer: "Unauthorized"},
		{name: "unknown token", authorization: []string{"Bearer " + strings.ToUpper(shopToken)}, message: span, code: codes.Unauthenticated, answer: "Unauthorized"},
		{name: "basic", authorization: []string{"Basic " + shopToken}, message: span, code: codes.Unauthenticated, answer: "Unauthorized"},
		{name: "two tokens", authorization: []string{"Bearer " + shopToken, "Bearer " + shopToken}, message: span, code: codes.Unauthenticated, answer: "Unauthorized"},
		{name: "no token, malformed", authorization: []string{}, message: []byte("hello"), code: codes.Unauthenticated, answer: "Unauthorized"},
		{name: "no token, unknown method", authorization: []string{}, method: "/grpc.health.v1.Health/Check", code: codes.Unauthenticated, answer: "Unauthorized"},
		{name: "unknown service", method: "/grpc.health.v1.Health/Check", code: codes.Unimplemented, answer: "unknown service grpc.health.v1.Health"},
		{name: "no pipeline", next: &consumers{logs: failing{}}, message: span, code: codes.Unimplemented, answer: "no pipeline of this receiver takes traces"},
		{name: "malformed", message: []byte("hello"), code: codes.InvalidArgument, answer: "malformed message"},
		{name: "too deep", method: exportMethod(logs), message: deepBody(300_000), code: codes.InvalidArgument, answer: "attribute values nest too deeply"},
		{name: "too large", config: smallLimits, message: large(1), code: codes.ResourceExhausted, answer: "request body too large: 1048580 bytes, limit 1048576"},
		{name: "too large when decompressed, gzip", config: smallLimits, message: large(2), options: []grpc.CallOption{grpc.UseCompressor("gzip")}, code: codes.ResourceExhausted, answer: "request body too large: over 2097152 bytes when decompressed"},
		{name: "too large when decompressed, zstd", config: smallLimits, message: large(2), options: []grpc.CallOption{grpc.UseCompressor("zstd")}, code: codes.ResourceExhausted, answer: "request body too large: over 2097152 bytes when decompressed"},
		{name: "too large when decoded", config: smallLimits, message: manySpans(20_000), code: codes.ResourceExhausted, answer: "the decoded request would take too much memory"},
		{name: "pipeline full", next: failingWith(errors.New("memory limit")), message: span, code: codes.Unavailable, answer: "memory limit", retry: true},
		{name: "pipeline refuses", next: failingWith(consumererror.NewPermanent(errors.New("bad batch"))), message: span, code: codes.InvalidArgument, answer: "Permanent error: bad batch"},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := start(t, options{config: test.config, next: test.next})
			if test.authorization == nil {
				test.authorization = []string{"Bearer " + shopToken}
			}
			ctx := t.Context()
			for _, value := range test.authorization {
				ctx = grpcmetadata.AppendToOutgoingContext(ctx, "authorization", value)
			}
			if test.method == "" {
				test.method = exportMethod(traces)
			}
			_, err := h.send(ctx, test.method, test.message, test.options...)
			requireRefused(t, err, test.code, test.answer, test.retry)
			require.Zero(t, h.items())
		})
	}
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
	return status.New(codes.Code(code), trailer.Get("Grpc-Message"))
}

func TestGRPCBlamesTheClientForAMessageThatCannotBeDecompressed(t *testing.T) {
	h := start(t, options{})
	for _, compression := range []string{"gzip", "zstd", "snappy"} {
		// Past the client's own compressor: a raw stream with the framing by hand.
		st := h.rawCall(compression, append([]byte{1, 0, 0, 0, 5}, "hello"...))
		require.Equal(t, codes.InvalidArgument, st.Code(), "%s: %s", compression, st.Message())
	}
	st := h.rawCall("", append([]byte{1, 0, 0, 0, 5}, "hello"...))
	require.Equal(t, codes.InvalidArgument, st.Code(), st.Message())
	st = h.rawCall("", append([]byte{7, 0, 0, 0, 5}, "hello"...))
	require.Equal(t, codes.InvalidArgument, st.Code(), st.Message())
	st = h.rawCall("", append([]byte{0, 0, 0, 0, 9}, "hello"...))
	require.Equal(t, codes.InvalidArgument, st.Code(), st.Message())
	st = h.rawCall("", nil)
	require.Equal(t, codes.InvalidArgument, st.Code(), st.Message())
	// A length that is announced only.
	st = h.rawCall("", append(binary.BigEndian.AppendUint32([]byte{0}, 0xffffffff), "hello"...))
	require.Equal(t, codes.ResourceExhausted, st.Code(), st.Message())
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
