package columnarexporter

import (
	"context"
	"time"

	"github.com/jonboulle/clockwork"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"

	"github.com/spanlake/spanlake/exporter/columnarexporter/internal/metadata"
	"github.com/spanlake/spanlake/internal/fsys"
)

// NewFactory returns the factory of the columnar exporter. Metrics are not
// supported: a pipeline that sends them here stops the start.
func NewFactory() exporter.Factory {
	f := &factory{instances: instances{fs: fsys.OS, clock: clockwork.NewRealClock()}}
	return f.exporterFactory()
}

type factory struct{ instances instances }

func (f *factory) exporterFactory() exporter.Factory {
	return exporter.NewFactory(
		metadata.Type,
		createDefaultConfig,
		exporter.WithTraces(f.createTraces, metadata.TracesStability),
		exporter.WithLogs(f.createLogs, metadata.LogsStability),
	)
}

func createDefaultConfig() component.Config {
	retry := configretry.NewDefaultBackOffConfig()
	retry.InitialInterval = time.Second
	retry.MaxElapsedTime = 0
	return &Config{
		Log:   LogConfig{MaxSizeMiB: 4096},
		Flush: FlushConfig{Interval: 5 * time.Second, MaxRows: 200_000},
		Parquet: configoptional.Default(ParquetConfig{
			Retention:   RetentionConfig{Default: "7d", Logs: "7d"},
			Compaction:  CompactionConfig{Enabled: true, TargetFileSizeMiB: 10, MemoryLimitMiB: 128, CPULimitPercentage: 50},
			RemoveAfter: 10 * time.Minute,
		}),
		ClickHouse: configoptional.Default(ClickHouseConfig{}),
		Retry:      retry,
	}
}

func (f *factory) createTraces(ctx context.Context, set exporter.Settings, cfg component.Config) (exporter.Traces, error) {
	h, err := f.instances.handle(set, cfg.(*Config))
	if err != nil {
		return nil, err
	}
	return exporterhelper.NewTraces(ctx, set, cfg, h.consumeTraces, h.options()...)
}

func (f *factory) createLogs(ctx context.Context, set exporter.Settings, cfg component.Config) (exporter.Logs, error) {
	h, err := f.instances.handle(set, cfg.(*Config))
	if err != nil {
		return nil, err
	}
	return exporterhelper.NewLogs(ctx, set, cfg, h.consumeLogs, h.options()...)
}

// options add metrics and traces of the Collector's own; nothing asynchronous
// may stand before the log.
func (h *handle) options() []exporterhelper.Option {
	return []exporterhelper.Option{
		exporterhelper.WithCapabilities(consumer.Capabilities{MutatesData: false}),
		exporterhelper.WithTimeout(exporterhelper.TimeoutConfig{Timeout: 0}),
		exporterhelper.WithStart(h.start),
		exporterhelper.WithShutdown(h.shutdown),
	}
}
