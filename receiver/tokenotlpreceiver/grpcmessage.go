package tokenotlpreceiver

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"

	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/body"
	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/wireerr"
)

// messageStream is the part of gRPC's transport stream that reads a message.
// gRPC's own way, RecvMsg, has one limit for a message compressed and not, reads
// it whole before anyone can refuse it, and answers Internal to a client whose
// message cannot be decompressed. The stream comes from a public function, its
// type is internal to gRPC: every test over gRPC fails should it change.
type messageStream interface {
	RecvCompress() string
	ReadMessageHeader(header []byte) error
	Read(n int) (mem.BufferSlice, error)
}

// Message framing of gRPC over HTTP/2: a flag, a length, the message.
const (
	messageHeader = 5
	flagPlain     = 0
	flagPacked    = 1
)

// readMessage reads the message of a call, decompressed.
func readMessage(ctx context.Context, bodies *body.Reader, v *visit) (*body.Body, error) {
	stream, ok := grpc.ServerTransportStreamFromContext(ctx).(messageStream)
	if !ok {
		return nil, wireerr.New(wireerr.Unavailable, "gRPC has changed: its streams cannot be read")
	}
	var header [messageHeader]byte
	if err := stream.ReadMessageHeader(header[:]); err != nil {
		return nil, wireerr.New(wireerr.Malformed, "the call has no message")
	}
	length := int64(binary.BigEndian.Uint32(header[1:]))
	coding := ""
	switch flag := header[0]; {
	case flag == flagPacked && stream.RecvCompress() != "" && stream.RecvCompress() != "identity":
		coding = stream.RecvCompress()
	case flag != flagPlain:
		return nil, wireerr.New(wireerr.Malformed, fmt.Sprintf("the message has flag %d, which its grpc-encoding does not explain", flag))
	}
	return bodies.Read(coding, v.watch(&messageReader{stream: stream, left: int(length)}), length)
}

// messageReader reads what follows the header of a message.
type messageReader struct {
	stream messageStream
	left   int
}

// Read implements io.Reader. gRPC lets the client send on as it is called, so
// that what was not asked for does not take memory.
func (r *messageReader) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	data, err := r.stream.Read(min(r.left, len(p)))
	if err != nil {
		return 0, fmt.Errorf("message cut off: %s", status.Convert(err).Message())
	}
	n := data.CopyTo(p)
	data.Free()
	r.left -= n
	return n, nil
}
