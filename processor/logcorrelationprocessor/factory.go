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
	)
}

// Names with a dd. prefix are not among the defaults: Datadog writes decimal
// IDs there, and sixteen decimal digits would be read as hexadecimal ones.
func createDefaultConfig() component.Config {
	return &Config{
		Fields: Fields{
			TraceID:    []string{"trace_id", "traceId", "traceID", "TraceId", "traceid", "trace.id", "span.trace_id", "context.trace_id", "otelTraceID"},
			SpanID:     []string{"span_id", "spanId", "spanID", "SpanId", "spanid", "span.id", "span.span_id", "context.span_id", "otelSpanID"},
			TraceFlags: []string{"trace_flags", "traceFlags", "context.trace_flags"},
			Timestamp:  []string{"dt", "timestamp", "@timestamp", "time", "ts"},
			Severity:   []string{"severity_text", "severity", "level", "log.level", "levelname"},
		},
	}
}

func createLogs(
	ctx context.Context, set processor.Settings, cfg component.Config, next consumer.Logs,
) (processor.Logs, error) {
	tb, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, fmt.Errorf("create telemetry: %w", err)
	}
	p := newLogsProcessor(cfg.(*Config), tb)
	return processorhelper.NewLogs(ctx, set, cfg, next, p.process,
		processorhelper.WithCapabilities(consumer.Capabilities{MutatesData: true}),
		processorhelper.WithShutdown(p.shutdown))
}
