package tracesamplingprocessor

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/engine"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/journal"
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

// telemetry writes the engine's sums to the Collector's own metrics.
type telemetry struct {
	builder *metadata.TelemetryBuilder
	// verdicts are the attributes by class and outcome, as they come up: string
	// and engine.Outcome to metric.AddOption.
	verdicts sync.Map
}

type verdictKey struct {
	class   string
	outcome engine.Outcome
}

var _ engine.Observer = (*telemetry)(nil)

func newTelemetry(set component.TelemetrySettings) (*telemetry, error) {
	builder, err := metadata.NewTelemetryBuilder(set)
	if err != nil {
		return nil, err
	}
	return &telemetry{builder: builder}, nil
}

func with(attributes ...attribute.KeyValue) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(attributes...))
}

// observe registers the gauges. Without a journal its gauges are not there.
func (t *telemetry) observe(e *engine.Engine, j *journal.Journal) error {
	type gauge struct {
		register func(metric.Int64Callback) error
		value    func() int64
	}
	gauges := []gauge{
		{t.builder.RegisterProcessorTraceSamplingUndecidedTracesCallback, func() int64 { n, _, _ := e.Undecided(); return n }},
		{t.builder.RegisterProcessorTraceSamplingUndecidedBytesCallback, func() int64 { _, n, _ := e.Undecided(); return n }},
		{t.builder.RegisterProcessorTraceSamplingQueuedBytesCallback, e.Released},
	}
	if j != nil {
		gauges = append(gauges,
			gauge{t.builder.RegisterProcessorTraceSamplingSpilledBytesCallback, func() int64 { _, _, n := e.Undecided(); return n }},
			gauge{t.builder.RegisterProcessorTraceSamplingJournalBytesCallback, j.Bytes},
			gauge{t.builder.RegisterProcessorTraceSamplingJournalUnwrittenCallback, j.Unwritten},
		)
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
func (t *telemetry) Decided(class string, o engine.Outcome, traces, spans int) {
	key := verdictKey{class, o}
	option, ok := t.verdicts.Load(key)
	if !ok {
		option, _ = t.verdicts.LoadOrStore(key, with(attribute.String("class", class), attribute.String("verdict", o.String())))
	}
	if traces > 0 {
		t.builder.ProcessorTraceSamplingDecidedTraces.Add(context.Background(), int64(traces), option.(metric.MeasurementOption))
	}
	t.builder.ProcessorTraceSamplingDecidedSpans.Add(context.Background(), int64(spans), option.(metric.MeasurementOption))
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

// TracesTrimmed implements engine.Observer.
func (t *telemetry) TracesTrimmed(traces int) {
	t.builder.ProcessorTraceSamplingTrimmedTraces.Add(context.Background(), int64(traces))
}

func (t *telemetry) refused(reason string) {
	t.builder.ProcessorTraceSamplingRefusedBatches.Add(context.Background(), 1, with(attribute.String("reason", reason)))
}

func (t *telemetry) recovered(r *engine.Recovered) {
	for state, spans := range map[string]int{"undecided": r.UndecidedSpans, "kept": r.KeptSpans} {
		t.builder.ProcessorTraceSamplingRecoveredSpans.Add(context.Background(), int64(spans), with(attribute.String("state", state)))
	}
	t.builder.ProcessorTraceSamplingJournalDamagedRecords.Add(context.Background(), r.DamagedRecords)
}

func (t *telemetry) retried() {
	t.builder.ProcessorTraceSamplingHandOverRetries.Add(context.Background(), 1)
}

func (t *telemetry) handedOn(spans int) {
	t.builder.ProcessorTraceSamplingHandedOnSpans.Add(context.Background(), int64(spans))
}
