package engine_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Where candidates tie at the bound no threshold tells them apart: as many are
// kept as the bound allows, neither none nor all of them.
func TestTiesInAWindowLeaveAsManyAsTheBound(t *testing.T) {
	highHalf := func(i uint64, s *testSpan) { s.trace = [16]byte{7: byte(i)} } // an ID of 64 bits in the wrong half
	linked := func(_ uint64, s *testSpan) { s.state = "ot=rv:80000000000000" }
	for name, tc := range map[string]struct {
		limit int
		tied  uint64
		tie   func(i uint64, s *testSpan)
		above uint64 // traces of greater randomness
		want  int
	}{
		"IDs without randomness":           {limit: 50, tied: 60, tie: highHalf, want: 50},
		"one randomness":                   {limit: 2, tied: 3, tie: linked, want: 2},
		"a bound of one":                   {limit: 1, tied: 40, tie: linked, want: 1},
		"others are above":                 {limit: 5, tied: 40, tie: linked, above: 2, want: 5},
		"others leave no room for the tie": {limit: 5, tied: 40, tie: linked, above: 5, want: 5},
		"fewer than the bound":             {limit: 5, tied: 4, tie: linked, want: 4},
	} {
		t.Run(name, func(t *testing.T) {
			h := newT(t, bounded("100%", tc.limit))
			for i := uint64(1); i <= tc.tied; i++ {
				s := root(i, i)
				tc.tie(i, &s)
				h.mustIngest(s)
			}
			for i := tc.tied + 1; i <= tc.tied+tc.above; i++ {
				s := root(i, i)
				s.state = "ot=rv:f0000000000000"
				h.mustIngest(s)
			}
			h.inWindow()
			require.Len(t, h.out, tc.want)
			require.Equal(t, int(tc.tied+tc.above)-tc.want, h.limited)
			for i := tc.tied + 1; i <= tc.tied+tc.above; i++ {
				require.Contains(t, h.out, i, "the greatest come first")
			}
			for id, o := range h.out {
				require.GreaterOrEqual(t, o.count, 1.0, "span %d", id)
			}
			h.requireBalanced()
		})
	}
}

// Who comes first, or last, must not decide: a sender could see to that.
func TestTiesAreBrokenByLot(t *testing.T) {
	const traces, rounds = 10, 40
	won := map[uint64]int{}
	for range rounds {
		h := newT(t, bounded("100%", 1))
		for i := uint64(1); i <= traces; i++ {
			s := root(i, i)
			s.state = "ot=rv:80000000000000"
			h.mustIngest(s)
		}
		h.inWindow()
		for id := range h.out {
			won[id]++
		}
	}
	// That fewer than three of ten win, in 40 draws, has a chance of 45 * 0.2^40.
	require.GreaterOrEqual(t, len(won), 3)
}
