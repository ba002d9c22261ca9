package logcorrelationprocessor

import (
	"context"
	"sync"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanlake/spanlake/internal/attr"
	"github.com/spanlake/spanlake/processor/logcorrelationprocessor/internal/metadata"
)

// correlator is immutable after construction but for its pool, so that any
// number of goroutines may call its methods.
type correlator struct {
	plan      *plan // of the sources that are not named
	sources   map[string]*plan
	spans     Spans
	dryRun    bool
	telemetry *telemetry
	workers   sync.Pool
}

func newCorrelator(cfg *Config, tb *metadata.TelemetryBuilder) *correlator {
	c := &correlator{sources: make(map[string]*plan, len(cfg.Sources)), spans: cfg.Spans, dryRun: cfg.DryRun}
	c.workers.New = func() any { return new(worker) }
	names := []string{nameNone: ""}
	sources := make([]string, 1, 1+len(cfg.Sources))
	c.plan, names = newPlan(&cfg.Settings, cfg.Output, 0, names)
	for i := range cfg.Sources {
		s := &cfg.Sources[i]
		of := s.Settings.over(&cfg.Settings)
		c.sources[s.Name], names = newPlan(&of, cfg.Output, uint16(len(sources)), names)
		sources = append(sources, s.Name)
	}
	c.telemetry = newTelemetry(tb, names, sources)
	return c
}

// logs works on a batch, or in a dry run on a copy of it.
func (c *correlator) logs(ctx context.Context, ld plog.Logs) (plog.Logs, error) {
	worked := ld
	if c.dryRun {
		worked = plog.NewLogs()
		ld.CopyTo(worked)
	}
	w := c.workers.Get().(*worker)
	defer c.workers.Put(w)
	for _, rl := range worked.ResourceLogs().All() {
		p := c.planOf(rl.Resource())
		for _, sl := range rl.ScopeLogs().All() {
			for _, lr := range sl.LogRecords().All() {
				p.correlate(w, lr)
			}
		}
		c.report(ctx, p, w)
	}
	return ld, nil
}

func (c *correlator) traces(ctx context.Context, td ptrace.Traces) (ptrace.Traces, error) {
	if !c.spans.asked() {
		return td, nil
	}
	worked := td
	if c.dryRun {
		worked = ptrace.NewTraces()
		td.CopyTo(worked)
	}
	w := c.workers.Get().(*worker)
	defer c.workers.Put(w)
	for _, rs := range worked.ResourceSpans().All() {
		p := c.planOf(rs.Resource())
		for _, ss := range rs.ScopeSpans().All() {
			for _, span := range ss.Spans().All() {
				p.correlateSpan(w, span, c.spans.Attributes, c.spans.Events)
			}
		}
		c.report(ctx, p, w)
	}
	return td, nil
}

func (c *correlator) report(ctx context.Context, p *plan, w *worker) {
	c.telemetry.add(ctx, p.source, &w.tally)
	w.tally.reset()
	w.forget()
}

func (c *correlator) planOf(r pcommon.Resource) *plan {
	if len(c.sources) > 0 {
		if v, ok := r.Attributes().Get(attr.Source); ok && v.Type() == pcommon.ValueTypeStr {
			if p := c.sources[v.Str()]; p != nil {
				return p
			}
		}
	}
	return c.plan
}

func (c *correlator) shutdown(context.Context) error {
	c.telemetry.shutdown()
	return nil
}
