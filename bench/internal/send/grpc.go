package send

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const exportMethod = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"

type grpcExporter struct {
	conn  *grpc.ClientConn
	token string
}

func newGRPC(o Options) (*grpcExporter, error) {
	conn, err := grpc.NewClient("passthrough:///"+o.Endpoint,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(rawCodec{})))
	if err != nil {
		return nil, fmt.Errorf("make connection: %w", err)
	}
	return &grpcExporter{conn: conn, token: o.Token}, nil
}

func (e *grpcExporter) export(ctx context.Context, request []byte) (answer, error) {
	if e.token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+e.token)
	}
	var reply []byte
	err := e.conn.Invoke(ctx, exportMethod, request, &reply)
	st := status.Convert(err)
	switch st.Code() {
	case codes.OK:
		return decodeAnswer(reply)
	case codes.Unavailable, codes.ResourceExhausted:
		for _, d := range st.Details() {
			if info, ok := d.(*errdetails.RetryInfo); ok {
				return answer{retry: true, after: info.GetRetryDelay().AsDuration(), message: st.Message()}, nil
			}
		}
		// OTLP: exhausted without RetryInfo is for good, unavailable is not.
		if st.Code() == codes.Unavailable {
			return answer{retry: true, after: defaultRetry, message: st.Message()}, nil
		}
		fallthrough
	default:
		return answer{}, fmt.Errorf("request refused: %w", err)
	}
}

func (e *grpcExporter) Close() error { return e.conn.Close() }

// rawCodec hands encoded messages through: requests are encoded beforehand.
type rawCodec struct{}

var errNotRaw = errors.New("not an encoded message")

func (rawCodec) Marshal(v any) ([]byte, error) {
	b, ok := v.([]byte)
	if !ok {
		return nil, errNotRaw
	}
	return b, nil
}

func (rawCodec) Unmarshal(data []byte, v any) error {
	b, ok := v.(*[]byte)
	if !ok {
		return errNotRaw
	}
	*b = append([]byte(nil), data...)
	return nil
}

// Name is that of the encoding on the wire.
func (rawCodec) Name() string { return "proto" }
