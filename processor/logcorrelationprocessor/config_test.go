package logcorrelationprocessor

import (
	"fmt"
	"path/filepath"
	"strings"
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
		require.Equal(t, []string{"tid", "mdc.tid"}, cfg.Settings.Fields.TraceID)
		require.Empty(t, cfg.Settings.Fields.Severity)
		require.Equal(t, createDefaultConfig().(*Config).Settings.Fields.SpanID, cfg.Settings.Fields.SpanID)
	})
}

func TestSettingsOfASource(t *testing.T) {
	cfg := loadConfig(t, "sources")
	require.NoError(t, confmap.Validate(cfg))

	shop := cfg.Sources[0].Settings.over(&cfg.Settings)
	require.Equal(t, []string{"tid"}, shop.Fields.TraceID)
	require.Empty(t, shop.Fields.Message)
	require.Equal(t, cfg.Settings.Fields.SpanID, shop.Fields.SpanID, "what is not given is as for the others")
	require.Equal(t, "none", shop.ParseBody)
	require.Empty(t, shop.Patterns)
	require.Equal(t, "+02:00", shop.TimeZone)
	require.Equal(t, "auto", shop.NumericSeverity)

	legacy := cfg.Sources[1].Settings.over(&cfg.Settings)
	require.Equal(t, cfg.Settings.Fields, legacy.Fields)
	require.Equal(t, "json", legacy.ParseBody)
	require.Equal(t, cfg.Settings.Patterns, legacy.Patterns)
	require.Equal(t, "python", legacy.NumericSeverity)
}

func TestLimitsOfConfig(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	cfg.Settings.Fields.TraceID = nil
	for i := range maxNames + 1 {
		cfg.Settings.Fields.TraceID = append(cfg.Settings.Fields.TraceID, fmt.Sprint("id", i))
	}
	for range maxPatterns + 1 {
		cfg.Settings.Patterns = append(cfg.Settings.Patterns, `(?P<span_id>x)`)
	}
	cfg.Settings.Patterns[0] = strings.Repeat("x", maxPatternLen+1)
	err := cfg.Validate()
	require.ErrorContains(t, err, "fields::trace_id: 257 names: there must be at most 256")
	require.ErrorContains(t, err, "patterns: 17 patterns: there must be at most 16")
	require.ErrorContains(t, err, "patterns[0]: 1025 bytes: a pattern must have at most 1024")
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
		{"words", []string{
			`parse_body: "xml": must be one of auto, json, logfmt, none`,
			`time_zone: "Europe/Berlin": must be UTC or an offset as +02:00`,
			`numeric_severity: "log4j": must be one of auto, pino, python, syslog, none`,
			`output: "both": must be record or span_fields`,
		}},
		{"patterns", []string{
			`patterns[0]: "(": a pattern must be a regular expression of Go (RE2): error parsing regexp`,
			`patterns[1]: "no group": a pattern must have a named group, such as (?P<trace_id>…)`,
			`patterns[2]: "message": a group must be named trace_id, decimal_trace_id, span_id, decimal_span_id, trace_flags, timestamp or severity`,
			`patterns[3]: "trace_id": a group must be named once`,
		}},
		{"source_faults", []string{
			`time_zone: "CET": must be UTC or an offset as +02:00`,
			`sources[0]::name: "": a source must have a name`,
			`sources[0]::parse_body: "xml": must be one of auto, json, logfmt, none`,
			`sources[2]::name: "shop": a source must be listed once`,
			`sources[2]::fields::timestamp[0]: "dt": a name must be listed once, it is also sources[2]::fields::trace_id[0]`,
		}},
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
			require.Len(t, strings.Split(err.Error(), "\n"), len(tt.want), "a fault twice, or another")
		})
	}
}
