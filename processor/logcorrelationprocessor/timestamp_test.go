package logcorrelationprocessor

import (
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

func TestReadTime(t *testing.T) {
	at := time.Date(2026, 11, 21, 9, 30, 5, 0, time.UTC).UnixNano()
	tests := []struct {
		name string
		in   any
		want int64 // 0: not readable
	}{
		{"RFC 3339", "2026-11-21T09:30:05Z", at},
		{"RFC 3339, milliseconds", "2026-11-21T09:30:05.123Z", at + 123e6},
		{"RFC 3339, nanoseconds", "2026-11-21T09:30:05.123456789Z", at + 123456789},
		{"RFC 3339, beyond nanoseconds is cut", "2026-11-21T09:30:05.123456789999Z", at + 123456789},
		{"RFC 3339, offset", "2026-11-21T15:00:05.5+05:30", at + 5e8},
		{"RFC 3339 without an offset names no instant", "2026-11-21T09:30:05", 0},
		{"RFC 3339 with an impossible day", "2026-02-30T09:30:05Z", 0},
		{"zero time of Go", "0001-01-01T00:00:00Z", 0},
		{"1970 is the record's unset", "1970-01-01T00:00:00Z", 0},
		{"just after 1970", "1970-01-01T00:00:00.000000001Z", 1},
		{"before 1970", "1969-12-31T23:59:59Z", 0},
		{"beyond 2262", "2263-01-01T00:00:00Z", 0},
		{"seconds, integer", at / 1e9, at},
		{"milliseconds, integer", at/1e6 + 7, at + 7e6},
		{"microseconds, integer", at/1e3 + 7, at + 7e3},
		{"nanoseconds, integer", at + 7, at + 7},
		{"seconds, double", float64(at/1e9) + 0.125, at + 125e6},
		{"seconds, double that is not exact in binary", 1700000000.1, 1700000000_100_000_000},
		{"milliseconds, double", 1700000000123.5, 1700000000_123_500_000},
		{"microseconds, double", 1700000000123456.0, 1700000000_123_456_000},
		{"nanoseconds, double", 1.7e18, 1.7e18},
		{"seconds, string", "1700000000", 1.7e18},
		{"seconds with a fraction, string", "1700000000.123456789", 1700000000_123_456_789},
		{"seconds with a fraction beyond nanoseconds is cut", "1700000000.1234567899", 1700000000_123_456_789},
		{"milliseconds with a fraction, string", "1700000000123.25", 1700000000_123_250_000},
		{"nanoseconds, string", "1700000000123456789", 1700000000_123_456_789},
		{"the last nanosecond of a record", "9223372036854775807", math.MaxInt64},
		{"one more", "9223372036854775808", 0},
		{"one more by the fraction", "9223372036.854775808", 0},
		{"seconds beyond 2262", "9223372037", 0},
		{"milliseconds beyond 2262", "9999999999999", 0},
		{"20 digits", "17000000001234567890", 0},
		{"a duration is no time", 12, 0},
		{"9 digits", 999999999, 0},
		{"11 digits", 17000000000, 0},
		{"compact date", "20261121", 0},
		{"compact date and time", "20261121093005", 0},
		{"compact date and hour", 2026112109, 0},
		{"compact date and hour, string", "2026112109", 0},
		{"compact date and time with hundredths", 2026112109300512, 0},
		{"seconds that are no compact date", 2026132109, 2026132109e9},
		{"microseconds that are no compact date", 2026112124300512, 2026112124300512e3},
		{"leading zero", "0170000000", 0},
		{"negative", -1700000000, 0},
		{"negative double", -1700000000.5, 0},
		{"no fraction after the dot", "1700000000.", 0},
		{"two dots", "1700000000.1.2", 0},
		{"only a dot", ".", 0},
		{"exponent", "1.7e9", 0},
		{"infinite", math.Inf(1), 0},
		{"not a number", math.NaN(), 0},
		{"huge", 1e300, 0},
		{"words", "yesterday", 0},
		{"a space for the T", "2026-11-21 09:30:05.5Z", at + 5e8},
		{"a comma before the fraction", "2026-11-21T09:30:05,5Z", at + 5e8},
		{"an offset without its colon", "2026-11-21T15:00:05+0530", at},
		{"an offset of hours", "2026-11-21 10:30:05+01", at},
		{"an offset behind a space", "2026-11-21 10:30:05 +0100", at},
		{"a name for no offset", "2026-11-21 09:30:05 UTC", at},
		{"another name", "2026-11-21 09:30:05 CET", 0},
		{"lower case", "2026-11-21t09:30:05z", at},
		{"a leap day", "2028-02-29T00:00:00Z", time.Date(2028, 2, 29, 0, 0, 0, 0, time.UTC).UnixNano()},
		{"no leap day", "2026-02-29T00:00:00Z", 0},
		{"hour 24", "2026-11-21T24:00:00Z", 0},
		{"a date alone", "2026-11-21", 0},
		{"no digits of a fraction", "2026-11-21T09:30:05.Z", 0},
		{"common log format", "21/Nov/2026:10:30:05 +0100", at},
		{"common log format in brackets", "[21/Nov/2026:10:30:05 +0100]", at},
		{"HTTP", "Sat, 21 Nov 2026 09:30:05 GMT", at},
		{"mail", "Sat, 21 Nov 2026 10:30:05 +0100", at},
		{"HTTP with the name of a zone", "Sat, 21 Nov 2026 09:30:05 PST", 0},
		{"seconds and nanoseconds", m{"seconds": at / 1e9, "nanos": int64(7)}, at + 7},
		{"seconds and nanoseconds of Log4j", m{"epochSecond": at / 1e9, "nanoOfSecond": int64(7)}, at + 7},
		{"seconds alone", m{"seconds": at / 1e9}, at},
		{"more than seconds and nanoseconds", m{"seconds": at / 1e9, "nanos": int64(7), "zone": "x"}, 0},
		{"too many nanoseconds", m{"seconds": at / 1e9, "nanos": int64(1e9)}, 0},
		{"bool", true, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := pcommon.NewValueEmpty()
			require.NoError(t, v.FromRaw(tt.in))
			got, ok := readTime("", v)
			require.Equal(t, tt.want != 0, ok)
			if ok {
				require.Equal(t, tt.want, int64(got))
			}
		})
	}
}

