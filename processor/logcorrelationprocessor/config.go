package logcorrelationprocessor

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/component"
)

// maxParts bounds a name's parts: a name of n parts can be nested in 2^(n-1)
// ways, each of which is looked for.
const maxParts = 8

// Config is the configuration of the log_correlation processor.
type Config struct {
	// Fields names the fields to look for.
	Fields Fields `mapstructure:"fields"`

	_ struct{}
}

// Fields holds one list of names for each property of a log record. The first
// name that has a readable value wins. A dot in a name also stands for nesting:
// context.trace_id is found as a flat key and as trace_id within context. An
// empty list leaves the property alone.
type Fields struct {
	// TraceID names the fields that may hold the trace ID.
	TraceID []string `mapstructure:"trace_id"`
	// SpanID names the fields that may hold the span ID.
	SpanID []string `mapstructure:"span_id"`
	// TraceFlags names the fields that may hold the W3C trace flags.
	TraceFlags []string `mapstructure:"trace_flags"`
	// Timestamp names the fields that may hold the time of the event.
	Timestamp []string `mapstructure:"timestamp"`
	// Severity names the fields that may hold the severity by name.
	Severity []string `mapstructure:"severity"`

	_ struct{}
}

var _ component.Config = (*Config)(nil)

// list is one list of names with its YAML key.
type list struct {
	kind  kind
	key   string
	names []string
}

// lists returns the lists in the order of their kinds.
func (f *Fields) lists() []list {
	return []list{
		{kindTraceID, "trace_id", f.TraceID},
		{kindSpanID, "span_id", f.SpanID},
		{kindTraceFlags, "trace_flags", f.TraceFlags},
		{kindTimestamp, "timestamp", f.Timestamp},
		{kindSeverity, "severity", f.Severity},
	}
}

// Validate checks the lists of names.
func (c *Config) Validate() error {
	var errs []error
	owner := make(map[string]string)
	for _, l := range c.Fields.lists() {
		for i, name := range l.names {
			key := fmt.Sprintf("fields::%s[%d]", l.key, i)
			switch parts := strings.Split(name, "."); {
			case name == "":
				errs = append(errs, fmt.Errorf("%s: %q: a name must not be empty", key, name))
				continue
			case slices.Contains(parts, ""):
				errs = append(errs, fmt.Errorf("%s: %q: a name must not begin or end with a dot or have two in a row", key, name))
			case len(parts) > maxParts:
				errs = append(errs, fmt.Errorf("%s: %q: a name must have at most %d parts", key, name, maxParts))
			}
			if other, ok := owner[name]; ok {
				errs = append(errs, fmt.Errorf("%s: %q: a name must be listed once, it is also %s", key, name, other))
				continue
			}
			owner[name] = key
		}
	}
	if len(owner) == 0 && len(errs) == 0 {
		errs = append(errs, errors.New("fields: {}: at least one name must be listed"))
	}
	return errors.Join(errs...)
}
