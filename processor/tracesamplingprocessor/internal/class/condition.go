package class

import (
	"fmt"
	"math"
	"slices"

	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/otlpwire"
)

// subject is what a condition looks at.
type subject uint8

const (
	ofRoute subject = iota
	ofService
	ofKind
	ofAttribute
	ofExpression
)

// kinds are the numbers of opentelemetry.proto.trace.v1.Span.SpanKind.
var kinds = map[string]uint8{"unspecified": 0, "internal": 1, "server": 2, "client": 3, "producer": 4, "consumer": 5}

// condition is something that a span meets or not. A trace meets it where one of
// its spans does.
type condition struct {
	number   int
	subject  subject
	rootOnly bool
	globs    []glob // of routes, services and the values of an attribute
	kinds    uint8  // a set
	key      string // of an attribute
	ranged   bool   // the attribute must be a number from min to max
	min, max float64
	text     string // of an expression
}

// conditions are the different conditions of all classes: those that several
// classes ask for are there once. The zero value has none.
type conditions struct {
	list    []condition
	numbers map[string]int
	// implied holds, once asked for, the conditions that a trace which meets the
	// one of that number meets too.
	implied []Bits
}

// add returns the number of a condition over the patterns.
func (s *conditions) add(c condition, patterns []string) int {
	patterns = slices.Clone(patterns)
	slices.Sort(patterns)
	patterns = slices.Compact(patterns)
	identity := fmt.Sprintf("%d %t %q %d %q %t %v %v %q", c.subject, c.rootOnly, patterns, c.kinds, c.key, c.ranged, c.min, c.max, c.text)
	number, known := s.numbers[identity]
	if !known {
		if s.numbers == nil {
			s.numbers = map[string]int{}
		}
		number = len(s.list)
		s.numbers[identity] = number
		c.number, c.globs = number, compileGlobs(patterns)
		s.list = append(s.list, c)
	}
	return number
}

// compile gives the conditions of a match their numbers. Numbers beyond
// MaxConditions, which Validate refuses, are left out of the predicate.
func (s *conditions) compile(m *Match) predicate {
	p := predicate{
		minDuration: m.MinDuration, maxDuration: m.MaxDuration,
		minSpans: m.MinSpans, maxSpans: m.MaxSpans,
	}
	p.status, p.hasStatus = statuses[m.Status]
	need := func(c condition, patterns []string) {
		if n := s.add(c, patterns); n < MaxConditions {
			p.needs.set(n)
		}
	}
	if len(m.Routes) > 0 {
		need(condition{subject: ofRoute, rootOnly: !m.AnySpan}, m.Routes)
	}
	if len(m.Services) > 0 {
		need(condition{subject: ofService}, m.Services)
	}
	if len(m.Kinds) > 0 {
		c := condition{subject: ofKind, rootOnly: m.RootOnly}
		for _, kind := range m.Kinds {
			c.kinds |= 1 << kinds[kind]
		}
		need(c, nil)
	}
	for i := range m.Attributes {
		a := &m.Attributes[i]
		need(a.condition(m.RootOnly), a.Values)
	}
	if m.Condition != "" {
		need(condition{subject: ofExpression, rootOnly: m.RootOnly, text: m.Condition}, nil)
	}
	if len(m.Any) > 0 {
		branches := make([]predicate, 0, len(m.Any))
		for i := range m.Any {
			branches = append(branches, s.compile(&m.Any[i]))
		}
		p.anys = [][]predicate{branches}
	}
	if m.Not != nil {
		p.nots = []predicate{s.compile(m.Not)}
	}
	return p
}

func (a *Attribute) condition(rootOnly bool) condition {
	c := condition{subject: ofAttribute, rootOnly: rootOnly, key: a.Key, min: math.Inf(-1), max: math.Inf(1)}
	c.ranged = a.Min != nil || a.Max != nil
	if a.Min != nil {
		c.min = *a.Min
	}
	if a.Max != nil {
		c.max = *a.Max
	}
	return c
}

// looksAt reports whether the condition concerns such a span.
func (c *condition) looksAt(root bool) bool { return root || !c.rootOnly }

// metBy reports whether a value of its attribute meets the condition.
func (c *condition) metBy(v *otlpwire.Value) bool {
	if c.ranged {
		return inRange(v, c.min, c.max)
	}
	return len(c.globs) == 0 || textMatches(v, c.globs)
}
