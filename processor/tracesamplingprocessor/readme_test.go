package tracesamplingprocessor

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/tailsamplingprocessor"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"

	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/class"
)

func readREADME(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	return string(text)
}

var translation = regexp.MustCompile("(?m)^\\| `(type: ([a-z_]+)[^`]*)` \\| `([^`]+)` \\|")

// readmeTranslations are the lines of the tables that say what to write instead of
// a tail_sampling policy: those that keep the same traces, and the others.
func readmeTranslations(t testing.TB) (same, similar []sameClass) {
	t.Helper()
	exact, rest, found := strings.Cut(readREADME(t), "These say the same, but do not keep the same traces:")
	require.True(t, found)
	read := func(text string) (list []sameClass) {
		for i, m := range translation.FindAllStringSubmatch(text, -1) {
			list = append(list, sameClass{name: fmt.Sprintf("%s %d", m[2], i), class: m[3], policy: m[1]})
		}
		return list
	}
	return read(exact), read(rest)
}

func TestREADMETranslationsAreValid(t *testing.T) {
	same, similar := readmeTranslations(t)
	require.Greater(t, len(same), 15)
	require.Greater(t, len(similar), 4)
	for _, c := range append(same, similar...) {
		t.Run(c.name, func(t *testing.T) {
			table := ourTable([]sameClass{c}, "keep: 0%")
			if !strings.HasPrefix(c.class, "match:") {
				table = ourTable(nil, c.class)
			}
			p := startProcessor(t, NewFactory(), table, &countingSink{})
			require.NoError(t, p.Shutdown(t.Context()))
			p = startProcessor(t, tailsamplingprocessor.NewFactory(), theirTable([]sameClass{c}, false), &countingSink{})
			require.NoError(t, p.Shutdown(t.Context()))
		})
	}
}

// Every policy and option of tail_sampling is in the README, at least to say that
// there is none here; and all of ours are.
func TestREADMENamesEverything(t *testing.T) {
	text := readREADME(t)
	for _, policy := range []tailsamplingprocessor.PolicyType{
		tailsamplingprocessor.AlwaysSample, tailsamplingprocessor.Latency, tailsamplingprocessor.NumericAttribute,
		tailsamplingprocessor.Probabilistic, tailsamplingprocessor.StatusCode, tailsamplingprocessor.StringAttribute,
		tailsamplingprocessor.RateLimiting, tailsamplingprocessor.Composite, tailsamplingprocessor.And, tailsamplingprocessor.Not,
		tailsamplingprocessor.Drop, tailsamplingprocessor.SpanCount, tailsamplingprocessor.TraceState,
		tailsamplingprocessor.BooleanAttribute, tailsamplingprocessor.OTTLCondition, tailsamplingprocessor.BytesLimiting,
		tailsamplingprocessor.TraceFlags,
	} {
		require.Contains(t, text, "`type: "+string(policy))
	}
	for _, config := range []reflect.Type{
		reflect.TypeFor[tailsamplingprocessor.Config](), reflect.TypeFor[Config](),
		reflect.TypeFor[JournalConfig](), reflect.TypeFor[class.Config](), reflect.TypeFor[class.Match](),
	} {
		for _, key := range keys(config) {
			require.Regexp(t, "`"+key+"[`:]", text, "%s", config)
		}
	}
	metadata, err := os.ReadFile("metadata.yaml")
	require.NoError(t, err)
	metrics := regexp.MustCompile(`(?m)^    processor_trace_sampling_([a-z_]+):`).FindAllStringSubmatch(string(metadata), -1)
	require.Greater(t, len(metrics), 10)
	for _, m := range metrics {
		require.Contains(t, text, "`"+m[1]+"`", m[1])
	}
	for _, list := range regexp.MustCompile(`(?m)^    enum: \[(.*)\]`).FindAllStringSubmatch(string(metadata), -1) {
		for value := range strings.SplitSeq(list[1], ", ") {
			require.Regexp(t, `\b`+value+`\b`, text)
		}
	}
}

func keys(config reflect.Type) (found []string) {
	for field := range config.Fields() {
		if key, _, _ := strings.Cut(field.Tag.Get("mapstructure"), ","); key != "" && key != "-" {
			found = append(found, key)
		}
	}
	return found
}

func TestREADMEConfigurationsAreValid(t *testing.T) {
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(readREADME(t), -1)
	require.Len(t, blocks, 2)
	for _, block := range blocks {
		retrieved, err := confmap.NewRetrievedFromYAML([]byte(block[1]))
		require.NoError(t, err)
		all, err := retrieved.AsConf()
		require.NoError(t, err)
		conf, err := all.Sub("processors::trace_sampling")
		require.NoError(t, err)
		cfg := NewFactory().CreateDefaultConfig()
		require.NoError(t, conf.Unmarshal(cfg), block[1])
		require.NoError(t, confmap.Validate(cfg), block[1])
	}
}
