package engine_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/fsys/fsystest"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/class"
)

// What traces meet by decoded spans and by the resources of their roots is found
// out anew after a restart, though the journal has their spans in another order
// than they came.
func TestConditionsAreJudgedAlikeAfterARestart(t *testing.T) {
	classes := []class.Config{
		{Name: "expression", Keep: "100%", Match: &class.Match{
			Condition: `span.name == "b" and instrumentation_scope.name == "b" and resource.attributes["service.name"] == "shop"`,
		}},
		{Name: "root", Keep: "100%", Match: &class.Match{
			Attributes: []class.Attribute{{Key: "service.name", Values: []string{"pay"}}}, RootOnly: true,
		}},
		keepAll(),
	}
	const traces = 12
	var request []testSpan
	id := uint64(0)
	for _, service := range []string{"shop", "pay"} {
		for _, scope := range []string{"a", "b"} {
			for n := uint64(1); n <= traces; n++ {
				id++
				s := child(n, id)
				if n%3 == 0 && service == "pay" {
					s = root(n, id)
				}
				s.service, s.scope = service, scope
				if s.name = "a"; n%4 == 0 {
					s.name = "b"
				}
				request = append(request, s)
			}
		}
	}
	judge := func(restart bool) map[uint64]outcome {
		disk := fsystest.NewCrash()
		h := journaled(t, disk, nil, classes...)
		h.mustIngest(request...)
		if restart {
			h = journaled(t, disk.Crash(), nil, classes...)
		}
		h.DecideAll(h.now)
		h.drain()
		require.NoError(t, h.log.Close())
		require.Len(t, h.out, len(request))
		return h.out
	}
	first := judge(false)
	for i, s := range request {
		want := "all"
		switch n := i%traces + 1; {
		case n%4 == 0:
			want = "expression"
		case n%3 == 0:
			want = "root"
		}
		require.Equal(t, want, first[s.id].class, "%+v", s)
	}
	require.Equal(t, first, judge(true))
}
