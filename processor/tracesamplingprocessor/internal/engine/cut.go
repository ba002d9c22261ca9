package engine

import (
	"slices"

	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/otlpwire"
)

// cut copies the spans of each group into chunks and returns what they and the
// heads new to the engine cost. Hot chunks have allocations of their own; the
// frames of the others are valid until the intake is used again.
func (e *Engine) cut(in *intake, hot bool) int64 {
	heads := e.heads.acquire(in)
	for i := range in.groups {
		g := &in.groups[i]
		g.from = len(in.chunks)
		for at := g.first; at >= 0; {
			c, next := in.copyRun(at, hot)
			g.facts.Met.Merge(&c.scope.resource.met)
			in.add(c, at)
			at = next
			if hot {
				in.chunksCost += c.cost()
			} else {
				in.chunksCost += chunkCost
			}
		}
		g.to = len(in.chunks)
	}
	e.heads.refer(in.chunks)
	e.heads.releaseScopes(in.acquired)
	return heads + in.chunksCost
}

// copyRun copies the run of spans that begins at a span and stays within its
// scope. It returns where the next run begins, -1 where there is none.
func (in *intake) copyRun(at int32, hot bool) (chunk, int32) {
	scope := in.spans[at].scope
	size, end := 0, at
	for end >= 0 && in.spans[end].scope == scope {
		size += otlpwire.SpanSize(len(in.spans[end].encoded))
		end = in.spans[end].next
	}
	c := chunk{scope: in.acquired[scope], size: uint32(size)}
	if hot {
		c.frames = slices.Grow([]byte(nil), size)
	} else {
		in.scratch = slices.Grow(in.scratch, size)
		c.frames = in.scratch[len(in.scratch) : len(in.scratch) : len(in.scratch)+size]
		in.scratch = in.scratch[:len(in.scratch)+size]
	}
	for ; at != end; at = in.spans[at].next {
		c.frames = otlpwire.AppendSpan(c.frames, in.spans[at].encoded, nil)
		c.spans++
		if in.spans[at].stated {
			c.size |= statedBit
		}
	}
	return c, end
}

// need bounds what the batch can come to cost in memory, with the spans
// themselves or without.
func (in *intake) need(hot bool) int64 {
	n := int64(0)
	for i := range in.spans {
		n += chunkCost + printCost + skipCost + 8
		if hot {
			// The allocator rounds up by an eighth at most, from 32 KiB on to pages.
			frame := int64(otlpwire.SpanSize(len(in.spans[i].encoded)))
			n += 16 + frame + frame/4
		}
	}
	for i, s := range in.scopes {
		n += headCost + int64(s.scope.to-s.scope.from)
		if i == 0 || s.resource != in.scopes[i-1].resource {
			n += headCost + int64(s.resource.to-s.resource.from)
		}
	}
	for i := range in.groups {
		if in.groups[i].first >= 0 {
			n += traceCost + skipsCost
		}
	}
	return n
}
