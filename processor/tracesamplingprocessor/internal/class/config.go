package class

import (
	"errors"
	"fmt"
	"regexp"
	"time"
)

// MaxClasses bounds the list, as a verdict has a byte for its class.
const MaxClasses = 128

// maxTracesPerSecond is more than any instance takes in: a greater bound would be
// none.
const maxTracesPerSecond = 1_000_000

// Config is one class as the user writes it.
type Config struct {
	// Name identifies the class on spans and in metrics.
	Name string `mapstructure:"name"`
	// Match says which traces belong to the class; only the last class has none
	// and takes the rest.
	Match *Match `mapstructure:"match"`
	// Keep is the share of the class's traces that is kept.
	Keep Rate `mapstructure:"keep"`
	// MaxTracesPerSecond bounds how many traces the class keeps; 0 is no bound.
	MaxTracesPerSecond int `mapstructure:"max_traces_per_second"`
	// Retention is how long kept spans are stored, in days ("30d"). Empty leaves
	// it to the store.
	Retention string `mapstructure:"retention"`

	_ struct{}
}

// Match is a conjunction over the whole trace: everything given must hold, not
// necessarily of the same span.
type Match struct {
	// Status is that of the trace: error where any span has it, else ok where any
	// span has it, else unset.
	Status string `mapstructure:"status"`
	// MinDuration is the least time from the first start to the last end.
	MinDuration time.Duration `mapstructure:"min_duration"`
	// MaxDuration is the greatest time from the first start to the last end; 0 is
	// no bound.
	MaxDuration time.Duration `mapstructure:"max_duration"`
	// MinSpans is the least number of spans in the trace.
	MinSpans int `mapstructure:"min_spans"`
	// MaxSpans is the greatest number of spans in the trace; 0 is no bound.
	MaxSpans int `mapstructure:"max_spans"`
	// Routes are globs on the root span's http.route, url.path, path of
	// http.target and name; one match is enough.
	Routes []string `mapstructure:"routes"`
	// AnySpan lets Routes look at every span of the trace.
	AnySpan bool `mapstructure:"any_span"`
	// Services are globs on service.name of the resource of any span; one match is
	// enough.
	Services []string `mapstructure:"services"`
	// Kinds are span kinds, such as server; one span of one of them is enough.
	Kinds []string `mapstructure:"kinds"`
	// Attributes must each be met by some span, or by the resource of one.
	Attributes []Attribute `mapstructure:"attributes"`
	// Condition is an OTTL expression that must be true of some span. Where it
	// cannot be evaluated it is false.
	Condition string `mapstructure:"condition"`
	// RootOnly lets Kinds, Attributes and Condition look at the root span only.
	RootOnly bool `mapstructure:"root_only"`
	// Any holds matches of which at least one must hold.
	Any []Match `mapstructure:"any"`
	// Not is a match that must not hold over the whole trace.
	Not *Match `mapstructure:"not"`

	_ struct{}
}

// Attribute is a condition on one attribute, of the span or its resource. With
// neither values nor bounds the attribute must be there, whatever its value.
type Attribute struct {
	// Key names the attribute.
	Key string `mapstructure:"key"`
	// Values are globs on the text of the value; one match is enough. A boolean
	// reads true or false, a number in shortest decimal form.
	Values []string `mapstructure:"values"`
	// Min is the least number; a string that is a decimal number counts as one.
	Min *float64 `mapstructure:"min"`
	// Max is the greatest number.
	Max *float64 `mapstructure:"max"`

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
		c.validateRates(fault)
		switch {
		case c.Match == nil && i < last:
			fault("match", "must be given: only the last class takes every trace, classes[%d] could never match", i+1)
		case c.Match != nil && i == last:
			fault("match", "must not be given: the last class takes the traces that no other class matches")
		}
		if c.Match != nil {
			c.Match.validate("match", 0, fault)
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	return validateTogether(classes)
}

// faultFunc notes a fault of the value at a key of the class.
type faultFunc func(key, format string, args ...any)

func (c *Config) validateRates(fault faultFunc) {
	if c.Keep == "" {
		fault("keep", `must be given: a class needs a rate such as "100%%" or "1/200"`)
	} else if _, err := c.Keep.Threshold(); err != nil {
		fault("keep", "%w", err)
	}
	if c.MaxTracesPerSecond < 0 || c.MaxTracesPerSecond > maxTracesPerSecond {
		fault("max_traces_per_second", "%d must be from 0, which is no bound, to %d", c.MaxTracesPerSecond, maxTracesPerSecond)
	}
	if c.Retention != "" && !retentionForm.MatchString(c.Retention) {
		fault("retention", `%q must be days from "1d" to "9999d"`, c.Retention)
	}
}

// validateTogether reports what shows only once classes without a fault of
// their own are compiled.
func validateTogether(classes []Config) error {
	var s conditions
	predicates := make([]predicate, 0, len(classes))
	for i := range classes {
		if m := classes[i].Match; m != nil {
			predicates = append(predicates, s.compile(m))
		}
	}
	if n := len(s.list); n > MaxConditions {
		return fmt.Errorf("classes: %d different conditions, must be at most %d; "+
			"each list of routes, services or kinds, each attribute and each condition is one", n, MaxConditions)
	}
	var errs []error
	for i := range predicates {
		if s.contradicts(&predicates[i]) {
			errs = append(errs, fmt.Errorf("classes[%d].match: no trace can match: its parts exclude each other", i))
		}
	}
	return errors.Join(errs...)
}
