package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// flood is a set of connections that are opened together.
type flood struct {
	mu    sync.Mutex // guards conns and faults
	conns []net.Conn
	fault error
}

// openFlood opens n connections and sends hello(i) on the i-th, without waiting
// for an answer. A connection that the server refuses or closes is not there;
// that is its right.
func openFlood(t *testing.T, endpoint string, n int, hello func(i int) []byte) *flood {
	t.Helper()
	const dialers = 32
	f := &flood{}
	work := make(chan int)
	var running sync.WaitGroup
	for range dialers {
		running.Go(func() {
			dialer := net.Dialer{Timeout: 5 * time.Second}
			for i := range work {
				conn, err := dialer.DialContext(t.Context(), "tcp", endpoint)
				if err == nil {
					_ = conn.SetWriteDeadline(time.Now().Add(5 * time.Second))
					_, err = conn.Write(hello(i))
				}
				f.add(conn, err)
			}
		})
	}
	for i := range n {
		work <- i
	}
	close(work)
	running.Wait()
	t.Cleanup(f.close)
	t.Logf("%d of %d connections are open; the last fault: %v", len(f.conns), n, f.fault)
	return f
}

func (f *flood) add(conn net.Conn, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if conn != nil {
		f.conns = append(f.conns, conn)
	}
	if err != nil {
		f.fault = err
	}
}

// close resets the connections, so that none lingers in the kernel.
func (f *flood) close() {
	for _, conn := range f.conns {
		_ = conn.(*net.TCPConn).SetLinger(0)
		_ = conn.Close()
	}
	f.conns = nil
}

// requireClosed waits for the server to close every connection.
func (f *flood) requireClosed(t *testing.T, within time.Duration) {
	t.Helper()
	deadline := time.Now().Add(within)
	var open []string
	for _, conn := range f.conns {
		require.NoError(t, conn.SetReadDeadline(deadline))
		if _, err := io.Copy(io.Discard, conn); errors.Is(err, context.DeadlineExceeded) || isTimeout(err) {
			open = append(open, conn.LocalAddr().String())
		}
	}
	require.Empty(t, open, "connections are still open after %s", within)
}

func isTimeout(err error) bool {
	timeout, is := errors.AsType[net.Error](err)
	return is && timeout.Timeout()
}

const slowConnections = 300

func attackWithSlowHeaders(t *testing.T, c *collector) {
	t.Helper()
	f := openFlood(t, c.ports.http, slowConnections, func(i int) []byte {
		return []byte("POST /v1/traces HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token + "\r\nX-" + strings.Repeat("x", i))
	})
	f.requireClosed(t, 10*time.Second) // read_header_timeout is 2 s
}

// announced is the size that the i-th slow sender announces: from all that is
// allowed down to what finds room when nothing else does.
func announced(i int) int { return 10 << 20 >> (i % 19) }

// sentOf is what it sends of it.
func sentOf(size int) []byte { return make([]byte, min(1<<10, size/2)) }

// Bodies that are announced and do not come, with the token and without. What is
// only announced takes no room from those who send.
func attackWithSlowBodies(t *testing.T, c *collector) {
	t.Helper()
	const readTimeout = 8 * time.Second // of attackConfig
	began := time.Now()
	f := openFlood(t, c.ports.http, slowConnections, func(i int) []byte {
		secret := token
		if i%3 == 0 {
			secret = "wrong-token"
		}
		return fmt.Appendf(nil, "POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s",
			protobufType, secret, announced(i), sentOf(announced(i)))
	})
	c.requireServed(t, readTimeout-time.Since(began))
	f.requireClosed(t, readTimeout+5*time.Second)
}

// Messages that are announced and do not come, and calls that end without one,
// for as long as good clients need to be served nevertheless.
func attackWithSlowMessages(t *testing.T, c *collector) {
	t.Helper()
	const connections, streams = 4, 100
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	for range connections {
		a := newAttacker(t, c)
		for i := range streams {
			running.Go(func() { a.stall(ctx, i) })
		}
	}
	c.requireServed(t, goodPatience)
}

// stall makes a call and holds it until it is ended by the server, or ctx.
func (a *attacker) stall(ctx context.Context, i int) {
	request, err := a.call(ctx, hit{path: "/v1/traces", contentType: raw})
	if err != nil {
		return
	}
	if i%5 > 0 { // the others have a call that ends with its headers
		sending, stalled := io.Pipe()
		defer stalled.Close()
		request.Body, request.ContentLength = sending, -1
		go func() { _, _ = stalled.Write(grpcMessage(false, announced(i), sentOf(announced(i)))) }()
	}
	response, err := a.overGRPC.Do(request)
	if err == nil {
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
	}
}

// requireServed waits for good clients to be served while an attack goes on.
func (c *collector) requireServed(t *testing.T, within time.Duration) {
	t.Helper()
	const more = 20
	before := c.served(t)
	require.NoError(t, poll(within, func() error {
		if n := c.served(t) - before; n < more {
			return fmt.Errorf("%d of %d good requests were answered meanwhile", n, more)
		}
		return nil
	}))
}

// served is how many items the receiver took so far.
func (c *collector) served(t *testing.T) int {
	t.Helper()
	return c.sum(t, "otelcol_token_otlp_accepted_items")
}

const manyConnections = 10_000

// Ten thousand connections to each server, one after the other: half of them
// say nothing, half begin a request and stop.
func attackWithConnections(t *testing.T, c *collector) {
	t.Helper()
	n := allowedConnections(t)
	half := func(first []byte) func(int) []byte {
		return func(i int) []byte {
			if i%2 == 0 {
				return nil
			}
			return first
		}
	}
	preface := join([]byte(http2Preface), frame(frameSettings, 0, 0, nil))
	for _, server := range []struct {
		endpoint string
		hello    []byte
	}{
		{c.ports.http, []byte("POST /v1/traces HTTP/1.1\r\nHost: x\r\nX-")},
		{c.ports.grpc, slices.Concat(preface, frame(frameHeaders, 0, 1, callHeaders(rpcs["/v1/traces"], "wrong-token")))},
	} {
		f := openFlood(t, server.endpoint, n, half(server.hello))
		c.requireServed(t, goodPatience)
		// And who comes new is let in.
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+c.ports.http+"/v1/logs", strings.NewReader("{}"))
		require.NoError(t, err)
		request.Header.Set("Content-Type", contentType)
		request.Header.Set("Authorization", "Bearer "+token)
		client := &http.Client{Timeout: goodPatience, Transport: &http.Transport{DisableKeepAlives: true}}
		got, err := ask(client, request)
		require.NoError(t, err)
		require.Contains(t, []verdict{taken, busy}, got)
		t.Logf("resident with %d connections: %d MiB", len(f.conns), c.Memory().Now>>20)
		f.close()
	}
}

// allowedConnections is how many of manyConnections this process may open, and
// the collector accept: both inherit the limit.
func allowedConnections(t *testing.T) int {
	t.Helper()
	const others = 600 // files and connections that are not part of the flood
	var limit syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	n := min(manyConnections, int(limit.Max)-others)
	if n < manyConnections {
		t.Logf("the limit of %d open files permits %d connections of %d", limit.Max, n, manyConnections)
	}
	if wanted := uint64(n + others); limit.Cur < wanted {
		limit.Cur = wanted
		require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit))
	}
	return n
}
