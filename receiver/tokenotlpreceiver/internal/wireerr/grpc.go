package wireerr

import (
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

// GRPC returns the refusal as the error of a gRPC handler, with RetryInfo where
// the client should send again.
func (e *Error) GRPC() error {
	a := answers[e.Reason]
	st := status.New(a.grpc, e.Message)
	if e.delay > 0 {
		if detailed, err := st.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(e.delay)}); err == nil {
			st = detailed
		}
	}
	return st.Err()
}
