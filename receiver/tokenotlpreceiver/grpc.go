package tokenotlpreceiver

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"

	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/body"
	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/conns"
	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/wireerr"
)

// services are the OTLP services by signal, as named in opentelemetry-proto.
var services = [signals]string{
	traces:  "opentelemetry.proto.collector.trace.v1.TraceService",
	logs:    "opentelemetry.proto.collector.logs.v1.LogsService",
	metrics: "opentelemetry.proto.collector.metrics.v1.MetricsService",
}

// maxGRPCHeaders bounds the headers of a call, as HTTP/2 counts them: 32 bytes more
// for each. They are held until the client has let the answer through.
const maxGRPCHeaders = 16 << 10

// grpcServer answers OTLP/gRPC. It is safe for concurrent use.
type grpcServer struct {
	ingest *ingest
	tokens *tokenTable
	bodies *body.Reader
	table  *conns.Table

	// messageTimeout and endTimeout but in tests.
	messageTimeout, endTimeout time.Duration
}

// options are those that the contract needs.
func (g *grpcServer) options() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.InTapHandle(g.tap),
		grpc.ChainStreamInterceptor(guard),
		grpc.UnknownServiceHandler(g.unknownMethod),
		grpc.StatsHandler(conns.Tagger{Table: g.table}),
		grpc.ForceServerCodecV2(encodedCodec{}),
		grpc.MaxHeaderListSize(maxGRPCHeaders),
		grpc.ConnectionTimeout(defaultReadHeaderTimeout),
		grpc.StaticStreamWindowSize(streamWindow),
		grpc.StaticConnWindowSize(connWindow),
	}
}

// register adds the three services. On the wire an Export is unary. It is
// registered as a stream so that the handler reads the message, in the way that
// messageStream explains, and not gRPC before the handler is called.
func (g *grpcServer) register(server *grpc.Server) {
	for s := range signals {
		server.RegisterService(&grpc.ServiceDesc{
			ServiceName: services[s],
			HandlerType: (*any)(nil),
			Streams: []grpc.StreamDesc{{
				StreamName: "Export",
				Handler: func(_ any, stream grpc.ServerStream) error {
					return g.export(s, stream)
				},
			}},
		}, g)
	}
}

// export answers one call.
func (g *grpcServer) export(s signal, stream grpc.ServerStream) error {
	ctx := stream.Context()
	call := callOf(ctx)
	v := g.ingest.visit(call.source, s, overGRPC)
	defer v.answered(ctx)
	took, err := g.receive(ctx, call, &v)
	if err != nil {
		refusal := wireerr.From(err)
		v.refused(ctx, refusal.Reason)
		return refusal.GRPC()
	}
	return stream.SendMsg(encoded(took.answer(inProtobuf)))
}

func (g *grpcServer) receive(ctx context.Context, call *grpcCall, v *visit) (taken, error) {
	if !g.ingest.next.has(v.signal) {
		return taken{}, wireerr.New(wireerr.NotFound, "no pipeline of this receiver takes "+v.signal.String())
	}
	if err := v.admit(); err != nil {
		return taken{}, err
	}
	if !g.bodies.Budget.Reserve(streamCost) {
		return taken{}, body.ErrBusy
	}
	defer g.bodies.Budget.Release(streamCost)
	b, err := g.readMessage(ctx, call, v)
	if err != nil {
		v.unread(err)
		return taken{}, err
	}
	v.arrived(ctx, b)
	if call.slow.Load() { // its context is done, though all of it has come
		ctx = context.WithoutCancel(ctx)
	}
	return g.ingest.export(ctx, request{source: v.source, signal: v.signal, transport: overGRPC, encoding: inProtobuf, body: b})
}

// encoded is a message of the server, as it goes out.
type encoded []byte

// encodedCodec sends what is encoded. Nothing else passes through it.
type encodedCodec struct{}

func (encodedCodec) Name() string { return "proto" }

func (encodedCodec) Marshal(v any) (mem.BufferSlice, error) {
	message, ok := v.(encoded)
	if !ok {
		return nil, fmt.Errorf("cannot send a %T", v)
	}
	if len(message) == 0 {
		return nil, nil
	}
	return mem.BufferSlice{mem.SliceBuffer(message)}, nil
}

func (encodedCodec) Unmarshal(_ mem.BufferSlice, v any) error {
	return fmt.Errorf("cannot receive a %T", v)
}
