// Package pool sends a few encoded requests for ever: each time round under
// other trace IDs, so that no span is a copy of an earlier one.
package pool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/spanlake/spanlake/bench/internal/load"
)

// Pool is encoded requests. It is not changed after New.
type Pool struct {
	requests []request
	stats    load.Stats
}

type request struct {
	body  []byte
	spans []int // offsets of the trace ID of each
}

// TraceID is 16 bytes, as on the wire.
type TraceID = [16]byte

// New generates a pool.
func New(cfg load.Config) (*Pool, error) {
	p := &Pool{}
	stats, err := load.Generate(cfg, func(body []byte, spans int) error {
		r := request{body: append([]byte(nil), body...)}
		var err error
		if r.spans, err = traceIDs(nil, r.body, 0, pathToTraceID); err != nil {
			return err
		}
		if len(r.spans) != spans {
			return fmt.Errorf("%d spans have a trace ID of %d", len(r.spans), spans)
		}
		p.requests = append(p.requests, r)
		return nil
	})
	p.stats = stats
	return p, err
}

// BytesPerSpan is the mean encoded size of a span, with its share of resources.
func (p *Pool) BytesPerSpan() float64 { return float64(p.stats.Bytes) / float64(p.stats.Spans) }

// Message is a request to be sent: one of the pool under a change of its trace
// IDs.
type Message struct {
	// Spans is the number of spans.
	Spans int

	request *request
	mask    TraceID
	only    bool // mask is the trace ID of all spans
}

// AppendTo writes the message to dst.
func (m *Message) AppendTo(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, m.request.body...)
	for _, at := range m.request.spans {
		id := dst[start+at : start+at+len(m.mask)]
		for i, b := range m.mask {
			if m.only {
				id[i] = b
			} else {
				id[i] ^= b
			}
		}
	}
	return dst
}

// OneTrace puts all spans of the message into one trace.
func (m *Message) OneTrace(id TraceID) { m.mask, m.only = id, true }

// Cursor goes round a pool. It is used by one goroutine.
type Cursor struct {
	pool   *Pool
	next   int
	mask   TraceID
	random *rand.Rand
}

// Cursor returns a cursor at the first request. Each seed gives other traces.
func (p *Pool) Cursor(seed uint64) *Cursor {
	c := &Cursor{pool: p, random: rand.New(rand.NewPCG(seed, 3))}
	c.mask = c.TraceID()
	return c
}

// TraceID draws a trace ID.
func (c *Cursor) TraceID() (id TraceID) {
	binary.BigEndian.PutUint64(id[:8], c.random.Uint64())
	binary.BigEndian.PutUint64(id[8:], c.random.Uint64()|1)
	return id
}

// Next returns the next message.
func (c *Cursor) Next() Message {
	if c.next == len(c.pool.requests) {
		c.next, c.mask = 0, c.TraceID()
	}
	r := &c.pool.requests[c.next]
	c.next++
	return Message{Spans: len(r.spans), request: r, mask: c.mask}
}

// pathToTraceID is resource_spans, scope_spans, spans, trace_id of
// opentelemetry/proto/collector/trace/v1 and opentelemetry/proto/trace/v1.
var pathToTraceID = []protowire.Number{1, 2, 2, 1}

var errTraceID = errors.New("a trace ID is not of 16 bytes")

// traceIDs appends the offsets of what lies at path in b, which begins at base.
func traceIDs(found []int, b []byte, base int, path []protowire.Number) ([]int, error) {
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeField(b)
		if n < 0 {
			return found, fmt.Errorf("request: %w", protowire.ParseError(n))
		}
		if number == path[0] && kind == protowire.BytesType {
			_, _, tag := protowire.ConsumeTag(b)
			value, _ := protowire.ConsumeBytes(b[tag:])
			at := base + n - len(value)
			if len(path) > 1 {
				var err error
				if found, err = traceIDs(found, value, at, path[1:]); err != nil {
					return found, err
				}
			} else if len(value) == len(TraceID{}) {
				found = append(found, at)
			} else {
				return found, errTraceID
			}
		}
		b, base = b[n:], base+n
	}
	return found, nil
}
