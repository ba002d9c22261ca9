package logcorrelationprocessor

import (
	"fmt"
	"regexp"
)

const (
	// maxPatternText is how many bytes of a text are searched.
	maxPatternText = 4096
	maxPatterns    = 16
	maxPatternLen  = 1024
)

// pattern finds values in free text, which stays as it is.
type pattern struct {
	re     *regexp.Regexp
	groups []*entry // by number of the group; nil: not named
}

// groups are what a named group of a pattern may hold.
var groups = map[string]entry{
	"trace_id":         {kind: kindTraceID},
	"decimal_trace_id": {kind: kindTraceID, variant: variantDecimal},
	"span_id":          {kind: kindSpanID},
	"decimal_span_id":  {kind: kindSpanID, variant: variantDecimal},
	"trace_flags":      {kind: kindTraceFlags},
	"timestamp":        {kind: kindTimestamp},
	"severity":         {kind: kindSeverity},
}

// compilePattern compiles one that Validate has passed. name is the index of
// its name among those of the fields.
func compilePattern(text string, name uint32) pattern {
	p := pattern{re: regexp.MustCompile(text)}
	for i, group := range p.re.SubexpNames() {
		var e *entry
		if group != "" {
			copied := groups[group]
			e = &copied
			e.name, e.order, e.isField = name, uint32(i), true
		}
		p.groups = append(p.groups, e)
	}
	return p
}

// validatePattern returns what is wrong with a pattern.
func validatePattern(key, text string) []error {
	if len(text) > maxPatternLen {
		return []error{fmt.Errorf("%s: %d bytes: a pattern must have at most %d", key, len(text), maxPatternLen)}
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return []error{fmt.Errorf("%s: %q: a pattern must be a regular expression of Go (RE2): %w", key, text, err)}
	}
	var errs []error
	named := make(map[string]bool)
	for _, group := range re.SubexpNames() {
		if group == "" {
			continue
		}
		if _, ok := groups[group]; !ok {
			errs = append(errs, fmt.Errorf("%s: %q: a group must be named trace_id, decimal_trace_id, span_id, decimal_span_id, trace_flags, timestamp or severity", key, group))
		}
		if named[group] {
			errs = append(errs, fmt.Errorf("%s: %q: a group must be named once", key, group))
		}
		named[group] = true
	}
	if len(named) == 0 {
		errs = append(errs, fmt.Errorf("%s: %q: a pattern must have a named group, such as (?P<trace_id>…)", key, text))
	}
	return errs
}

// match appends what the first pattern that matches finds in the text.
func (p *plan) match(w *worker, text string) {
	isCut := len(text) > maxPatternText
	text = text[:min(len(text), maxPatternText)]
	for i := range p.patterns {
		m := p.patterns[i].re.FindStringSubmatchIndex(text)
		if m == nil {
			continue
		}
		for g, e := range p.patterns[i].groups {
			if e == nil || m[2*g] < 0 || isCut && m[2*g+1] == len(text) { // the rest may belong to it
				continue
			}
			h := w.next()
			h.e, h.order, h.place = e, e.order|orderBody, placePattern
			p.readText(e, text[m[2*g]:m[2*g+1]], &h.reading)
			h.partial = true // the rest of the text
			w.noteResult(h)
		}
		return
	}
}
