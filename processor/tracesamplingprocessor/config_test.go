package tracesamplingprocessor

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configoptional"
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
		MaxTraceSizeMiB: 8,
		Journal:         configoptional.Some(JournalConfig{Directory: "./data/journal", MaxSizeMiB: 512}),
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
		"waits": {
			"decision_wait: 30ns must be at least 10ms; a number without a unit is nanoseconds",
			"root_wait: -1s must be at least 10ms", "shutdown_timeout: 0s must be at least 10ms",
		},
		"wait_short":     {"decision_wait: 9.999ms must be at least 10ms"},
		"memory_small":   {"memory_limit_mib: 7 must be from 8 to 1048576"},
		"memory_large":   {"memory_limit_mib: 1048577 must be from 8 to 1048576"},
		"trace_size":     {"max_trace_size_mib: 0 must be from 1 to 1048576"},
		"trace_memory":   {"max_trace_size_mib: 16 must not be greater than memory_limit_mib, 15"},
		"journal":        {`journal.directory: "" must name a directory`, "journal.max_size_mib: 63 must be from 64 to 1048576"},
		"journal_large":  {"journal.max_size_mib: 1048577 must be from 64 to 1048576"},
		"journal_key":    {"journal", "invalid keys: dir"},
		"no_classes":     {"classes: must have at least one class"},
		"no_name":        {"classes[0].name: must not be empty"},
		"same_name":      {`classes[1].name: "a" is already the name of classes[0]`},
		"bad_keep":       {`classes[0].keep: "150%": must be a percentage from 0% to 100%`, `classes[1].keep: "half": must be a percentage`},
		"tiny_keep":      {`classes[0].keep: "1/100000000000000000": the smallest rate that is not 0% is 1/72057594037927936`},
		"bad_retention":  {`classes[0].retention: "30" must be days from "1d" to "9999d"`, `classes[1].retention: "0d"`, `classes[2].retention: "../1d"`},
		"unreachable":    {"classes[1].match: must be given: only the last class takes every trace, classes[2] could never match"},
		"last_has_match": {"classes[0].match: must not be given: the last class takes the traces that no other class matches"},
		"empty_match": {
			"classes[0].match: must have at least one of status,", "classes[1].match.any[1]: must have at least one of status,",
			"classes[2].match.not: must have at least one of status,",
		},
		"bad_status": {`classes[0].match.status: "failed" must be "error", "ok" or "unset"`},
		"bad_duration": {
			"classes[0].match.min_duration: -1s must be at least 1µs", "classes[1].match.max_duration: -1s must be at least 1µs",
			"classes[2].match.min_duration: 2s must not be greater than max_duration, 1s",
			"classes[3].match.min_duration: 1ns must be at least 1µs; a number without a unit is nanoseconds",
			"classes[3].match.max_duration: 999ns must be at least 1µs",
		},
		"bad_spans": {
			"classes[0].match.min_spans: -1 must not be negative", "classes[0].match.max_spans: -2 must not be negative",
			"classes[1].match.min_spans: 3 must not be greater than max_spans, 2",
		},
		"bad_kind":      {`classes[0].match.kinds[1]: "Server" must be "unspecified", "internal", "server",`},
		"bad_root_only": {"classes[0].match.root_only: needs kinds, attributes or condition"},
		"bad_attributes": {
			"classes[0].match.attributes[0].key: must not be empty",
			`classes[0].match.attributes[1].values[1]: "": must not be empty`,
			"classes[0].match.attributes[2]: must not have values beside min or max",
			"classes[0].match.attributes[3].min: 3 must not be greater than max, 2.5",
			"classes[0].match.attributes[5].values: [] must not be empty",
			"classes[0].match.attributes[4].min: NaN must be a finite number", "classes[0].match.attributes[4].max: +Inf must be a finite number",
		},
		"bad_condition": {
			"classes[0].match.condition: \"span.name ==\": condition has invalid syntax",
			`classes[1].match.condition: "attributes[\"a\"] == 1": missing context name for path`,
			`classes[2].match.any[0].condition: "set(span.name, \"x\") == nil": converter names must start with an uppercase letter`,
		},
		"deep": {"classes[0].match.not.any[0].not.not: any and not must be nested at most 4 deep"},
		"contradiction": {
			"classes[0].match: no trace can match: its parts exclude each other", "classes[1].match: no trace can match",
			"classes[2].match: no trace can match",
		},
		"bad_limit": {
			"classes[0].max_traces_per_second: -1 must be from 0, which is no bound, to 1000000",
			"classes[1].max_traces_per_second: 1000001 must be from 0",
		},
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

// Where nothing but the directory is given, the journal has its default size;
// where it is not mentioned, there is none.
func TestJournalIsThereWhereItIsGiven(t *testing.T) {
	cfg, err := load(t, "config.yaml", "journal")
	require.NoError(t, err)
	require.Equal(t, &JournalConfig{Directory: "/var/lib/journal", MaxSizeMiB: 4096}, cfg.Journal.Get())
	cfg, err = load(t, "config.yaml", "matchers")
	require.NoError(t, err)
	require.Nil(t, cfg.Journal.Get())
}

func TestTooManyConditions(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	m := &class.Match{}
	for i := range class.MaxConditions + 1 {
		m.Attributes = append(m.Attributes, class.Attribute{Key: strings.Repeat("k", i%class.MaxConditions+1)})
	}
	cfg.Classes = append([]class.Config{{Name: "c", Keep: "1%", Match: m}}, cfg.Classes...)
	require.NoError(t, confmap.Validate(cfg), "a condition given twice counts once")
	m.Services = []string{"s"}
	require.ErrorContains(t, confmap.Validate(cfg), "classes: 257 different conditions, must be at most 256")
}

func TestConfigOfEveryMatcher(t *testing.T) {
	cfg, err := load(t, "config.yaml", "matchers")
	require.NoError(t, err)
	least, most := 500.0, 599.0
	require.Equal(t, class.Config{
		Name: "payments", Keep: "5%", MaxTracesPerSecond: 50, Retention: "7d",
		Match: &class.Match{
			Status: "error", MinDuration: time.Second, MaxDuration: 2 * time.Second, MinSpans: 10, MaxSpans: 500,
			Routes: []string{"/checkout*"}, AnySpan: true, Services: []string{"shop"}, Kinds: []string{"server", "consumer"},
			Attributes: []class.Attribute{
				{Key: "http.response.status_code", Min: &least, Max: &most},
				{Key: "tenant.tier", Values: []string{"gold", "plat*"}},
				{Key: "debug"},
			},
			RootOnly:  true,
			Condition: `span.attributes["debug"] == true`,
			Any:       []class.Match{{Services: []string{"a"}}, {Any: []class.Match{{Status: "error"}, {MinSpans: 20}}}},
			Not:       &class.Match{Routes: []string{"/health"}},
		},
	}, cfg.Classes[0])
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
