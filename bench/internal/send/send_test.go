package send

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"go.uber.org/goleak"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// reply is what the server of a test says; the zero value accepts.
type reply struct {
	retryAfter string // a refusal for now, with this Retry-After
	busy       bool   // a refusal for now, without one
	rejected   int64
	refused    bool
}

// script answers the requests of both protocols in turn, then accepts.
type script struct {
	mu      sync.Mutex // guards everything below
	replies []reply
	tokens  []string
	spans   int
}

func (s *script) next(token string, req ptraceotlp.ExportRequest) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens = append(s.tokens, token)
	if len(s.replies) == 0 {
		s.spans += req.Traces().SpanCount()
		return reply{}
	}
	r := s.replies[0]
	s.replies = s.replies[1:]
	return r
}

func partial(r reply) ptraceotlp.ExportResponse {
	resp := ptraceotlp.NewExportResponse()
	if r.rejected > 0 {
		resp.PartialSuccess().SetRejectedSpans(r.rejected)
		resp.PartialSuccess().SetErrorMessage("bad span ID")
	}
	return resp
}

func (s *script) serveHTTP(t *testing.T) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, hr *http.Request) {
		body, err := io.ReadAll(hr.Body)
		req := ptraceotlp.NewExportRequest()
		if err != nil || req.UnmarshalProto(body) != nil || hr.URL.Path != "/v1/traces" || hr.Header.Get("Content-Type") != "application/x-protobuf" {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		switch r := s.next(hr.Header.Get("Authorization"), req); {
		case r.refused:
			w.WriteHeader(http.StatusBadRequest)
		case r.busy:
			w.WriteHeader(http.StatusTooManyRequests)
		case r.retryAfter != "":
			w.Header().Set("Retry-After", r.retryAfter)
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			b, _ := partial(r).MarshalProto()
			_, _ = w.Write(b)
		}
	}))
	t.Cleanup(srv.Close)
	return strings.TrimPrefix(srv.URL, "http://")
}

type grpcServer struct {
	*ptraceotlp.UnimplementedGRPCServer
	script *script
}

func (g grpcServer) Export(ctx context.Context, req ptraceotlp.ExportRequest) (ptraceotlp.ExportResponse, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	r := g.script.next(strings.Join(md.Get("authorization"), ","), req)
	switch {
	case r.refused:
		return partial(r), status.Error(codes.InvalidArgument, "refused")
	case r.busy:
		return partial(r), status.Error(codes.Unavailable, "busy")
	case r.retryAfter != "":
		d, err := time.ParseDuration(r.retryAfter + "s")
		if err != nil {
			return partial(r), err
		}
		st, err := status.New(codes.ResourceExhausted, "busy").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(d)})
		if err != nil {
			return partial(r), err
		}
		return partial(r), st.Err()
	}
	return partial(r), nil
}

func (s *script) serveGRPC(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	srv := grpc.NewServer()
	ptraceotlp.RegisterGRPCServer(srv, grpcServer{script: s})
	done := make(chan error)
	go func() { done <- srv.Serve(l) }()
	t.Cleanup(func() {
		srv.Stop()
		require.NoError(t, <-done)
	})
	return l.Addr().String()
}

// requests returns a source of n requests of two spans.
func requests(t *testing.T, n int) func() ([]byte, int, error) {
	t.Helper()
	td := ptrace.NewTraces()
	spans := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	spans.AppendEmpty().SetName("a")
	spans.AppendEmpty().SetName("b")
	b, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
	require.NoError(t, err)
	return func() ([]byte, int, error) {
		if n == 0 {
			return nil, 0, io.EOF
		}
		n--
		return b, 2, nil
	}
}

