package tracesamplingprocessor

import (
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configoptional"

	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/class"
)

// Config of the trace_sampling processor.
type Config struct {
	// DecisionWait is how long a trace waits at most for its spans, counted from
	// the arrival of the first.
	DecisionWait time.Duration `mapstructure:"decision_wait"`
	// RootWait is how long a trace waits for more spans once its root has arrived,
	// within decision_wait.
	RootWait time.Duration `mapstructure:"root_wait"`
	// ShutdownTimeout is the time for handing on what is held when the Collector
	// stops.
	ShutdownTimeout time.Duration `mapstructure:"shutdown_timeout"`
	// MemoryLimitMiB bounds the spans held: of undecided traces, and of kept ones
	// until the next component has taken them. With a journal, spans have half of it
	// and are in the journal only beyond that. What finds no room otherwise makes the
	// oldest traces be decided early.
	MemoryLimitMiB int64 `mapstructure:"memory_limit_mib"`
	// MaxTraceSizeMiB bounds the spans held of one trace. Beyond three quarters of
	// it the trace gets only roots and errors, beyond it nothing.
	MaxTraceSizeMiB int64 `mapstructure:"max_trace_size_mib"`
	// Journal makes accepted spans durable before they are acknowledged. Without it
	// a crash loses what is undecided.
	Journal configoptional.Optional[JournalConfig] `mapstructure:"journal"`
	// Classes say which traces are kept, and for how long. The first class that
	// matches decides; the last has no match and takes the rest.
	Classes []class.Config `mapstructure:"classes"`

	_ struct{}
}

// JournalConfig is where accepted spans are kept until they are handed on.
type JournalConfig struct {
	// Directory is created where it is missing. No other processor may have it.
	Directory string `mapstructure:"directory"`
	// MaxSizeMiB bounds the files in it.
	MaxSizeMiB int64 `mapstructure:"max_size_mib"`

	_ struct{}
}

var _ component.Config = (*Config)(nil)

// minWait is far below any wait that makes sense, and far above a number whose
// unit was forgotten.
const minWait = 10 * time.Millisecond

// Bounds of the sizes: room for some requests, and no overflow in bytes.
const (
	minMemoryMiB  = 8
	minJournalMiB = 64
	maxMiB        = 1 << 20
)

// Validate reports every fault of the configuration.
func (c *Config) Validate() error {
	var errs []error
	for _, wait := range []struct {
		key string
		d   time.Duration
	}{
		{"decision_wait", c.DecisionWait},
		{"root_wait", c.RootWait},
		{"shutdown_timeout", c.ShutdownTimeout},
	} {
		if wait.d < minWait {
			errs = append(errs, fmt.Errorf("%s: %s must be at least %s; a number without a unit is nanoseconds", wait.key, wait.d, minWait))
		}
	}
	size := func(key string, mib, least int64) {
		if mib < least || mib > maxMiB {
			errs = append(errs, fmt.Errorf("%s: %d must be from %d to %d", key, mib, least, int64(maxMiB)))
		}
	}
	size("memory_limit_mib", c.MemoryLimitMiB, minMemoryMiB)
	size("max_trace_size_mib", c.MaxTraceSizeMiB, 1)
	if c.MaxTraceSizeMiB > c.MemoryLimitMiB {
		errs = append(errs, fmt.Errorf("max_trace_size_mib: %d must not be greater than memory_limit_mib, %d", c.MaxTraceSizeMiB, c.MemoryLimitMiB))
	}
	if j := c.Journal.Get(); j != nil {
		if j.Directory == "" {
			errs = append(errs, errors.New(`journal.directory: "" must name a directory`))
		}
		size("journal.max_size_mib", j.MaxSizeMiB, minJournalMiB)
	}
	return errors.Join(append(errs, class.Validate(c.Classes))...)
}
