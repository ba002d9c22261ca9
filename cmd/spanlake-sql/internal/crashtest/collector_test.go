package crashtest

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/child"
	"github.com/spanlake/spanlake/internal/collectortest"
)

const (
	token         = "crash-token"
	startDeadline = 30 * time.Second
	stopDeadline  = 10 * time.Second
)

// config has a store that is always busy: a flush makes a file for each of many
// partitions, most of them of hours that are over, and files go soon after the
// manifest has given them up. What is acknowledged is in the log of the exporter.
func config(data, otlp, health string) string {
	return fmt.Sprintf(`
extensions: {health_check: {endpoint: %q}}
receivers:
  token_otlp:
    protocols: {http: {endpoint: %q}}
    sources: [{name: crash, tokens: [%s]}]
processors:
  attributes: {actions: [{key: spanlake.retention, from_attribute: keep, action: upsert}]}
exporters:
  columnar:
    log: {directory: %q, max_size_mib: 256}
    flush: {interval: 100ms}
    parquet:
      directory: %q
      compaction: {target_file_size_mib: 1, cpu_limit_percentage: 100}
      remove_after: %s
    retry_on_failure: {initial_interval: 100ms, max_interval: 500ms}
service:
  extensions: [health_check]
  pipelines:
    traces: {receivers: [token_otlp], processors: [attributes], exporters: [columnar]}
    logs: {receivers: [token_otlp], processors: [attributes], exporters: [columnar]}
  telemetry: {metrics: {level: none}}
`, health, otlp, token, filepath.Join(data, "wal"), lakeOf(data), removeAfter)
}

func lakeOf(data string) string { return filepath.Join(data, "lake") }

// collector is a running bin/spanlake.
type collector struct {
	*child.Process

	otlp, health string // endpoints
	launched     time.Time
}

// launch starts the binary and does not wait for it.
func launch(t *testing.T, data string) *collector {
	t.Helper()
	c := &collector{launched: time.Now()}
	require.NoError(t, child.FreeAddresses(&c.otlp, &c.health))
	binary := collectortest.Binary(t, "SPANLAKE_BIN", filepath.Join("..", "..", "..", "..", "bin", "spanlake"))
	c.Process = collectortest.Launch(t, binary, nil, "--config", "yaml:"+config(data, c.otlp, c.health))
	return c
}

// poll calls check until it succeeds, while the collector lives.
func (c *collector) poll(t *testing.T, what string, deadline time.Duration, check func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	require.NoError(t, c.Until(ctx, check), what)
}
