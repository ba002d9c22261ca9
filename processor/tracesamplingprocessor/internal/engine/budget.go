package engine

import "sync/atomic"

// budget counts the bytes held. It is the one bound of the engine.
type budget struct {
	limit int64
	held  atomic.Int64
}

// reserve takes n bytes, or none where they would exceed the limit.
func (b *budget) reserve(n int64) bool {
	for {
		held := b.held.Load()
		if held+n > b.limit {
			return false
		}
		if b.held.CompareAndSwap(held, held+n) {
			return true
		}
	}
}

func (b *budget) release(n int64) { b.held.Add(-n) }

// charge takes n bytes that are in use already, whatever the limit.
func (b *budget) charge(n int64) { b.held.Add(n) }
