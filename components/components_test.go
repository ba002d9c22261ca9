package components

import (
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.yaml.in/yaml/v3"
	"golang.org/x/mod/modfile"
)

const modulePath = "github.com/spanlake/spanlake"

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type builderConfig struct {
	Dist       struct{ Version string }
	Receivers  []builderModule
	Processors []builderModule
	Exporters  []builderModule
	Extensions []builderModule
	Connectors []builderModule
	Providers  []builderModule
}

type builderModule struct {
	GoMod  string `yaml:"gomod"`
	Import string `yaml:"import"`
}

func (m builderModule) split(t *testing.T) (path, version string) {
	t.Helper()
	path, version, ok := strings.Cut(m.GoMod, " ")
	require.True(t, ok, "gomod %q must be a module path and a version", m.GoMod)
	return path, version
}

func (m builderModule) importPath(t *testing.T) string {
	t.Helper()
	if m.Import != "" {
		return m.Import
	}
	path, _ := m.split(t)
	return path
}

func readBuilderConfig(t *testing.T) builderConfig {
	t.Helper()
	raw, err := os.ReadFile("../builder-config.yaml")
	require.NoError(t, err)
	var cfg builderConfig
	require.NoError(t, yaml.Unmarshal(raw, &cfg))
	return cfg
}

func (c builderConfig) components() []builderModule {
	return slices.Concat(c.Receivers, c.Processors, c.Exporters, c.Extensions, c.Connectors)
}

func TestManifestAndComponentsImportTheSame(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "components.go", nil, parser.ImportsOnly)
	require.NoError(t, err)
	var inCode []string
	for _, spec := range file.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		require.NoError(t, err)
		for _, kind := range []string{"receiver", "processor", "exporter", "extension", "connector"} {
			if strings.Contains(path, "/"+kind+"/") {
				inCode = append(inCode, path)
			}
		}
	}
	var inManifest []string
	for _, m := range readBuilderConfig(t).components() {
		inManifest = append(inManifest, m.importPath(t))
	}
	require.ElementsMatch(t, inCode, inManifest)
}

func TestManifestSectionsMatchFactories(t *testing.T) {
	factories, err := Factories()
	require.NoError(t, err)
	cfg := readBuilderConfig(t)

	// Deprecated aliases put a factory into its map twice.
	require.Len(t, distinct(factories.Receivers), len(cfg.Receivers))
	require.Len(t, distinct(factories.Processors), len(cfg.Processors))
	require.Len(t, distinct(factories.Exporters), len(cfg.Exporters))
	require.Len(t, distinct(factories.Extensions), len(cfg.Extensions))
	require.Empty(t, cfg.Connectors)
}

func distinct[K comparable, F comparable](factories map[K]F) map[F]struct{} {
	set := make(map[F]struct{}, len(factories))
	for _, f := range factories {
		set[f] = struct{}{}
	}
	return set
}

func TestManifestVersionsAreThoseOfGoMod(t *testing.T) {
	raw, err := os.ReadFile("../go.mod")
	require.NoError(t, err)
	mod, err := modfile.Parse("go.mod", raw, nil)
	require.NoError(t, err)
	required := make(map[string]string, len(mod.Require))
	for _, r := range mod.Require {
		required[r.Mod.Path] = r.Mod.Version
	}
	cfg := readBuilderConfig(t)
	for _, m := range slices.Concat(cfg.components(), cfg.Providers) {
		path, version := m.split(t)
		if path == modulePath {
			require.Equal(t, "v0.0.0", version, "%s is replaced, its version must stay neutral", m.Import)
			continue
		}
		require.Equal(t, required[path], version, "version of %s in builder-config.yaml and in go.mod", path)
	}
}
