package logcorrelationprocessor

import (
	"math"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// readTime reads a point in time as Unix nanoseconds: a date and a time of day,
// or the time since 1970 as an integer, a double, a decimal number in a string
// or a map of seconds and nanoseconds. Digits beyond nanoseconds are cut. The
// result is above zero, which means "unset" in a record, and at most
// math.MaxInt64 (the year 2262).
func (rd *reader) readTime(v pcommon.Value, r *reading) {
	// Room for the digits of any number below 1e19 in full.
	var buf [40]byte
	switch v.Type() {
	case pcommon.ValueTypeStr:
		rd.readTimeText(v.Str(), r)
	case pcommon.ValueTypeInt:
		readEpoch(string(strconv.AppendInt(buf[:0], v.Int(), 10)), r)
	case pcommon.ValueTypeDouble:
		d := v.Double()
		if !(d > 0 && d < math.MaxInt64) {
			return
		}
		// The shortest digits that give d are what the sender meant: the exact
		// value of 1700000000.1 has more.
		readEpoch(string(strconv.AppendFloat(buf[:0], d, 'f', -1, 64)), r)
	case pcommon.ValueTypeMap:
		readTimeParts(v.Map(), r)
	default:
	}
}

// maxTimeText is longer than any layout, with room for digits of a fraction.
const maxTimeText = 64

func (rd *reader) readTimeText(s string, r *reading) {
	if len(s) < len("2006-01-02") || len(s) > maxTimeText {
		return
	}
	var (
		at time.Time
		ok bool
		f  form
	)
	switch {
	case s[4] == '-':
		at, f, ok = rd.readISO(s)
	case s[2] == '/' || s[0] == '[':
		f = formCLF
		at, ok = readLayout("02/Jan/2006:15:04:05 -0700", strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	case s[3] == ',':
		f = formHTTP
		at, ok = readHTTPDate(s)
	default:
		readEpoch(s, r)
		return
	}
	if !ok || at.Unix() < 0 || at.Unix() >= math.MaxInt64/int64(time.Second) {
		return
	}
	if ns := at.UnixNano(); ns > 0 {
		r.num = uint64(ns)
		r.ok(f)
	}
}

func readLayout(layout, s string) (time.Time, bool) {
	at, err := time.Parse(layout, s)
	return at, err == nil
}

// readHTTPDate reads the dates of RFC 9110 and of RFC 5322. Names of other zones
// than UTC name no certain offset.
func readHTTPDate(s string) (time.Time, bool) {
	if zone := s[len(s)-4:]; zone == " GMT" || zone == " UTC" {
		return readLayout("Mon, 2 Jan 2006 15:04:05", s[:len(s)-4])
	}
	return readLayout("Mon, 2 Jan 2006 15:04:05 -0700", s)
}

// readISO reads the profile of RFC 3339 of ISO 8601 and its common relatives: a
// space for the T, a comma before the fraction, an offset without its colon or
// its minutes, behind a space, or none at all.
func (rd *reader) readISO(s string) (at time.Time, f form, ok bool) {
	year, ok1 := number(s, 0, 4)
	month, ok2 := number(s, 5, 2)
	day, ok3 := number(s, 8, 2)
	hour, ok4 := number(s, 11, 2)
	minute, ok5 := number(s, 14, 2)
	second, ok6 := number(s, 17, 2)
	if !(ok1 && ok2 && ok3 && ok4 && ok5 && ok6) || s[7] != '-' || s[13] != ':' || s[16] != ':' ||
		s[10] != 'T' && s[10] != 't' && s[10] != ' ' || hour > 23 || minute > 59 || second > 59 {
		return at, f, false
	}
	nanos, rest := 0, s[19:]
	if rest != "" && (rest[0] == '.' || rest[0] == ',') {
		i, unit := 1, 100_000_000
		for ; i < len(rest) && isDigit(rest[i]); i++ {
			nanos += int(rest[i]-'0') * unit
			unit /= 10
		}
		if i == 1 {
			return at, f, false
		}
		rest = rest[i:]
	}
	zone, f := rd.zone, formLocal
	if rest != "" {
		offset, known := readOffset(rest)
		if !known {
			return at, f, false
		}
		zone, f = time.UTC, formRFC3339
		minute -= offset
	}
	// Date takes what months and days lack over into the next.
	if zone == nil || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) {
		return at, f, false
	}
	return time.Date(year, time.Month(month), day, hour, minute, second, nanos, zone), f, true
}

// readOffset reads an offset from UTC in minutes.
func readOffset(s string) (minutes int, ok bool) {
	s = strings.TrimPrefix(s, " ")
	switch s {
	case "Z", "z", "UTC", "GMT":
		return 0, true
	case "":
		return 0, false
	}
	if s[0] != '+' && s[0] != '-' {
		return 0, false
	}
	var (
		h, m     int
		minuteOK = true
	)
	h, ok = number(s, 1, 2)
	switch {
	case len(s) == len("+00"):
	case len(s) == len("+0000"):
		m, minuteOK = number(s, 3, 2)
	case len(s) == len("+00:00") && s[3] == ':':
		m, minuteOK = number(s, 4, 2)
	default:
		ok = false
	}
	if !ok || !minuteOK || h > 23 || m > 59 {
		return 0, false
	}
	if minutes = 60*h + m; s[0] == '-' {
		minutes = -minutes
	}
	return minutes, true
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// number reads n digits at position i of s.
func number(s string, i, n int) (int, bool) {
	if len(s) < i+n {
		return 0, false
	}
	sum := 0
	for _, c := range []byte(s[i : i+n]) {
		if !isDigit(c) {
			return 0, false
		}
		sum = 10*sum + int(c-'0')
	}
	return sum, true
}

func daysIn(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	default:
		return 31
	}
}

// readEpoch reads an unsigned decimal number. Its unit is told by its integer
// digits: 10 for seconds, 13 for milliseconds, 16 for microseconds and 19 for
// nanoseconds. For each unit that is the time from 2001-09-09 on, and the four
// do not overlap; a number of other size is more likely no time at all.
func readEpoch(s string, r *reading) {
	digits, fraction, dot := strings.Cut(s, ".")
	if dot && fraction == "" {
		return
	}
	var (
		unit uint64 // nanoseconds
		f    form
	)
	switch len(digits) {
	case 10:
		unit, f = 1e9, formSeconds
	case 13:
		unit, f = 1e6, formMillis
	case 16:
		unit, f = 1e3, formMicros
	case 19:
		unit, f = 1, formNanos
	default:
		return
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || digits[0] == '0' || n > math.MaxInt64/unit {
		return
	}
	ns := n * unit
	for i := range len(fraction) {
		if !isDigit(fraction[i]) {
			return
		}
		unit /= 10
		ns += uint64(fraction[i]-'0') * unit
	}
	if ns <= math.MaxInt64 {
		r.num = ns
		r.ok(f)
	}
}

// readTimeParts reads a map of seconds since 1970 and nanoseconds, as Google's
// libraries and Log4j write it, and nothing besides.
func readTimeParts(m pcommon.Map, r *reading) {
	const second = int64(time.Second)
	for _, names := range [...][2]string{{"seconds", "nanos"}, {"epochSecond", "nanoOfSecond"}} {
		seconds, ok := m.Get(names[0])
		if !ok || seconds.Type() != pcommon.ValueTypeInt {
			continue
		}
		var nanos int64
		if m.Len() > 1 {
			n, ok := m.Get(names[1])
			if !ok || m.Len() > 2 || n.Type() != pcommon.ValueTypeInt {
				return
			}
			nanos = n.Int()
		}
		if s := seconds.Int(); s > 0 && s < math.MaxInt64/second && 0 <= nanos && nanos < second {
			r.num = uint64(s*second + nanos)
			r.ok(formParts)
		}
		return
	}
}
