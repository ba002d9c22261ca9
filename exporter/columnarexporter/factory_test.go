package columnarexporter

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pipeline"

	"github.com/spanlake/spanlake/exporter/columnarexporter/internal/metadata"
	"github.com/spanlake/spanlake/internal/schema/schematest"
)

func TestFactory(t *testing.T) {
	f := NewFactory()
	require.Equal(t, metadata.Type, f.Type())
	_, err := f.CreateMetrics(t.Context(), exportertest.NewNopSettings(f.Type()), createDefaultConfig())
	require.ErrorIs(t, err, pipeline.ErrSignalNotSupported)
}

// Traces and logs of one config share a store, which ends with the last.
func TestBothSignalsShareOneStore(t *testing.T) {
	f := NewFactory()
	cfg := testConfig(t.TempDir())
	set := exportertest.NewNopSettings(f.Type())
	traces, err := f.CreateTraces(t.Context(), set, cfg)
	require.NoError(t, err)
	logs, err := f.CreateLogs(t.Context(), set, cfg)
	require.NoError(t, err)
	require.False(t, traces.Capabilities().MutatesData)
	require.False(t, logs.Capabilities().MutatesData)

	host := componenttest.NewNopHost()
	require.NoError(t, traces.Start(t.Context(), host))
	require.NoError(t, logs.Start(t.Context(), host))
	require.NoError(t, traces.ConsumeTraces(t.Context(), schematest.New(1, noon).Traces(10)))
	require.NoError(t, traces.Shutdown(t.Context()))
	require.NoError(t, traces.Shutdown(t.Context()))
	require.NoError(t, logs.ConsumeLogs(t.Context(), schematest.New(1, noon).Logs(10)))
	require.NoError(t, logs.Shutdown(t.Context()))
	require.Error(t, logs.ConsumeLogs(t.Context(), schematest.New(1, noon).Logs(10)))
	require.NoError(t, logs.ConsumeLogs(t.Context(), plog.NewLogs()), "nothing to store")
}

func TestOneLogHasOneExporter(t *testing.T) {
	f := NewFactory()
	dir := t.TempDir()
	set := exportertest.NewNopSettings(f.Type())
	one, err := f.CreateTraces(t.Context(), set, testConfig(dir))
	require.NoError(t, err)
	two, err := f.CreateTraces(t.Context(), set, testConfig(dir))
	require.NoError(t, err)
	require.NoError(t, one.Start(t.Context(), componenttest.NewNopHost()))
	require.ErrorContains(t, two.Start(t.Context(), componenttest.NewNopHost()), "log::directory")
	require.NoError(t, two.Shutdown(t.Context()))
	require.NoError(t, one.Shutdown(t.Context()))
}

func TestShutdownWithoutStart(t *testing.T) {
	f := NewFactory()
	e, err := f.CreateTraces(t.Context(), exportertest.NewNopSettings(f.Type()), testConfig(t.TempDir()))
	require.NoError(t, err)
	require.NoError(t, e.Shutdown(t.Context()))
}
