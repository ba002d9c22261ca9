package tokenotlpreceiver

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/metadata"
)

func TestSignalsOfOneConfigShareOneReceiver(t *testing.T) {
	factory := NewFactory()
	set := receivertest.NewNopSettings(metadata.Type)
	cfg, other := testConfig(), testConfig()
	first, err := factory.CreateTraces(t.Context(), set, cfg, consumertest.NewNop())
	require.NoError(t, err)
	second, err := factory.CreateLogs(t.Context(), set, cfg, consumertest.NewNop())
	require.NoError(t, err)
	third, err := factory.CreateMetrics(t.Context(), set, cfg, consumertest.NewNop())
	require.NoError(t, err)
	require.Same(t, first, second)
	require.Same(t, first, third)
	apart, err := factory.CreateTraces(t.Context(), set, other, consumertest.NewNop())
	require.NoError(t, err)
	require.NotSame(t, first, apart)

	for _, c := range []component.Component{first, second, third} {
		require.NoError(t, c.Start(t.Context(), componenttest.NewNopHost()))
	}
	for _, c := range []component.Component{first, second, third, apart} {
		require.NoError(t, c.Shutdown(t.Context()))
	}
	again, err := factory.CreateTraces(t.Context(), set, cfg, consumertest.NewNop())
	require.NoError(t, err)
	require.NotSame(t, first, again, "a receiver that was shut down is not used again")
	require.NoError(t, again.Shutdown(t.Context()))
	require.ErrorIs(t, again.Start(t.Context(), componenttest.NewNopHost()), errShutDown)
}

func TestStartThatFailsHalfwayIsUndone(t *testing.T) {
	taken, err := net.Listen("tcp", "localhost:0")
	require.NoError(t, err)
	defer taken.Close()
	cfg := testConfig()
	cfg.Protocols.HTTP.Get().NetAddr.Endpoint = taken.Addr().String()
	r, err := NewFactory().CreateTraces(t.Context(), receivertest.NewNopSettings(metadata.Type), cfg, consumertest.NewNop())
	require.NoError(t, err)
	require.ErrorContains(t, r.Start(t.Context(), componenttest.NewNopHost()), "address already in use")
	grpcAddr := r.(*tokenReceiver).grpcAddr.String()
	again, err := net.Listen("tcp", grpcAddr)
	require.NoError(t, err, "the gRPC server still listens")
	require.NoError(t, again.Close())
	require.NoError(t, r.Shutdown(t.Context()))
}

// statusHost remembers the status that is reported to it.
type statusHost struct {
	component.Host
	mu     sync.Mutex
	events []*componentstatus.Event
}

func (h *statusHost) Report(e *componentstatus.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, e)
}

func (h *statusHost) fatal() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.events {
		if e.Status() == componentstatus.StatusFatalError {
			return e.Err()
		}
	}
	return nil
}

// brokenListener fails at once.
type brokenListener struct{ net.Listener }

func (brokenListener) Accept() (net.Conn, error) { return nil, errors.New("no more sockets") }

func TestServerThatDiesIsReportedToEveryHost(t *testing.T) {
	h := start(t, options{})
	hosts := []*statusHost{{Host: componenttest.NewNopHost()}, {Host: componenttest.NewNopHost()}}
	for _, host := range hosts {
		require.NoError(t, h.receiver.Start(t.Context(), host))
	}
	l, err := net.Listen("tcp", "localhost:0")
	require.NoError(t, err)
	h.receiver.serve("HTTP", brokenListener{l}, h.receiver.http.Serve, http.ErrServerClosed)
	for _, host := range hosts {
		require.Eventually(t, func() bool { return host.fatal() != nil }, 10*time.Second, time.Millisecond)
		require.ErrorContains(t, host.fatal(), "no more sockets")
	}
}

// blocking is a consumer that waits until it is let go, whatever its context says.
type blocking struct {
	entered chan struct{}
	release chan struct{}
}

func (b *blocking) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (b *blocking) ConsumeTraces(context.Context, ptrace.Traces) error {
	b.entered <- struct{}{}
	<-b.release
	return nil
}

func (b *blocking) ConsumeLogs(ctx context.Context, _ plog.Logs) error {
	return b.ConsumeTraces(ctx, ptrace.Traces{})
}

