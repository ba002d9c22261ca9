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
		grpc.UnknownServiceHandler(unknownMethod),
		grpc.StatsHandler(conns.Tagger{Table: g.table}),
		grpc.ForceServerCodecV2(emptyCodec{}),
		grpc.MaxHeaderListSize(maxHeaderBytes),
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
	call := callOf(stream.Context())
	if err := g.receive(stream.Context(), s, call); err != nil {
		refusal := wireerr.From(err)
		g.ingest.telemetry.rejected(stream.Context(), call.source, s, overGRPC, refusal.Reason)
		return refusal.GRPC()
	}
	return stream.SendMsg(emptyMessage{})
}

func (g *grpcServer) receive(ctx context.Context, s signal, call *grpcCall) error {
	if !g.ingest.next.has(s) {
		return wireerr.New(wireerr.NotFound, "no pipeline of this receiver takes "+s.String())
	}
	if !g.bodies.Budget.Reserve(streamCost) {
		return body.ErrBusy
	}
	defer g.bodies.Budget.Release(streamCost)
	b, err := g.readMessage(ctx, call)
	if err != nil {
		return err
	}
	defer b.Close()
	if call.slow.Load() { // its context is done, though all of it has come
		ctx = context.WithoutCancel(ctx)
	}
	return g.ingest.export(ctx, request{source: call.source, signal: s, transport: overGRPC, encoding: inProtobuf, body: b.Bytes()})
}

// emptyMessage is the answer to every request that is taken.
type emptyMessage struct{}

// emptyCodec encodes emptyMessage. Nothing else passes through it.
type emptyCodec struct{}

func (emptyCodec) Name() string { return "proto" }

func (emptyCodec) Marshal(v any) (mem.BufferSlice, error) {
	if _, ok := v.(emptyMessage); !ok {
		return nil, fmt.Errorf("cannot send a %T", v)
	}
	return nil, nil
}

func (emptyCodec) Unmarshal(_ mem.BufferSlice, v any) error {
	return fmt.Errorf("cannot receive a %T", v)
}
