package tokenotlpreceiver

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime/debug"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/encoding/gzip" // a client's compressor
	grpcmetadata "google.golang.org/grpc/metadata"

	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/otlptest"
)

// BenchmarkAgainstStock sends the same requests over loopback to this receiver,
// to the stock otlp receiver, and to a server that only reads them, which is
// what the client and the network cost. It reports the CPU of the process
// (user and system) per item: what is to be compared are the differences to
// "discard", the least of several runs.
func BenchmarkAgainstStock(b *testing.B) {
	// The heap of a process with nothing but a receiver is so small that most of
	// the time would go into collecting it.
	defer debug.SetGCPercent(debug.SetGCPercent(800))
	servers := []struct {
		name  string
		start func(b *testing.B) endpoints
	}{
		{"discard", startDiscard},
		{"stock", func(b *testing.B) endpoints {
			b.Helper()
			nop := consumertest.NewNop()
			return startStock(b, consumers{traces: nop, logs: nop, metrics: nop})
		}},
		{"token_otlp", startOwn},
	}
	for s := range signals {
		for _, way := range []string{"http/protobuf", "http/protobuf+gzip", "http/json", "grpc", "grpc+gzip"} {
			for _, server := range servers {
				b.Run(fmt.Sprintf("%s/%s/%s", s, way, server.name), func(b *testing.B) {
					send := benchClient(b, server.start(b), s, way)
					send() // the connection, and what is made once
					b.ReportAllocs()
					before := cpuTime(b)
					for b.Loop() {
						send()
					}
					b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N)/otlptest.Items, "cpu-ns/item")
				})
			}
		}
	}
}

// benchClient returns a function that sends one request and waits for its answer.
func benchClient(b *testing.B, to endpoints, s signal, way string) func() {
	b.Helper()
	switch way {
	case "grpc", "grpc+gzip":
		return grpcSender(b, to.grpc, s, way == "grpc+gzip")
	}
	body, contentType, coding := protoOf(b, otlptest.Usual(wireSignals[s])), protoType, ""
	switch way {
	case "http/json":
		body, contentType = jsonOf(b, otlptest.Usual(wireSignals[s])), jsonType
	case "http/protobuf+gzip":
		body, coding = compress(b, "gzip", body), "gzip"
	}
	client := &http.Client{Transport: &http.Transport{}}
	b.Cleanup(client.CloseIdleConnections)
	return func() {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "http://"+to.http+paths[s], bytes.NewReader(body))
		require.NoError(b, err)
		req.Header.Set("Authorization", "Bearer "+shopToken)
		req.Header.Set("Content-Type", contentType)
		if coding != "" {
			req.Header.Set("Content-Encoding", coding)
		}
		resp, err := client.Do(req)
		require.NoError(b, err)
		_, err = io.Copy(io.Discard, resp.Body)
		require.NoError(b, err)
		require.NoError(b, resp.Body.Close())
		require.Equal(b, http.StatusOK, resp.StatusCode)
	}
}

func grpcSender(b *testing.B, endpoint string, s signal, compressed bool) func() {
	b.Helper()
	conn, err := grpc.NewClient(endpoint, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, conn.Close()) })
	options := []grpc.CallOption{grpc.ForceCodec(rawCodec{})}
	if compressed {
		options = append(options, grpc.UseCompressor("gzip"))
	}
	body := protoOf(b, otlptest.Usual(wireSignals[s]))
	ctx := grpcmetadata.AppendToOutgoingContext(context.Background(), "authorization", "Bearer "+shopToken)
	return func() {
		var answer []byte
		require.NoError(b, conn.Invoke(ctx, "/"+services[s]+"/Export", &body, &answer, options...))
	}
}

// rawCodec sends bytes as they are.
type rawCodec struct{}

func (rawCodec) Name() string { return "proto" }

func (rawCodec) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }

func (rawCodec) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = bytes.Clone(data)
	return nil
}

func startOwn(b *testing.B) endpoints {
	b.Helper()
	nop := consumertest.NewNop()
	h := start(b, options{next: &consumers{traces: nop, logs: nop, metrics: nop}})
	return endpoints{http: h.receiver.httpAddr.String(), grpc: h.receiver.grpcAddr.String()}
}

// startDiscard serves without looking at what it reads.
func startDiscard(b *testing.B) endpoints {
	b.Helper()
	listen := func() net.Listener {
		l, err := (&net.ListenConfig{}).Listen(b.Context(), "tcp", "localhost:0")
		require.NoError(b, err)
		return l
	}
	httpListener, grpcListener := listen(), listen()
	httpServer := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { //nolint:gosec // on loopback
		_, _ = io.Copy(io.Discard, r.Body)
	})}
	go func() { _ = httpServer.Serve(httpListener) }()
	b.Cleanup(func() { require.NoError(b, httpServer.Close()) })
	grpcServer := grpc.NewServer(grpc.ForceServerCodecV2(rawBytes{}), grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		var message []byte
		if err := stream.RecvMsg(&message); err != nil {
			return err
		}
		return stream.SendMsg([]byte{})
	}))
	go func() { _ = grpcServer.Serve(grpcListener) }()
	b.Cleanup(grpcServer.Stop)
	return endpoints{http: httpListener.Addr().String(), grpc: grpcListener.Addr().String()}
}

// cpuTime is what the process has used, in nanoseconds.
func cpuTime(b *testing.B) int64 {
	b.Helper()
	var usage syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return usage.Utime.Nano() + usage.Stime.Nano()
}
