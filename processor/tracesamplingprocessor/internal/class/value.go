package class

import (
	"bytes"
	"math"
	"strconv"

	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/otlpwire"
)

// textMatches matches the text of a scalar. Doubles that are not finite have
// none.
func textMatches(v *otlpwire.Value, globs []glob) bool {
	var buf [32]byte
	switch v.Kind {
	case otlpwire.KindString:
		return anyMatch(globs, v.Text)
	case otlpwire.KindBool:
		return anyMatch(globs, strconv.AppendBool(buf[:0], v.Bool()))
	case otlpwire.KindInt:
		return anyMatch(globs, strconv.AppendInt(buf[:0], v.Int(), 10))
	case otlpwire.KindDouble:
		d := v.Double()
		return !math.IsNaN(d) && !math.IsInf(d, 0) && anyMatch(globs, strconv.AppendFloat(buf[:0], d, 'f', -1, 64))
	default:
		return false
	}
}

func inRange(v *otlpwire.Value, least, most float64) bool {
	switch v.Kind {
	case otlpwire.KindInt:
		return intInRange(v.Int(), least, most)
	case otlpwire.KindDouble:
		return v.Double() >= least && v.Double() <= most
	case otlpwire.KindString:
		return textInRange(v.Text, least, most)
	default:
		return false
	}
}

// textInRange takes decimal numbers only, not the other forms that strconv
// reads: hexadecimal, infinities, underscores.
func textInRange(text []byte, least, most float64) bool {
	if len(text) == 0 || len(bytes.Trim(text, "0123456789+-.eE")) > 0 {
		return false
	}
	if i, err := strconv.ParseInt(string(text), 10, 64); err == nil {
		return intInRange(i, least, most)
	}
	d, err := strconv.ParseFloat(string(text), 64)
	return err == nil && d >= least && d <= most
}

// intInRange is exact, which a conversion to float64 is not beyond 2^53.
func intInRange(i int64, least, most float64) bool {
	const limit = 1 << 63
	switch {
	case least >= limit || most < -limit:
		return false
	case least > -limit && i < int64(math.Ceil(least)):
		return false
	default:
		return most >= limit || i <= int64(math.Floor(most))
	}
}
