package logcorrelationprocessor

import (
	"context"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/spanlake/spanlake/processor/logcorrelationprocessor/internal/metadata"
)

var kindNames = [kindCount]string{"trace_id", "trace_id_high", "span_id", "trace_flags", "timestamp", "severity", "message"}

// telemetry adds tallies to the metrics, with attribute sets made once.
type telemetry struct {
	builder *metadata.TelemetryBuilder
	// names and sources give the words for the indexes in series.
	names, sources []string
	records        [][recordCount][]metric.AddOption // by source

	mu     sync.Mutex // guards fields
	fields map[series][]metric.AddOption
}

func newTelemetry(tb *metadata.TelemetryBuilder, names, sources []string) *telemetry {
	t := &telemetry{builder: tb, names: names, sources: sources, fields: make(map[series][]metric.AddOption)}
	for _, source := range sources {
		var options [recordCount][]metric.AddOption
		for i, trace := range recordNames {
			options[i] = []metric.AddOption{metric.WithAttributeSet(attribute.NewSet(attribute.String("source", source), attribute.String("trace", trace)))}
		}
		t.records = append(t.records, options)
	}
	return t
}

func (t *telemetry) add(ctx context.Context, source uint16, counts *tally) {
	for i, n := range counts.records {
		if n > 0 {
			t.builder.LogCorrelationRecords.Add(ctx, n, t.records[source][i]...)
		}
	}
	counts.each(func(s series, n int64) { t.builder.LogCorrelationFields.Add(ctx, n, t.options(s)...) })
}

func (t *telemetry) options(s series) []metric.AddOption {
	t.mu.Lock()
	defer t.mu.Unlock()
	options, ok := t.fields[s]
	if !ok {
		options = []metric.AddOption{metric.WithAttributeSet(attribute.NewSet(
			attribute.String("source", t.sources[s.source]),
			attribute.String("property", kindNames[s.kind]),
			attribute.String("field", t.names[s.name]),
			attribute.String("place", placeNames[s.place]),
			attribute.String("form", formNames[s.form]),
			attribute.String("outcome", outcomeNames[s.outcome]),
		))}
		t.fields[s] = options
	}
	return options
}

func (t *telemetry) shutdown() { t.builder.Shutdown() }
