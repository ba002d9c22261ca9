package tokenotlpreceiver

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

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

const (
	// streamWindow is what a client may send of a call before it is asked for. Most
	// messages fit: each time a client has to be asked costs both sides a turn. It
	// does not grow: what a call holds unread is held beside the budget.
	streamWindow = 128 << 10
	// connWindow holds for the streams of a connection together. gRPC opens it as
	// data arrives, read or not, so that it bounds speed over a long line and no
	// memory.
	connWindow = 1 << 20
	// maxStep bounds what is asked for at a time. gRPC gathers it before the body
	// gets it.
	maxStep = 64 << 10
	// streamCost is what a call takes beside its message.
	streamCost = streamWindow + maxStep
)

// readMessage reads the message of a call, decompressed.
func (g *grpcServer) readMessage(ctx context.Context, call *grpcCall, v *visit) (*body.Body, error) {
	stream, ok := grpc.ServerTransportStreamFromContext(ctx).(messageStream)
	if !ok {
		return nil, wireerr.New(wireerr.Unavailable, "gRPC has changed: its streams cannot be read")
	}
	timer := time.AfterFunc(g.messageTimeout, call.giveUp)
	defer timer.Stop()
	var header [messageHeader]byte
	if err := stream.ReadMessageHeader(header[:]); err != nil {
		if call.slow.Load() {
			return nil, body.ErrSlow
		}
		return nil, wireerr.New(wireerr.Malformed, "the call has no message")
	}
	length := int64(binary.BigEndian.Uint32(header[1:]))
	coding := ""
	switch flag := header[0]; {
	case flag == flagPacked && stream.RecvCompress() != "" && stream.RecvCompress() != "identity":
		if length > 0 { // nothing, compressed by nobody, is nothing
			coding = stream.RecvCompress()
		}
	case flag != flagPlain:
		return nil, wireerr.New(wireerr.Malformed, fmt.Sprintf("the message has flag %d, which its grpc-encoding does not explain", flag))
	}
	b, err := g.bodies.Read(coding, v.watch(&messageReader{stream: stream, call: call, left: int(length)}), length)
	if err != nil {
		return nil, err
	}
	timer.Reset(g.endTimeout)
	if err := readEnd(stream, call); err != nil {
		b.Close()
		return nil, err
	}
	if !timer.Stop() {
		call.slow.Store(true) // it is about to be
	}
	return b, nil
}

// readEnd reads the end of a call whose message has come. gRPC does not do so for
// a unary call: it answers at once, and drops a second message. Clients end a call
// together with its message, so that waiting costs them nothing.
func readEnd(stream messageStream, call *grpcCall) error {
	var more [1]byte
	err := stream.ReadMessageHeader(more[:])
	switch {
	case errors.Is(err, io.EOF), call.slow.Load():
		return nil
	case err == nil:
		return wireerr.New(wireerr.Malformed, "the call has more than one message")
	default:
		return wireerr.New(wireerr.Malformed, "call cut off: "+status.Convert(err).Message())
	}
}

// messageReader reads what follows the header of a message.
type messageReader struct {
	stream messageStream
	call   *grpcCall
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
	data, err := r.stream.Read(min(r.left, len(p), maxStep))
	if err != nil {
		if r.call.slow.Load() {
			return 0, os.ErrDeadlineExceeded
		}
		return 0, fmt.Errorf("message cut off: %s", status.Convert(err).Message())
	}
	n := data.CopyTo(p)
	data.Free()
	r.left -= n
	return n, nil
}
