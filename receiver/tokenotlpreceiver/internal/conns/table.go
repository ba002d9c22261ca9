// Package conns bounds the connections of a server, and what those who have not
// shown a valid token can make it hold.
package conns

import (
	"net"
	"sync"
	"time"

	"github.com/spanlake/spanlake/internal/linked"
)

// Reason is why a connection was closed here and not by its server or client.
type Reason string

// The reasons.
const (
	// Evicted had no token and was open longest when another came at the limit.
	Evicted Reason = "evicted"
	// Refused came when every connection up to the limit had shown a token.
	Refused Reason = "refused"
	// Flooding waited longest with part of a request when there were too many bytes
	// of those.
	Flooding Reason = "flooding"
)

// Observer counts. Its methods are called with a lock held and must not block.
type Observer interface {
	// Opened is called with 1 for a connection that opens, -1 for one that closes.
	Opened(delta int64)
	// Closed is called for each connection that is closed here.
	Closed(reason Reason)
}

// Limits bound the connections of a Table.
type Limits struct {
	// Open is how many there may be at once.
	Open int
	// Unanswered bounds the bytes that all connections have sent of requests whose
	// token is not known yet: those read outside Begin and End, and since something
	// was written.
	Unanswered int64
	// Free is how many bytes of each connection are not counted. It is at least what
	// the server reads at a time: a request that comes at once is never closed for
	// the sake of those that drip.
	Free int64
	// Write bounds how long a client may take to accept what is written to it; zero
	// leaves that to the server.
	Write time.Duration
}

// Table holds the connections of a server, and bounds them. At the limit the
// stranger that is open longest, a connection that never showed a valid token,
// makes room for a new one; where there is none, the new one is closed. Whoever
// can open many connections so cannot keep good senders out, and those who are in
// stay.
//
// Each event costs a constant time under one mutex; nothing is started.
type Table struct {
	limits   Limits
	observer Observer

	mu         sync.Mutex // guards everything below, and what Conn says
	open       int
	strangers  linked.List[Conn] // in the order in which they came
	waiting    linked.List[Conn] // those with unanswered bytes, longest waiting first
	unanswered int64
	byAddr     map[net.Addr]*Conn // see ownAddr
}

// New returns an empty table.
func New(limits Limits, observer Observer) *Table {
	return &Table{
		limits:    limits,
		observer:  observer,
		strangers: linked.List[Conn]{Links: func(c *Conn) *linked.Links[Conn] { return &c.stranger }},
		waiting:   linked.List[Conn]{Links: func(c *Conn) *linked.Links[Conn] { return &c.wait }},
		byAddr:    make(map[net.Addr]*Conn),
	}
}

// Listen returns a listener whose connections are those that l accepts, in so far
// as the table admits them.
func (t *Table) Listen(l net.Listener) net.Listener { return &listener{l, t} }

type listener struct {
	net.Listener
	table *Table
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	for {
		inner, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &Conn{Conn: inner, table: l.table, addr: ownAddr(inner)}
		victim := l.table.admit(c)
		if victim != nil {
			_ = victim.Conn.Close() // its server, if it has one, will find it closed
		}
		if victim != c {
			return c, nil
		}
	}
}

// admit takes a connection in and returns the one to be closed for it, which is
// c itself where every other has a token.
func (t *Table) admit(c *Conn) *Conn {
	t.mu.Lock()
	defer t.mu.Unlock()
	var victim *Conn
	if t.open >= t.limits.Open {
		victim = t.strangers.Front
		if victim == nil {
			t.observer.Closed(Refused)
			return c
		}
		t.drop(victim, Evicted)
	}
	t.open++
	t.observer.Opened(1)
	t.strangers.Push(c)
	t.byAddr[c.addr] = c
	return victim
}

// drop is remove for a connection that is closed here. mu is held.
func (t *Table) drop(c *Conn, reason Reason) {
	t.remove(c)
	t.observer.Closed(reason)
}

// remove forgets a connection, unless that has been done. mu is held.
func (t *Table) remove(c *Conn) {
	if c.gone {
		return
	}
	c.gone = true
	t.open--
	t.observer.Opened(-1)
	delete(t.byAddr, c.addr)
	t.settle(c)
	if !c.known {
		t.strangers.Remove(c)
	}
}

// over is how many unanswered bytes of a connection are counted. mu is held.
func (t *Table) over(c *Conn) int64 { return max(0, c.unanswered-t.limits.Free) }

// settle forgets the unanswered bytes of a connection. mu is held.
func (t *Table) settle(c *Conn) {
	if over := t.over(c); over > 0 {
		t.unanswered -= over
		t.waiting.Remove(c)
	}
	c.unanswered = 0
}

// find returns the connection with the remote address addr: that address itself,
// not one that is equal to it. It is nil where there is none.
func (t *Table) find(addr net.Addr) *Conn {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.byAddr[addr]
}

// received counts bytes of a request without a token so far, and closes those who
// have waited longest while there are too many of them.
func (t *Table) received(c *Conn, n int) {
	for _, victim := range t.count(c, int64(n)) {
		_ = victim.Conn.Close() // its server will find it closed
	}
}

func (t *Table) count(c *Conn, n int64) []*Conn {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c.gone || c.busy.Load() {
		return nil
	}
	before := t.over(c)
	c.unanswered += n
	over := t.over(c)
	if before == 0 && over > 0 {
		t.waiting.Push(c)
	}
	t.unanswered += over - before
	var victims []*Conn
	for t.unanswered > t.limits.Unanswered && t.waiting.Front != nil {
		victims = append(victims, t.waiting.Front)
		t.drop(t.waiting.Front, Flooding)
	}
	return victims
}

func (t *Table) answered(c *Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.settle(c)
}

func (t *Table) begin(c *Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c.gone {
		return
	}
	t.settle(c)
	if !c.known {
		c.known = true
		t.strangers.Remove(c)
	}
	c.busy.Store(true)
}
