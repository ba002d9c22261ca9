package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spanlake/spanlake/bench/internal/pool"
	"github.com/spanlake/spanlake/bench/internal/process"
	"github.com/spanlake/spanlake/internal/scrape"
)

// progressInterval is how many seconds a line of progress is about.
const progressInterval = 10

// scrapeTimeout is short enough that no second goes by unnoticed.
const scrapeTimeout = 900 * time.Millisecond

// second is what happened within one.
type second struct {
	accepted, refused int // spans
}

// result of the load. peak is set when everything is stored.
type result struct {
	base     float64 // spans a second
	counts   counts
	overload counts // of the first phase
	calm     []second
	giants   int   // accepted whole
	peak     int64 // bytes
}

// stress offers the overload, then the base rate.
func (o *options) stress(ctx context.Context, c *process.Process, p *pool.Pool, stderr io.Writer) (*result, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-c.Done:
			cancel(errors.New("the collector ended by itself"))
		case <-ctx.Done():
		}
	}()
	r := &result{base: float64(o.memoryMiB) * mib / o.wait.Seconds() / p.BytesPerSpan()}
	fmt.Fprintf(stderr, "%.0f bytes a span; the base rate is %.0f spans/s\n", p.BytesPerSpan(), r.base)
	l := newLoader(c.HTTP, token, p, o.seed, o.connections)
	w := watch(l, c, stderr)

	err := o.overload(ctx, l, r.base*o.factor)
	r.overload = l.counts()
	calmFrom := w.seconds()
	if err == nil {
		err = l.offer(ctx, r.base, o.calm)
	}
	l.close()
	w.close()
	if err != nil {
		return nil, errors.Join(err, context.Cause(ctx))
	}
	r.counts, r.giants = l.counts(), l.grown()
	r.calm = w.list[calmFrom:]
	return r, nil
}

// overload offers the load in parts of equal length. With each but the first a
// giant trace begins.
func (o *options) overload(ctx context.Context, l *loader, rate float64) error {
	part := o.duration / time.Duration(o.giants+1)
	for i := range o.giants + 1 {
		if err := l.offer(ctx, rate, part); err != nil {
			return err
		}
		if i < o.giants {
			l.grow(int64(o.giantMiB) * mib)
		}
	}
	return nil
}

// watcher notes what happens in each second.
type watcher struct {
	stop    chan struct{}
	running sync.WaitGroup

	mu   sync.Mutex // guards list
	list []second
}

func watch(l *loader, c *process.Process, stderr io.Writer) *watcher {
	w := &watcher{stop: make(chan struct{})}
	w.running.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		var before, shown counts
		for {
			select {
			case <-tick.C:
			case <-w.stop:
				return
			}
			now := l.counts()
			w.mu.Lock()
			w.list = append(w.list, second{now.accepted - before.accepted, now.refused - before.refused})
			n := len(w.list)
			w.mu.Unlock()
			before = now
			if n%progressInterval == 0 {
				fmt.Fprintf(stderr, "%4d s: spans/s offered %d, accepted %d, refused %d, not sent %d, not answered %d; %s\n", n,
					(now.offered-shown.offered)/progressInterval, (now.accepted-shown.accepted)/progressInterval, (now.refused-shown.refused)/progressInterval,
					(now.skipped-shown.skipped)/progressInterval, (now.unanswered-shown.unanswered)/progressInterval, held(c))
				shown = now
			}
		}
	})
	return w
}

// held says where memory goes. It does without what an overloaded process does
// not tell in time.
func held(c *process.Process) string {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	m := c.Memory()
	text := fmt.Sprintf("MiB RSS %d, peak %d", m.Now/mib, m.Peak/mib)
	metrics, err := scrape.Get(ctx, c.Metrics)
	if err != nil {
		return text
	}
	return text + fmt.Sprintf(", heap %d, undecided %d, queued %d", metrics.Sum("otelcol_process_runtime_heap_alloc_bytes")/mib,
		metrics.Sum(sampler+"undecided_bytes")/mib, metrics.Sum(sampler+"queued_bytes")/mib)
}

func (w *watcher) seconds() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.list)
}

// close ends the notes; then list may be read.
func (w *watcher) close() {
	close(w.stop)
	w.running.Wait()
}

// recovery returns the first second without a refusal, from 1, and the last one
// with some. The first second is one of both rates. Either is 0 for none.
func (r *result) recovery() (first, last int) {
	for i, s := range r.calm {
		if s.refused > 0 {
			last = i + 1
		} else if first == 0 && s.accepted > 0 {
			first = i + 1
		}
	}
	return first, last
}

func (r *result) report(o *options) string {
	var text strings.Builder
	c := &r.overload
	seconds := o.duration.Seconds()
	fmt.Fprintf(&text, "base rate %.0f spans/s; for %s spans/s offered %.0f, accepted %.0f, refused %.0f, not sent %.0f\n", r.base, o.duration,
		float64(c.offered)/seconds, float64(c.accepted)/seconds, float64(c.refused)/seconds, float64(c.skipped)/seconds)
	for _, status := range slices.Sorted(maps.Keys(r.counts.refusals)) {
		fmt.Fprintf(&text, "requests answered %d: %d\n", status, r.counts.refusals[status])
	}
	fmt.Fprintf(&text, "giant traces of %d MiB accepted: %d of %d\n", o.giantMiB, r.giants, o.giants)
	first, last := r.recovery()
	fmt.Fprintf(&text, "at the base rate again: first second without a refusal %d, last with one %d, of %d\n", first, last, len(r.calm))
	fmt.Fprintf(&text, "peak RSS %d MiB of %d\n", r.peak/mib, o.limitMiB)
	return text.String()
}

// check reports what the process must not have done.
func (r *result) check(o *options) error {
	var errs []error
	if limit := int64(o.limitMiB) * mib; r.peak > limit {
		errs = append(errs, fmt.Errorf("peak RSS %d MiB is above %d", r.peak/mib, o.limitMiB))
	}
	for what, n := range r.counts.wrong {
		errs = append(errs, fmt.Errorf("%d requests: %s", n, what))
	}
	if r.giants < o.giants {
		errs = append(errs, fmt.Errorf("only %d of %d giant traces were accepted whole: not a test of them", r.giants, o.giants))
	}
	if first, _ := r.recovery(); first == 0 {
		errs = append(errs, errors.New("refuses still at the base rate"))
	}
	return errors.Join(errs...)
}
