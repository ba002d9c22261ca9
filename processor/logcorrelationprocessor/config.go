package logcorrelationprocessor

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/component"
)

const (
	// maxParts bounds a name's parts: a name of n parts can be nested in 2^(n-1)
	// ways, each of which is looked for.
	maxParts = 8
	// maxNames bounds a list.
	maxNames = 256
)

// Config is the configuration of the log_correlation processor.
type Config struct {
	// Settings are those that a source may have otherwise.
	Settings Settings `mapstructure:",squash"`

	// Output is record, or span_fields to write the IDs into the attributes
	// span.trace_id and span.span_id as well.
	Output string `mapstructure:"output"`
	// Spans says what of spans is looked at.
	Spans Spans `mapstructure:"spans"`
	// DryRun counts what would be done and does nothing.
	DryRun bool `mapstructure:"dry_run"`
	// Sources are settings for the records of single sources.
	Sources []Source `mapstructure:"sources"`

	_ struct{}
}

// Settings are what a source may have otherwise.
type Settings struct {
	// Fields names the fields to look for.
	Fields Fields `mapstructure:"fields"`
	// ParseBody says what a body of text may be: auto, json, logfmt or none.
	ParseBody string `mapstructure:"parse_body"`
	// Patterns are regular expressions (RE2) for bodies of other text. Their
	// named groups say what they find; the first that matches is taken.
	Patterns []string `mapstructure:"patterns"`
	// TimeZone is the offset of times that have none: UTC, or as +02:00. Where
	// it is empty, they are not read.
	TimeZone string `mapstructure:"time_zone"`
	// NumericSeverity is what numbers in severity fields are: auto, pino,
	// python, syslog or none.
	NumericSeverity string `mapstructure:"numeric_severity"`

	_ struct{}
}

// Source is the settings for the records of one source. What is not given is as
// for the others.
type Source struct {
	// Name is the value of the resource attribute spanlake.source.
	Name string `mapstructure:"name"`

	// Settings are what this source has otherwise.
	Settings Settings `mapstructure:",squash"`

	_ struct{}
}

// Spans says what of spans is looked at. What their fields say is removed where
// the span says it, too; their IDs are never set from fields.
type Spans struct {
	// Attributes are those of the span.
	Attributes bool `mapstructure:"attributes"`
	// Events are the attributes of its events.
	Events bool `mapstructure:"events"`

	_ struct{}
}

func (s *Spans) asked() bool { return s.Attributes || s.Events }

// Fields holds one or several lists of names for each property of a log record.
// The first name that has a readable value wins. A dot in a name also stands for
// nesting: context.trace_id is found as a flat key and as trace_id within
// context. An empty list leaves the property alone.
type Fields struct {
	// TraceID names the fields that may hold the trace ID, also in a form that
	// brings a span ID and flags with it.
	TraceID []string `mapstructure:"trace_id"`
	// DecimalTraceID names those that hold it, or its lower half, as a decimal
	// number. They come after those of trace_id.
	DecimalTraceID []string `mapstructure:"decimal_trace_id"`
	// TraceIDHigh names the fields that may hold the upper half of a trace ID
	// whose lower half is in another.
	TraceIDHigh []string `mapstructure:"trace_id_high"`
	// SpanID names the fields that may hold the span ID.
	SpanID []string `mapstructure:"span_id"`
	// DecimalSpanID names those that hold it as a decimal number.
	DecimalSpanID []string `mapstructure:"decimal_span_id"`
	// EnclosingSpanID names fields with the ID of a span around the record's,
	// for records that have no other and whose trace ID is in trace.id, as in ECS.
	EnclosingSpanID []string `mapstructure:"enclosing_span_id"`
	// TraceFlags names the fields that may hold the W3C trace flags.
	TraceFlags []string `mapstructure:"trace_flags"`
	// Timestamp names the fields that may hold the time of the event.
	Timestamp []string `mapstructure:"timestamp"`
	// Severity names the fields that may hold the severity by name.
	Severity []string `mapstructure:"severity"`
	// SeverityNumber names those that hold a severity number of OpenTelemetry.
	SeverityNumber []string `mapstructure:"severity_number"`
	// Message names the fields that may hold the message, which becomes the body.
	Message []string `mapstructure:"message"`

	_ struct{}
}

var _ component.Config = (*Config)(nil)

// list is one list of names with its YAML key.
type list struct {
	kind    kind
	variant variant
	key     string
	names   []string
}

// lists returns the lists; of those of one kind, the first comes first.
func (f *Fields) lists() []list {
	return []list{
		{kindTraceID, variantPlain, "trace_id", f.TraceID},
		{kindTraceID, variantDecimal, "decimal_trace_id", f.DecimalTraceID},
		{kindTraceIDHigh, variantPlain, "trace_id_high", f.TraceIDHigh},
		{kindSpanID, variantPlain, "span_id", f.SpanID},
		{kindSpanID, variantDecimal, "decimal_span_id", f.DecimalSpanID},
		{kindSpanID, variantEnclosing, "enclosing_span_id", f.EnclosingSpanID},
		{kindTraceFlags, variantPlain, "trace_flags", f.TraceFlags},
		{kindTimestamp, variantPlain, "timestamp", f.Timestamp},
		{kindSeverity, variantPlain, "severity", f.Severity},
		{kindSeverity, variantNumber, "severity_number", f.SeverityNumber},
		{kindMessage, variantPlain, "message", f.Message},
	}
}

