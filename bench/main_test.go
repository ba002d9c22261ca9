package main

import (
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.yaml.in/yaml/v3"
	"golang.org/x/mod/modfile"
)

// The test's binary is the collector of measure_test.go as well.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && strings.HasPrefix(os.Args[1], "--config=") {
		os.Exit(fakeCollector())
	}
	goleak.VerifyTestMain(m)
}

func TestParse(t *testing.T) {
	o, err := parse([]string{"-protocol", "grpc", "-workloads", "keep", "-only", "stock"}, io.Discard)
	require.NoError(t, err)
	require.True(t, o.grpc)
	require.Len(t, o.workloads, 1)
	require.Equal(t, "keep", o.workloads[0].name)
	require.Len(t, o.subjects, 1)
	require.Equal(t, "stock", o.subjects[0].name)

	for args, want := range map[string]string{
		"-runs 0":         "-runs: 0 must be above 0",
		"-spans -1":       "-spans: -1 must be above 0",
		"-connections 0":  "-connections: 0 must be above 0",
		"-rate -1":        "-rate: -1 must not be negative",
		"-protocol udp":   `-protocol: "udp" must be http or grpc`,
		"-workloads keap": `-workloads: "keap" must be sample or keep`,
		"-only jaeger":    `-only: "jaeger" must be spanlake or stock`,
	} {
		t.Run(args, func(t *testing.T) {
			_, err := parse(strings.Fields(args), io.Discard)
			require.ErrorContains(t, err, want)
		})
	}
}

func TestEachWorkloadHasAConfigOfEachSubject(t *testing.T) {
	o, err := parse(nil, io.Discard)
	require.NoError(t, err)
	for _, s := range o.subjects {
		for _, w := range o.workloads {
			b, err := configs.ReadFile("config/" + s.name + "-" + w.name + ".yaml")
			require.NoError(t, err)
			var cfg map[string]any
			require.NoError(t, yaml.Unmarshal(b, &cfg))
			require.Contains(t, cfg, "service")
		}
	}
}

// The comparison is of like with like only while both are of one version.
func TestStockHasTheVersionsOfGoMod(t *testing.T) {
	raw, err := os.ReadFile("../go.mod")
	require.NoError(t, err)
	mod, err := modfile.Parse("go.mod", raw, nil)
	require.NoError(t, err)
	versions := map[string]string{}
	for _, r := range mod.Require {
		versions[r.Mod.Path] = r.Mod.Version
	}
	raw, err = os.ReadFile("stock-builder.yaml")
	require.NoError(t, err)
	var manifest map[string]any
	require.NoError(t, yaml.Unmarshal(raw, &manifest))
	checked := 0
	for section, entries := range manifest {
		list, ok := entries.([]any)
		if !ok {
			continue
		}
		for _, e := range list {
			path, version, ok := strings.Cut(e.(map[string]any)["gomod"].(string), " ")
			require.True(t, ok)
			require.Equal(t, versions[path], version, "%s: %s", section, path)
			checked++
		}
	}
	require.GreaterOrEqual(t, checked, 5)
	require.Equal(t, collectorVersion, versions["go.opentelemetry.io/collector/receiver/otlpreceiver"])
}
