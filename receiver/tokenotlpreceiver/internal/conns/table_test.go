package conns

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/stats"
)

// counts is an Observer. Its table's mutex guards it.
type counts struct {
	open   int64
	closed map[Reason]int
}

func newCounts() *counts { return &counts{closed: make(map[Reason]int)} }

func (c *counts) Opened(delta int64)   { c.open += delta }
func (c *counts) Closed(reason Reason) { c.closed[reason]++ }

// fake is a connection without anything behind it.
type fake struct {
	addr     net.Addr
	closed   atomic.Bool
	deadline time.Time
}

func (f *fake) Read(p []byte) (int, error)  { return f.move(p) }
func (f *fake) Write(p []byte) (int, error) { return f.move(p) }

func (f *fake) move(p []byte) (int, error) {
	if f.closed.Load() {
		return 0, net.ErrClosed
	}
	return len(p), nil
}

func (f *fake) Close() error                        { f.closed.Store(true); return nil }
func (*fake) LocalAddr() net.Addr                   { return nil }
func (f *fake) RemoteAddr() net.Addr                { return f.addr }
func (*fake) SetDeadline(time.Time) error           { return nil }
func (*fake) SetReadDeadline(time.Time) error       { return nil }
func (f *fake) SetWriteDeadline(at time.Time) error { f.deadline = at; return nil }

// queue is a listener that accepts what it is given, and then fails.
type queue []net.Conn

func (q *queue) Accept() (net.Conn, error) {
	if len(*q) == 0 {
		return nil, io.EOF
	}
	c := (*q)[0]
	*q = (*q)[1:]
	return c, nil
}
func (*queue) Close() error   { return nil }
func (*queue) Addr() net.Addr { return nil }

// accept lets one connection in, and returns nil where it is refused.
func accept(t *testing.T, table *Table, inner net.Conn) *Conn {
	t.Helper()
	c, err := table.Listen(&queue{inner}).Accept()
	if errors.Is(err, io.EOF) {
		return nil
	}
	require.NoError(t, err)
	return c.(*Conn)
}

var same = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4317}

// model says what a table does, slowly.
type model struct {
	limits  Limits
	open    []*Conn // in the order in which they came
	known   map[*Conn]bool
	busy    map[*Conn]bool
	waiting []*Conn
	pending map[*Conn]int64
	closed  map[Reason]int
}

func (m *model) drop(c *Conn) {
	gone := func(o *Conn) bool { return o == c }
	m.open = slices.DeleteFunc(m.open, gone)
	m.settle(c)
}

func (m *model) settle(c *Conn) {
	m.waiting = slices.DeleteFunc(m.waiting, func(o *Conn) bool { return o == c })
	delete(m.pending, c)
}

func (m *model) accept(c *Conn) {
	if c == nil {
		m.closed[Refused]++
		return
	}
	if len(m.open) == m.limits.Open {
		i := slices.IndexFunc(m.open, func(o *Conn) bool { return !m.known[o] })
		m.closed[Evicted]++
		m.drop(m.open[i])
	}
	m.open = append(m.open, c)
}

func (m *model) full() bool {
	return len(m.open) == m.limits.Open && !slices.ContainsFunc(m.open, func(o *Conn) bool { return !m.known[o] })
}

func (m *model) read(c *Conn, n int64) {
	if m.busy[c] {
		return
	}
	m.pending[c] += n
	if m.pending[c] > m.limits.Free && !slices.Contains(m.waiting, c) {
		m.waiting = append(m.waiting, c)
	}
	for m.sum() > m.limits.Unanswered {
		m.closed[Flooding]++
		m.drop(m.waiting[0])
	}
}

func (m *model) sum() int64 {
	sum := int64(0)
	for _, n := range m.pending {
		sum += max(0, n-m.limits.Free)
	}
	return sum
}

func TestTableDoesAsItsModel(t *testing.T) {
	for seed := range uint64(40) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		limits := Limits{Open: 1 + rnd.IntN(6), Unanswered: 100, Free: int64(10 * rnd.IntN(3))}
		observer := newCounts()
		table := New(limits, observer)
		m := &model{limits: limits, known: map[*Conn]bool{}, busy: map[*Conn]bool{}, pending: map[*Conn]int64{}, closed: map[Reason]int{}}
		var all []*Conn
		for range 300 {
			var c *Conn
			if len(all) > 0 {
				c = all[rnd.IntN(len(all))]
			}
			op := rnd.IntN(11)
			switch {
			case op < 3 || c == nil:
				full := m.full()
				c := accept(t, table, &fake{addr: same})
				require.Equal(t, full, c == nil)
				m.accept(c)
				if c != nil {
					all = append(all, c)
				}
			case op < 4:
				_ = c.Close() // again, too
				m.drop(c)
			case op < 6:
				c.Begin()
				if slices.Contains(m.open, c) && !m.busy[c] {
					m.settle(c)
					m.known[c], m.busy[c] = true, true
				}
			case op < 9:
				n, err := c.Read(make([]byte, 1+rnd.IntN(60)))
				require.Equal(t, slices.Contains(m.open, c), err == nil)
				if err == nil {
					m.read(c, int64(n))
				}
			case op < 10:
				c.End()
				m.busy[c] = false
			default:
				_, _ = c.Write([]byte("x"))
				m.settle(c)
			}
			require.Equal(t, m.closed, observer.closed)
			require.Equal(t, int64(len(m.open)), observer.open)
			require.Equal(t, m.sum(), table.unanswered)
			require.Len(t, table.byAddr, len(m.open))
			for _, c := range all {
				open := slices.Contains(m.open, c)
				require.Equal(t, !open, c.Conn.(*fake).closed.Load())
				require.Equal(t, open, table.find(c.RemoteAddr()) == c, "equal addresses are told apart")
			}
		}
		for _, c := range all {
			require.NoError(t, c.Close())
		}
		require.Zero(t, observer.open)
		require.Zero(t, table.unanswered)
		require.Nil(t, table.strangers.Front)
		require.Nil(t, table.strangers.Back)
		require.Nil(t, table.waiting.Front)
		require.Nil(t, table.waiting.Back)
	}
}