func TestRun(t *testing.T) {
	tests := []struct {
		name    string
		replies []reply
		want    Result
		slept   []time.Duration
		err     string
	}{
		{name: "all accepted", want: Result{Requests: 3, Spans: 6}},
		{name: "told when to retry", replies: []reply{{retryAfter: "2"}, {retryAfter: "3"}}, want: Result{Requests: 3, Spans: 6, Retries: 2}, slept: []time.Duration{2 * time.Second, 3 * time.Second}},
		{name: "told to retry, not when", replies: []reply{{busy: true}}, want: Result{Requests: 3, Spans: 6, Retries: 1}, slept: []time.Duration{defaultRetry}},
		{name: "refused", replies: []reply{{refused: true}}, err: "request refused"},
		{name: "rejected in part", replies: []reply{{rejected: 1}}, err: "1 spans rejected: bad span ID"},
	}
	for _, protocol := range []string{"http", "grpc"} {
		for _, tt := range tests {
			t.Run(protocol+"/"+tt.name, func(t *testing.T) {
				s := &script{replies: tt.replies}
				var slept []time.Duration
				now := time.Unix(0, 0)
				o := Options{
					GRPC: protocol == "grpc", Token: "t", Connections: 1,
					clock: func() time.Time { return now },
					sleep: func(_ context.Context, d time.Duration) error {
						slept = append(slept, d)
						return nil
					},
				}
				if o.GRPC {
					o.Endpoint = s.serveGRPC(t)
				} else {
					o.Endpoint = s.serveHTTP(t)
				}
				got, err := Run(t.Context(), o, requests(t, 3))
				if tt.err != "" {
					require.ErrorContains(t, err, tt.err)
					return
				}
				require.NoError(t, err)
				require.Equal(t, tt.want, got)
				require.Equal(t, tt.slept, slept)
				require.Equal(t, tt.want.Spans, s.spans)
				for _, token := range s.tokens {
					require.Equal(t, "Bearer t", token)
				}
			})
		}
	}
}

func TestRunUsesAllItsConnections(t *testing.T) {
	s := &script{}
	got, err := Run(t.Context(), Options{Endpoint: s.serveHTTP(t), Connections: 4}, requests(t, 100))
	require.NoError(t, err)
	require.Equal(t, 100, got.Requests)
	require.Equal(t, 200, s.spans)
}

func TestRunKeepsToItsRate(t *testing.T) {
	s := &script{}
	var mu sync.Mutex // guards slept
	var slept []time.Duration
	o := Options{
		Endpoint: s.serveHTTP(t), Connections: 1, Rate: 4,
		clock: func() time.Time { return time.Unix(0, 0) },
		sleep: func(_ context.Context, d time.Duration) error {
			mu.Lock()
			defer mu.Unlock()
			slept = append(slept, d)
			return nil
		},
	}
	_, err := Run(t.Context(), o, requests(t, 4))
	require.NoError(t, err)
	// Two spans a request at four spans a second, on a clock that stands still.
	require.Equal(t, []time.Duration{500 * time.Millisecond, time.Second, 1500 * time.Millisecond}, slept)
}

func TestRunEnds(t *testing.T) {
	t.Run("at the end of its context", func(t *testing.T) {
		s := &script{replies: []reply{{retryAfter: "3600"}}}
		ctx, cancel := context.WithCancel(t.Context())
		o := Options{Endpoint: s.serveHTTP(t), Connections: 2, sleep: func(ctx context.Context, _ time.Duration) error {
			cancel()
			<-ctx.Done()
			return ctx.Err()
		}}
		_, err := Run(ctx, o, requests(t, 10))
		require.ErrorIs(t, err, context.Canceled)
	})
	t.Run("at an error of its source", func(t *testing.T) {
		s := &script{}
		bad := errors.New("bad file")
		_, err := Run(t.Context(), Options{Endpoint: s.serveHTTP(t), Connections: 2}, func() ([]byte, int, error) { return nil, 0, bad })
		require.ErrorIs(t, err, bad)
	})
	t.Run("when no server is there", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		require.NoError(t, l.Close())
		_, err = Run(t.Context(), Options{Endpoint: l.Addr().String(), Connections: 2}, requests(t, 10))
		require.Error(t, err)
	})
}
