package class

import (
	"fmt"
	"math"
	"time"
)

// minDuration is below what a duration of a trace can mean, and far above a
// number whose unit was forgotten.
const minDuration = time.Microsecond

// maxNesting is how deep any and not may stand in each other.
const maxNesting = 4

func (m *Match) validate(key string, depth int, fault faultFunc) {
	if m.empty() {
		fault(key, "must have at least one of status, min_duration, max_duration, min_spans, max_spans, routes, services, kinds, attributes, condition, any and not")
	}
	if _, known := statuses[m.Status]; m.Status != "" && !known {
		fault(key+".status", `%q must be "error", "ok" or "unset"`, m.Status)
	}
	if m.AnySpan && len(m.Routes) == 0 {
		fault(key+".any_span", "needs routes")
	}
	if m.RootOnly && len(m.Kinds) == 0 && len(m.Attributes) == 0 && m.Condition == "" {
		fault(key+".root_only", "needs kinds, attributes or condition")
	}
	m.validateBounds(key, fault)
	validateGlobs(key+".routes", m.Routes, fault)
	validateGlobs(key+".services", m.Services, fault)
	for i, kind := range m.Kinds {
		if _, known := kinds[kind]; !known {
			fault(fmt.Sprintf("%s.kinds[%d]", key, i), `%q must be "unspecified", "internal", "server", "client", "producer" or "consumer"`, kind)
		}
	}
	for i := range m.Attributes {
		m.Attributes[i].validate(fmt.Sprintf("%s.attributes[%d]", key, i), fault)
	}
	if m.Condition != "" {
		if _, err := parseExpression(m.Condition); err != nil {
			fault(key+".condition", "%q: %w", m.Condition, err)
		}
	}
	if (len(m.Any) > 0 || m.Not != nil) && depth == maxNesting {
		fault(key, "any and not must be nested at most %d deep", maxNesting)
		return
	}
	for i := range m.Any {
		m.Any[i].validate(fmt.Sprintf("%s.any[%d]", key, i), depth+1, fault)
	}
	if m.Not != nil {
		m.Not.validate(key+".not", depth+1, fault)
	}
}

func (m *Match) empty() bool {
	return m.Status == "" && m.MinDuration == 0 && m.MaxDuration == 0 && m.MinSpans == 0 && m.MaxSpans == 0 &&
		len(m.Routes) == 0 && len(m.Services) == 0 && len(m.Kinds) == 0 && len(m.Attributes) == 0 &&
		m.Condition == "" && len(m.Any) == 0 && m.Not == nil
}

func (m *Match) validateBounds(key string, fault faultFunc) {
	duration := func(name string, d time.Duration) {
		if d != 0 && d < minDuration {
			fault(key+"."+name, "%s must be at least %s; a number without a unit is nanoseconds", d, minDuration)
		}
	}
	duration("min_duration", m.MinDuration)
	duration("max_duration", m.MaxDuration)
	if m.MaxDuration > 0 && m.MinDuration > m.MaxDuration {
		fault(key+".min_duration", "%s must not be greater than max_duration, %s", m.MinDuration, m.MaxDuration)
	}
	if m.MinSpans < 0 {
		fault(key+".min_spans", "%d must not be negative", m.MinSpans)
	}
	if m.MaxSpans < 0 {
		fault(key+".max_spans", "%d must not be negative", m.MaxSpans)
	}
	if m.MaxSpans > 0 && m.MinSpans > m.MaxSpans {
		fault(key+".min_spans", "%d must not be greater than max_spans, %d", m.MinSpans, m.MaxSpans)
	}
}

func (a *Attribute) validate(key string, fault faultFunc) {
	if a.Key == "" {
		fault(key+".key", "must not be empty")
	}
	if a.Values != nil && len(a.Values) == 0 {
		fault(key+".values", "[] must not be empty: without values any value would do")
	}
	validateGlobs(key+".values", a.Values, fault)
	if len(a.Values) > 0 && (a.Min != nil || a.Max != nil) {
		fault(key, "must not have values beside min or max")
	}
	finite := func(name string, bound *float64) {
		if bound != nil && (math.IsNaN(*bound) || math.IsInf(*bound, 0)) {
			fault(key+"."+name, "%v must be a finite number", *bound)
		}
	}
	finite("min", a.Min)
	finite("max", a.Max)
	if a.Min != nil && a.Max != nil && *a.Min > *a.Max {
		fault(key+".min", "%v must not be greater than max, %v", *a.Min, *a.Max)
	}
}

func validateGlobs(key string, patterns []string, fault faultFunc) {
	for i, pattern := range patterns {
		if _, err := compileGlob(pattern); err != nil {
			fault(fmt.Sprintf("%s[%d]", key, i), "%q: %w", pattern, err)
		}
	}
}
