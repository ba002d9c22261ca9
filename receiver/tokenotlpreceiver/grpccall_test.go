package tokenotlpreceiver

import (
	"context"
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"google.golang.org/grpc/codes"
	grpcmetadata "google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// framed is a message as gRPC frames it.
func framed(flag byte, message []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{flag}, uint32(len(message))), message...)
}

var shopAuthorization = []string{"authorization", "Bearer " + shopToken}

func TestCallThatStallsIsRefusedAndHoldsLittle(t *testing.T) {
	announced := binary.BigEndian.AppendUint32([]byte{0}, 9<<20)
	for name, sent := range map[string][]byte{
		"nothing":          nil,
		"half a header":    announced[:3],
		"a header":         announced,
		"part of it":       append(announced, make([]byte, 5000)...),
		"part, compressed": append([]byte{1}, append(announced[1:], compress(t, "gzip", make([]byte, 9<<20))[:200]...)...),
	} {
		t.Run(name, func(t *testing.T) {
			var timeout time.Duration
			h := start(t, options{receiver: func(r *tokenReceiver) { timeout, r.messageTimeout = r.messageTimeout, 200*time.Millisecond }})
			require.Equal(t, time.Minute, timeout)
			c := h.raw(t)
			stream := c.call(exportMethod(traces), false, append(shopAuthorization, "grpc-encoding", "gzip")...)
			c.data(stream, false, sent)
			require.Eventually(t, func() bool { return h.receiver.bodies.Budget.Used() > 0 }, 10*time.Second, 100*time.Microsecond)
			require.LessOrEqual(t, h.receiver.bodies.Budget.Used(), int64(64<<10+streamCost))
			_, code, message := c.answer()
			require.Equal(t, codes.Unavailable, code)
			require.Equal(t, "the request took too long to arrive", message)
			require.Eventually(t, func() bool { return h.receiver.bodies.Budget.Used() == 0 }, 10*time.Second, time.Millisecond)
			require.Equal(t, int64(1), h.rejected("slow"))

			// The connection is as good as before.
			stream = c.call(exportMethod(traces), false, shopAuthorization...)
			c.data(stream, true, framed(0, protoOf(t, requestOf(traces))))
			_, code, message = c.answer()
			require.Equal(t, codes.OK, code, message)
		})
	}
}

func TestMemoryOfAMessageFollowsWhatArrived(t *testing.T) {
	h := start(t, options{})
	c := h.raw(t)
	stream := c.call(exportMethod(traces), false, shopAuthorization...)
	c.data(stream, false, binary.BigEndian.AppendUint32([]byte{0}, 10<<20))
	budget := h.receiver.bodies.Budget
	require.Eventually(t, func() bool { return budget.Used() >= 64<<10+streamCost }, 10*time.Second, time.Millisecond)
	require.Equal(t, int64(64<<10+streamCost), budget.Used())
	require.NoError(t, c.conn.Close())
	require.Eventually(t, func() bool { return budget.Used() == 0 }, 10*time.Second, time.Millisecond)
}

func TestCallHasOneMessage(t *testing.T) {
	span := protoOf(t, requestOf(traces))
	for name, test := range map[string]struct {
		data [][]byte // the last one ends the call
		code codes.Code
		want string
	}{
		"one":                      {data: [][]byte{framed(0, span)}},
		"one, in parts":            {data: [][]byte{framed(0, span)[:3], framed(0, span)[3:40], framed(0, span)[40:]}},
		"one, ended apart":         {data: [][]byte{framed(0, span), {}}},
		"empty":                    {data: [][]byte{framed(0, nil)}},
		"empty, compressed":        {data: [][]byte{framed(1, nil)}},
		"two":                      {data: [][]byte{append(framed(0, span), framed(0, span)...)}, code: codes.InvalidArgument, want: "the call has more than one message"},
		"two, in frames of theirs": {data: [][]byte{framed(0, span), framed(0, span)}, code: codes.InvalidArgument, want: "the call has more than one message"},
		"one and a bit":            {data: [][]byte{append(framed(0, span), 0)}, code: codes.InvalidArgument, want: "the call has more than one message"},
		"none":                     {data: [][]byte{{}}, code: codes.InvalidArgument, want: "the call has no message"},
	} {
		t.Run(name, func(t *testing.T) {
			h := start(t, options{receiver: func(r *tokenReceiver) { r.endTimeout = time.Hour }})
			c := h.raw(t)
			stream := c.call(exportMethod(traces), false, append(shopAuthorization, "grpc-encoding", "gzip")...)
			for i, data := range test.data {
				c.data(stream, i == len(test.data)-1, data)
			}
			_, code, message := c.answer()
			require.Equal(t, test.code, code, message)
			require.Equal(t, test.want, message)
			if test.code != codes.OK {
				require.Zero(t, h.items())
			}
		})
	}
}

func TestCallThatDoesNotEndIsTakenAtItsWord(t *testing.T) {
	next, err := consumer.NewTraces(func(ctx context.Context, _ ptrace.Traces) error { return ctx.Err() })
	require.NoError(t, err)
	h := start(t, options{
		next:     &consumers{traces: next},
		receiver: func(r *tokenReceiver) { r.endTimeout = time.Millisecond },
	})
	c := h.raw(t)
	stream := c.call(exportMethod(traces), false, shopAuthorization...)
	c.data(stream, false, framed(0, protoOf(t, requestOf(traces))))
	_, code, message := c.answer()
	require.Equal(t, codes.OK, code, message)
}

func TestCallThatIsCutOffIsNotTaken(t *testing.T) {
	next, err := consumer.NewTraces(func(context.Context, ptrace.Traces) error { return errors.New("was called") })
	require.NoError(t, err)
	h := start(t, options{next: &consumers{traces: next}, receiver: func(r *tokenReceiver) { r.endTimeout = time.Hour }})
	c := h.raw(t)
	stream := c.call(exportMethod(traces), false, shopAuthorization...)
	c.data(stream, false, framed(0, protoOf(t, requestOf(traces))))
	require.NoError(t, c.framer.WriteRSTStream(stream, 8))
	require.Eventually(t, func() bool { return h.rejected("malformed") == 1 }, 10*time.Second, time.Millisecond)
}

// With a deadline a call is refused on another way than without.
func TestCallsWithADeadlineAreAnsweredLikeOthers(t *testing.T) {
	h := start(t, options{})
	service := services[logs]
	for _, test := range []struct {
		method, token string
		code          codes.Code
		want          string
	}{
		{method: exportMethod(traces), code: codes.Unauthenticated, want: "Unauthorized"},
		{method: "/grpc.health.v1.Health/Check", code: codes.Unauthenticated, want: "Unauthorized"},
		{method: "/" + service + "/Import", code: codes.Unauthenticated, want: "Unauthorized"},
		{method: "/grpc.health.v1.Health/Check", token: shopToken, code: codes.Unimplemented, want: "unknown service grpc.health.v1.Health"},
		{method: "/" + service + "/Import", token: shopToken, code: codes.Unimplemented, want: "unknown method Import for service " + service},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for _, ctx := range []context.Context{t.Context(), ctx} {
			if test.token != "" {
				ctx = grpcmetadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+test.token)
			}
			_, err := h.send(ctx, test.method, protoOf(t, requestOf(traces)))
			require.Equal(t, test.code, status.Code(err))
			require.Equal(t, test.want, status.Convert(err).Message())
			require.Empty(t, status.Convert(err).Details())
		}
	}
	require.Equal(t, int64(6), h.rejected("unauthorized"), "each is counted once")
}
