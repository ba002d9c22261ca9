package logcorrelationprocessor

import (
	"math"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// readTime reads a point in time as Unix nanoseconds: RFC 3339, or the time
// since 1970 as an integer, a double or a decimal number in a string. Digits
// beyond nanoseconds are cut. The result is above zero, which means "unset" in
// a record, and at most math.MaxInt64 (the year 2262).
func readTime(v pcommon.Value) (uint64, bool) {
	// Room for the digits of any number below 1e19 in full.
	var buf [40]byte
	switch v.Type() {
	case pcommon.ValueTypeStr:
		if s := v.Str(); len(s) > len("2006-") && s[4] == '-' {
			return readRFC3339(s)
		}
		return readEpoch(v.Str())
	case pcommon.ValueTypeInt:
		return readEpoch(string(strconv.AppendInt(buf[:0], v.Int(), 10)))
	case pcommon.ValueTypeDouble:
		d := v.Double()
		if !(d > 0 && d < math.MaxInt64) {
			return 0, false
		}
		// The shortest digits that give d are what the sender meant: the exact
		// value of 1700000000.1 has more.
		return readEpoch(string(strconv.AppendFloat(buf[:0], d, 'f', -1, 64)))
	default:
		return 0, false
	}
}

func readRFC3339(s string) (uint64, bool) {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || t.Unix() < 0 || t.Unix() >= math.MaxInt64/int64(time.Second) {
		return 0, false
	}
	ns := t.UnixNano()
	return uint64(ns), ns > 0
}

// readEpoch reads an unsigned decimal number. Its unit is told by its integer
// digits: 10 for seconds, 13 for milliseconds, 16 for microseconds and 19 for
// nanoseconds. For each unit that is the time from 2001-09-09 on, and the four
// do not overlap; a number of other size is more likely no time at all.
func readEpoch(s string) (uint64, bool) {
	digits, fraction, dot := strings.Cut(s, ".")
	if dot && fraction == "" {
		return 0, false
	}
	var unit uint64 // nanoseconds
	switch len(digits) {
	case 10:
		unit = 1e9
	case 13:
		unit = 1e6
	case 16:
		unit = 1e3
	case 19:
		unit = 1
	default:
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || digits[0] == '0' || n > math.MaxInt64/unit {
		return 0, false
	}
	ns := n * unit
	for i := range len(fraction) {
		if fraction[i] < '0' || fraction[i] > '9' {
			return 0, false
		}
		unit /= 10
		ns += uint64(fraction[i]-'0') * unit
	}
	return ns, ns <= math.MaxInt64
}
