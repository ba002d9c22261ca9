package class

import "slices"

// maxSteps bounds the search for one proof. Lists of any multiply; a proof not
// found counts as none.
const maxSteps = 1000

// prover looks for proofs about predicates, for every trace that has a span.
// What it proves is true; it does not find every proof.
type prover struct {
	conditions *conditions
	steps      int
}

// contradicts reports whether no trace can match.
func (s *conditions) contradicts(p *predicate) bool {
	return (&prover{conditions: s}).never(p)
}

// implies reports whether every trace that matches a matches b.
func (s *conditions) implies(a, b *predicate) bool {
	return (&prover{conditions: s}).implies(a, b)
}

func (r *prover) tired() bool {
	r.steps++
	return r.steps > maxSteps
}

func (r *prover) never(p *predicate) bool {
	if r.tired() {
		return false
	}
	if p.maxSpans > 0 && p.minSpans > p.maxSpans {
		return true
	}
	if p.maxDuration > 0 && p.minDuration > p.maxDuration {
		return true
	}
	if len(p.anys) > 0 {
		return r.everyBranch(p, r.never)
	}
	for i := range p.nots {
		rest := *p
		rest.nots = slices.Delete(slices.Clone(p.nots), i, i+1)
		if r.implies(&rest, &p.nots[i]) {
			return true
		}
	}
	return false
}

func (r *prover) implies(a, b *predicate) bool {
	if r.tired() {
		return false
	}
	if len(a.anys) > 0 {
		return r.everyBranch(a, func(branch *predicate) bool { return r.implies(branch, b) })
	}
	return r.never(a) || (a.bounds(b) && r.meets(a, b) && r.combines(a, b))
}

// everyBranch splits the first any of p: holds must hold for each of its
// branches with the rest of p.
func (r *prover) everyBranch(p *predicate, holds func(*predicate) bool) bool {
	rest := *p
	rest.anys = p.anys[1:]
	for i := range p.anys[0] {
		if branch, possible := rest.and(&p.anys[0][i]); possible && !holds(&branch) {
			return false
		}
	}
	return true
}

// bounds reports whether the status and the bounds of a lie within those of b.
func (a *predicate) bounds(b *predicate) bool {
	return (!b.hasStatus || (a.hasStatus && a.status == b.status)) &&
		a.minDuration >= b.minDuration && within(a.maxDuration, b.maxDuration) &&
		max(a.minSpans, 1) >= b.minSpans && within(a.maxSpans, b.maxSpans)
}

// meets reports whether each condition of b follows from one of a.
func (r *prover) meets(a, b *predicate) bool {
	var met Bits
	implied := r.conditions.implications()
	for n := range implied {
		if a.needs.has(n) {
			met.Merge(&implied[n])
		}
	}
	return met.covers(&b.needs)
}

// combines reports whether a, which has no any, proves the any and not of b.
func (r *prover) combines(a, b *predicate) bool {
	for _, branches := range b.anys {
		if !slices.ContainsFunc(branches, func(branch predicate) bool { return r.implies(a, &branch) }) {
			return false
		}
	}
	for i := range b.nots {
		if both, possible := a.and(&b.nots[i]); possible && !r.never(&both) {
			return false
		}
	}
	return true
}

// implications returns, by number, what each condition implies, itself included.
func (s *conditions) implications() []Bits {
	if s.implied == nil {
		s.implied = make([]Bits, len(s.list))
		for i := range s.list {
			for j := range s.list {
				if i == j || s.list[i].implies(&s.list[j]) {
					s.implied[i].set(j)
				}
			}
		}
	}
	return s.implied
}

// implies reports whether the span that meets c meets o.
func (c *condition) implies(o *condition) bool {
	if c.subject != o.subject || (o.rootOnly && !c.rootOnly) {
		return false
	}
	switch c.subject {
	case ofKind:
		return c.kinds&^o.kinds == 0
	case ofAttribute:
		return c.key == o.key && c.valuesWithin(o)
	case ofExpression:
		return c.text == o.text
	default:
		return globsWithin(c.globs, o.globs)
	}
}

// valuesWithin compares conditions on the same attribute.
func (c *condition) valuesWithin(o *condition) bool {
	switch {
	case o.ranged && c.ranged:
		return c.min >= o.min && c.max <= o.max
	case o.ranged:
		// Every value whose text is that number is that number, whatever its type.
		return len(c.globs) > 0 && !slices.ContainsFunc(c.globs, func(g glob) bool {
			return len(g.parts) > 1 || !textInRange(g.parts[0], o.min, o.max)
		})
	case len(o.globs) == 0:
		return true
	default:
		return !c.ranged && len(c.globs) > 0 && globsWithin(c.globs, o.globs)
	}
}

func globsWithin(globs, others []glob) bool {
	for _, g := range globs {
		if !slices.ContainsFunc(others, func(o glob) bool { return o.contains(g) }) {
			return false
		}
	}
	return true
}
