package class

import (
	"errors"
	"fmt"
	"regexp"
	"time"
)

// MaxClasses bounds the list so that the conditions a trace has met fit into
// Bits, two for each class.
const MaxClasses = 128

// Config is one class as the user writes it.
type Config struct {
	// Name identifies the class on spans and in metrics.
	Name string `mapstructure:"name"`
	// Match says which traces belong to the class; only the last class has none
	// and takes the rest.
	Match *Match `mapstructure:"match"`
	// Keep is the share of the class's traces that is kept.
	Keep Rate `mapstructure:"keep"`
	// Retention is how long kept spans are stored, in days ("30d"). Empty leaves
	// it to the store.
	Retention string `mapstructure:"retention"`

	_ struct{}
}

// Match is a conjunction over the whole trace: every condition given must be
// met, not necessarily by the same span.
type Match struct {
	// Status is that of the trace: error where any span has it, else ok where any
	// span has it, else unset.
	Status string `mapstructure:"status"`
	// MinDuration is the least time from the first start to the last end.
	MinDuration time.Duration `mapstructure:"min_duration"`
	// Routes are globs on the root span's http.route, url.path, path of
	// http.target and name.
	Routes []string `mapstructure:"routes"`
	// AnySpan lets Routes look at every span of the trace.
	AnySpan bool `mapstructure:"any_span"`
	// Services are globs on service.name of the resource of any span.
	Services []string `mapstructure:"services"`

	_ struct{}
}

var retentionForm = regexp.MustCompile(`^[1-9][0-9]{0,3}d$`)

// Validate reports every fault of an ordered list of classes.
func Validate(classes []Config) error {
	if len(classes) == 0 {
		return errors.New("classes: must have at least one class")
	}
	var errs []error
	if len(classes) > MaxClasses {
		errs = append(errs, fmt.Errorf("classes: %d classes, must be at most %d", len(classes), MaxClasses))
	}
	named := map[string]int{}
	last := len(classes) - 1
	for i := range classes {
		c := &classes[i]
		fault := func(key, format string, args ...any) {
			errs = append(errs, fmt.Errorf("classes[%d].%s: %w", i, key, fmt.Errorf(format, args...)))
		}
		first, taken := named[c.Name]
		switch {
		case c.Name == "":
			fault("name", "must not be empty")
		case taken:
			fault("name", "%q is already the name of classes[%d]", c.Name, first)
		default:
			named[c.Name] = i
		}
		if c.Keep == "" {
			fault("keep", `must be given: a class needs a rate such as "100%%" or "1/200"`)
		} else if _, err := c.Keep.Threshold(); err != nil {
			fault("keep", "%w", err)
		}
		if c.Retention != "" && !retentionForm.MatchString(c.Retention) {
			fault("retention", `%q must be days from "1d" to "9999d"`, c.Retention)
		}
		switch {
		case c.Match == nil && i < last:
			fault("match", "must be given: only the last class takes every trace, classes[%d] could never match", i+1)
		case c.Match != nil && i == last:
			fault("match", "must not be given: the last class takes the traces that no other class matches")
		}
		if c.Match != nil {
			c.Match.validate(fault)
		}
	}
	return errors.Join(errs...)
}

func (m *Match) validate(fault func(key, format string, args ...any)) {
	if m.Status == "" && m.MinDuration == 0 && len(m.Routes) == 0 && len(m.Services) == 0 {
		fault("match", "must have at least one of status, min_duration, routes and services")
	}
	if _, known := statuses[m.Status]; m.Status != "" && !known {
		fault("match.status", `%q must be "error", "ok" or "unset"`, m.Status)
	}
	if m.MinDuration < 0 {
		fault("match.min_duration", "%s must not be negative", m.MinDuration)
	}
	if m.AnySpan && len(m.Routes) == 0 {
		fault("match.any_span", "needs routes")
	}
	validateGlobs("match.routes", m.Routes, fault)
	validateGlobs("match.services", m.Services, fault)
}

func validateGlobs(key string, patterns []string, fault func(key, format string, args ...any)) {
	for i, pattern := range patterns {
		if _, err := compileGlob(pattern); err != nil {
			fault(fmt.Sprintf("%s[%d]", key, i), "%q: %w", pattern, err)
		}
	}
}
