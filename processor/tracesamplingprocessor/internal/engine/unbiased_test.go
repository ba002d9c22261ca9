package engine_test

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/class"
)

// The sum of adjusted_count over what is kept estimates what was there. Its
// standard error for n spans kept with probability p is sqrt(n(1-p)/p).
func TestSumsOfAdjustedCountAreUnbiased(t *testing.T) {
	classes := []class.Config{
		{Name: "errors", Keep: "100%", Match: &class.Match{Status: "error"}},
		{Name: "health", Keep: "1%", Match: &class.Match{Routes: []string{"/health"}}},
		{Name: "checkout", Keep: "1/3", Match: &class.Match{Routes: []string{"/checkout"}}},
		{Name: "normal", Keep: "5%"},
	}
	probability := map[string]float64{"errors": 1, "health": 0.01, "checkout": 1.0 / 3, "normal": 0.05}
	h := newT(t, classes...)
	random := rand.New(rand.NewPCG(42, 42))
	truth := map[string]float64{}
	const traces = 60_000
	for i := uint64(1); i <= traces; {
		var batch []testSpan
		for range 500 {
			s := root(0, i)
			binary.BigEndian.PutUint64(s.trace[:], random.Uint64())
			binary.BigEndian.PutUint64(s.trace[8:], random.Uint64())
			name := "normal"
			switch random.IntN(10) {
			case 0, 1:
				name, s.status = "errors", ptrace.StatusCodeError
			case 2, 3:
				name, s.route = "health", "/health"
			case 4, 5:
				name, s.route = "checkout", "/checkout"
			}
			// Half of the spans come through a head sampler that keeps a quarter.
			if random.IntN(2) == 0 {
				s.state = "ot=th:c"
				if binary.BigEndian.Uint64(s.trace[8:])&(1<<56-1) < 3<<54 {
					truth[name]++
					i++
					continue
				}
			}
			truth[name]++
			batch = append(batch, s)
			i++
		}
		h.mustIngest(batch...)
	}
	h.DecideAll(0)
	h.drain()
	h.requireBalanced()
	estimate := map[string]float64{}
	for _, o := range h.out {
		estimate[o.class] += o.count
	}
	for name, n := range truth {
		p := min(probability[name], 0.25)
		standardError := math.Sqrt(n * (1 - p) / p)
		require.InDelta(t, n, estimate[name], 4*standardError, name)
		require.NotZero(t, estimate[name], name)
	}
}
