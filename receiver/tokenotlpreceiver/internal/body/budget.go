package body

import "sync/atomic"

// Budget bounds the bytes held at once. It is safe for concurrent use.
type Budget struct {
	limit int64
	used  atomic.Int64
}

// NewBudget returns a budget of limit bytes.
func NewBudget(limit int64) *Budget { return &Budget{limit: limit} }

// Spent reports whether nothing is left, not even a byte.
func (b *Budget) Spent() bool { return b.used.Load() >= b.limit }

// Reserve reports whether n more bytes may be held. They are, then.
func (b *Budget) Reserve(n int64) bool {
	if b.used.Add(n) > b.limit {
		b.used.Add(-n)
		return false
	}
	return true
}

// Release gives back n bytes that were reserved.
func (b *Budget) Release(n int64) { b.used.Add(-n) }

// Used is how many bytes are held.
func (b *Budget) Used() int64 { return b.used.Load() }

// Holding is a part of a budget that grows. It has one owner.
type Holding struct {
	budget *Budget
	held   int64
}

// Hold returns an empty part of the budget.
func (b *Budget) Hold() Holding { return Holding{budget: b} }

// More takes n more bytes, or returns ErrBusy.
func (h *Holding) More(n int64) error {
	if !h.budget.Reserve(n) {
		return ErrBusy
	}
	h.held += n
	return nil
}

// Release gives everything back.
func (h *Holding) Release() {
	h.budget.Release(h.held)
	h.held = 0
}
