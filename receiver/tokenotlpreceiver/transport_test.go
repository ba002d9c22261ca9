package tokenotlpreceiver

import (
	"bytes"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
)

// rawConn is a gRPC client that sends frames of its own making.
type rawConn struct {
	t      testing.TB
	conn   net.Conn
	framer *http2.Framer
	next   uint32 // stream
	buf    bytes.Buffer
	enc    *hpack.Encoder
}

func (h *harness) raw(t testing.TB) *rawConn {
	t.Helper()
	conn, err := net.Dial("tcp", h.receiver.grpcAddr.String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = conn.Write([]byte(http2.ClientPreface))
	require.NoError(t, err)
	c := &rawConn{t: t, conn: conn, framer: http2.NewFramer(conn, conn), next: 1}
	c.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	c.enc = hpack.NewEncoder(&c.buf)
	require.NoError(t, c.framer.WriteSettings())
	return c
}

// call sends the headers of a call, and more of them in pairs.
func (c *rawConn) call(method string, end bool, headers ...string) uint32 {
	c.t.Helper()
	c.buf.Reset()
	headers = append([]string{":method", "POST", ":scheme", "http", ":path", method, ":authority", "localhost", "content-type", "application/grpc", "te", "trailers"}, headers...)
	for i := 0; i < len(headers); i += 2 {
		require.NoError(c.t, c.enc.WriteField(hpack.HeaderField{Name: headers[i], Value: headers[i+1]}))
	}
	stream := c.next
	c.next += 2
	require.NoError(c.t, c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: c.buf.Bytes(), EndStream: end, EndHeaders: true}))
	return stream
}

func (c *rawConn) data(stream uint32, end bool, data []byte) {
	c.t.Helper()
	require.NoError(c.t, c.framer.WriteData(stream, end, data))
}

// answer reads until a call is answered, and returns its stream and status.
func (c *rawConn) answer() (uint32, codes.Code, string) {
	c.t.Helper()
	for {
		frame, err := c.framer.ReadFrame()
		require.NoError(c.t, err)
		switch f := frame.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				require.NoError(c.t, c.framer.WriteSettingsAck())
			}
		case *http2.PingFrame:
			if !f.IsAck() {
				require.NoError(c.t, c.framer.WritePing(true, f.Data))
			}
		case *http2.MetaHeadersFrame:
			fields := make(map[string]string)
			for _, field := range f.Fields {
				fields[field.Name] = field.Value
			}
			if fields["grpc-status"] == "" {
				continue
			}
			code, err := strconv.Atoi(fields["grpc-status"])
			require.NoError(c.t, err)
			return f.StreamID, codes.Code(code), fields["grpc-message"]
		}
	}
}

// counted is the sum of a counter over the points that have all the attributes,
// given in pairs.
func (h *harness) counted(metric string, attributes ...string) int64 {
	h.t.Helper()
	m, err := h.telemetry.GetMetric(metric)
	if err != nil {
		return 0 // not yet
	}
	sum := int64(0)
	for _, p := range m.Data.(metricdata.Sum[int64]).DataPoints {
		all := true
		for i := 0; i < len(attributes); i += 2 {
			value, _ := p.Attributes.Value(attribute.Key(attributes[i]))
			all = all && value.AsString() == attributes[i+1]
		}
		if all {
			sum += p.Value
		}
	}
	return sum
}

func (h *harness) rejected(reason string) int64 {
	return h.counted("otelcol_token_otlp_rejected_requests", "reason", reason)
}

// inUse is the memory of heap and stacks after a collection.
func inUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// A client may say that it waits for years.
func TestRefusedCallsLeaveNothingBehind(t *testing.T) {
	h := start(t, options{untraced: true})
	c := h.raw(t)
	calls := func(n int) {
		for range n / 50 {
			for range 50 {
				c.call(exportMethod(traces), true, "grpc-timeout", "99999999H")
			}
			for range 50 {
				_, code, message := c.answer()
				require.Equal(t, codes.Unauthenticated, code)
				require.Equal(t, "Unauthorized", message)
			}
		}
	}
	calls(2000)
	before := inUse()
	const n = 20_000
	calls(n)
	grown := inUse() - before
	t.Logf("%d bytes a call", grown/n)
	require.Less(t, grown, int64(n*50))
}

// A client that reads all, but lets no stream send its answer, holds its calls
// until its connection is closed for its age.
func TestAnswersThatAreLeftBehindEndWithTheConnection(t *testing.T) {
	h := start(t, options{config: func(cfg *Config) {
		server := cfg.Protocols.GRPC.Get().Keepalive.Get().ServerParameters.Get()
		require.Equal(t, defaultMaxConnectionAge, server.MaxConnectionAge)
		require.Equal(t, defaultMaxConnectionAgeGrace, server.MaxConnectionAgeGrace)
		server.MaxConnectionAge, server.MaxConnectionAgeGrace = 50*time.Millisecond, 50*time.Millisecond
	}})
	c := h.raw(t)
	require.NoError(t, c.conn.SetDeadline(time.Now().Add(20*time.Second)))
	require.NoError(t, c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0}))
	c.data(c.call(exportMethod(traces), false, shopAuthorization...), true, framed(0, nil))
	answered := false
	for {
		frame, err := c.framer.ReadFrame()
		if err != nil {
			require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
			break
		}
		switch f := frame.(type) {
		case *http2.MetaHeadersFrame:
			require.False(t, f.StreamEnded())
			answered = true
		case *http2.PingFrame:
			if !f.IsAck() {
				require.NoError(t, c.framer.WritePing(true, f.Data))
			}
		}
	}
	require.True(t, answered)
}

func TestLargeHeadersOfACallAreRefused(t *testing.T) {
	h := start(t, options{})
	ctx := metadata.AppendToOutgoingContext(h.withToken(shopToken), "x-large", strings.Repeat("x", maxGRPCHeaders))
	_, err := h.send(ctx, exportMethod(traces), protoOf(t, requestOf(traces)))
	require.Error(t, err)
	_, err = h.send(h.withToken(shopToken), exportMethod(traces), protoOf(t, requestOf(traces)))
	require.NoError(t, err)
}
