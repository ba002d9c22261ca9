package logcorrelationprocessor

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/spanlake/spanlake/processor/logcorrelationprocessor/internal/metadata"
)

// place is where in a record a field was found.
type place uint8

const (
	placeAttributes place = iota
	placeBody
	placeCount
)

// outcome is what became of a field.
type outcome uint8

const (
	outcomeMoved outcome = iota
	outcomeConflict
	outcomeUnreadable
	outcomeCount
)

// tally counts the fields of one batch.
type tally [kindCount][placeCount][outcomeCount]int64

// telemetry adds tallies to the metric, with attribute sets made once.
type telemetry struct {
	builder *metadata.TelemetryBuilder
	options [kindCount][placeCount][outcomeCount][]metric.AddOption
}

func newTelemetry(tb *metadata.TelemetryBuilder) *telemetry {
	kinds := [kindCount]string{"trace_id", "span_id", "trace_flags", "timestamp", "severity"}
	places := [placeCount]string{"attributes", "body"}
	outcomes := [outcomeCount]string{"moved", "conflict", "unreadable"}
	t := &telemetry{builder: tb}
	for k, kn := range kinds {
		for p, pn := range places {
			for o, on := range outcomes {
				t.options[k][p][o] = []metric.AddOption{metric.WithAttributeSet(attribute.NewSet(
					attribute.String("field", kn), attribute.String("place", pn), attribute.String("outcome", on)))}
			}
		}
	}
	return t
}

func (t *telemetry) add(ctx context.Context, counts *tally) {
	for k := range counts {
		for p := range counts[k] {
			for o, n := range counts[k][p] {
				if n > 0 {
					t.builder.LogCorrelationFields.Add(ctx, n, t.options[k][p][o]...)
				}
			}
		}
	}
}

func (t *telemetry) shutdown() { t.builder.Shutdown() }
