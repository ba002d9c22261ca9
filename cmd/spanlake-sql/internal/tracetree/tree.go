package tracetree

import (
	"cmp"
	"slices"
	"strings"
)

// node is a line of the tree: a span, a log record, or a parent that is not in
// the store.
type node struct {
	at       int64
	span     *Span
	log      *Log
	missing  string // span ID of the parent that is not there
	loop     bool   // the span is its own ancestor: the parent it names is below it
	children []*node
}

// build makes trees of all spans and logs: none is lost, and each is there once,
// whatever their IDs and parents are. Roots and children are in order of time.
func (t *Trace) build() []*node {
	b := builder{byID: make(map[string][]*node, len(t.Spans)), missing: map[string]*node{}}
	nodes := make([]*node, len(t.Spans))
	for i := range t.Spans {
		s := &t.Spans[i]
		nodes[i] = &node{at: s.Start, span: s}
		if !empty(s.ID) {
			b.byID[s.ID] = append(b.byID[s.ID], nodes[i])
		}
	}
	parents := make(map[*node]*node, len(nodes))
	for _, n := range nodes {
		if p := b.parent(n); p != nil {
			parents[n] = p
		}
	}
	b.breakLoops(nodes, parents)
	for _, n := range nodes {
		b.place(n, parents[n])
	}
	for i := range t.Logs {
		l := &t.Logs[i]
		b.place(&node{at: l.Time, log: l}, b.owner(l))
	}
	sortNodes(b.roots)
	for _, n := range nodes {
		sortNodes(n.children)
	}
	for _, n := range b.missing {
		sortNodes(n.children)
	}
	return b.roots
}

type builder struct {
	byID    map[string][]*node
	missing map[string]*node // by span ID
	roots   []*node
}

// parent finds the parent of a span, or makes one that says that it is missing.
// Of spans that share an ID, as Zipkin's clients and servers do, the one of the
// child's service is taken, else the last: the server.
func (b *builder) parent(n *node) *node {
	s := n.span
	if empty(s.Parent) || s.Parent == s.ID {
		return nil
	}
	same := b.byID[s.Parent]
	for _, p := range same {
		if p.span.Service == s.Service {
			return p
		}
	}
	if len(same) > 0 {
		return same[len(same)-1]
	}
	p := b.missing[s.Parent]
	if p == nil {
		p = &node{missing: s.Parent, at: n.at}
		b.missing[s.Parent] = p
		b.roots = append(b.roots, p)
	}
	p.at = min(p.at, n.at)
	return p
}

// owner is the span of a log record. Where several share the ID, the one of the
// record's service.
func (b *builder) owner(l *Log) *node {
	same := b.byID[l.SpanID]
	for _, n := range same {
		if n.span.Service == l.Service {
			return n
		}
	}
	if len(same) > 0 {
		return same[0]
	}
	return nil
}

// breakLoops makes a root of one span of each loop of parents.
func (*builder) breakLoops(nodes []*node, parents map[*node]*node) {
	done := make(map[*node]int, len(nodes)) // the walk that saw the node first
	for i, start := range nodes {
		walk := i + 1
		n := start
		for n != nil && done[n] == 0 {
			done[n] = walk
			n = parents[n]
		}
		if n != nil && done[n] == walk {
			n.loop = true
			delete(parents, n)
		}
	}
}

func (b *builder) place(n, parent *node) {
	if parent == nil {
		b.roots = append(b.roots, n)
		return
	}
	parent.children = append(parent.children, n)
}

// sortNodes sorts by time, spans before logs of the same time.
func sortNodes(nodes []*node) {
	slices.SortStableFunc(nodes, func(a, b *node) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(rank(a), rank(b)))
	})
}

func rank(n *node) int {
	if n.log != nil {
		return 1
	}
	return 0
}

// empty is true of no ID, and of the zeros that stand for none.
func empty(id string) bool { return strings.Trim(id, "0") == "" }

// bounds are the first start and the last end of the spans, or else of the logs.
func (t *Trace) bounds() (start, end int64) {
	for i := range t.Spans {
		s := &t.Spans[i]
		if i == 0 {
			start, end = s.Start, s.end()
		}
		start, end = min(start, s.Start), max(end, s.end())
	}
	if len(t.Spans) == 0 && len(t.Logs) > 0 {
		start, end = t.Logs[0].Time, t.Logs[len(t.Logs)-1].Time
	}
	return start, end
}
