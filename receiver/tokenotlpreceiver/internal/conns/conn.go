package conns

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/stats"

	"github.com/spanlake/spanlake/internal/linked"
)

// Conn is a connection of a Table.
type Conn struct {
	net.Conn
	table *Table
	addr  net.Addr
	busy  atomic.Bool // between Begin and End: what is read is not counted
	atEnd func()      // of the goroutine that serves HTTP/1; nil if there is none

	// The table's mutex guards these.
	gone       bool
	known      bool // has shown a valid token
	unanswered int64
	stranger   linked.Links[Conn]
	wait       linked.Links[Conn]
}

// RemoteAddr implements net.Conn.
func (c *Conn) RemoteAddr() net.Addr { return c.addr }

// Read implements net.Conn.
func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 && !c.busy.Load() {
		c.table.received(c, n)
	}
	return n, err
}

// Write implements net.Conn.
func (c *Conn) Write(p []byte) (int, error) {
	if limit := c.table.limits.Write; limit > 0 {
		if err := c.SetWriteDeadline(time.Now().Add(limit)); err != nil {
			return 0, err
		}
	}
	n, err := c.Conn.Write(p)
	if !c.busy.Load() {
		c.table.answered(c)
	}
	return n, err
}

// Close implements net.Conn.
func (c *Conn) Close() error {
	c.table.mu.Lock()
	c.table.remove(c)
	c.table.mu.Unlock()
	return c.Conn.Close()
}

// CloseWrite lets net/http end an answer to a request that it did not read whole,
// so that the client gets to see it.
func (c *Conn) CloseWrite() error {
	if inner, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return inner.CloseWrite()
	}
	return nil
}

// Begin notes that a request with a valid token came over the connection. What
// follows is the server's to bound, until End. It may be called again, and on nil.
func (c *Conn) Begin() {
	if c != nil && !c.busy.Load() {
		c.table.begin(c)
	}
}

// End notes that the server waits for a request. Where several may be under way
// at once, it is not called.
func (c *Conn) End() {
	if c != nil {
		c.busy.Store(false)
	}
}

// AtEnd has f called when the request of HTTP/1 that is being served has ended, or
// its connection. State must be in use.
func (c *Conn) AtEnd(f func()) {
	c.release()
	c.atEnd = f
}

func (c *Conn) release() {
	if c.atEnd != nil {
		c.atEnd()
		c.atEnd = nil
	}
}

// State is for http.Server.ConnState; before, if any, is called as well. It calls
// End with HTTP/1. A handler cannot: what it leaves of a body the server reads
// when the handler has returned, and answers only then.
func State(before func(net.Conn, http.ConnState)) func(net.Conn, http.ConnState) {
	return func(c net.Conn, state http.ConnState) {
		if before != nil {
			before(c, state)
		}
		if state != http.StateIdle && state != http.StateClosed {
			return
		}
		if secure, ok := c.(*tls.Conn); ok && secure.ConnectionState().NegotiatedProtocol == "h2" {
			return
		}
		if own := own(c); own != nil {
			own.release()
			if state == http.StateIdle {
				own.End()
			}
		}
	}
}

// ownAddr returns an address that no other connection has: find goes by its
// identity. Its type stays the same, as others look at that.
func ownAddr(c net.Conn) net.Addr {
	switch addr := c.RemoteAddr().(type) {
	case *net.TCPAddr:
		own := *addr
		return &own
	case *net.UnixAddr:
		own := *addr
		return &own
	case nil:
		return &net.UnixAddr{Net: "unix"} // a client's end of a socket has no name
	default:
		return &struct{ net.Addr }{addr}
	}
}

type contextKey struct{}

// NewContext is for http.Server.ConnContext.
func NewContext(ctx context.Context, c net.Conn) context.Context {
	if own := own(c); own != nil {
		return context.WithValue(ctx, contextKey{}, own)
	}
	return ctx
}

// own returns the connection of a table that c is, or is TLS over, or nil.
func own(c net.Conn) *Conn {
	if inner, ok := c.(interface{ NetConn() net.Conn }); ok { // TLS
		c = inner.NetConn()
	}
	own, _ := c.(*Conn)
	return own
}

// FromContext returns the connection that a request came over, or nil.
func FromContext(ctx context.Context) *Conn {
	c, _ := ctx.Value(contextKey{}).(*Conn)
	return c
}

// Tagger puts the connections of a table into the contexts of gRPC's calls.
type Tagger struct{ Table *Table }

var _ stats.Handler = Tagger{}

// TagConn implements stats.Handler.
func (t Tagger) TagConn(ctx context.Context, info *stats.ConnTagInfo) context.Context {
	if c := t.Table.find(info.RemoteAddr); c != nil {
		return context.WithValue(ctx, contextKey{}, c)
	}
	return ctx
}

// HandleConn implements stats.Handler.
func (Tagger) HandleConn(context.Context, stats.ConnStats) {}

// TagRPC implements stats.Handler.
func (Tagger) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

// HandleRPC implements stats.Handler.
func (Tagger) HandleRPC(context.Context, stats.RPCStats) {}
