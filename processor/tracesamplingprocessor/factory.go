package tracesamplingprocessor

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/processor"

	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/class"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/metadata"
)

// NewFactory returns the factory of the trace_sampling processor.
func NewFactory() processor.Factory {
	return processor.NewFactory(
		metadata.Type,
		createDefaultConfig,
		processor.WithTraces(createTraces, metadata.TracesStability),
	)
}

func createDefaultConfig() component.Config {
	return &Config{
		DecisionWait:    30 * time.Second,
		RootWait:        6 * time.Second, // SDKs export every 5 s
		ShutdownTimeout: 4 * time.Second,
		MemoryLimitMiB:  512,
		MaxTraceSizeMiB: 16,
		Journal:         configoptional.Default(JournalConfig{MaxSizeMiB: 4096}),
		Classes:         []class.Config{{Name: "normal", Keep: "100%", Retention: "7d"}},
	}
}

func createTraces(_ context.Context, set processor.Settings, cfg component.Config, next consumer.Traces) (processor.Traces, error) {
	return newSampler(set, cfg.(*Config), next)
}
