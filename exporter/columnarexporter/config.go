package columnarexporter

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configretry"

	v1 "github.com/spanlake/spanlake/internal/schema/v1"
)

// Config of the exporter. Exactly one of Parquet and ClickHouse is set.
type Config struct {
	// Log is the write-ahead log: what it holds is acknowledged.
	Log LogConfig `mapstructure:"log"`
	// Flush says when a segment of the log becomes files.
	Flush FlushConfig `mapstructure:"flush"`
	// Parquet stores rows as Parquet files.
	Parquet configoptional.Optional[ParquetConfig] `mapstructure:"parquet"`
	// ClickHouse stores rows in ClickHouse.
	ClickHouse configoptional.Optional[ClickHouseConfig] `mapstructure:"clickhouse"`
	// Retry says how long to wait between attempts to write a segment. They
	// never end: rows are kept until they are stored.
	Retry configretry.BackOffConfig `mapstructure:"retry_on_failure"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// LogConfig of the write-ahead log.
type LogConfig struct {
	// Directory holds the log. No other exporter may use it.
	Directory string `mapstructure:"directory"`
	// MaxSizeMiB bounds the log on disk; beyond it data is refused with a
	// retryable error.
	MaxSizeMiB int64 `mapstructure:"max_size_mib"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// FlushConfig says when a segment is written; what comes first counts.
type FlushConfig struct {
	// Interval is the longest time that an acknowledged row waits for it.
	Interval time.Duration `mapstructure:"interval"`
	// MaxRows is the number of rows, of both signals, that ends a segment.
	MaxRows int `mapstructure:"max_rows"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// ParquetConfig of the Parquet store.
type ParquetConfig struct {
	// Directory is the lake. No other exporter may write to it.
	Directory string `mapstructure:"directory"`
	// Retention of rows that carry none of their own.
	Retention RetentionConfig `mapstructure:"retention"`
	// Compaction merges small files.
	Compaction CompactionConfig `mapstructure:"compaction"`
	// RemoveAfter is how long files that were merged or have expired stay on
	// disk, so that readers which have begun can finish.
	RemoveAfter time.Duration `mapstructure:"remove_after"`
	// Columns that attributes get in addition to those of the schema.
	Columns ColumnsConfig `mapstructure:"columns"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// RetentionConfig says how long rows are kept, in days as "7d".
type RetentionConfig struct {
	// Default is for spans, and for all that is not named otherwise.
	Default string `mapstructure:"default"`
	// Logs is for log records; Default where it is empty.
	Logs string `mapstructure:"logs"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// CompactionConfig bounds what the merging of files takes.
type CompactionConfig struct {
	// Enabled merges the small files of an hour while it lasts and once it is over.
	Enabled bool `mapstructure:"enabled"`
	// TargetFileSizeMiB is the size of files to make; those above half of it are
	// left alone.
	TargetFileSizeMiB int64 `mapstructure:"target_file_size_mib"`
	// MemoryLimitMiB bounds what a merge holds in memory.
	MemoryLimitMiB int64 `mapstructure:"memory_limit_mib"`
	// CPULimitPercentage is how much of one core merging takes while it runs.
	CPULimitPercentage int `mapstructure:"cpu_limit_percentage"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// ClickHouseConfig of the ClickHouse back end, which is not in this release.
type ClickHouseConfig struct {
	// Endpoint is the URL of the HTTP interface.
	Endpoint string `mapstructure:"endpoint"`
	// Database holds the tables.
	Database string `mapstructure:"database"`
	// Username and Password authenticate.
	Username string              `mapstructure:"username"`
	Password configopaque.String `mapstructure:"password"`
	// Cluster makes replicated tables on the cluster of that name.
	Cluster string `mapstructure:"cluster"`

	// prevent unkeyed literal initialization
	_ struct{}
}

var _ component.Config = (*Config)(nil)

const (
	// minLogMiB holds a full segment and one that is being written.
	minLogMiB = 16
	// minCompactionMiB is for a merge of a few files.
	minCompactionMiB = 64
)

// Validate reports all faults.
func (c *Config) Validate() error {
	var errs []error
	if c.Log.Directory == "" {
		errs = append(errs, errors.New(`log::directory: "": must name a directory`))
	}
	if c.Log.MaxSizeMiB < minLogMiB || c.Log.MaxSizeMiB > 1<<30 {
		errs = append(errs, fmt.Errorf("log::max_size_mib: %d: must be from %d to %d", c.Log.MaxSizeMiB, minLogMiB, 1<<30))
	}
	if c.Flush.Interval < 100*time.Millisecond {
		errs = append(errs, fmt.Errorf("flush::interval: %s: must be at least 100ms", c.Flush.Interval))
	}
	if c.Flush.MaxRows < 1 || c.Flush.MaxRows > 10_000_000 {
		errs = append(errs, fmt.Errorf("flush::max_rows: %d: must be from 1 to 10000000", c.Flush.MaxRows))
	}
	errs = append(errs, c.validateBackend(), validateRetry(c.Retry))
	return errors.Join(errs...)
}

func (c *Config) validateBackend() error {
	switch {
	case c.Parquet.HasValue() && c.ClickHouse.HasValue():
		return errors.New("parquet and clickhouse: two back ends are set: exactly one of the two must be")
	case c.ClickHouse.HasValue():
		return errors.New("clickhouse: not available in this release: set parquet instead")
	case !c.Parquet.HasValue():
		return errors.New("parquet and clickhouse: no back end is set: exactly one of the two must be")
	}
	return c.validateParquet(c.Parquet.Get())
}

func (c *Config) validateParquet(p *ParquetConfig) error {
	var errs []error
	switch {
	case p.Directory == "":
		errs = append(errs, errors.New(`parquet::directory: "": must name a directory`))
	case c.Log.Directory != "" && nested(c.Log.Directory, p.Directory):
		errs = append(errs, fmt.Errorf("log::directory %q and parquet::directory %q: neither may be the other or lie in it",
			c.Log.Directory, p.Directory))
	}
	if !v1.ValidRetention(p.Retention.Default) {
		errs = append(errs, retentionError("default", p.Retention.Default))
	}
	if p.Retention.Logs != "" && !v1.ValidRetention(p.Retention.Logs) {
		errs = append(errs, retentionError("logs", p.Retention.Logs))
	}
	if p.RemoveAfter < 0 {
		errs = append(errs, fmt.Errorf("parquet::remove_after: %s: must not be negative", p.RemoveAfter))
	}
	errs = append(errs, p.Compaction.validate(),
		validateColumns("spans", v1.Traces, p.Columns.Spans), validateColumns("logs", v1.Logs, p.Columns.Logs))
	return errors.Join(errs...)
}

func (c *CompactionConfig) validate() error {
	var errs []error
	if c.TargetFileSizeMiB < 1 || c.TargetFileSizeMiB > 1024 {
		errs = append(errs, fmt.Errorf("parquet::compaction::target_file_size_mib: %d: must be from 1 to 1024", c.TargetFileSizeMiB))
	}
	if c.MemoryLimitMiB < minCompactionMiB || c.MemoryLimitMiB > 1<<20 {
		errs = append(errs, fmt.Errorf("parquet::compaction::memory_limit_mib: %d: must be from %d to %d", c.MemoryLimitMiB, minCompactionMiB, 1<<20))
	}
	if c.CPULimitPercentage < 1 || c.CPULimitPercentage > 100 {
		errs = append(errs, fmt.Errorf("parquet::compaction::cpu_limit_percentage: %d: must be from 1 to 100, of one core", c.CPULimitPercentage))
	}
	return errors.Join(errs...)
}

func retentionError(key, value string) error {
	return fmt.Errorf(`parquet::retention::%s: %q: must be a number of days from 1d to 9999d, as "7d"`, key, value)
}

// nested reports whether one directory is the other or lies in it, as far as
// their names tell.
func nested(a, b string) bool {
	a, errA := filepath.Abs(a)
	b, errB := filepath.Abs(b)
	if errA != nil || errB != nil {
		return false
	}
	return within(a, b) || within(b, a)
}

func within(dir, parent string) bool {
	relative, err := filepath.Rel(parent, dir)
	return err == nil && relative != ".." && !strings.HasPrefix(relative, ".."+string(filepath.Separator))
}

// validateRetry refuses what would lose rows. The values themselves are
// validated by configretry.
func validateRetry(r configretry.BackOffConfig) error {
	var errs []error
	if !r.Enabled {
		errs = append(errs, errors.New("retry_on_failure::enabled: false: must be true: rows are kept until they are stored"))
	}
	if r.MaxElapsedTime != 0 {
		errs = append(errs, fmt.Errorf("retry_on_failure::max_elapsed_time: %s: must be 0: rows are kept until they are stored", r.MaxElapsedTime))
	}
	if r.InitialInterval <= 0 {
		errs = append(errs, fmt.Errorf("retry_on_failure::initial_interval: %s: must be above 0", r.InitialInterval))
	}
	return errors.Join(errs...)
}
