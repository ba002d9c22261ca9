package tokenotlpreceiver

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/config/configgrpc"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"
)

// rawHTTP sends the bytes of a request and returns the answer to them.
func rawHTTP(t *testing.T, conn net.Conn, request string) (answer, error) {
	t.Helper()
	_, err := conn.Write([]byte(request))
	require.NoError(t, err)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusContinue {
		return answer{status: resp.StatusCode}, nil
	}
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return answer{resp.StatusCode, resp.Header, string(body)}, nil
}

func (h *harness) dialHTTP(t *testing.T) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", h.receiver.httpAddr.String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func TestSlowBodyIsToBeSentAgain(t *testing.T) {
	h := start(t, options{config: func(cfg *Config) { cfg.Protocols.HTTP.Get().ReadTimeout = 100 * time.Millisecond }})
	const head = "POST / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + shopToken + "\r\n"
	for _, request := range []string{
		head + "Content-Length: 1000\r\n\r\n",
		head + "Content-Length: 9000000\r\n\r\n{",
		head + "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
		head + "Content-Encoding: gzip\r\nContent-Length: 1000\r\n\r\n\x1f\x8b",
		head + "Content-Encoding: zstd\r\nContent-Length: 1000\r\n\r\n\x28\xb5",
		head + "Content-Encoding: snappy\r\nContent-Length: 1000\r\n\r\n\xff\x06",
	} {
		got, err := rawHTTP(t, h.dialHTTP(t), request)
		require.NoError(t, err)
		require.Equal(t, http.StatusServiceUnavailable, got.status, request)
		require.Equal(t, "1", got.headers.Get("Retry-After"))
		require.JSONEq(t, `{"code":14,"message":"the request took too long to arrive"}`, got.body)
	}
	require.Equal(t, int64(6), h.rejected("slow"))
}

// slow takes its time.
type slow struct{ time.Duration }

func (slow) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (s slow) ConsumeLogs(context.Context, plog.Logs) error {
	<-time.After(s.Duration)
	return nil
}

// What was taken must be said to have been taken, however late.
func TestSlowPipelineIsAnswered(t *testing.T) {
	const timeout = 400 * time.Millisecond
	certs := newCertificates(t)
	for _, secure := range []*tls.Config{nil, certs.client} {
		h := start(t, options{next: &consumers{logs: slow{timeout * 3 / 2}}, config: func(cfg *Config) {
			cfg.Protocols.GRPC = configoptional.None[configgrpc.ServerConfig]()
			cfg.Protocols.HTTP.Get().WriteTimeout = timeout
			if secure != nil {
				cfg.Protocols.HTTP.Get().TLS = certs.server(false)
			}
		}})
		for name, newSender := range sendersOver(t, h, secure) {
			if name != "grpc" {
				s := newSender()
				require.NoError(t, s.send(shopToken), name)
				s.close()
			}
		}
	}
}

// A refusal does not wait for a body that does not come.
func TestUnreadBodyHoldsTheAnswerForAWhile(t *testing.T) {
	h := start(t, options{})
	conn := h.dialHTTP(t)
	require.NoError(t, conn.SetDeadline(time.Now().Add(unreadTimeout+10*time.Second)))
	got, err := rawHTTP(t, conn, "POST /nowhere HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer "+shopToken+"\r\nContent-Length: 1000\r\n\r\n")
	require.NoError(t, err)
	require.Equal(t, http.StatusNotFound, got.status)
}

func TestSlowHeadersEndTheConnection(t *testing.T) {
	h := start(t, options{config: func(cfg *Config) { cfg.Protocols.HTTP.Get().ReadHeaderTimeout = 50 * time.Millisecond }})
	_, err := rawHTTP(t, h.dialHTTP(t), "POST / HTTP/1.1\r\nHost: a\r\nX-Slow: ")
	require.Error(t, err)
}

func TestBodyWithoutATokenIsNotAskedFor(t *testing.T) {
	h := start(t, options{})
	for token, status := range map[string]int{shopToken: http.StatusContinue, "wrong-token": http.StatusUnauthorized} {
		got, err := rawHTTP(t, h.dialHTTP(t), "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5000000\r\nAuthorization: Bearer "+token+"\r\n\r\n")
		require.NoError(t, err)
		require.Equal(t, status, got.status)
	}
}