// over returns f with the lists of base where f has none.
func (f Fields) over(base *Fields) Fields {
	for _, l := range []struct{ own, base *[]string }{
		{&f.TraceID, &base.TraceID},
		{&f.DecimalTraceID, &base.DecimalTraceID},
		{&f.TraceIDHigh, &base.TraceIDHigh},
		{&f.SpanID, &base.SpanID},
		{&f.DecimalSpanID, &base.DecimalSpanID},
		{&f.EnclosingSpanID, &base.EnclosingSpanID},
		{&f.TraceFlags, &base.TraceFlags},
		{&f.Timestamp, &base.Timestamp},
		{&f.Severity, &base.Severity},
		{&f.SeverityNumber, &base.SeverityNumber},
		{&f.Message, &base.Message},
	} {
		if *l.own == nil {
			*l.own = *l.base
		}
	}
	return f
}

// over returns s with what base has where s has nothing.
func (s Settings) over(base *Settings) Settings {
	s.Fields = s.Fields.over(&base.Fields)
	s.ParseBody = cmp.Or(s.ParseBody, base.ParseBody)
	if s.Patterns == nil {
		s.Patterns = base.Patterns
	}
	s.TimeZone = cmp.Or(s.TimeZone, base.TimeZone)
	s.NumericSeverity = cmp.Or(s.NumericSeverity, base.NumericSeverity)
	return s
}

const (
	outputRecord     = "record"
	outputSpanFields = "span_fields"
)

// Validate checks the settings, and for each source what they are together with
// the ones for all.
func (c *Config) Validate() error {
	errs := c.Settings.validate("")
	ofAll := make(map[string]bool, len(errs))
	for _, err := range errs {
		ofAll[err.Error()] = true
	}
	if c.Output != outputRecord && c.Output != outputSpanFields {
		errs = append(errs, fmt.Errorf("output: %q: must be %s or %s", c.Output, outputRecord, outputSpanFields))
	}
	listed := make(map[string]bool)
	for i := range c.Sources {
		s := &c.Sources[i]
		key := fmt.Sprintf("sources[%d]", i)
		if s.Name == "" {
			errs = append(errs, fmt.Errorf("%s::name: %q: a source must have a name", key, s.Name))
		} else if listed[s.Name] {
			errs = append(errs, fmt.Errorf("%s::name: %q: a source must be listed once", key, s.Name))
		}
		listed[s.Name] = true
		of := s.Settings.over(&c.Settings)
		named := of.validate(key + "::")
		for i, err := range of.validate("") {
			if !ofAll[err.Error()] { // else it is not the source's
				errs = append(errs, named[i])
			}
		}
	}
	return errors.Join(errs...)
}

func (s *Settings) validate(prefix string) []error {
	errs := s.Fields.validate(prefix + "fields")
	if !slices.Contains(bodyNames, s.ParseBody) {
		errs = append(errs, fmt.Errorf("%sparse_body: %q: must be one of %s", prefix, s.ParseBody, strings.Join(bodyNames, ", ")))
	}
	if len(s.Patterns) > maxPatterns {
		errs = append(errs, fmt.Errorf("%spatterns: %d patterns: there must be at most %d", prefix, len(s.Patterns), maxPatterns))
	}
	for i, p := range s.Patterns {
		errs = append(errs, validatePattern(fmt.Sprintf("%spatterns[%d]", prefix, i), p)...)
	}
	if _, _, err := parseZone(s.TimeZone); err != nil {
		errs = append(errs, fmt.Errorf("%stime_zone: %q: %w", prefix, s.TimeZone, err))
	}
	if !slices.Contains(scaleNames, s.NumericSeverity) {
		errs = append(errs, fmt.Errorf("%snumeric_severity: %q: must be one of %s", prefix, s.NumericSeverity, strings.Join(scaleNames, ", ")))
	}
	return errs
}

func (f *Fields) validate(prefix string) []error {
	var errs []error
	owner := make(map[string]string)
	for _, l := range f.lists() {
		if len(l.names) > maxNames {
			errs = append(errs, fmt.Errorf("%s::%s: %d names: there must be at most %d", prefix, l.key, len(l.names), maxNames))
		}
		for i, name := range l.names {
			key := fmt.Sprintf("%s::%s[%d]", prefix, l.key, i)
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
		errs = append(errs, fmt.Errorf("%s: {}: at least one name must be listed", prefix))
	}
	return errs
}

// parseZone returns an offset in minutes, if there is one. Offsets alone, because
// names of zones are read from the machine's database and mean two instants once
// a year.
func parseZone(text string) (minutes int, has bool, err error) {
	switch text {
	case "":
		return 0, false, nil
	case "UTC":
		return 0, true, nil
	}
	if len(text) == len("+00:00") {
		if minutes, has = readOffset(text); has {
			return minutes, true, nil
		}
	}
	return 0, false, errors.New("must be UTC or an offset as +02:00")
}
