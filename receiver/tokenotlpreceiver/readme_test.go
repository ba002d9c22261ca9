package tokenotlpreceiver

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
	"go.yaml.in/yaml/v3"
)

func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	return string(text)
}

func TestConfigOfTheReadmeIsValid(t *testing.T) {
	block := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindStringSubmatch(readme(t))
	require.NotNil(t, block)
	text := strings.NewReplacer("${env:SHOP_TOKEN}", shopToken, "${env:BILLING_TOKEN}", otherToken, "${env:BILLING_TOKEN_NEXT}", shopNewToken).Replace(block[1])
	var raw map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(text), &raw))
	sub, err := confmap.NewFromStringMap(raw).Sub("receivers::token_otlp")
	require.NoError(t, err)
	cfg := createDefaultConfig().(*Config)
	require.NoError(t, sub.Unmarshal(cfg))
	require.NoError(t, confmap.Validate(cfg))
}

func TestReadmeNamesEveryReasonAndMetric(t *testing.T) {
	text := readme(t)
	metadata, err := os.ReadFile("metadata.yaml")
	require.NoError(t, err)
	var declared struct {
		Attributes struct {
			Reason struct{ Enum []string }
		}
		Telemetry struct{ Metrics map[string]any }
	}
	require.NoError(t, yaml.Unmarshal(metadata, &declared))
	require.NotEmpty(t, declared.Attributes.Reason.Enum)
	for _, reason := range declared.Attributes.Reason.Enum {
		require.Contains(t, text, "`"+reason+"`")
	}
	require.NotEmpty(t, declared.Telemetry.Metrics)
	for name := range declared.Telemetry.Metrics {
		require.Contains(t, text, "`otelcol_"+name+"`")
	}
}

func TestBodiesOfTheReadmeAreTaken(t *testing.T) {
	h := start(t, options{})
	bodies := regexp.MustCompile(`(?s) -d '(.*?)'`).FindAllStringSubmatch(readme(t), -1)
	require.Len(t, bodies, 2)
	require.Equal(t, 200, h.post("/v1/traces", jsonType, []byte(bodies[0][1])).status)
	require.Equal(t, 202, h.post("/", "application/x-www-form-urlencoded", []byte(bodies[1][1])).status)
	require.Equal(t, 2, h.items())
}