// Headers in drips are the cheapest way to make a server hold memory, also for
// one who has a token.
func TestUnansweredBytesAreBounded(t *testing.T) {
	const good = "POST / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + shopToken + "\r\nContent-Length: 2\r\n\r\n{}"
	header := "POST / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 60<<10)
	for name, before := range map[string]string{"without a token": "", "after a good request": good, "together with a good request": good} {
		t.Run(name, func(t *testing.T) {
			h := start(t, options{})
			for range maxUnanswered/len(header) + 20 {
				conn := h.dialHTTP(t)
				if name == "together with a good request" {
					_, err := conn.Write([]byte(before))
					require.NoError(t, err)
				} else if before != "" {
					got, err := rawHTTP(t, conn, before)
					require.NoError(t, err)
					require.Equal(t, http.StatusAccepted, got.status)
				}
				_, err := conn.Write([]byte(header))
				require.NoError(t, err)
			}
			require.Eventually(t, func() bool {
				return h.counted("otelcol_token_otlp_closed_connections", "transport", "http", "reason", "flooding") >= 9
			}, 10*time.Second, time.Millisecond)
			require.Equal(t, http.StatusAccepted, h.post("/", "", []byte(`{}`)).status)
		})
	}
}

// What a refusal leaves of a body comes before the answer, and is no header of a
// next request.
func TestBodiesOfRefusedRequestsAreNotUnanswered(t *testing.T) {
	h := start(t, options{config: func(cfg *Config) { cfg.Sources[0].RateLimit = 1000 }})
	h.receiver.sources[0].bucket.charge(testTime, 1<<20)
	body := strings.Repeat("x", 250<<10)
	head := fmt.Sprintf("POST / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n", shopToken, len(body)+1)
	senders := make([]net.Conn, 3*maxUnanswered/len(body))
	for i := range senders {
		senders[i] = h.dialHTTP(t)
		_, err := senders[i].Write([]byte(head + body))
		require.NoError(t, err)
	}
	for _, conn := range senders {
		for range 2 { // and the connection goes on
			got, err := rawHTTP(t, conn, "x")
			require.NoError(t, err)
			require.Equal(t, http.StatusTooManyRequests, got.status)
			_, err = conn.Write([]byte(head + body))
			require.NoError(t, err)
		}
	}
	require.Zero(t, h.counted("otelcol_token_otlp_closed_connections", "transport", "http", "reason", "flooding"))
}

// A client that lets no stream send anything holds no more than a few requests
// without a token, and not for long.
func TestStrangersCannotHoldTheirAnswers(t *testing.T) {
	certs := newCertificates(t)
	h := start(t, options{untraced: true, config: func(cfg *Config) { cfg.Protocols.HTTP.Get().TLS = certs.server(false) }})
	secure := certs.client.Clone()
	secure.NextProtos = []string{"h2"}
	ends := make(map[http2.ErrCode]int) // of streams; no error where it was answered without a body
	for range 2 {
		conn, err := tls.Dial("tcp", h.receiver.httpAddr.String(), secure)
		require.NoError(t, err)
		defer conn.Close()
		require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
		var out, fields bytes.Buffer
		out.WriteString(http2.ClientPreface)
		framer := http2.NewFramer(&out, conn)
		require.NoError(t, framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0}))
		enc := hpack.NewEncoder(&fields)
		const streams = 100
		for i := range streams {
			fields.Reset()
			for _, field := range [][2]string{{":method", "POST"}, {":scheme", "https"}, {":authority", "a"}, {":path", "/"}} {
				require.NoError(t, enc.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]}))
			}
			require.NoError(t, framer.WriteHeaders(http2.HeadersFrameParam{StreamID: uint32(2*i + 1), BlockFragment: fields.Bytes(), EndHeaders: true, EndStream: true}))
		}
		_, err = conn.Write(out.Bytes())
		require.NoError(t, err)
		for ended := 0; ended < streams; {
			frame, err := framer.ReadFrame()
			require.NoError(t, err)
			switch f := frame.(type) {
			case *http2.HeadersFrame:
				if f.StreamEnded() {
					ended++
					ends[http2.ErrCodeNo]++
				}
			case *http2.RSTStreamFrame:
				ended++
				ends[f.ErrCode]++
			}
		}
	}
	require.GreaterOrEqual(t, ends[http2.ErrCodeNo], 2*(100-maxStrangers))
	require.Positive(t, ends[http2.ErrCodeInternal], "told that it took too long: %v", ends)
}

