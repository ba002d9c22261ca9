package tracesamplingprocessor

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"

	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/class"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/metadata"
)

func load(t *testing.T, file, name string) (*Config, error) {
	t.Helper()
	all, err := confmaptest.LoadConf(filepath.Join("testdata", file))
	require.NoError(t, err)
	id := component.NewIDWithName(metadata.Type, name)
	sub, err := all.Sub(id.String())
	require.NoError(t, err)
	require.NotEmpty(t, sub.ToStringMap(), "no such case")
	cfg := createDefaultConfig().(*Config)
	if err := sub.Unmarshal(cfg); err != nil {
		return nil, err
	}
	return cfg, confmap.Validate(cfg)
}

func TestConfigOfTheDesign(t *testing.T) {
	cfg, err := load(t, "config.yaml", "design")
	require.NoError(t, err)
	require.Equal(t, &Config{
		DecisionWait:    20 * time.Second,
		RootWait:        3 * time.Second,
		ShutdownTimeout: 2 * time.Second,
		MemoryLimitMiB:  1024,
		Classes: []class.Config{
			{Name: "errors", Match: &class.Match{Status: "error"}, Keep: "100%", Retention: "30d"},
			{Name: "slow", Match: &class.Match{MinDuration: time.Second}, Keep: "1/1", Retention: "14d"},
			{Name: "health", Match: &class.Match{Routes: []string{"/health*", "/livez"}, AnySpan: true}, Keep: "0.1%", Retention: "1d"},
			{Name: "checkout", Match: &class.Match{Routes: []string{"/checkout*"}, Services: []string{"shop"}}, Keep: "50%"},
			{Name: "normal", Keep: "1/20", Retention: "7d"},
		},
	}, cfg)
}

func TestDefaultConfigKeepsEverything(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	require.NoError(t, confmap.Validate(cfg))
	require.Equal(t, []class.Config{{Name: "normal", Keep: "100%", Retention: "7d"}}, cfg.Classes)
}

func TestGivenClassesInheritNothingFromTheDefault(t *testing.T) {
	_, err := load(t, "faults.yaml", "no_keep")
	require.ErrorContains(t, err, `classes[0].keep: must be given: a class needs a rate such as "100%" or "1/200"`)
}

func TestFaultsNameTheKeyTheValueAndTheRule(t *testing.T) {
	for name, want := range map[string][]string{
		"waits":           {"decision_wait: 0s must be positive", "root_wait: -1s must be positive", "shutdown_timeout: 0s must be positive"},
		"memory_small":    {"memory_limit_mib: 7 must be from 8 to 1048576"},
		"memory_large":    {"memory_limit_mib: 1048577 must be from 8 to 1048576"},
		"no_classes":      {"classes: must have at least one class"},
		"no_name":         {"classes[0].name: must not be empty"},
		"same_name":       {`classes[1].name: "a" is already the name of classes[0]`},
		"bad_keep":        {`classes[0].keep: "150%": must be a percentage from 0% to 100%`, `classes[1].keep: "half": must be a percentage`},
		"tiny_keep":       {`classes[0].keep: "1/100000000000000000": the smallest rate that is not 0% is 1/72057594037927936`},
		"bad_retention":   {`classes[0].retention: "30" must be days from "1d" to "9999d"`, `classes[1].retention: "0d"`, `classes[2].retention: "../1d"`},
		"unreachable":     {"classes[1].match: must be given: only the last class takes every trace, classes[2] could never match"},
		"last_has_match":  {"classes[0].match: must not be given: the last class takes the traces that no other class matches"},
		"empty_match":     {"classes[0].match: must have at least one of status, min_duration, routes and services"},
		"bad_status":      {`classes[0].match.status: "failed" must be "error", "ok" or "unset"`},
		"bad_duration":    {"classes[0].match.min_duration: -1s must not be negative"},
		"any_span_alone":  {"classes[0].match.any_span: needs routes"},
		"bad_glob":        {`classes[0].match.routes[1]: "": must not be empty`, `classes[0].match.services[0]: "shop\\": a backslash must be followed by * or \`},
		"number_for_rate": {"classes[0].keep", "expected type", "int"},
		"unknown_key":     {"invalid keys: keeps"},
		"unknown_match":   {"invalid keys: route"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, "faults.yaml", name)
			require.Error(t, err)
			for _, text := range want {
				require.ErrorContains(t, err, text)
			}
		})
	}
}

func TestTooManyClasses(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	last := cfg.Classes[0]
	cfg.Classes = nil
	for i := range class.MaxClasses {
		cfg.Classes = append(cfg.Classes, class.Config{Name: strings.Repeat("c", i+1), Keep: "1%", Match: &class.Match{Status: "ok"}})
	}
	cfg.Classes = append(cfg.Classes, last)
	require.ErrorContains(t, confmap.Validate(cfg), "classes: 129 classes, must be at most 128")
}
