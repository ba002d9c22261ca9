package logcorrelationprocessor

import (
	"math"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// readTimeText and readTimeValue read a point in time as Unix nanoseconds: a date
// and a time of day, or the time since 1970 as an integer, a double, a decimal
// number in a string or a map of seconds and nanoseconds. Digits beyond
// nanoseconds are cut. The result is above zero, which means "unset" in a record,
// and at most math.MaxInt64 (the year 2262).
func readTimeValue(v pcommon.Value, r *reading) {
	// Room for the digits of any number below 1e19 in full.
	var buf [40]byte
	switch v.Type() {
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
	switch {
	case s[4] == '-':
		rd.readISO(s, r)
	case s[2] == '/' || s[0] == '[':
		readLayout("02/Jan/2006:15:04:05 -0700", strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"), formCLF, r)
	case s[3] == ',':
		readHTTPDate(s, r)
	default:
		readEpoch(s, r)
	}
}

// setTime sets seconds since 1970 and nanoseconds.
func (r *reading) setTime(seconds, nanos int64, f form) {
	if 0 <= seconds && seconds < math.MaxInt64/int64(time.Second) {
		if r.num = uint64(seconds*int64(time.Second) + nanos); r.num > 0 {
			r.ok(f)
		}
	}
}

func readLayout(layout, s string, f form, r *reading) {
	if at, err := time.Parse(layout, s); err == nil {
		r.setTime(at.Unix(), int64(at.Nanosecond()), f)
	}
}

// readHTTPDate reads the dates of RFC 9110 and of RFC 5322. Names of other zones
// than UTC name no certain offset.
func readHTTPDate(s string, r *reading) {
	if zone := s[len(s)-4:]; zone == " GMT" || zone == " UTC" {
		readLayout("Mon, 2 Jan 2006 15:04:05", s[:len(s)-4], formHTTP, r)
	} else {
		readLayout("Mon, 2 Jan 2006 15:04:05 -0700", s, formHTTP, r)
	}
}

// readISO reads the profile of RFC 3339 of ISO 8601 and its common relatives: a
// space for the T, a comma before the fraction, an offset without its colon or
// its minutes, behind a space, or none at all.
func (rd *reader) readISO(s string, r *reading) {
	if len(s) < len("2006-01-02T15:04:05") || s[7] != '-' || s[10] != 'T' && s[10] != 't' && s[10] != ' ' || s[13] != ':' || s[16] != ':' {
		return
	}
	century, short := two(s[0:2]), two(s[2:4])
	month, day := two(s[5:7]), two(s[8:10])
	hour, minute, second := two(s[11:13]), two(s[14:16]), two(s[17:19])
	if century|short|month|day|hour|minute|second < 0 || hour > 23 || minute > 59 || second > 59 {
		return
	}
	year := 100*century + short
	if month < 1 || month > 12 || day < 1 || day > daysIn(year, month) {
		return
	}
	nanos, rest := 0, s[19:]
	if rest != "" && (rest[0] == '.' || rest[0] == ',') {
		i, unit := 1, 100_000_000
		for ; i < len(rest) && isDigit(rest[i]); i++ {
			nanos += int(rest[i]-'0') * unit
			unit /= 10
		}
		if i == 1 {
			return
		}
		rest = rest[i:]
	}
	offset, f, ok := rd.offset, formLocal, rd.hasOffset
	if rest != "" {
		f = formRFC3339
		if offset, ok = 0, rest == "Z"; !ok { // most often it is
			offset, ok = readOffset(rest)
		}
	}
	if ok {
		r.setTime(int64(daysSince1970(year, month, day))*86400+int64(hour*3600+(minute-offset)*60+second), int64(nanos), f)
	}
}

// two reads two digits; it is negative where they are none.
func two(s string) int {
	tens, ones := s[0]-'0', s[1]-'0'
	if tens > 9 || ones > 9 {
		return -1
	}
	return int(tens)*10 + int(ones)
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isLeap(year int) bool { return year%4 == 0 && (year%100 != 0 || year%400 == 0) }

func daysIn(year, month int) int {
	switch month {
	case 2:
		if isLeap(year) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	default:
		return 31
	}
}

// daysBefore are the days of a common year before its months.
var daysBefore = [...]int{1: 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334}

func daysSince1970(year, month, day int) int {
	const leapsBefore1970 = 1969/4 - 1969/100 + 1969/400
	before := year - 1
	days := 365*(year-1970) + before/4 - before/100 + before/400 - leapsBefore1970 + daysBefore[month] + day - 1
	if month > 2 && isLeap(year) {
		days++
	}
	return days
}

// readOffset reads an offset from UTC in minutes.
func readOffset(s string) (minutes int, ok bool) {
	s = strings.TrimPrefix(s, " ")
	switch s {
	case "Z", "z", "UTC", "GMT":
		return 0, true
	}
	var h, m int
	switch {
	case s == "" || s[0] != '+' && s[0] != '-':
		return 0, false
	case len(s) == len("+00"):
		h = two(s[1:3])
	case len(s) == len("+0000"):
		h, m = two(s[1:3]), two(s[3:5])
	case len(s) == len("+00:00") && s[3] == ':':
		h, m = two(s[1:3]), two(s[4:6])
	default:
		return 0, false
	}
	if h < 0 || m < 0 || h > 23 || m > 59 {
		return 0, false
	}
	if minutes = 60*h + m; s[0] == '-' {
		minutes = -minutes
	}
	return minutes, true
}

// readEpoch reads an unsigned decimal number. Its unit is told by its integer
// digits: 10 for seconds, 13 for milliseconds, 16 for microseconds and 19 for
// nanoseconds. For each unit that is the time from 2001-09-09 on, and the four
// do not overlap; a number of other size is more likely no time at all, and one
// of digits of the calendar another than it would be read as.
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
	if err != nil || digits[0] == '0' || isCalendar(digits) || n > math.MaxInt64/unit {
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

// isCalendar reports whether the digits of an epoch are YYYYMMDDHH, or 16 that go
// on with minutes, seconds and hundredths, from 2000 on. As an epoch they would be
// of 2033 or later.
func isCalendar(digits string) bool {
	if digits[0] != '2' || digits[1] != '0' || len(digits) != 10 && len(digits) != 16 {
		return false
	}
	year, month, day, hour := 2000+two(digits[2:4]), two(digits[4:6]), two(digits[6:8]), two(digits[8:10])
	if month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || hour > 23 {
		return false
	}
	return len(digits) == 10 || two(digits[10:12]) < 60 && two(digits[12:14]) < 60
}

// readTimeParts reads a map of seconds since 1970 and nanoseconds, as Google's
// libraries and Log4j write it, and nothing besides.
func readTimeParts(m pcommon.Map, r *reading) {
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
		if 0 <= nanos && nanos < int64(time.Second) {
			r.setTime(seconds.Int(), nanos, formParts)
		}
		return
	}
}
