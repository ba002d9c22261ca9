package engine

import (
	"cmp"
	"container/heap"
	"slices"
	"sync"
	"time"

	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/class"
)

// windowLength is the time over which max_traces_per_second is counted.
const windowLength = time.Second

// window bounds how many traces of a class are kept in a second and knows what
// the kept ones stand for: of all that pass the class's threshold it keeps the
// limit with the greatest randomness, and the threshold becomes that of the first
// that was not kept. Given the others, a trace is kept where its own randomness
// is above that, so 1/probability remains an unbiased count (priority sampling:
// Duffield, Lund, Thorup, J. ACM 54(6), 2007), and the decision is consistent
// with every other sampler's.
type window struct {
	limit     int
	threshold uint64 // of the class

	mu   sync.Mutex // guards what follows; taken within a shard's lock
	open bool
	ends time.Duration
	best candidates // at most limit+1
}

type candidate struct {
	trace  *trace
	random uint64
	// lot decides between candidates of equal randomness: nobody outside knows it.
	lot uint64
}

// enter adds a candidate and returns the one that is out for it, if any.
func (w *window) enter(c candidate, now time.Duration) *trace {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.open {
		w.open, w.ends = true, now+windowLength
	}
	heap.Push(&w.best, c)
	if len(w.best) <= w.limit+1 {
		return nil
	}
	return heap.Pop(&w.best).(candidate).trace
}

// close ends a window that is over by now and returns the candidates that are
// kept, the one that is out, if any, and the threshold. A window is closed a tick
// late at most, which makes it longer and so the rate smaller. Of candidates
// whose randomness is that of the one out, some are kept all the same: no
// threshold above it would let them pass.
func (w *window) close(now time.Duration) (kept []candidate, out *trace, threshold uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.open || now < w.ends {
		return nil, nil, 0
	}
	kept, threshold = w.best, w.threshold
	if len(kept) > w.limit {
		out, threshold = kept[0].trace, max(threshold, kept[0].random+1)
		kept = kept[1:]
	}
	w.open, w.best = false, nil
	return kept, out, threshold
}

// candidates is a heap with the least randomness first.
type candidates []candidate

func (c candidates) Len() int { return len(c) }
func (c candidates) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(c[i].random, c[j].random), cmp.Compare(c[i].lot, c[j].lot)) < 0
}
func (c candidates) Swap(i, j int) { c[i], c[j] = c[j], c[i] }
func (c *candidates) Push(x any)   { *c = append(*c, x.(candidate)) }
func (c *candidates) Pop() any {
	last := len(*c) - 1
	x := (*c)[last]
	(*c)[last] = candidate{}
	*c = (*c)[:last]
	return x
}

// closeWindows decides the candidates of the windows that are over. The last
// class comes first, as its candidates may move to the window of an earlier one,
// which has to close after that where all have to.
func (e *Engine) closeWindows(now, over time.Duration) {
	r := e.newRuling(now)
	for c, w := range slices.Backward(e.windows) {
		if w == nil {
			continue
		}
		kept, out, threshold := w.close(over)
		for _, one := range kept {
			sh := e.shard(one.trace.id)
			sh.mu.Lock()
			r.settle(sh, one.trace, verdict{class: uint16(c), threshold: min(threshold, one.random), kept: true}, Kept)
			sh.mu.Unlock()
		}
		if out != nil {
			r.evicted = append(r.evicted, out)
		}
		r.flush()
	}
	r.report()
}

// newWindows returns the windows by class; nil where the class has no bound.
func newWindows(t *class.Table) []*window {
	windows := make([]*window, t.Len())
	for i := range windows {
		if c := t.Class(i); c.MaxTracesPerSecond > 0 {
			windows[i] = &window{limit: c.MaxTracesPerSecond, threshold: c.Threshold.Unsigned()}
		}
	}
	return windows
}
