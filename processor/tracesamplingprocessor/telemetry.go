package tracesamplingprocessor

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/class"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/engine"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/metadata"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/otlpwire"
)

// Reasons beside the engine's, for kept spans that reached nobody.
const (
	// reasonDownstream: the next component refused them for good.
	reasonDownstream engine.Reason = "downstream"
	// reasonShutdown: the time for handing on was over.
	reasonShutdown engine.Reason = "shutdown"
)

var faultNames = map[otlpwire.Fault]string{
	otlpwire.SelfParent:     "self_parent",
	otlpwire.EmptyLink:      "empty_link",
	otlpwire.EndBeforeStart: "end_before_start",
}

// telemetry writes the engine's sums to the Collector's own metrics. It is
// immutable once made.
type telemetry struct {
	builder *metadata.TelemetryBuilder
	// verdicts are the attributes by class, dropped before kept.
	verdicts []metric.AddOption
}

var _ engine.Observer = (*telemetry)(nil)

func newTelemetry(set component.TelemetrySettings, table *class.Table) (*telemetry, error) {
	builder, err := metadata.NewTelemetryBuilder(set)
	if err != nil {
		return nil, err
	}
	t := &telemetry{builder: builder}
	for i := range table.Len() {
		for _, verdict := range []string{"dropped", "kept"} {
			t.verdicts = append(t.verdicts, with(
				attribute.String("class", table.Class(i).Name), attribute.String("verdict", verdict)))
		}
	}
	return t, nil
}

func with(attributes ...attribute.KeyValue) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(attributes...))
}

// observe registers the gauges.
func (t *telemetry) observe(e *engine.Engine) error {
	gauges := []struct {
		register func(metric.Int64Callback) error
		value    func() int64
	}{
		{t.builder.RegisterProcessorTraceSamplingUndecidedTracesCallback, func() int64 { n, _ := e.Undecided(); return n }},
		{t.builder.RegisterProcessorTraceSamplingUndecidedBytesCallback, func() int64 { _, n := e.Undecided(); return n }},
		{t.builder.RegisterProcessorTraceSamplingQueuedBytesCallback, e.Released},
	}
	for _, g := range gauges {
		err := g.register(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(g.value())
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *telemetry) shutdown() { t.builder.Shutdown() }

// Received implements engine.Observer.
func (t *telemetry) Received(spans int) {
	t.builder.ProcessorTraceSamplingReceivedSpans.Add(context.Background(), int64(spans))
}

// Dropped implements engine.Observer.
func (t *telemetry) Dropped(reason engine.Reason, spans int) {
	t.builder.ProcessorTraceSamplingDroppedSpans.Add(context.Background(), int64(spans),
		with(attribute.String("reason", string(reason))))
}

// Mended implements engine.Observer.
func (t *telemetry) Mended(fault otlpwire.Fault, spans int) {
	t.builder.ProcessorTraceSamplingMendedSpans.Add(context.Background(), int64(spans),
		with(attribute.String("fault", faultNames[fault])))
}

// Decided implements engine.Observer.
func (t *telemetry) Decided(classIndex int, kept bool, traces, spans int) {
	i := 2 * classIndex
	if kept {
		i++
	}
	if traces > 0 {
		t.builder.ProcessorTraceSamplingDecidedTraces.Add(context.Background(), int64(traces), t.verdicts[i])
	}
	t.builder.ProcessorTraceSamplingDecidedSpans.Add(context.Background(), int64(spans), t.verdicts[i])
}

// Late implements engine.Observer.
func (t *telemetry) Late(outcome engine.Late, spans int) {
	t.builder.ProcessorTraceSamplingLateSpans.Add(context.Background(), int64(spans),
		with(attribute.String("verdict", string(outcome))))
}

// Early implements engine.Observer.
func (t *telemetry) Early(traces int) {
	t.builder.ProcessorTraceSamplingEarlyDecisions.Add(context.Background(), int64(traces))
}

// Waited implements engine.Observer.
func (t *telemetry) Waited(d time.Duration) {
	t.builder.ProcessorTraceSamplingDecisionLatency.Record(context.Background(), d.Seconds())
}

func (t *telemetry) refused() {
	t.builder.ProcessorTraceSamplingRefusedBatches.Add(context.Background(), 1)
}

func (t *telemetry) retried() {
	t.builder.ProcessorTraceSamplingHandOverRetries.Add(context.Background(), 1)
}

func (t *telemetry) handedOn(spans int) {
	t.builder.ProcessorTraceSamplingHandedOnSpans.Add(context.Background(), int64(spans))
}
