package tokenotlpreceiver

import (
	"math"
	"sync/atomic"
	"time"
)

// burst is what a source may send at once after a pause, in time at its rate.
const burst = time.Second

// bucket is a token bucket in bytes that may go into debt: a request is admitted
// while there is none, and charged when its size is known. So one larger than
// the burst passes, and none is refused for ever; what is admitted in a time t is
// at most rate·t, the burst, and the requests under way.
//
// It is safe for concurrent use.
type bucket struct {
	rate  int64     // bytes a second
	epoch time.Time // what full counts from, with a monotonic reading

	// full is when the bucket will be full again if nothing more is charged, in
	// nanoseconds since epoch. The debt is what is beyond burst from now.
	full atomic.Int64
}

func newBucket(rate int64, now time.Time) *bucket { return &bucket{rate: rate, epoch: now} }

// wait returns how long it takes until the bucket is out of debt, 0 if it is not
// in debt.
func (b *bucket) wait(now time.Time) time.Duration {
	return max(0, time.Duration(b.full.Load())-now.Sub(b.epoch)-burst)
}

// charge takes n bytes, at most a few GiB.
func (b *bucket) charge(now time.Time, n int64) {
	if n <= 0 {
		return
	}
	// Rounded up: many small requests are not to pass at no cost.
	cost := (n*int64(time.Second)-1)/b.rate + 1
	elapsed := int64(now.Sub(b.epoch))
	for {
		full := b.full.Load()
		from := max(full, elapsed)
		if b.full.CompareAndSwap(full, from+min(cost, math.MaxInt64-from)) {
			return
		}
	}
}
