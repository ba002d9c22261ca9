package engine

import "unsafe"

// verdict is what was decided about a trace.
type verdict struct {
	threshold     uint64 // rejection threshold of a kept one, 56 bits
	class         uint16 // into Engine.classes
	kept, trimmed bool
}

// verdictCost is what one entry of the map takes: key, value and one byte of
// control, at the lowest load the map has after growing.
const verdictCost = (int64(unsafe.Sizeof(traceID{})+unsafe.Sizeof(verdict{})) + 1) * 16 / 7

// verdicts remembers decisions, and the fingerprints of kept spans, in two
// generations. Once the young one is full it becomes the old one, and the former
// old one is forgotten: at least half of the memory's worth of decisions is
// always known. Its shard's mutex guards it.
type verdicts struct {
	young, old generation
	capacity   int64 // of a generation, bytes
	mostPrints int64 // bytes of one trace's fingerprints
}

type generation struct {
	verdicts map[traceID]verdict
	prints   map[traceID]*fingerprints // of kept traces
	bytes    int64
}

func newGeneration() generation {
	return generation{verdicts: map[traceID]verdict{}, prints: map[traceID]*fingerprints{}}
}

func (v *verdicts) init(memory int64) {
	v.capacity, v.mostPrints = memory/2, memory/8
	v.young = newGeneration()
}

// find returns the verdict on a trace, and renews the memory of it.
func (v *verdicts) find(id traceID) (verdict, bool) {
	if found, ok := v.young.verdicts[id]; ok {
		return found, true
	}
	found, ok := v.old.verdicts[id]
	if ok {
		v.record(id, found)
	}
	return found, ok
}

// record remembers a verdict, in the place of one that it may have.
func (v *verdicts) record(id traceID, decided verdict) {
	prints := v.prints(id)
	if prints.n == 0 && v.old.prints[id] != nil {
		prints = v.old.prints[id]
	}
	if v.young.bytes >= v.capacity {
		v.old = v.young
		v.young = newGeneration()
	}
	if _, known := v.young.verdicts[id]; !known {
		v.young.bytes += verdictCost
		v.keep(id, prints)
	}
	v.young.verdicts[id] = decided
}

// keep remembers the fingerprints of a trace that record or find was just called
// with. They are the memory's from now on. So many that they would push others
// out are not remembered.
func (v *verdicts) keep(id traceID, prints *fingerprints) {
	if prints.n > 0 && prints.bytes() <= v.mostPrints && v.young.prints[id] != prints {
		v.young.prints[id] = prints
		v.young.bytes += printsCost + prints.bytes()
	}
}

// add adds to the fingerprints of such a trace.
func (v *verdicts) add(id traceID, list ...uint64) {
	prints := v.prints(id)
	before := prints.bytes()
	for _, mark := range list {
		prints.add(mark)
	}
	v.grown(id, prints, before)
}

// grown counts what the fingerprints of such a trace have grown to. A trace that
// never ends would fill the memory with them, so beyond a size they are forgotten
// and begun anew.
func (v *verdicts) grown(id traceID, prints *fingerprints, before int64) {
	if v.young.prints[id] == prints {
		v.young.bytes += prints.bytes() - before
	} else {
		v.keep(id, prints)
		return
	}
	if all := prints.bytes(); all > v.mostPrints {
		delete(v.young.prints, id)
		v.young.bytes -= printsCost + all
	}
}

// printsCost is what a set takes beside its table: the struct and its map entry
// at the lowest load.
const printsCost = int64(unsafe.Sizeof(fingerprints{})) +
	(int64(unsafe.Sizeof(traceID{})+unsafe.Sizeof(uintptr(0)))+1)*16/7

// prints returns the fingerprints of the spans kept of such a trace. Who adds to
// them calls grown.
func (v *verdicts) prints(id traceID) *fingerprints {
	if prints := v.young.prints[id]; prints != nil {
		return prints
	}
	return &fingerprints{}
}