func readTime(zone string, v pcommon.Value) (uint64, bool) {
	var r reading
	offset, has, _ := parseZone(zone)
	(&reader{offset: offset, hasOffset: has}).read(&entry{kind: kindTimestamp}, v, &r)
	return r.num, r.result == readOK
}

func TestReadTimeWithoutOffset(t *testing.T) {
	at := time.Date(2026, 11, 21, 9, 30, 5, 0, time.UTC).UnixNano()
	for text, zone := range map[string]string{
		"2026-11-21T09:30:05":     "UTC",
		"2026-11-21 10:30:05,000": "+01:00",
		"2026-11-21 00:30:05":     "-09:00",
	} {
		got, ok := readTime(zone, pcommon.NewValueStr(text))
		require.True(t, ok)
		require.Equal(t, at, int64(got))
		_, ok = readTime("", pcommon.NewValueStr(text))
		require.False(t, ok)
	}
}

// A string of digits is read as the same instant as its number, and the
// instant written in RFC 3339 is read as itself.
func FuzzReadTime(f *testing.F) {
	for _, s := range []string{"2026-11-21T09:30:05.123Z", "1700000000.25", "1700000000123456789", "", ".", "T"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ns, ok := readTime("", pcommon.NewValueStr(s))
		if n, err := strconv.ParseInt(s, 10, 64); err == nil && strconv.FormatInt(n, 10) == s {
			asInt, okInt := readTime("", pcommon.NewValueInt(n))
			require.Equal(t, okInt, ok)
			require.Equal(t, asInt, ns)
		}
		if at, err := time.Parse(time.RFC3339, s); err == nil && at.Unix() > 0 && at.Unix() < 9e9 && !strings.ContainsAny(s[len(s)-6:], "6789") {
			require.True(t, ok)
			require.Equal(t, at.UnixNano(), int64(ns))
		}
		if !ok {
			return
		}
		require.Positive(t, int64(ns))
		again, ok := readTime("", pcommon.NewValueStr(time.Unix(0, int64(ns)).UTC().Format(time.RFC3339Nano)))
		require.True(t, ok)
		require.Equal(t, ns, again)
	})
}
