package logcorrelationprocessor

import (
	"context"
	"fmt"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processorhelper"

	"github.com/spanlake/spanlake/processor/logcorrelationprocessor/internal/metadata"
)

// NewFactory returns the factory of the log_correlation processor.
func NewFactory() processor.Factory {
	return processor.NewFactory(
		metadata.Type,
		createDefaultConfig,
		processor.WithLogs(createLogs, metadata.LogsStability),
		processor.WithTraces(createTraces, metadata.TracesStability),
	)
}

func createLogs(
	ctx context.Context, set processor.Settings, cfg component.Config, next consumer.Logs,
) (processor.Logs, error) {
	c, err := create(set, cfg)
	if err != nil {
		return nil, err
	}
	return processorhelper.NewLogs(ctx, set, cfg, next, c.logs,
		processorhelper.WithCapabilities(consumer.Capabilities{MutatesData: !c.dryRun}),
		processorhelper.WithShutdown(c.shutdown))
}

func createTraces(
	ctx context.Context, set processor.Settings, cfg component.Config, next consumer.Traces,
) (processor.Traces, error) {
	c, err := create(set, cfg)
	if err != nil {
		return nil, err
	}
	return processorhelper.NewTraces(ctx, set, cfg, next, c.traces,
		processorhelper.WithCapabilities(consumer.Capabilities{MutatesData: c.spans.asked() && !c.dryRun}),
		processorhelper.WithShutdown(c.shutdown))
}

func create(set processor.Settings, cfg component.Config) (*correlator, error) {
	tb, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, fmt.Errorf("create telemetry: %w", err)
	}
	return newCorrelator(cfg.(*Config), tb), nil
}
