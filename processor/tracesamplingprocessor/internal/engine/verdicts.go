package engine

// verdict is what was decided about a trace.
type verdict struct {
	class uint8
	kept  bool
}

// verdictCost is what one entry of the map takes: 18 bytes and one of control,
// at the lowest load the map has after growing, with a little to spare.
const verdictCost = 48

// verdicts remembers decisions in two generations. Once the young one is full it
// becomes the old one, and the former old one is forgotten: at least half of
// the memory's worth of decisions is always known. Its shard's mutex guards it.
type verdicts struct {
	young, old map[traceID]verdict
	capacity   int // of a generation
}

func (v *verdicts) init(memory int64) {
	v.capacity = max(1, int(memory/2/verdictCost))
	v.young = map[traceID]verdict{}
}

// find returns the verdict on a trace, and renews the memory of it.
func (v *verdicts) find(id traceID) (verdict, bool) {
	if found, ok := v.young[id]; ok {
		return found, true
	}
	found, ok := v.old[id]
	if ok {
		v.record(id, found)
	}
	return found, ok
}

func (v *verdicts) record(id traceID, decided verdict) {
	if len(v.young) >= v.capacity {
		v.old = v.young
		v.young = map[traceID]verdict{}
	}
	v.young[id] = decided
}