// Many small headers take far more memory than bytes.
func TestHeadersAreHeldInTheBudget(t *testing.T) {
	var head strings.Builder
	head.WriteString("POST / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + shopToken + "\r\nContent-Length: 100\r\n")
	for i := 0; head.Len() < 63<<10; i++ {
		fmt.Fprintf(&head, "A%d:\r\n", i)
	}
	head.WriteString("\r\n")
	const cost = 1 << 20
	h := start(t, options{})
	used := h.receiver.bodies.Budget.Used
	senders := make([]net.Conn, 5)
	for i := range senders {
		senders[i] = h.dialHTTP(t)
		_, err := senders[i].Write([]byte(head.String()))
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool { return used() > int64(len(senders))*cost }, 10*time.Second, time.Millisecond)
	got, err := rawHTTP(t, senders[0], "{}"+strings.Repeat(" ", 98))
	require.NoError(t, err)
	require.Equal(t, http.StatusAccepted, got.status)
	for _, conn := range senders[1:] {
		require.NoError(t, conn.Close())
	}
	require.Eventually(t, func() bool { return used() == 0 }, 10*time.Second, time.Millisecond, "given back, answered or not")

	require.True(t, h.receiver.bodies.Budget.Reserve(h.cfg.MaxInFlightMiB*mib-cost))
	defer h.receiver.bodies.Budget.Release(h.cfg.MaxInFlightMiB*mib - cost)
	late := h.dialHTTP(t)
	require.NoError(t, late.SetDeadline(time.Now().Add(unreadTimeout-time.Second)))
	got, err = rawHTTP(t, late, head.String()) // and no body
	require.NoError(t, err)
	require.Equal(t, http.StatusServiceUnavailable, got.status)
	require.Equal(t, "1", got.headers.Get("Retry-After"))
}

// A body is bounded by its own limits, and is not taken for headers.
func TestLargeBodiesAreNotUnanswered(t *testing.T) {
	h := start(t, options{})
	body := []byte(`{"a":"` + strings.Repeat("x", 2*maxUnanswered) + `"}`)
	for _, expect := range []string{"", "100-continue"} {
		headers := bearer()
		if expect != "" {
			headers["Expect"] = expect
		}
		require.Equal(t, http.StatusAccepted, h.http(call{path: "/", headers: headers, body: body}).status)
	}
	_, err := h.send(h.withToken(shopToken), exportMethod(traces), message(15, body))
	require.NoError(t, err)
	require.Zero(t, h.counted("otelcol_token_otlp_closed_connections"))
}

// exhausted is a listener that fails for a while.
type exhausted struct {
	net.Listener
	results chan error
}

type temporary struct{ error }

func (temporary) Temporary() bool { return true }

func (e *exhausted) Accept() (net.Conn, error) { return nil, <-e.results }

func TestAcceptingThatFailsForAWhileIsReported(t *testing.T) {
	var seen []componentstatus.Status
	inner := &exhausted{results: make(chan error, 10)}
	w := &watched{Listener: inner, report: func(e *componentstatus.Event) { seen = append(seen, e.Status()) }}
	full := temporary{errors.New("too many open files")}
	for _, err := range []error{nil, full, full, nil, nil, full, net.ErrClosed} {
		inner.results <- err
		_, got := w.Accept()
		require.Equal(t, err, got)
	}
	require.Equal(t, []componentstatus.Status{
		componentstatus.StatusRecoverableError, componentstatus.StatusOK, componentstatus.StatusRecoverableError,
	}, seen)
}

// BenchmarkIdleConnection tells what a connection holds that sent a request and
// waits for the next.
func BenchmarkIdleConnection(b *testing.B) {
	const connections = 1000
	open := map[string]func(h *harness){
		"http": func(h *harness) {
			conn, err := net.Dial("tcp", h.receiver.httpAddr.String())
			require.NoError(b, err)
			b.Cleanup(func() { _ = conn.Close() })
			_, err = conn.Write([]byte("POST / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + shopToken + "\r\nContent-Length: 2\r\n\r\n{}"))
			require.NoError(b, err)
			_, err = conn.Read(make([]byte, 1))
			require.NoError(b, err)
		},
		"grpc": func(h *harness) {
			c := h.raw(b)
			c.data(c.call(exportMethod(traces), false, shopAuthorization...), true, framed(0, nil))
			_, code, _ := c.answer()
			require.Equal(b, codes.OK, code)
			c.framer, c.enc, c.buf = nil, nil, bytes.Buffer{} // the client's share
		},
	}
	for name, connect := range open {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				h := start(b, options{untraced: true})
				before := inUse()
				for range connections {
					connect(h)
				}
				b.ReportMetric(float64(inUse()-before)/connections, "B/conn")
			}
		})
	}
}
