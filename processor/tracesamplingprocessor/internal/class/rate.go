package class

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/sampling"
)

// Rate is the share of its traces that a class keeps, as a percentage ("5%",
// "0.1%") or a fraction ("1/200").
type Rate string

var errRate = errors.New(`must be a percentage from 0% to 100%, such as "5%", or a fraction such as "1/200"`)

// Threshold is the rate as the 56-bit rejection threshold of the W3C
// consistent probability sampling: a trace is kept where its randomness is not
// below it.
func (r Rate) Threshold() (sampling.Threshold, error) {
	probability, err := r.probability()
	if err != nil {
		return sampling.NeverSampleThreshold, err
	}
	if probability == 0 {
		return sampling.NeverSampleThreshold, nil
	}
	threshold, err := sampling.ProbabilityToThreshold(probability)
	if err != nil {
		return sampling.NeverSampleThreshold, fmt.Errorf("%q: the smallest rate that is not 0%% is 1/%d: %w",
			r, sampling.MaxAdjustedCount, err)
	}
	return threshold, nil
}

func (r Rate) probability() (float64, error) {
	if percent, ok := strings.CutSuffix(string(r), "%"); ok && isDecimal(percent) {
		v, err := strconv.ParseFloat(percent, 64)
		if err != nil || v > 100 {
			return 0, fmt.Errorf("%q: %w", r, errRate)
		}
		return v / 100, nil
	}
	if divisor, ok := strings.CutPrefix(string(r), "1/"); ok {
		n, err := strconv.ParseUint(divisor, 10, 64)
		if err != nil || n == 0 {
			return 0, fmt.Errorf("%q: %w", r, errRate)
		}
		return 1 / float64(n), nil
	}
	return 0, fmt.Errorf("%q: %w", r, errRate)
}

// isDecimal refuses what ParseFloat would take beyond plain decimals: signs,
// exponents, hex, infinities.
func isDecimal(s string) bool {
	return s != "" && strings.Trim(s, "0123456789.") == ""
}

// AdjustedCount is how many spans one span kept at the threshold stands for.
// A rate such as 0.1% is not exact in 56 bits; where the count is a whole number
// but for that error, it is given as the whole number.
func AdjustedCount(th sampling.Threshold) float64 {
	count := th.AdjustedCount()
	if whole := math.Round(count); math.Abs(count-whole) < 1e-9*whole {
		return whole
	}
	return count
}
