package columnarexporter

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"

	"github.com/spanlake/spanlake/exporter/columnarexporter/internal/metadata"
)

func load(t *testing.T, name string) (*Config, error) {
	t.Helper()
	all, err := confmaptest.LoadConf(filepath.Join("testdata", "config.yaml"))
	require.NoError(t, err)
	sub, err := all.Sub(component.NewIDWithName(metadata.Type, name).String())
	require.NoError(t, err)
	require.NotEmpty(t, sub.AllKeys(), "no such case")
	cfg := createDefaultConfig().(*Config)
	if err := sub.Unmarshal(cfg); err != nil {
		return nil, err
	}
	return cfg, confmap.Validate(cfg)
}

func TestDefaultConfig(t *testing.T) {
	cfg := createDefaultConfig()
	require.NoError(t, componenttest.CheckConfigStruct(cfg))
	require.ErrorContains(t, confmap.Validate(cfg), "log::directory")
}

func TestValidConfigs(t *testing.T) {
	minimal, err := load(t, "minimal")
	require.NoError(t, err)
	require.Equal(t, LogConfig{Directory: "/var/lib/spanlake/wal", MaxSizeMiB: 4096}, minimal.Log)
	require.Equal(t, FlushConfig{Interval: 5 * time.Second, MaxRows: 200_000}, minimal.Flush)
	require.Equal(t, RetentionConfig{Default: "7d", Logs: "7d"}, minimal.Parquet.Get().Retention)
	require.Equal(t, CompactionConfig{Enabled: true, TargetFileSizeMiB: 10, MemoryLimitMiB: 128, CPULimitPercentage: 50}, minimal.Parquet.Get().Compaction)
	require.Equal(t, 10*time.Minute, minimal.Parquet.Get().RemoveAfter)
	require.False(t, minimal.ClickHouse.HasValue())
	require.Zero(t, minimal.Retry.MaxElapsedTime)

	columns, err := load(t, "columns")
	require.NoError(t, err)
	require.Equal(t, ColumnsConfig{
		Spans: []ColumnConfig{{Name: "tenant.id", Type: "string"}, {Name: "cart.items", Type: "int"}},
		Logs:  []ColumnConfig{{Name: "http.route", Type: "string"}},
	}, columns.Parquet.Get().Columns)

	full, err := load(t, "full")
	require.NoError(t, err)
	require.Equal(t, FlushConfig{Interval: 2 * time.Second, MaxRows: 50_000}, full.Flush)
	require.Equal(t, RetentionConfig{Default: "30d", Logs: "3d"}, full.Parquet.Get().Retention)
	require.Equal(t, CompactionConfig{TargetFileSizeMiB: 64, MemoryLimitMiB: 256, CPULimitPercentage: 100}, full.Parquet.Get().Compaction)
	require.Equal(t, time.Hour, full.Parquet.Get().RemoveAfter)
	require.Equal(t, 200*time.Millisecond, full.Retry.InitialInterval)
}

func TestInvalidConfigsNameKeyValueAndRule(t *testing.T) {
	for name, want := range map[string][]string{
		"bad_columns": {
			`parquet::columns::spans::0::name: "http.route": must not be a column that there is: http.route, in whatever case`,
			`parquet::columns::spans::1::type: "text": must be string, int, double or bool`,
			`parquet::columns::spans::2::name: "Tenant": must not be there twice, in whatever case: "tenant" is`,
			`parquet::columns::spans::3::name: "db.statement": must not be an older name: its values are in the column db.query.text`,
			`parquet::columns::logs::0::name: "spanlake.retention": must not begin with spanlake.`,
		},
		"no_backend":     {"parquet and clickhouse: no back end is set: exactly one of the two must be"},
		"two_backends":   {"parquet and clickhouse: two back ends are set: exactly one of the two must be"},
		"clickhouse":     {"clickhouse: not available in this release"},
		"no_directories": {`log::directory: "": must name a directory`, `parquet::directory: "": must name a directory`},
		"same_directory": {`log::directory "data/" and parquet::directory "./data": neither may be the other or lie in it`},
		"log_in_lake":    {`log::directory "data/lake/wal" and parquet::directory "data/lake"`},
		"lake_in_log":    {`log::directory "data" and parquet::directory "data/lake"`},
		"retention":      {`parquet::retention::default: "7": must be`, `parquet::retention::logs: "../x": must be`},
		"log_size":       {"log::max_size_mib: 1: must be from 16"},
		"flush":          {"flush::interval: 1ms: must be at least 100ms", "flush::max_rows: 0: must be from 1"},
		"retry": {
			"retry_on_failure::enabled: false: must be true",
			"retry_on_failure::max_elapsed_time: 5m0s: must be 0",
			"retry_on_failure::initial_interval: 0s: must be above 0",
		},
		"unknown_key": {"size"},
		"compaction": {
			"parquet::remove_after: -1s: must not be negative",
			"parquet::compaction::target_file_size_mib: 0: must be from 1 to 1024",
			"parquet::compaction::memory_limit_mib: 63: must be from 64",
			"parquet::compaction::cpu_limit_percentage: 101: must be from 1 to 100",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, name)
			for _, part := range want {
				require.ErrorContains(t, err, part)
			}
			require.NotContains(t, err.Error(), "hidden-password")
		})
	}
}
