package e2e

import (
	"bufio"
	"bytes"
	endian "encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// HTTP/2 frames are written by hand (RFC 9113, HPACK of RFC 7541): a library
// would keep to the rules.

const http2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

const (
	frameData         = 0x0
	frameHeaders      = 0x1
	frameReset        = 0x3
	frameSettings     = 0x4
	framePing         = 0x6
	frameWindow       = 0x8
	frameContinuation = 0x9

	flagEndStream  = 0x1
	flagEndHeaders = 0x4

	maxFrame = 16 << 10
)

func frame(kind, flags byte, stream uint32, payload []byte) []byte {
	header := make([]byte, 9, 9+len(payload))
	header[0], header[1], header[2] = byte(len(payload)>>16), byte(len(payload)>>8), byte(len(payload))
	header[3], header[4] = kind, flags
	endian.BigEndian.PutUint32(header[5:], stream)
	return append(header, payload...)
}

// literal is a header field that enters no table.
func literal(name, value string) []byte {
	return slices.Concat([]byte{0}, hpackString(name), hpackString(value))
}

// indexed is a header field that enters the dynamic table, as entry 62.
func indexed(name, value string) []byte {
	return slices.Concat([]byte{0x40}, hpackString(name), hpackString(value))
}

func hpackString(s string) []byte {
	const prefix = 1<<7 - 1
	if len(s) < prefix {
		return append([]byte{byte(len(s))}, s...)
	}
	b := []byte{prefix}
	rest := len(s) - prefix
	for ; rest >= 0x80; rest >>= 7 {
		b = append(b, byte(rest)|0x80)
	}
	return append(append(b, byte(rest)), s...)
}

// callHeaders are those of a gRPC call.
func callHeaders(path, token string, more ...string) []byte {
	b := join(literal(":method", "POST"), literal(":scheme", "http"), literal(":path", path), literal(":authority", "x"),
		literal("content-type", "application/grpc"), literal("te", "trailers"), literal("authorization", "Bearer "+token))
	for i := 0; i < len(more); i += 2 {
		b = append(b, literal(more[i], more[i+1])...)
	}
	return b
}

// dialHTTP2 opens a connection and says hello. What the server says is read, and
// every end of a stream reported, until the connection ends.
func dialHTTP2(t *testing.T, c *collector) (net.Conn, <-chan uint32) {
	t.Helper()
	conn, err := net.Dial("tcp", c.ports.grpc)
	require.NoError(t, err)
	require.NoError(t, conn.SetDeadline(time.Now().Add(answerDeadline)))
	_, err = conn.Write(join([]byte(http2Preface), frame(frameSettings, 0, 0, nil)))
	require.NoError(t, err)
	ended := make(chan uint32, 1000)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(ended)
		readStreams(conn, ended)
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		drain(ended)
		<-done
	})
	return conn, ended
}

func drain(ended <-chan uint32) {
	for range ended {
	}
}

func readStreams(r io.Reader, ended chan<- uint32) {
	buffered := bufio.NewReader(r)
	var header [9]byte
	for {
		if _, err := io.ReadFull(buffered, header[:]); err != nil {
			return
		}
		length := int64(header[0])<<16 | int64(header[1])<<8 | int64(header[2])
		if _, err := io.CopyN(io.Discard, buffered, length); err != nil {
			return
		}
		kind, flags := header[3], header[4]
		if kind == frameReset || (kind == frameHeaders || kind == frameData) && flags&flagEndStream != 0 {
			ended <- endian.BigEndian.Uint32(header[5:])
		}
	}
}

// writeUntilRefused writes chunk after chunk, limit bytes in all, and returns
// how many went out before the server closed the connection.
func writeUntilRefused(w io.Writer, chunk []byte, limit int) (int, error) {
	for n := 0; n < limit; n += len(chunk) {
		if _, err := w.Write(chunk); err != nil {
			if isTimeout(err) {
				return n, fmt.Errorf("the server neither reads nor closes: %w", err)
			}
			return n, nil
		}
	}
	return limit, nil
}

// A hundred megabytes of headers are not read to their end.
func attackWithHeaders(t *testing.T, c *collector) {
	t.Helper()
	const size, atMost = 100 << 20, 16 << 20 // what the kernel buffers goes out before the refusal
	chunk := bytes.Repeat([]byte("x"), 64<<10)
	lines := bytes.Repeat([]byte("x-header: "+strings.Repeat("x", 90)+"\r\n"), 600)
	start := "POST /v1/traces HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token + "\r\n"
	for name, stream := range map[string]struct {
		start string
		chunk []byte
	}{
		"one header":       {start + "X-", chunk},
		"one value":        {start + "X: ", chunk},
		"many headers":     {start, lines},
		"URL":              {"POST /", chunk},
		"method":           {"", chunk},
		"blank lines":      {"\r\n", bytes.Repeat([]byte("\r\n"), 32<<10)},
		"chunk extensions": {start + "Transfer-Encoding: chunked\r\n\r\n1;", chunk},
		"trailers":         {start + "Transfer-Encoding: chunked\r\n\r\n0\r\n", lines},
	} {
		conn, err := net.Dial("tcp", c.ports.http)
		require.NoError(t, err)
		require.NoError(t, conn.SetDeadline(time.Now().Add(answerDeadline)))
		_, err = conn.Write([]byte(stream.start))
		require.NoError(t, err)
		written, err := writeUntilRefused(conn, stream.chunk, size)
		require.NoError(t, conn.Close())
		require.NoError(t, err, name)
		require.Less(t, written, atMost, name)
	}
}

