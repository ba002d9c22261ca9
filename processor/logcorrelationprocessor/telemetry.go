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

	mu     sync.Mutex // guards what follows
	fields map[series][]metric.AddOption
	// detailed are the series with form and place, by source.
	detailed []int
}

// maxDetailed bounds the series with form and place over all sources. Without
// them, there are a few for each name. The SDK keeps 2000 of a metric, and sums
// up all others that come later.
const maxDetailed = 300

func newTelemetry(tb *metadata.TelemetryBuilder, names, sources []string) *telemetry {
	t := &telemetry{
		builder: tb, names: names, sources: sources,
		fields: make(map[series][]metric.AddOption), detailed: make([]int, len(sources)),
	}
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
	if options, ok := t.fields[s]; ok {
		return options
	}
	if s.place() != placeNone {
		if t.detailed[s.source()] >= maxDetailed/len(t.sources) {
			s = s.anywhere()
			if options, ok := t.fields[s]; ok {
				return options
			}
		} else {
			t.detailed[s.source()]++
		}
	}
	attributes := []attribute.KeyValue{
		attribute.String("source", t.sources[s.source()]),
		attribute.String("property", kindNames[s.kind()]),
		attribute.String("field", t.names[s.name()]),
		attribute.String("outcome", outcomeNames[s.outcome()]),
	}
	if s.place() != placeNone {
		attributes = append(attributes, attribute.String("place", placeNames[s.place()]), attribute.String("form", formNames[s.form()]))
	}
	options := []metric.AddOption{metric.WithAttributeSet(attribute.NewSet(attributes...))}
	t.fields[s] = options
	return options
}

func (t *telemetry) shutdown() { t.builder.Shutdown() }
