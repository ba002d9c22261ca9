package duck

import (
	"fmt"
	"math"
	"strconv"
	"time"

	duckdb "github.com/duckdb/duckdb-go-bindings"
)

// RFC 3339 with as many digits as the type holds, so that texts of one column
// have one width and sort as their times do. All times are UTC: TIMESTAMP by
// the convention of the store, TIMESTAMP WITH TIME ZONE by the TimeZone setting.
const (
	dateLayout   = "2006-01-02"
	secondLayout = "2006-01-02T15:04:05Z"
	milliLayout  = "2006-01-02T15:04:05.000Z"
	microLayout  = "2006-01-02T15:04:05.000000Z"
	nanoLayout   = "2006-01-02T15:04:05.000000000Z"
)

func (v *vector) appendTime(dst []byte, row int) []byte {
	switch v.typ.id {
	case duckdb.TypeDate:
		days := at[int32](v, row)
		if text, infinite := infinity(int64(days), math.MaxInt32); infinite {
			return append(dst, text...)
		}
		return time.Unix(int64(days)*86400, 0).UTC().AppendFormat(dst, dateLayout)
	case duckdb.TypeTime:
		return appendClock(dst, at[int64](v, row), 1e6, 6)
	case duckdb.TypeTimeNS:
		return appendClock(dst, at[int64](v, row), 1e9, 9)
	case duckdb.TypeInterval:
		return appendInterval(dst, at[interval](v, row))
	}

	units := at[int64](v, row)
	if text, infinite := infinity(units, math.MaxInt64); infinite {
		return append(dst, text...)
	}
	switch v.typ.id {
	case duckdb.TypeTimestampS:
		return time.Unix(units, 0).UTC().AppendFormat(dst, secondLayout)
	case duckdb.TypeTimestampMS:
		return time.UnixMilli(units).UTC().AppendFormat(dst, milliLayout)
	case duckdb.TypeTimestamp, duckdb.TypeTimestampTZ:
		return time.UnixMicro(units).UTC().AppendFormat(dst, microLayout)
	case duckdb.TypeTimestampNS:
		return time.Unix(0, units).UTC().AppendFormat(dst, nanoLayout)
	}
	return fmt.Appendf(dst, "<type %d>", v.typ.id)
}

// infinity knows the two values that stand for the ends of time.
func infinity(units, limit int64) (string, bool) {
	switch units {
	case limit:
		return "infinity", true
	case -limit:
		return "-infinity", true
	}
	return "", false
}

// appendClock writes a time of day, or the part of an interval below a day,
// which may have more than 24 hours.
func appendClock(dst []byte, units, perSecond int64, digits int) []byte {
	seconds := units / perSecond
	dst = fmt.Appendf(dst, "%02d:%02d:%02d", seconds/3600, seconds/60%60, seconds%60)
	return fmt.Appendf(dst, ".%0*d", digits, units%perSecond)
}

type interval struct {
	months, days int32
	micros       int64
}

// appendInterval writes an interval in the words that SQL takes back:
// "1 year 2 months 3 days 04:05:06.000000".
func appendInterval(dst []byte, i interval) []byte {
	start := len(dst)
	part := func(n int32, unit string) {
		if n == 0 {
			return
		}
		if len(dst) > start {
			dst = append(dst, ' ')
		}
		dst = strconv.AppendInt(dst, int64(n), 10)
		dst = append(dst, ' ')
		dst = append(dst, unit...)
		if n != 1 && n != -1 {
			dst = append(dst, 's')
		}
	}
	part(i.months/12, "year")
	part(i.months%12, "month")
	part(i.days, "day")
	if i.micros == 0 && len(dst) > start {
		return dst
	}
	if len(dst) > start {
		dst = append(dst, ' ')
	}
	micros := i.micros
	if micros < 0 {
		dst = append(dst, '-')
		micros = -micros
	}
	return appendClock(dst, micros, 1e6, 6)
}
