package crashtest

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLedgerFindsEachFault(t *testing.T) {
	lasting, over := entry{over: time.Now().Add(time.Hour)}, entry{over: time.Now().Add(-time.Hour)}
	for name, tc := range map[string]struct {
		due, answer []int
		want        []string
	}{
		"none":        {[]int{0, 1}, []int{1, 0, 3}, nil},
		"expired":     {[]int{0, 2}, []int{0}, nil},
		"not yet":     {[]int{0, 2}, []int{0, 2}, nil},
		"missing":     {[]int{0, 1}, []int{1}, []string{"missing"}},
		"twice":       {[]int{0}, []int{0, 3, 3}, []string{"twice"}},
		"due twice":   {[]int{0}, []int{0, 0}, []string{"twice"}},
		"never sent":  {nil, []int{4}, []string{"never sent"}},
		"no row's ID": {nil, []int{-1}, []string{"never sent"}},
		"all":         {[]int{0}, []int{1, 1, 9}, []string{"missing", "never sent", "twice"}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLedger()
			require.Zero(t, l.begin([]entry{lasting, lasting, over, lasting}))
			l.settle("query", tc.due, tc.answer)
			require.Equal(t, tc.want, slices.Sorted(maps.Keys(l.faults)))
			require.Equal(t, len(tc.want) == 0, l.explain() == "")
			for i, e := range l.entries {
				require.Equal(t, slices.Contains(tc.answer, i), e.seen)
			}
		})
	}
}
