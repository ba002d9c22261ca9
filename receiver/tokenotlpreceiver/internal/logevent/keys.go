package logevent

import (
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// maxScanned is up to how many keys a scan of them is quicker than a map.
const maxScanned = 16

// keySet finds the keys that an object has more than once. pcommon.Map finds
// them too, but by a scan for each key, which for a large object takes minutes.
type keySet struct {
	first      [maxScanned]string
	keys       []string       // from first, until they are more
	index      map[string]int // of the last one, once there are many
	superseded []int          // positions of members whose key came again
}

func (s *keySet) len() int { return len(s.keys) }

func (s *keySet) add(key string) {
	n := len(s.keys)
	if n == 0 {
		s.keys = s.first[:0]
	}
	if n == maxScanned {
		s.index = make(map[string]int, 2*n)
		for i, k := range s.keys {
			s.index[k] = i
		}
	}
	earlier := -1
	if s.index == nil {
		for i := n - 1; i >= 0; i-- {
			if s.keys[i] == key {
				earlier = i
				break
			}
		}
	} else {
		if i, ok := s.index[key]; ok {
			earlier = i
		}
		s.index[key] = n
	}
	if earlier >= 0 {
		s.superseded = append(s.superseded, earlier)
	}
	s.keys = append(s.keys, key)
}

// removeSuperseded leaves of equal keys the last. m holds the members in the
// order in which their keys were added.
func (s *keySet) removeSuperseded(m pcommon.Map) {
	if len(s.superseded) == 0 {
		return
	}
	slices.Sort(s.superseded)
	i, next := 0, 0
	m.RemoveIf(func(string, pcommon.Value) bool {
		remove := next < len(s.superseded) && s.superseded[next] == i
		if remove {
			next++
		}
		i++
		return remove
	})
}
