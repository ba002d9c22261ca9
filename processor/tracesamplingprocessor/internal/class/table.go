// Package class decides to which class a trace belongs. It judges facts about
// a whole trace that are gathered span by span, and never looks at a span
// twice.
package class

import "github.com/open-telemetry/opentelemetry-collector-contrib/pkg/sampling"

// Class is a compiled class.
type Class struct {
	Name      string
	Retention string
	Threshold sampling.Threshold
	// MaxTracesPerSecond bounds how many traces the class keeps; 0 is no bound.
	MaxTracesPerSecond int

	match    predicate
	monotone bool
}

// Table is the ordered list of classes, ready to match. It is immutable.
type Table struct {
	classes    []Class
	conditions conditions
	extraction
}

// NewTable compiles classes that Validate found no fault with.
func NewTable(configs []Config) (*Table, error) {
	if err := Validate(configs); err != nil {
		return nil, err
	}
	t := &Table{classes: make([]Class, 0, len(configs))}
	for i := range configs {
		cfg := &configs[i]
		threshold, err := cfg.Keep.Threshold()
		if err != nil {
			return nil, err
		}
		c := Class{
			Name: cfg.Name, Retention: cfg.Retention, Threshold: threshold,
			MaxTracesPerSecond: cfg.MaxTracesPerSecond,
		}
		if cfg.Match != nil {
			c.match = t.conditions.compile(cfg.Match)
		}
		c.monotone = c.match.monotone()
		t.classes = append(t.classes, c)
	}
	t.conditions.implications()
	for i := range t.conditions.list {
		if err := t.extract(&t.conditions.list[i]); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// Len is the number of classes.
func (t *Table) Len() int { return len(t.classes) }

// Class returns the class at an index that Classify gave.
func (t *Table) Class(i int) *Class { return &t.classes[i] }

// Classify returns the index of the first class that the facts match. The last
// class matches everything.
func (t *Table) Classify(f *Facts) int {
	for i := range t.classes[:len(t.classes)-1] {
		if t.classes[i].match.match(f) {
			return i
		}
	}
	return len(t.classes) - 1
}

// Overrule returns the first class before the given one that the facts of late
// spans alone prove. Classes that say something about spans that are not there,
// such as status ok, max_spans and not, prove nothing that way; classes that
// bound their rate are passed over, as what they take on late is beyond it.
func (t *Table) Overrule(f *Facts, before int) (int, bool) {
	for i := range t.classes[:before] {
		if c := &t.classes[i]; c.monotone && c.MaxTracesPerSecond == 0 && c.match.match(f) {
			return i, true
		}
	}
	return before, false
}

// Shadow says that no trace reaches a class, as an earlier one matches all of
// its traces.
type Shadow struct{ Class, By string }

// Unreachable returns the classes of which that can be shown, in order.
func (t *Table) Unreachable() []Shadow {
	var shadows []Shadow
	for i := range t.classes {
		for j := range t.classes[:i] {
			if t.conditions.implies(&t.classes[i].match, &t.classes[j].match) {
				shadows = append(shadows, Shadow{Class: t.classes[i].Name, By: t.classes[j].Name})
				break
			}
		}
	}
	return shadows
}
