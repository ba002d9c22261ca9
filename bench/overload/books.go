package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spanlake/spanlake/bench/internal/process"
	"github.com/spanlake/spanlake/internal/scrape"
)

const (
	sampler  = "otelcol_processor_trace_sampling_"
	exporter = "otelcol_exporter_columnar_"

	settleInterval = 500 * time.Millisecond
	// settleReadings in a row must find nothing held: a span may move on between
	// the reading of two gauges.
	settleReadings = 3
)

// settle waits until every span is decided and stored, and returns the metrics
// of that moment.
func settle(ctx context.Context, p *process.Process, deadline time.Duration) (scrape.Metrics, error) {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	quiet := 0
	for {
		m, err := scrape.Get(ctx, p.Metrics)
		if err != nil {
			return m, err
		}
		undecided, queued := m.Sum(sampler+"undecided_traces"), m.Sum(sampler+"queued_bytes")
		unwritten := m.Sum(exporter+"rows_accepted") + m.Sum(exporter+"rows_replayed") - m.Sum(exporter+"rows_written")
		if undecided == 0 && queued == 0 && unwritten == 0 {
			quiet++
		} else {
			quiet = 0
		}
		if quiet == settleReadings {
			return m, nil
		}
		select {
		case <-time.After(settleInterval):
		case <-p.Done:
			return m, errors.New("the collector ended by itself")
		case <-ctx.Done():
			return m, fmt.Errorf("after %s there are still %d undecided traces, %d queued bytes and %d unwritten rows", deadline, undecided, queued, unwritten)
		}
	}
}

// books are where the spans went, when nothing is held any more.
type books struct {
	accepted, unanswered int // by the client's count
	received             int
	kept, droppedByClass map[string]int
	handedOn             int
	droppedByReason      map[string]int
	stored               int // rows of the lake
	refusals             refusals
}

// refusals tell which bound was met.
type refusals struct {
	receiver                            map[string]int // requests by reason
	limiterSpans, samplerBatches, early int
}

func newBooks(c *counts, m scrape.Metrics, stored int) *books {
	b := &books{
		accepted: c.accepted, unanswered: c.unanswered,
		received:        m.Sum(sampler + "received_spans"),
		kept:            map[string]int{},
		droppedByClass:  map[string]int{},
		handedOn:        m.Sum(sampler + "handed_on_spans"),
		droppedByReason: m.By(sampler+"dropped_spans", "reason"),
		stored:          stored,
		refusals: refusals{
			receiver:       m.By("otelcol_token_otlp_rejected_requests", "reason"),
			limiterSpans:   m.Sum("otelcol_processor_memory_limiter_refused_spans"),
			samplerBatches: m.Sum(sampler + "refused_batches"),
			early:          m.Sum(sampler + "early_decisions"),
		},
	}
	for class := range m.By(sampler+"decided_spans", "class") {
		label := fmt.Sprintf("class=%q", class)
		b.kept[class] = m.Sum(sampler+"decided_spans", label, `verdict="kept"`)
		b.droppedByClass[class] = m.Sum(sampler+"decided_spans", label, `verdict="dropped"`)
	}
	return b
}

func total(m map[string]int) int {
	sum := 0
	for _, n := range m {
		sum += n
	}
	return sum
}

// check reports every account that does not add up.
func (b *books) check() error {
	var errs []error
	// What was sent and not answered may have been taken.
	if b.received < b.accepted || b.received > b.accepted+b.unanswered {
		errs = append(errs, fmt.Errorf("%d spans were acknowledged and %d not answered, but %d received", b.accepted, b.unanswered, b.received))
	}
	if out := b.handedOn + total(b.droppedByClass) + total(b.droppedByReason); out != b.received {
		errs = append(errs, fmt.Errorf("%d spans were received, but %d handed on or dropped", b.received, out))
	}
	if b.stored != b.handedOn {
		errs = append(errs, fmt.Errorf("%d spans were handed on, but %d are stored", b.handedOn, b.stored))
	}
	return errors.Join(errs...)
}

func (b *books) String() string {
	var text strings.Builder
	line := func(what string, n int) { fmt.Fprintf(&text, "%-28s %12d\n", what, n) }
	line("acknowledged spans", b.accepted)
	line("  not answered", b.unanswered)
	line("received", b.received)
	line("  stored", b.stored)
	for _, class := range slices.Sorted(maps.Keys(b.droppedByClass)) {
		line("  dropped by class "+class, b.droppedByClass[class])
	}
	for _, reason := range slices.Sorted(maps.Keys(b.droppedByReason)) {
		line("  dropped: "+reason, b.droppedByReason[reason])
	}
	for _, reason := range slices.Sorted(maps.Keys(b.refusals.receiver)) {
		line("requests refused: "+reason, b.refusals.receiver[reason])
	}
	line("refused by memory_limiter", b.refusals.limiterSpans)
	line("batches refused by sampler", b.refusals.samplerBatches)
	line("traces decided early", b.refusals.early)
	return text.String()
}
