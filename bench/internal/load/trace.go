package load

import (
	"encoding/binary"
	"math"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// role is what a span does, which decides its scope, kind and attributes.
type role uint8

const (
	server role = iota
	client
	database
	internal
	roles
)

// node is a span to be: a trace is drawn whole before it is written, because
// an error is seen in several of its spans.
type node struct {
	instance   *instance
	role       role
	parent     int // index, -1 for the root
	depth      int
	id         pcommon.SpanID
	start, end time.Time
	route      route  // of server and client spans
	table      string // of database spans
	health     bool
	failed     bool
}

const (
	maxDepth  = 12
	shortest  = 2 * time.Millisecond
	longest   = 6 * time.Second
	probeTime = 3 * time.Millisecond
)

// trace makes one trace and returns its number of spans.
func (g *generator) trace() (int, error) {
	class := g.class()
	g.nodes = g.nodes[:0]
	switch class {
	case Health:
		g.probe()
	default:
		g.call(class)
	}
	if class == Error {
		g.fail()
	}

	var id pcommon.TraceID
	binary.BigEndian.PutUint64(id[:8], g.rand.Uint64())
	binary.BigEndian.PutUint64(id[8:], g.rand.Uint64()|1)
	for i := range g.nodes {
		g.write(id, &g.nodes[i])
	}
	g.stats.Traces[class]++
	g.stats.ClassSpans[class] += len(g.nodes)
	g.stats.Spans += len(g.nodes)
	for i := range g.nodes {
		if in := g.nodes[i].instance; in.spans >= in.limit {
			if err := g.flush(in); err != nil {
				return 0, err
			}
		}
	}
	return len(g.nodes), nil
}

func (g *generator) class() Class {
	switch p := g.rand.IntN(100); {
	case p < ErrorPercent:
		return Error
	case p < ErrorPercent+SlowPercent:
		return Slow
	case p < ErrorPercent+SlowPercent+HealthPercent:
		return Health
	default:
		return Normal
	}
}

// instanceOf draws a running copy of the service of index s.
func (g *generator) instanceOf(s int) *instance {
	return g.instances[s*instancesPerService+g.rand.IntN(instancesPerService)]
}

// probe draws a health check.
func (g *generator) probe() {
	in := g.instanceOf(g.rand.IntN(len(services)))
	g.nodes = append(g.nodes, node{
		instance: in, role: server, parent: -1, id: g.spanID(), health: true,
		route: route{"GET", "/healthz"}, start: g.now, end: g.now.Add(probeTime),
	})
	if g.between(minHealthSpans, maxHealthSpans) > 1 {
		g.child(0, database, in, 0)
	}
}

// call draws a request from the gateway down.
func (g *generator) call(class Class) {
	// Spread evenly over orders of magnitude, as latencies are.
	d := time.Duration(float64(shortest) * math.Pow(float64(MaxNormal)/float64(shortest), g.rand.Float64()))
	if class == Slow {
		d = MinSlow + time.Duration(g.rand.Int64N(int64(longest-MinSlow)))
	}
	in := g.instanceOf(0)
	g.nodes = append(g.nodes, node{
		instance: in, role: server, parent: -1, id: g.spanID(),
		route: pick(g, in.service.routes), start: g.now, end: g.now.Add(d),
	})
	for want := g.between(MinTraceSpans, MaxTraceSpans); len(g.nodes) < want; {
		p := g.rand.IntN(len(g.nodes))
		if r := g.nodes[p].role; r != server && r != internal || g.nodes[p].depth >= maxDepth {
			p = 0
		}
		from := g.nodes[p].instance
		switch n := g.rand.IntN(100); {
		case n < 45 && want-len(g.nodes) >= 2:
			to := g.instanceOf(pick(g, from.service.calls))
			g.child(p, client, from, 0.02)
			c := len(g.nodes) - 1
			g.nodes[c].route = pick(g, to.service.routes)
			g.child(c, server, to, 0.02)
			g.nodes[c+1].route = g.nodes[c].route
		case n < 75:
			g.child(p, database, from, 0)
		default:
			g.child(p, internal, from, 0)
		}
	}
}

// child appends a span within the time of its parent p. A margin above zero
// fixes its place as the parent's time less that share on either side.
func (g *generator) child(p int, r role, in *instance, margin float64) {
	parent := &g.nodes[p]
	d := float64(parent.end.Sub(parent.start))
	offset := margin * d
	length := d - 2*offset
	if r != server {
		offset = 0.6 * g.rand.Float64() * d
		length = (0.05 + 0.9*g.rand.Float64()) * (d - offset)
	}
	n := node{instance: in, role: r, parent: p, depth: parent.depth + 1, id: g.spanID(), health: parent.health}
	n.start = parent.start.Add(time.Duration(offset))
	n.end = n.start.Add(time.Duration(length))
	if r == database {
		n.table = pick(g, in.service.tables)
	}
	g.nodes = append(g.nodes, n)
}

// fail marks a span and some of its ancestors as failed.
func (g *generator) fail() {
	i := g.rand.IntN(len(g.nodes))
	for range g.between(1, maxErrorTrail) {
		g.nodes[i].failed = true
		if i = g.nodes[i].parent; i < 0 {
			return
		}
	}
}

func (g *generator) spanID() pcommon.SpanID {
	var id pcommon.SpanID
	binary.BigEndian.PutUint64(id[:], g.rand.Uint64()|1)
	return id
}

func pick[T any](g *generator, from []T) T { return from[g.rand.IntN(len(from))] }

// write appends the span of n to the request of its instance.
func (g *generator) write(trace pcommon.TraceID, n *node) {
	s := n.instance.add(n.role)
	s.SetTraceID(trace)
	s.SetSpanID(n.id)
	s.SetFlags(1) // sampled
	if n.parent >= 0 {
		s.SetParentSpanID(g.nodes[n.parent].id)
	}
	s.SetStartTimestamp(pcommon.NewTimestampFromTime(n.start))
	s.SetEndTimestamp(pcommon.NewTimestampFromTime(n.end))
	g.describe(s, n)
	if n.failed {
		s.Status().SetCode(ptrace.StatusCodeError)
		g.exception(s, n)
	}
}

// exception records why n failed, as SDKs do when an exception leaves a span.
func (g *generator) exception(s ptrace.Span, n *node) {
	ex := pick(g, exceptions[:])
	s.Status().SetMessage(ex.message)
	e := s.Events().AppendEmpty()
	e.SetName("exception")
	e.SetTimestamp(pcommon.NewTimestampFromTime(n.end))
	e.Attributes().PutStr("exception.type", ex.kind)
	e.Attributes().PutStr("exception.message", ex.message)
	e.Attributes().PutStr("exception.stacktrace", ex.stacktrace(n.instance.service.name))
	g.stats.Events++
}