func TestShutdownAnswersRequestsUnderWay(t *testing.T) {
	next := &blocking{entered: make(chan struct{}), release: make(chan struct{})}
	h := start(t, options{next: &consumers{traces: next, logs: next}})
	h.receiver.grace = time.Minute
	overHTTP, overGRPC := make(chan int, 1), make(chan error, 1)
	body := protoOf(t, requestOf(traces))
	go func() { overHTTP <- h.post("/", "", []byte(`{"a":1}`)).status }()
	go func() {
		_, err := h.send(h.withToken(shopToken), exportMethod(traces), body)
		overGRPC <- err
	}()
	<-next.entered
	<-next.entered
	stopped := make(chan error, 1)
	go func() { stopped <- h.receiver.Shutdown(context.Background()) }()
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", h.receiver.httpAddr.String())
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	}, 10*time.Second, time.Millisecond)
	require.Empty(t, stopped)
	close(next.release)
	require.NoError(t, <-stopped)
	require.Equal(t, http.StatusAccepted, <-overHTTP)
	require.NoError(t, <-overGRPC)
}

func TestShutdownEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, shutdownUnderWay(ctx, t, time.Minute), context.Canceled)
}

func TestShutdownDoesNotWaitForSlowRequests(t *testing.T) {
	require.NoError(t, shutdownUnderWay(t.Context(), t, time.Millisecond))
}

// shutdownUnderWay shuts a receiver down while a request of each transport is
// in a pipeline that does not return.
func shutdownUnderWay(ctx context.Context, t *testing.T, grace time.Duration) error {
	t.Helper()
	next := &blocking{entered: make(chan struct{}), release: make(chan struct{})}
	h := start(t, options{next: &consumers{traces: next, logs: next}})
	done := make(chan struct{}, 2)
	body := protoOf(t, requestOf(traces))
	go func() {
		req, err := http.NewRequest(http.MethodPost, "http://"+h.receiver.httpAddr.String()+"/", strings.NewReader(`{"a":1}`))
		if err == nil {
			req.Header.Set("Authorization", "Bearer "+shopToken)
			if resp, err := http.DefaultClient.Do(req); err == nil {
				_ = resp.Body.Close()
			}
		}
		done <- struct{}{}
	}()
	go func() {
		_, _ = h.send(h.withToken(shopToken), exportMethod(traces), body)
		done <- struct{}{}
	}()
	<-next.entered
	<-next.entered
	h.receiver.grace = grace
	err := h.receiver.Shutdown(ctx)
	<-done
	<-done
	close(next.release)
	return err
}

func TestTokenStaysInTheReceiver(t *testing.T) {
	var info client.Info
	next, err := consumer.NewLogs(func(ctx context.Context, _ plog.Logs) error {
		info = client.FromContext(ctx)
		return errors.New("refused")
	})
	require.NoError(t, err)
	h := start(t, options{
		next: &consumers{logs: next},
		config: func(cfg *Config) {
			cfg.Protocols.GRPC.Get().IncludeMetadata = true
			cfg.Protocols.HTTP.Get().IncludeMetadata = true
		},
	})
	var answers []string
	for _, headers := range []map[string]string{bearer("X-Tenant", "a"), {"Authorization": "Bearer " + shopToken + "x"}} {
		for _, path := range []string{"/", "/v1/logs", "/nowhere"} {
			headers["Content-Type"] = jsonType
			got := h.http(call{path: path, headers: headers, body: []byte(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{}]}]}]}`)})
			answers = append(answers, got.body)
		}
	}
	require.Equal(t, []string{"a"}, info.Metadata.Get("x-tenant"))
	require.Empty(t, info.Metadata.Get("authorization"))
	for _, token := range []string{shopToken, "wrong-token-00000001"} {
		_, err := h.send(h.withToken(token), exportMethod(logs), protoOf(t, requestOf(logs)))
		require.Error(t, err)
		answers = append(answers, err.Error())
	}
	require.Empty(t, info.Metadata.Get("authorization"))
	require.NotEmpty(t, info.Metadata.Get("user-agent"))

	seen := strings.Join(answers, "\n")
	for _, entry := range h.logs.All() {
		seen += entry.Message
		for k, v := range entry.ContextMap() {
			seen += k + "=" + v.(string)
		}
	}
	for _, span := range h.telemetry.SpanRecorder.Ended() {
		for _, kv := range span.Attributes() {
			seen += string(kv.Key) + "=" + kv.Value.String()
		}
		seen += span.Status().Description
	}
	require.Contains(t, seen, "Listening")
	require.NotContains(t, seen, shopToken)
	require.NotContains(t, seen, "wrong-token")
}