// What HTTP/2 lets a client ask of a server without a request.
func attackWithFrames(t *testing.T, c *collector) {
	t.Helper()
	const size = 100 << 20
	fill := bytes.Repeat(literal("x-header", strings.Repeat("x", 90)), 150)
	call := callHeaders(rpcs["/v1/traces"], token)
	// A table entry of 4 kB, and a reference to it in each byte.
	bomb := join(call, indexed("x", strings.Repeat("x", 4000)), bytes.Repeat([]byte{0x80 | 62}, 12_000))

	for name, stream := range map[string]struct {
		start, chunk []byte
		limit        int
	}{
		"continuation without end": {frame(frameHeaders, 0, 1, call), frame(frameContinuation, 0, 1, fill), size},
		"empty continuation":       {frame(frameHeaders, 0, 1, call), bytes.Repeat(frame(frameContinuation, 0, 1, nil), 1000), 10 << 20},
		"HPACK bomb":               {frame(frameHeaders, flagEndHeaders|flagEndStream, 1, bomb), nil, 0},
		"pings":                    {nil, bytes.Repeat(frame(framePing, 0, 0, make([]byte, 8)), 1000), 10 << 20},
		"settings":                 {nil, bytes.Repeat(frame(frameSettings, 0, 0, nil), 1000), 5 << 20},
		"window overflow":          {nil, frame(frameWindow, 0, 0, []byte{0x7f, 0xff, 0xff, 0xff}), 1 << 20},
		"frame of 16 MiB":          {[]byte{0xff, 0xff, 0xff, frameHeaders, 0, 0, 0, 0, 1}, make([]byte, maxFrame), size},
		"data without stream":      {nil, frame(frameData, 0, 7, make([]byte, maxFrame)), size},
		"no preface":               {[]byte("GET / HTTP/1.1\r\n\r\n"), make([]byte, maxFrame), size},
	} {
		conn, ended := dialHTTP2(t, c)
		go drain(ended)
		_, err := conn.Write(stream.start)
		require.NoError(t, err, name)
		if stream.chunk != nil {
			written, err := writeUntilRefused(conn, stream.chunk, stream.limit)
			require.NoError(t, err, name)
			t.Logf("%s: %d of %d bytes", name, written, stream.limit)
		}
		require.NoError(t, conn.Close())
	}

	// Streams that are reset as soon as they are open (CVE-2023-44487).
	conn, ended := dialHTTP2(t, c)
	go drain(ended)
	for stream := uint32(1); stream < 100_000; stream += 2 {
		_, err := conn.Write(join(frame(frameHeaders, flagEndHeaders, stream, call), frame(frameReset, 0, stream, []byte{0, 0, 0, 8})))
		if err != nil {
			break // it was refused
		}
	}
}

// Calls without a token leave nothing behind, whatever deadline they name. The
// collector is one of its own, whose heap hardly grows before it is collected.
func TestCallsWithoutTokenLeaveNothing(t *testing.T) {
	const (
		calls  = 200_000
		atOnce = 50 // fewer than streams are allowed
		growth = 16 << 20
		heap   = "otelcol_process_runtime_heap_alloc_bytes"
	)
	c := startCollectorWith(t, []string{"GOGC=25"}, t.TempDir())
	headers := callHeaders(rpcs["/v1/traces"], "wrong-token", "grpc-timeout", "99999999H")
	conn, ended := dialHTTP2(t, c)
	before := c.sum(t, heap)
	stream := uint32(1)
	for range calls / atOnce {
		var burst []byte
		for range atOnce {
			burst = append(burst, frame(frameHeaders, flagEndHeaders|flagEndStream, stream, headers)...)
			stream += 2
		}
		_, err := conn.Write(burst)
		require.NoError(t, err)
		for range atOnce {
			_, open := <-ended
			require.True(t, open, "the server closed the connection at stream %d", stream)
		}
	}
	require.Equal(t, calls, c.sum(t, "otelcol_token_otlp_rejected_requests", `reason="unauthorized"`))
	// The figure is half a second old at most.
	var after int
	require.NoError(t, poll(2*time.Second, func() error {
		if after = c.sum(t, heap); after-before > growth {
			return fmt.Errorf("the heap grew from %d kB to %d kB by %d calls", before>>10, after>>10, calls)
		}
		return nil
	}))
	t.Logf("the heap went from %d kB to %d kB", before>>10, after>>10)
}
