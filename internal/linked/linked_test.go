package linked_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/spanlake/spanlake/internal/linked"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type element struct{ one, other linked.Links[element] }

// Elements are in two lists at once, each as a slice has them.
func TestListIsAsASlice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lists := []linked.List[element]{
			{Links: func(e *element) *linked.Links[element] { return &e.one }},
			{Links: func(e *element) *linked.Links[element] { return &e.other }},
		}
		want := make([][]*element, len(lists))
		elements := make([]element, 6)
		t.Repeat(map[string]func(*rapid.T){
			"": func(t *rapid.T) {
				for i := range lists {
					require.Equal(t, want[i], forwards(&lists[i]))
					require.Equal(t, want[i], backwards(&lists[i]))
				}
			},
			"turn": func(t *rapid.T) {
				i := rapid.IntRange(0, len(lists)-1).Draw(t, "list")
				e := &elements[rapid.IntRange(0, len(elements)-1).Draw(t, "element")]
				if at := slices.Index(want[i], e); at >= 0 {
					lists[i].Remove(e)
					want[i] = slices.Delete(want[i], at, at+1)
				} else {
					lists[i].Push(e)
					want[i] = append(want[i], e)
				}
				if len(want[i]) == 0 {
					want[i] = nil
				}
			},
		})
	})
}

func forwards(l *linked.List[element]) []*element {
	var all []*element
	for e := l.Front; e != nil; e = l.Links(e).Next {
		all = append(all, e)
	}
	return all
}

func backwards(l *linked.List[element]) []*element {
	var all []*element
	for e := l.Back; e != nil; e = l.Links(e).Prev {
		all = append(all, e)
	}
	slices.Reverse(all)
	return all
}
