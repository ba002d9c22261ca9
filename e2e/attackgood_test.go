package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const (
	goodService  = "good"
	goodInterval = 50 * time.Millisecond
	// goodPatience is how long a good client goes on to send one request again.
	goodPatience   = 10 * time.Second
	goodRetryDelay = 200 * time.Millisecond
)

// goodClients send one small trace at a time, over HTTP and over gRPC. They
// retry as an SDK does, and note those whom goodPatience did not help.
type goodClients struct {
	cancel  context.CancelFunc
	running sync.WaitGroup
	http    goodClient
	grpc    goodClient
}

type goodClient struct {
	sent atomic.Int64 // and acknowledged

	mu       sync.Mutex // guards the rest
	traceIDs []string
	errs     []error
	longest  time.Duration // that one request took
}

func startGoodClients(t *testing.T, c *collector) *goodClients {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	g := &goodClients{cancel: cancel}
	conn, err := grpc.NewClient(c.ports.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	overGRPC := ptraceotlp.NewGRPCClient(conn)
	client := &http.Client{Transport: &http.Transport{}}
	g.running.Go(func() {
		defer client.CloseIdleConnections()
		g.http.run(ctx, 1, func(ctx context.Context, n uint64, traces ptraceotlp.ExportRequest) (bool, error) {
			return sendGoodHTTP(ctx, client, c.ports.http, n, traces)
		})
	})
	g.running.Go(func() {
		defer conn.Close()
		ctx := metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
		g.grpc.run(ctx, 2, func(ctx context.Context, _ uint64, traces ptraceotlp.ExportRequest) (bool, error) {
			_, err := overGRPC.Export(ctx, traces)
			return status.Code(err) == codes.Unavailable || errors.Is(err, context.DeadlineExceeded), err
		})
	})
	t.Cleanup(g.stop)
	return g
}

func (g *goodClients) stop() {
	g.cancel()
	g.running.Wait()
}

// run sends traces until ctx ends; send reports whether to try again.
func (g *goodClient) run(ctx context.Context, family byte, send func(context.Context, uint64, ptraceotlp.ExportRequest) (bool, error)) {
	tick := time.NewTicker(goodInterval)
	defer tick.Stop()
	for n := uint64(1); ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		id := pcommon.TraceID{0: 0xfe, 1: family, 8: byte(n >> 56), 13: byte(n >> 16), 14: byte(n >> 8), 15: byte(n)}
		began := time.Now()
		// Not ctx: who is told to stop has its last request answered.
		err := persist(context.WithoutCancel(ctx), n, goodTrace(id), send)
		g.note(id, time.Since(began), err)
	}
}

func persist(ctx context.Context, n uint64, traces ptraceotlp.ExportRequest, send func(context.Context, uint64, ptraceotlp.ExportRequest) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, goodPatience)
	defer cancel()
	for {
		again, err := send(ctx, n, traces)
		if err == nil || !again {
			return err
		}
		if wait(ctx, goodRetryDelay) != nil {
			return err
		}
	}
}

func (g *goodClient) note(id pcommon.TraceID, took time.Duration, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.longest = max(g.longest, took)
	if err != nil {
		g.errs = append(g.errs, err)
		return
	}
	g.traceIDs = append(g.traceIDs, id.String())
	g.sent.Add(1)
}

func goodTrace(id pcommon.TraceID) ptraceotlp.ExportRequest {
	traces := ptrace.NewTraces()
	rs := traces.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", goodService)
	s := rs.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	s.SetTraceID(id)
	s.SetSpanID(pcommon.SpanID(id[8:]))
	s.SetName("good")
	now := time.Now()
	s.SetStartTimestamp(pcommon.NewTimestampFromTime(now))
	s.SetEndTimestamp(pcommon.NewTimestampFromTime(now.Add(time.Millisecond)))
	return ptraceotlp.NewExportRequestFromTraces(traces)
}

// sendGoodHTTP opens a connection for every other request.
func sendGoodHTTP(ctx context.Context, client *http.Client, endpoint string, n uint64, traces ptraceotlp.ExportRequest) (bool, error) {
	body, err := traces.MarshalProto()
	if err != nil {
		return false, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+endpoint+"/v1/traces", bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	request.Close = n%2 == 0
	request.Header.Set("Content-Type", "application/x-protobuf")
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := client.Do(request)
	if err != nil {
		return true, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
		return true, err
	case response.StatusCode != http.StatusOK:
		return response.StatusCode == http.StatusServiceUnavailable, fmt.Errorf("%s: %q", response.Status, answer)
	case len(answer) > 0:
		return false, fmt.Errorf("200 with %q", answer)
	}
	return false, nil
}

// requireProgress waits for each client to be acknowledged anew, and wants no
// request to have failed since the last time.
func (g *goodClients) requireProgress(t *testing.T) {
	t.Helper()
	for name, client := range map[string]*goodClient{"HTTP": &g.http, "gRPC": &g.grpc} {
		longest, err := client.progress()
		require.NoError(t, err, "good requests over %s", name)
		t.Logf("good requests over %s took %s at most", name, longest.Round(time.Millisecond))
	}
}

// settle lets the failures end that an attack has left behind, so that the next
// is not blamed for them.
func (g *goodClients) settle() {
	_, _ = g.http.progress()
	_, _ = g.grpc.progress()
}

func (g *goodClient) progress() (time.Duration, error) {
	const more = 3
	before := g.sent.Load()
	stuck := poll(goodPatience+time.Second, func() error {
		if n := g.sent.Load() - before; n < more {
			return fmt.Errorf("%d of %d requests were answered", n, more)
		}
		return nil
	})
	g.mu.Lock()
	defer g.mu.Unlock()
	err, longest := errors.Join(append(g.errs, stuck)...), g.longest
	g.errs, g.longest = nil, 0
	return longest, err
}

func (g *goodClients) requireStoredOnce(t *testing.T, c *collector) {
	t.Helper()
	acknowledged := append(append([]string(nil), g.http.traceIDs...), g.grpc.traceIDs...)
	require.NotEmpty(t, acknowledged)
	var rows []row
	err := poll(queryable, func() error {
		var err error
		rows, err = query(t, c.lake(), "select trace_id, count(*) as copies, any_value(source) as source from spans where service_name = "+literals([]string{goodService})+" group by all")
		if err != nil {
			return err
		}
		if missing := difference(acknowledged, column(rows, "trace_id")); len(missing) > 0 {
			return fmt.Errorf("%d of %d acknowledged spans are missing, such as %s", len(missing), len(acknowledged), missing[0])
		}
		return nil
	})
	require.NoError(t, err)
	for _, r := range rows {
		require.Equal(t, number(1), r["copies"], r["trace_id"])
		require.Equal(t, "local", r["source"])
	}
	t.Logf("%d good spans are stored once", len(acknowledged))
}
