package logcorrelationprocessor

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"

	"github.com/spanlake/spanlake/processor/logcorrelationprocessor/internal/metadata"
)

func loadConfig(t *testing.T, name string) *Config {
	t.Helper()
	cm, err := confmaptest.LoadConf(filepath.Join("testdata", "config.yaml"))
	require.NoError(t, err)
	sub, err := cm.Sub(component.NewIDWithName(metadata.Type, name).String())
	require.NoError(t, err)
	cfg := createDefaultConfig().(*Config)
	require.NoError(t, sub.Unmarshal(cfg))
	return cfg
}

func TestLoadConfig(t *testing.T) {
	t.Run("defaults", func(t *testing.T) {
		cfg := loadConfig(t, "")
		require.Equal(t, createDefaultConfig(), cfg)
		require.NoError(t, confmap.Validate(cfg))
	})
	t.Run("a list replaces its default, an empty one switches the property off", func(t *testing.T) {
		cfg := loadConfig(t, "own")
		require.NoError(t, confmap.Validate(cfg))
		require.Equal(t, []string{"tid", "mdc.tid"}, cfg.Fields.TraceID)
		require.Empty(t, cfg.Fields.Severity)
		require.Equal(t, createDefaultConfig().(*Config).Fields.SpanID, cfg.Fields.SpanID)
	})
}

func TestConfigFaultsAreNamed(t *testing.T) {
	tests := []struct {
		name string
		want []string
	}{
		{"empty_name", []string{`fields::trace_id[1]: "": a name must not be empty`}},
		{"dots", []string{
			`fields::trace_id[0]: "context..trace_id": a name must not begin or end with a dot or have two in a row`,
			`fields::span_id[0]: "span.": a name must not begin or end with a dot or have two in a row`,
		}},
		{"too_deep", []string{`fields::trace_id[0]: "a.b.c.d.e.f.g.h.i": a name must have at most 8 parts`}},
		{"twice", []string{
			`fields::trace_id[1]: "id": a name must be listed once, it is also fields::trace_id[0]`,
			`fields::span_id[1]: "id": a name must be listed once, it is also fields::trace_id[0]`,
		}},
		{"nothing", []string{`fields: {}: at least one name must be listed`}},
		{"two_faults", []string{
			`fields::trace_id[0]: "": a name must not be empty`,
			`fields::timestamp[0]: ".dt": a name must not begin or end with a dot or have two in a row`,
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := confmap.Validate(loadConfig(t, tt.name))
			require.Error(t, err)
			for _, w := range tt.want {
				require.ErrorContains(t, err, w)
			}
		})
	}
}
