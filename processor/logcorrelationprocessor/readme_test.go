package logcorrelationprocessor

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.yaml.in/yaml/v3"
)

// blocks are the code blocks of README.md in a language.
func blocks(t *testing.T, language string) []string {
	t.Helper()
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	var out []string
	for _, match := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		out = append(out, match[1])
	}
	return out
}

func TestConfigurationsOfREADME(t *testing.T) {
	configurations := blocks(t, "yaml")
	require.Len(t, configurations, 2)
	for _, text := range configurations {
		var of struct{ Processors map[string]m }
		require.NoError(t, yaml.Unmarshal([]byte(text), &of))
		cfg := createDefaultConfig().(*Config)
		require.NoError(t, confmap.NewFromStringMap(of.Processors["log_correlation"]).Unmarshal(cfg))
		require.NoError(t, confmap.Validate(cfg))
	}
}

func TestExampleOfREADME(t *testing.T) {
	examples := blocks(t, "json")
	require.Len(t, examples, 2)
	lr := plog.NewLogRecord()
	lr.Body().SetStr(strings.TrimSpace(examples[0]))
	correlate(planWith(t, nil), lr)

	// In the README the body and the attributes are plain JSON.
	fields, ok := parse((*parser).parseJSON, examples[1])
	require.True(t, ok)
	want := fields.AsRaw()
	got := plain(lr)
	require.Equal(t, want["body"], got.body)
	require.Equal(t, want["attributes"], got.attrs)
	require.Equal(t, want["traceId"], got.trace)
	require.Equal(t, want["spanId"], got.span)
	require.Equal(t, want["severityText"], got.sevText)
	require.EqualValues(t, want["severityNumber"], got.sevNumber)
	require.Equal(t, "1795253405123000000", want["timeUnixNano"])
	require.EqualValues(t, 1795253405123000000, got.time)
}

// The table has every default name but those that it gives by a rule.
func TestNamesOfREADME(t *testing.T) {
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	for _, l := range createDefaultConfig().(*Config).Settings.Fields.lists() {
		require.Contains(t, string(text), "| `"+l.key+"` |")
		if l.key == "span_id" || l.key == "trace_flags" {
			continue
		}
		for _, name := range l.names {
			require.Contains(t, string(text), "`"+name+"`", l.key)
		}
	}
}