func TestTableIsSafeForConcurrentUse(t *testing.T) {
	table := New(Limits{Open: 10, Unanswered: 500}, newCounts())
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 200 {
				c := accept(t, table, &fake{addr: same})
				if c == nil {
					continue
				}
				_, _ = c.Read(make([]byte, n+1))
				if n%3 == i%3 {
					c.Begin()
				}
				_, _ = c.Write([]byte("x"))
				_, _ = c.Read(make([]byte, 1))
				_ = c.Close()
			}
		})
	}
	wg.Wait()
	require.Zero(t, table.open)
	require.Empty(t, table.byAddr)
}

func TestWritesAreBoundedInTime(t *testing.T) {
	inner := &fake{addr: same}
	c := accept(t, New(Limits{Open: 1, Write: time.Hour}, newCounts()), inner)
	_, err := c.Write([]byte("x"))
	require.NoError(t, err)
	require.WithinDuration(t, time.Now().Add(time.Hour), inner.deadline, time.Minute)
}

func TestConnectionsAreFoundOverEveryNetwork(t *testing.T) {
	tcp, err := net.Listen("tcp", "localhost:0")
	require.NoError(t, err)
	unix, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	require.NoError(t, err)
	for _, l := range []net.Listener{tcp, unix} {
		table := New(Limits{Open: 10, Unanswered: 1000}, newCounts())
		bounded := table.Listen(l)
		var found []*Conn
		for range 2 {
			client, err := net.Dial(l.Addr().Network(), l.Addr().String())
			require.NoError(t, err)
			defer client.Close()
			server, err := bounded.Accept()
			require.NoError(t, err)
			defer server.Close()
			ctx := Tagger{table}.TagConn(context.Background(), &stats.ConnTagInfo{RemoteAddr: tls.Server(server, &tls.Config{}).RemoteAddr()})
			require.Same(t, server, FromContext(ctx))
			require.Same(t, server, FromContext(NewContext(context.Background(), server)))
			require.Same(t, server, FromContext(NewContext(context.Background(), tls.Server(server, &tls.Config{}))))
			require.IsType(t, server.(*Conn).Conn.RemoteAddr(), server.RemoteAddr())
			require.Equal(t, server.(*Conn).Conn.RemoteAddr().String(), server.RemoteAddr().String())
			found = append(found, FromContext(ctx))
		}
		require.NotSame(t, found[0], found[1])
		require.NoError(t, bounded.Close())
	}
}

func TestOtherConnectionsAreLeftAlone(t *testing.T) {
	var none *Conn
	none.Begin()
	none.End()
	ctx := NewContext(context.Background(), &fake{})
	require.Nil(t, FromContext(ctx))
	require.Nil(t, FromContext(Tagger{New(Limits{}, newCounts())}.TagConn(ctx, &stats.ConnTagInfo{RemoteAddr: same})))
	require.NotNil(t, ownAddr(&fake{}), "no address")
	pipe, _ := net.Pipe()
	a, b := ownAddr(pipe), ownAddr(pipe)
	require.NotSame(t, a, b)
	require.Equal(t, "pipe", a.String())
}

func TestStateEndsARequestWhenTheServerWaits(t *testing.T) {
	c := accept(t, New(Limits{Open: 1, Unanswered: 100}, newCounts()), &fake{addr: same})
	var seen []http.ConnState
	hook := State(func(_ net.Conn, s http.ConnState) { seen = append(seen, s) })
	ended := 0
	c.Begin()
	c.AtEnd(func() { ended++ })
	hook(c, http.StateActive)
	require.True(t, c.busy.Load())
	require.Zero(t, ended)
	hook(c, http.StateIdle)
	require.False(t, c.busy.Load())
	require.Equal(t, 1, ended)
	hook(c, http.StateIdle)
	require.Equal(t, 1, ended)
	c.AtEnd(func() { ended++ })
	hook(c, http.StateClosed)
	require.Equal(t, 2, ended)
	c.Begin()
	State(nil)(tls.Server(c, &tls.Config{}), http.StateIdle)
	require.False(t, c.busy.Load())
	State(nil)(&fake{}, http.StateIdle)
	require.Equal(t, []http.ConnState{http.StateActive, http.StateIdle, http.StateIdle, http.StateClosed}, seen)
}

func BenchmarkBegin(b *testing.B) {
	table := New(Limits{Open: 1, Unanswered: 1}, newCounts())
	c := &Conn{Conn: &fake{addr: same}, table: table, addr: same}
	table.admit(c)
	for b.Loop() {
		c.Begin()
	}
}
