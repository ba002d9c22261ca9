package tokenotlpreceiver

import (
	"context"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"

	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/conns"
	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/wireerr"
)

// grpcCall is the context of a call, made before there is a stream for it.
type grpcCall struct {
	context.Context
	source *source // nil where the token is not valid
	cancel context.CancelFunc
	slow   atomic.Bool
}

type callKey struct{}

// Value implements context.Context.
func (c *grpcCall) Value(key any) any {
	if key == (callKey{}) {
		return c
	}
	return c.Context.Value(key)
}

// callOf returns the call that a context belongs to.
func callOf(ctx context.Context) *grpcCall {
	if c, ok := ctx.Value(callKey{}).(*grpcCall); ok {
		return c
	}
	return refusedCall
}

// refusedCall is the context of every call without a valid token. It holds on to
// nothing that a client sent.
var refusedCall = &grpcCall{Context: context.Background()}

// giveUp ends the reading of the call: gRPC waits for more of a message until the
// context of its stream is done.
func (c *grpcCall) giveUp() {
	c.slow.Store(true)
	c.cancel()
}

// tap sees the headers of a call before a stream is made for it. The context it
// returns becomes that of the stream.
//
// A refusal here is cheapest, but leaves the call's context as it is: one that
// has a deadline, which a client can put years ahead, would be held until then.
// Such a call is refused by guard.
func (g *grpcServer) tap(ctx context.Context, info *tap.Info) (context.Context, error) {
	source := g.tokens.authenticate(info.Header["authorization"])
	if source == nil {
		g.ingest.telemetry.rejected(ctx, unknown, signalOfMethod(info.FullMethodName), overGRPC, wireerr.Unauthorized)
		if _, has := ctx.Deadline(); has {
			return refusedCall, nil
		}
		return ctx, wireerr.New(wireerr.Unauthorized, "Unauthorized").GRPC()
	}
	delete(info.Header, "authorization") // so that the pipeline does not see it in the context
	conns.FromContext(ctx).Begin()
	c := &grpcCall{source: source}
	c.Context, c.cancel = context.WithCancel(ctx) // gRPC cancels ctx when the call has ended
	return c, nil
}

// guard comes before the handlers.
func guard(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	if callOf(stream.Context()).source == nil {
		return wireerr.New(wireerr.Unauthorized, "Unauthorized").GRPC()
	}
	return handler(srv, stream)
}

// unknownMethod answers calls of methods that are not there. It says what gRPC
// does without it, which does not call guard and counts nothing.
func (g *grpcServer) unknownMethod(_ any, stream grpc.ServerStream) error {
	ctx := stream.Context()
	g.ingest.telemetry.rejected(ctx, callOf(ctx).source, none, overGRPC, wireerr.NotFound)
	name, _ := grpc.Method(ctx)
	service, method := name, ""
	if at := strings.LastIndex(name, "/"); at > 0 {
		service, method = name[1:at], name[at+1:]
	}
	for _, known := range services {
		if service == known {
			return status.Errorf(codes.Unimplemented, "unknown method %s for service %s", method, service)
		}
	}
	return status.Errorf(codes.Unimplemented, "unknown service %s", service)
}

func signalOfMethod(method string) signal {
	for s := range signals {
		if method == "/"+services[s]+"/Export" {
			return s
		}
	}
	return none
}

const (
	// messageTimeout bounds how long the message of a call may take to come, as
	// read_timeout does for HTTP.
	messageTimeout = defaultReadTimeout
	// endTimeout bounds how long a call is waited for to end when its message has
	// come. One that does not is taken at its word.
	endTimeout = time.Second
)
