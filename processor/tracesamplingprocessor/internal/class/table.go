// Package class decides to which class a trace belongs. It judges facts about
// a whole trace that are gathered span by span, and never looks at a span
// twice.
package class

import (
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/sampling"
)

// Status is a set of span status codes seen in a trace.
type Status uint8

// Members of a Status; no member at all is the status unset.
const (
	StatusOK Status = 1 << iota
	StatusError
)

// worst is the status of the trace: an error outweighs ok, ok outweighs unset.
func (s Status) worst() Status {
	if s&StatusError != 0 {
		return StatusError
	}
	return s
}

var statuses = map[string]Status{"error": StatusError, "ok": StatusOK, "unset": 0}

// Bits is a set of conditions, numbered by the Table.
type Bits [MaxClasses * 2 / 64]uint64

func (b *Bits) set(n int)      { b[n/64] |= 1 << (n % 64) }
func (b *Bits) has(n int) bool { return b[n/64]&(1<<(n%64)) != 0 }

// Merge adds the conditions of o.
func (b *Bits) Merge(o *Bits) {
	for i := range b {
		b[i] |= o[i]
	}
}

// Facts is all that a trace is judged by. The zero value is a trace without
// spans.
type Facts struct {
	// Start and End are the earliest start and the latest end, in Unix
	// nanoseconds; zero while unknown.
	Start, End uint64
	Spans      uint32
	// Met holds the route and service conditions that some span met.
	Met Bits
	// Status holds the codes seen.
	Status Status
}

// Merge adds the facts of other spans of the trace; the order does not matter.
func (f *Facts) Merge(o *Facts) {
	if f.Start == 0 || (o.Start != 0 && o.Start < f.Start) {
		f.Start = o.Start
	}
	f.End = max(f.End, o.End)
	f.Met.Merge(&o.Met)
	f.Status |= o.Status
	f.Spans += o.Spans
}

func (f *Facts) duration() time.Duration {
	if f.Start == 0 || f.End < f.Start {
		return 0
	}
	return time.Duration(min(f.End-f.Start, 1<<63-1))
}

// Class is a compiled class.
type Class struct {
	Name               string
	Retention          string
	Threshold          sampling.Threshold
	MaxTracesPerSecond int

	status      Status
	hasStatus   bool
	minDuration time.Duration
	needs       []int // condition numbers
}

// wholeTrace reports whether the class says something about spans that are
// not there, which a part of a trace cannot prove.
func (c *Class) wholeTrace() bool { return c.hasStatus && c.status != StatusError }

func (c *Class) match(f *Facts) bool {
	if c.hasStatus && f.Status.worst() != c.status {
		return false
	}
	if c.minDuration > 0 && f.duration() < c.minDuration {
		return false
	}
	for _, n := range c.needs {
		if !f.Met.has(n) {
			return false
		}
	}
	return true
}

type condition struct {
	number  int
	anySpan bool
	globs   []glob
}

// Table is the ordered list of classes, ready to match. It is immutable.
type Table struct {
	classes  []Class
	routes   []condition
	services []condition
	// anySpan is set where some class wants the routes of spans other than roots.
	anySpan bool
}

// NewTable compiles classes that Validate found no fault with.
func NewTable(configs []Config) (*Table, error) {
	if err := Validate(configs); err != nil {
		return nil, err
	}
	t := &Table{classes: make([]Class, 0, len(configs))}
	conditions := 0
	for i := range configs {
		cfg := &configs[i]
		threshold, err := cfg.Keep.Threshold()
		if err != nil {
			return nil, err
		}
		c := Class{Name: cfg.Name, Retention: cfg.Retention, Threshold: threshold}
		if m := cfg.Match; m != nil {
			c.status, c.hasStatus = statuses[m.Status]
			c.minDuration = m.MinDuration
			add := func(list *[]condition, patterns []string, anySpan bool) {
				if len(patterns) == 0 {
					return
				}
				*list = append(*list, condition{number: conditions, anySpan: anySpan, globs: compileGlobs(patterns)})
				c.needs = append(c.needs, conditions)
				conditions++
			}
			add(&t.routes, m.Routes, m.AnySpan)
			add(&t.services, m.Services, true)
			t.anySpan = t.anySpan || m.AnySpan
		}
		t.classes = append(t.classes, c)
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
		if t.classes[i].match(f) {
			return i
		}
	}
	return len(t.classes) - 1
}

// Overrule returns the first class before the given one that the facts of late
// spans alone prove. Classes for status ok or unset prove nothing that way.
func (t *Table) Overrule(f *Facts, before int) (int, bool) {
	for i := range t.classes[:before] {
		if c := &t.classes[i]; !c.wholeTrace() && c.match(f) {
			return i, true
		}
	}
	return before, false
}

// Services adds the service conditions that a service.name meets.
func (t *Table) Services(name []byte, met *Bits) {
	for i := range t.services {
		if c := &t.services[i]; anyMatch(c.globs, name) {
			met.set(c.number)
		}
	}
}

// WantsRoutes reports whether Routes can add anything for such a span.
func (t *Table) WantsRoutes(root bool) bool {
	return t.anySpan || (root && len(t.routes) > 0)
}

// Routes adds the route conditions that a span with this route, or name, meets.
func (t *Table) Routes(route []byte, root bool, met *Bits) {
	for i := range t.routes {
		c := &t.routes[i]
		if (root || c.anySpan) && !met.has(c.number) && anyMatch(c.globs, route) {
			met.set(c.number)
		}
	}
}
