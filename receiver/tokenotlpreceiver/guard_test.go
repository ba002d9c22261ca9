package tokenotlpreceiver

import (
	"context"
	"net/http"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/ptrace"
	grpcmetadata "google.golang.org/grpc/metadata"
)

func TestTokenIsNotInTheContextOfThePipeline(t *testing.T) {
	seen := make(chan grpcmetadata.MD, 1)
	next, err := consumer.NewTraces(func(ctx context.Context, _ ptrace.Traces) error {
		md, _ := grpcmetadata.FromIncomingContext(ctx)
		seen <- md
		return nil
	})
	require.NoError(t, err)
	h := start(t, options{next: &consumers{traces: next}})
	ctx := grpcmetadata.AppendToOutgoingContext(h.withToken(shopToken), "tenant", "a")
	_, err = h.send(ctx, exportMethod(traces), protoOf(t, requestOf(traces)))
	require.NoError(t, err)
	md := <-seen
	require.Empty(t, md.Get("authorization"))
	require.Equal(t, []string{"a"}, md.Get("tenant"))
}

func TestBrokenBodyIsChargedForWhatItWasDecompressed(t *testing.T) {
	const rate, size = 1000, 1 << 20
	h := start(t, options{config: func(cfg *Config) { cfg.Sources[0].RateLimit = rate }})
	broken := compress(t, "gzip", make([]byte, size))
	broken[len(broken)-8] ^= 1 // its checksum
	got := h.http(call{path: "/", headers: bearer("Content-Encoding", "gzip"), body: broken})
	require.Equal(t, http.StatusBadRequest, got.status)
	got = h.post("/", "", []byte(`{}`))
	require.Equal(t, http.StatusTooManyRequests, got.status)
	wait, err := strconv.Atoi(got.headers.Get("Retry-After"))
	require.NoError(t, err)
	require.Greater(t, wait, size/rate-rate)
}

func TestPipelineIsNotCalledAfterShutdown(t *testing.T) {
	h := start(t, options{})
	h.receiver.ingest.shut.Store(true)
	got := h.post("/v1/traces", protoType, protoOf(t, requestOf(traces)))
	require.Equal(t, http.StatusServiceUnavailable, got.status)
	require.Zero(t, h.items())
}
