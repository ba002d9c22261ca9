package tracesamplingprocessor

import (
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/component"

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
	// until the next component has taken them.
	MemoryLimitMiB int64 `mapstructure:"memory_limit_mib"`
	// Classes say which traces are kept, and for how long. The first class that
	// matches decides; the last has no match and takes the rest.
	Classes []class.Config `mapstructure:"classes"`

	_ struct{}
}

var _ component.Config = (*Config)(nil)

// Bounds of memory_limit_mib: room for some requests, and no overflow in bytes.
const (
	minMemoryMiB = 8
	maxMemoryMiB = 1 << 20
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
		if wait.d <= 0 {
			errs = append(errs, fmt.Errorf("%s: %s must be positive", wait.key, wait.d))
		}
	}
	if c.MemoryLimitMiB < minMemoryMiB || c.MemoryLimitMiB > maxMemoryMiB {
		errs = append(errs, fmt.Errorf("memory_limit_mib: %d must be from %d to %d", c.MemoryLimitMiB, minMemoryMiB, maxMemoryMiB))
	}
	return errors.Join(append(errs, class.Validate(c.Classes))...)
}
