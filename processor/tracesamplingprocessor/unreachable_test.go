package tracesamplingprocessor

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/class"
)

func TestUnreachableClassesAreReportedOnceAtStart(t *testing.T) {
	core, logs := observer.New(zap.WarnLevel)
	set := processortest.NewNopSettings(NewFactory().Type())
	set.Logger = zap.New(core)
	cfg := createDefaultConfig().(*Config)
	cfg.Classes = append([]class.Config{
		{Name: "api", Keep: "10%", Match: &class.Match{Routes: []string{"/api/*"}}},
		{Name: "errors", Keep: "100%", Match: &class.Match{Status: "error"}},
		{Name: "checkout", Keep: "100%", Match: &class.Match{Routes: []string{"/api/checkout"}}},
	}, cfg.Classes...)
	s, err := newSampler(set, cfg, consumertest.NewNop())
	require.NoError(t, err)
	require.Zero(t, logs.Len())
	require.NoError(t, s.Start(t.Context(), componenttest.NewNopHost()))
	require.NoError(t, s.Shutdown(t.Context()))
	require.Equal(t, 1, logs.Len())
	require.Equal(t, map[string]any{"class": "checkout", "earlier": "api"}, logs.All()[0].ContextMap())
}
