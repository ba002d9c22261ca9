package class

import (
	"math"
	"testing"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/sampling"
	"github.com/stretchr/testify/require"
)

func TestRateThreshold(t *testing.T) {
	for _, tc := range []struct {
		rate  Rate
		want  float64 // probability
		count float64
	}{
		{"100%", 1, 1},
		{"1/1", 1, 1},
		{"50%", 0.5, 2},
		{"5%", 0.05, 20},
		{"0.1%", 0.001, 1000},
		{"1/3", 1.0 / 3, 3},
		{"1/500", 0.002, 500},
		{"12.5%", 0.125, 8},
		{"30%", 0.3, 1 / 0.3},
	} {
		t.Run(string(tc.rate), func(t *testing.T) {
			th, err := tc.rate.Threshold()
			require.NoError(t, err)
			require.InDelta(t, tc.want, th.Probability(), 1e-15)
			require.InEpsilon(t, tc.count, AdjustedCount(th), 1e-12)
			if whole := math.Trunc(tc.count); whole == tc.count {
				require.InDelta(t, whole, AdjustedCount(th), 0, "a whole number is exact")
			}
		})
	}
}

func TestRateZeroKeepsNothing(t *testing.T) {
	for _, rate := range []Rate{"0%", "0.000%"} {
		th, err := rate.Threshold()
		require.NoError(t, err)
		require.False(t, th.ShouldSample(sampling.AllProbabilitiesRandomness))
	}
}

func TestRateRefusesOtherForms(t *testing.T) {
	for _, rate := range []Rate{
		"", "50", "0.5", "%", "-1%", "+5%", "101%", "100.1%", "1e2%", "0x10%", "Inf%", "NaN%", "1.2.3%", ".%", "5 %", " 5%",
		"1/0", "1/-2", "1/", "/2", "2/3", "1/2.5", "1/99999999999999999999", "1/100000000000000000", "0.0000000000000000001%",
	} {
		t.Run(string(rate), func(t *testing.T) {
			_, err := rate.Threshold()
			require.ErrorContains(t, err, `"`+string(rate)+`"`)
		})
	}
}
