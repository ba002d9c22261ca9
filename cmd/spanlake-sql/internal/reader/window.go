package reader

import (
	"math"
	"strconv"
	"time"

	"github.com/spanlake/spanlake/internal/lake"
)

// Window bounds the timestamps that the views show. A zero time is no bound.
type Window struct {
	From time.Time // included
	To   time.Time // excluded
}

func (w Window) from() int64 { return nanos(w.From, math.MinInt64) }
func (w Window) to() int64   { return nanos(w.To, math.MaxInt64) }

// Files leaves out the files whose rows are all outside the window.
func (w Window) Files(files []lake.File) []lake.File {
	return within(files, w.from(), w.to())
}

// within are the files that have rows from the first to the last time.
func within(files []lake.File, first, last int64) []lake.File {
	var kept []lake.File
	for _, f := range files {
		if f.MinTime <= last && f.MaxTime >= first {
			kept = append(kept, f)
		}
	}
	return kept
}

// nanoLimit is where times end, a little within what int64 nanoseconds hold: the
// engine knows no times next to its infinities.
const nanoLimit = int64(9_200_000_000) // seconds: 1678 to 2261

// nanos is t in Unix nanoseconds, none for the zero time, and the limit for one
// beyond.
func nanos(t time.Time, none int64) int64 {
	if t.IsZero() {
		return none
	}
	if seconds := t.Unix(); seconds < -nanoLimit || seconds > nanoLimit {
		return max(-nanoLimit, min(seconds, nanoLimit)) * int64(time.Second)
	}
	return t.UnixNano()
}

// condition is the WHERE clause of the window, if there is one.
func (w Window) condition() string {
	sql, word := "", " where "
	if !w.From.IsZero() {
		sql, word = word+"timestamp >= make_timestamp_ns("+strconv.FormatInt(w.from(), 10)+")", " and "
	}
	if !w.To.IsZero() {
		sql += word + "timestamp < make_timestamp_ns(" + strconv.FormatInt(w.to(), 10) + ")"
	}
	return sql
}
