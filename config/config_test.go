package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/provider/envprovider"
	"go.opentelemetry.io/collector/confmap/provider/fileprovider"
	"go.opentelemetry.io/collector/confmap/provider/yamlprovider"
	"go.opentelemetry.io/collector/otelcol"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.yaml.in/yaml/v3"

	"github.com/spanlake/spanlake/components"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// Started by an import of the load balancing exporter's Kubernetes client, for the life of the process.
		goleak.IgnoreAnyFunction("k8s.io/klog/v2.(*flushDaemon).run.func1"),
	)
}

func TestEveryShippedConfigStarts(t *testing.T) {
	files, err := filepath.Glob("*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(file, func(t *testing.T) {
			t.Setenv("SPANLAKE_TOKEN", "config-test-token")
			t.Setenv("SPANLAKE_DATA", t.TempDir())
			t.Setenv("SPANLAKE_BIND", "127.0.0.1")
			tokens := filepath.Join(t.TempDir(), "tokens")
			require.NoError(t, os.WriteFile(tokens, []byte("config-test-token\n"), 0o600))
			t.Setenv("SPANLAKE_TOKEN_FILE", tokens)
			start(t, onFreePorts(t, file))
		})
	}
}

func TestEveryShippedConfigIsValidWithDefaults(t *testing.T) {
	files, err := filepath.Glob("*.yaml")
	require.NoError(t, err)
	for _, file := range files {
		t.Run(file, func(t *testing.T) {
			t.Setenv("SPANLAKE_TOKEN", "config-test-token")
			for _, name := range []string{"SPANLAKE_DATA", "SPANLAKE_BIND", "SPANLAKE_TOKEN_FILE"} {
				t.Setenv(name, "")
				require.NoError(t, os.Unsetenv(name))
			}
			require.NoError(t, newCollector(t, file).DryRun(t.Context()))
		})
	}
}

func TestDevelopmentTokenStopsProduction(t *testing.T) {
	t.Setenv("SPANLAKE_DATA", t.TempDir())
	tokens := filepath.Join(t.TempDir(), "tokens")
	require.NoError(t, os.WriteFile(tokens, []byte("local-dev-token\n"), 0o600))
	t.Setenv("SPANLAKE_TOKEN_FILE", tokens)
	t.Setenv("SPANLAKE_BIND", "192.0.2.1") // for documentation: nothing listens there
	err := newCollector(t, onFreePorts(t, "production.yaml"), "yaml:extensions::health_check::endpoint: localhost:0").Run(t.Context())
	require.ErrorContains(t, err, "is the development token")
}

func TestEmptyTokenStopsTheStart(t *testing.T) {
	t.Setenv("SPANLAKE_TOKEN", "")
	t.Setenv("SPANLAKE_DATA", t.TempDir())
	col := newCollector(t, onFreePorts(t, "local.yaml"))
	require.ErrorContains(t, col.DryRun(t.Context()), "sources[0].tokens[0]")
}

func newCollector(t *testing.T, uris ...string) *otelcol.Collector {
	t.Helper()
	col, err := otelcol.NewCollector(otelcol.CollectorSettings{
		BuildInfo: component.NewDefaultBuildInfo(),
		Factories: components.Factories,
		ConfigProviderSettings: otelcol.ConfigProviderSettings{
			ResolverSettings: confmap.ResolverSettings{
				URIs: uris,
				ProviderFactories: []confmap.ProviderFactory{
					fileprovider.NewFactory(), envprovider.NewFactory(), yamlprovider.NewFactory(),
				},
				DefaultScheme: "env",
			},
		},
		DisableGracefulShutdown: true,
		SkipSettingGRPCLogger:   true,
		LoggingOptions: []zap.Option{zap.WrapCore(func(zapcore.Core) zapcore.Core {
			return zapcore.NewNopCore()
		})},
	})
	require.NoError(t, err)
	return col
}

func start(t *testing.T, file string) {
	t.Helper()
	col := newCollector(t, file)
	ended := make(chan error, 1)
	go func() { ended <- col.Run(t.Context()) }()
	require.Eventually(t, func() bool {
		return col.GetState() == otelcol.StateRunning || len(ended) > 0
	}, time.Minute, 10*time.Millisecond)
	col.Shutdown()
	require.NoError(t, <-ended)
}

// onFreePorts copies a configuration with every listening endpoint moved to a
// port of the system's choice.
func onFreePorts(t *testing.T, file string) string {
	t.Helper()
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	var cfg map[string]any
	require.NoError(t, yaml.Unmarshal(raw, &cfg))
	for _, section := range []string{"receivers", "extensions", "exporters"} {
		freePorts(cfg[section])
	}
	service := cfg["service"].(map[string]any)
	service["telemetry"] = map[string]any{"metrics": map[string]any{"level": "none"}}
	out, err := yaml.Marshal(cfg)
	require.NoError(t, err)
	moved := filepath.Join(t.TempDir(), file)
	require.NoError(t, os.WriteFile(moved, out, 0o600))
	return moved
}

func freePorts(node any) {
	section, ok := node.(map[string]any)
	if !ok {
		return
	}
	for key, value := range section {
		endpoint, isString := value.(string)
		if port := strings.LastIndexByte(endpoint, ':'); key == "endpoint" && isString && port >= 0 {
			section[key] = endpoint[:port] + ":0"
			continue
		}
		freePorts(value)
	}
}
