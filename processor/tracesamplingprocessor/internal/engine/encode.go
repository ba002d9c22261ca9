package engine

import (
	"slices"

	"github.com/spanlake/spanlake/internal/attr"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/otlpwire"
)

// Encoder writes batches as OTLP. It keeps its buffers from one batch to the
// next, so it is for one goroutine.
type Encoder struct {
	stamper             *stamper
	spans, scopes, data []byte
	retain              int
}

// NewEncoder returns an encoder for the engine's batches.
func (e *Engine) NewEncoder() *Encoder {
	return &Encoder{stamper: newStamper(e), retain: 2 * int(e.batchBytes)}
}

// Encode returns the batch as an encoded TracesData, every span stamped, each
// resource and scope once. The result is valid until the next call.
func (e *Encoder) Encode(b *Batch) ([]byte, error) {
	parts := b.parts()
	e.reset(parts)
	for i := range parts {
		p := &parts[i]
		var err error
		if e.spans, err = e.stamper.appendSpans(e.spans, p); err != nil {
			return nil, err
		}
		last := i == len(parts)-1
		if last || parts[i+1].scope != p.scope {
			e.scopes = otlpwire.AppendScopeSpans(e.scopes, p.chunk.scope.bytes, e.spans)
			e.spans = e.spans[:0]
		}
		if last || parts[i+1].resource != p.resource {
			head := p.chunk.scope.resource.bytes
			if b.id != "" {
				if head, err = otlpwire.WithResourceAttribute(head, attr.Batch, b.id); err != nil {
					return nil, err
				}
			}
			e.data = otlpwire.AppendResourceSpans(e.data, head, e.scopes)
			e.scopes = e.scopes[:0]
		}
	}
	return e.data, nil
}

// reset empties the buffers, makes room for the parts, and drops buffers that a
// large batch blew up.
func (e *Encoder) reset(parts []part) {
	clear(e.stamper.made)
	for _, buffer := range []*[]byte{&e.spans, &e.scopes, &e.data} {
		if *buffer = (*buffer)[:0]; cap(*buffer) > e.retain {
			*buffer = nil
		}
	}
	size := 0
	for i := range parts {
		size += len(parts[i].frames) + int(parts[i].spans)*len(e.stamper.stamps(parts[i].verdict).fields)
	}
	e.data = slices.Grow(e.data, size+size/16)
}

// part is a chunk in its place in the encoded batch.
type part struct {
	*chunk
	trace           traceID
	verdict         verdict
	resource, scope int // order of first appearance
}

func (b *Batch) parts() []part {
	var parts []part
	resources := map[*resourceHead]int{}
	scopes := map[*scopeHead]int{}
	for _, p := range b.parcels {
		for i := range p.chunks {
			c := &p.chunks[i]
			if c.spans == 0 { // lost
				continue
			}
			parts = append(parts, part{
				chunk:    c,
				trace:    p.trace,
				verdict:  p.verdict,
				resource: rank(resources, c.scope.resource),
				scope:    rank(scopes, c.scope),
			})
		}
	}
	slices.SortStableFunc(parts, func(x, y part) int {
		if x.resource != y.resource {
			return x.resource - y.resource
		}
		return x.scope - y.scope
	})
	return parts
}

func rank[K comparable](seen map[K]int, k K) int {
	n, ok := seen[k]
	if !ok {
		n = len(seen)
		seen[k] = n
	}
	return n
}
