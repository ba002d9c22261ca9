package engine

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/class"
)

func TestFingerprintsAreASet(t *testing.T) {
	// Few of them crowd into the first and the last places, and so collide and wrap
	// around.
	prints := rapid.OneOf(rapid.Uint64Range(1, 40), rapid.Uint64Min(1<<64-40), rapid.Uint64Min(1))
	rapid.Check(t, func(t *rapid.T) {
		f, want := &fingerprints{}, map[uint64]bool{}
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				one := prints.Draw(t, "print")
				f.add(one)
				want[one] = true
			},
			"add many": func(t *rapid.T) {
				for _, one := range rapid.SliceOfN(prints, 0, 100).Draw(t, "prints") {
					f.add(one)
					want[one] = true
				}
			},
			"has": func(t *rapid.T) {
				one := prints.Draw(t, "print")
				require.Equal(t, want[one], f.has(one))
			},
			"": func(t *rapid.T) {
				require.Equal(t, len(want), f.n)
				require.LessOrEqual(t, f.bytes(), int64(8*minPrints+printCost*f.n))
			},
		})
		require.Equal(t, slices.Sorted(maps.Keys(want)), slices.Sorted(slices.Values(f.list())))
	})
}

func TestFingerprintsGrowWithinWhatIsCountedForThem(t *testing.T) {
	f := &fingerprints{}
	require.Zero(t, f.bytes())
	require.False(t, f.has(1))
	for n := range 5000 {
		require.False(t, f.has(fingerprint(nil, uint64(n))))
		f.add(fingerprint(nil, uint64(n)))
		require.True(t, f.has(fingerprint(nil, uint64(n))))
		require.LessOrEqual(t, f.bytes(), int64(8*minPrints+printCost*f.n))
	}
	require.Equal(t, 5000, f.n)
	require.Len(t, f.list(), f.n)
}

func TestFingerprintsTellSpansScopesAndResourcesApart(t *testing.T) {
	table, err := class.NewTable([]class.Config{{Name: "all", Keep: "100%"}})
	require.NoError(t, err)
	of := func(resource, scope, span string, seed uint64) uint64 {
		h := newHeads(table, &budget{limit: 1 << 20}, seed)
		r := h.resource([]byte(resource), new(int64))
		return fingerprint([]byte(span), h.scope(r, []byte(scope), new(int64)).seed)
	}
	same := of("r", "s", "x", 1)
	require.Equal(t, same, of("r", "s", "x", 1))
	for name, other := range map[string]uint64{
		"span": of("r", "s", "y", 1), "scope": of("r", "t", "x", 1), "resource": of("q", "s", "x", 1),
		"seed": of("r", "s", "x", 2), "scope and resource swapped": of("s", "r", "x", 1), "border moved": of("", "rs", "x", 1),
	} {
		require.NotEqual(t, same, other, name)
	}
}

func TestFingerprintsOfATraceThatNeverEndsAreBounded(t *testing.T) {
	const limit = 1 << 13
	var v verdicts
	v.init(8 * limit)
	id, decided := traceID{1}, verdict{kept: true}
	v.record(id, decided)
	forgotten, n := 0, uint64(0)
	for ; n < 10_000; n++ {
		_, found := v.find(id)
		require.True(t, found)
		if n > 0 && v.prints(id).n == 0 {
			forgotten++
		}
		v.add(id, n+1)
		require.LessOrEqual(t, v.young.bytes, verdictCost+printsCost+limit)
		require.GreaterOrEqual(t, v.young.bytes, verdictCost)
	}
	require.Greater(t, forgotten, 10)
	require.Less(t, forgotten, 40)
}
