package logcorrelationprocessor

import (
	"slices"
	"strings"
)

// kind is the property of a log record that a field holds.
type kind uint8

const (
	kindTraceID kind = iota
	kindTraceIDHigh
	kindSpanID
	kindTraceFlags
	kindTimestamp
	kindSeverity
	kindMessage
	kindCount
)

// variant tells the lists of one kind apart.
type variant uint8

const (
	variantPlain variant = iota
	// variantDecimal fields hold an ID as a decimal number.
	variantDecimal
	// variantEnclosing fields hold the ID of a span around the one sought. They
	// serve where nothing else names a span, and contradict nothing.
	variantEnclosing
	// variantNumber fields hold a severity number of OpenTelemetry.
	variantNumber
)

// Bits of an order, from the least to the most significant: the nesting of a
// name, its position in the lists of its kind, and what follows.
const (
	positionShift = maxParts
	// A field of the body comes after an attribute.
	orderBody = 1 << 26
	// The span ID and the flags that come with a trace ID, as in a traceparent,
	// come after fields of their own.
	orderCompound  = 1 << 27
	orderEnclosing = 1 << 28
	// Flags of zero are the same as none, so were a zero chosen before another
	// field's value, a second pass would choose that other value.
	orderZeroFlag = 1 << 29
	orderNone     = 1 << 31
)

// The number of slots is constant, so that finding one takes neither a variable
// shift nor a check of bounds. The default names take a seventh of them.
const (
	slotBits  = 10
	slotCount = 1 << slotBits
)

// level is what to look for in one map: the keys that are fields, and the keys
// whose maps may hold fields. It is read-only once built.
type level struct {
	// slots leads from a key's hash to the first of the entries that share it;
	// 0 is none. The multiplier is chosen so that few do.
	slots      [slotCount]uint16
	multiplier uint32
	entries    []*entry // from 1
	// ends has a bit for what the known keys end in, see mayEnd.
	ends [endWords]uint64
}

// entry is one known key. A key may be both a field and a parent: dt is a
// field, and the parent of dt.trace_id.
type entry struct {
	key  string
	next uint16 // with the same hash

	isField bool
	kind    kind
	variant variant
	name    uint32 // index of the name as configured
	// isWrapper is set for names that something else than the program gives to
	// the whole of its line.
	isWrapper bool
	// namesEnclosing is set for the trace ID beside which enclosing IDs count.
	namesEnclosing bool
	// order ranks the fields of one kind, the smallest first: by the position
	// in the lists, then flat before nested. No two fields of a kind share it.
	order    uint32
	children *level
}

// rest is what is left of a name below some parents.
type rest struct {
	path    string
	kind    kind
	variant variant
	name    uint32
	order   uint32

	isWrapper, namesEnclosing bool
}

// enclosingTrace is the trace ID of ECS, in whose records the ID of a transaction
// is that of a span. Elsewhere it may be of a payment.
const enclosingTrace = "trace.id"

// wrappers are the names of isWrapper: log of Docker's and Kubernetes's runtimes,
// MESSAGE of the journal of systemd.
var wrappers = []string{"log", "MESSAGE"}

// compile builds the root level: every name in every way it can be nested.
// names are all of them, in the order of the lists; their indexes begin at first.
func compile(lists []list, first int) (root *level, names []string) {
	var (
		rests    []rest
		position [kindCount]uint32
	)
	for _, l := range lists {
		for _, name := range l.names {
			rests = append(rests, rest{
				path: name, kind: l.kind, variant: l.variant,
				name: uint32(first + len(names)), order: position[l.kind] << positionShift,
				isWrapper:      l.kind == kindMessage && slices.Contains(wrappers, name),
				namesEnclosing: l.kind == kindTraceID && name == enclosingTrace,
			})
			names = append(names, name)
			position[l.kind]++
		}
	}
	return build(rests), names
}

func build(rests []rest) *level {
	var (
		known = make(map[string]*entry)
		below = make(map[*entry][]rest)
		l     = &level{entries: make([]*entry, 1)}
	)
	add := func(key string) *entry {
		e := known[key]
		if e == nil {
			e = &entry{key: key}
			known[key] = e
			l.entries = append(l.entries, e)
		}
		return e
	}
	for _, r := range rests {
		e := add(r.path)
		e.isField, e.kind, e.variant, e.name, e.order = true, r.kind, r.variant, r.name, r.order
		e.isWrapper, e.namesEnclosing = r.isWrapper, r.namesEnclosing
		for i := range len(r.path) {
			if r.path[i] != '.' {
				continue
			}
			parent, path := add(r.path[:i]), r.path[i+1:]
			// The dots left of a split are within one key, so the number of
			// parts left over tells the splits of one name apart.
			split := uint32(1) << strings.Count(path, ".")
			inner := r
			inner.path, inner.order = path, r.order|split
			below[parent] = append(below[parent], inner)
		}
	}
	for parent, rs := range below {
		parent.children = build(rs)
	}
	l.index()
	l.indexEnds()
	return l
}

// index fills the slots by the best of some multipliers.
func (l *level) index() {
	const attempts = 64
	best, fewest := uint32(0), len(l.entries)
	for i := range attempts {
		l.multiplier = 2654435769 + 2*uint32(i)*40503
		var taken [slotCount]bool
		shared := 0
		for _, e := range l.entries[1:] {
			if h := l.hash(e.key); taken[h] {
				shared++
			} else {
				taken[h] = true
			}
		}
		if shared < fewest {
			best, fewest = l.multiplier, shared
		}
	}
	l.multiplier = best
	for i, e := range l.entries[1:] {
		slot := &l.slots[l.hash(e.key)]
		e.next, *slot = *slot, uint16(i+1)
	}
}

// hash needs a key that is not empty. It looks at little of it: most keys of a
// record are not known, and few of those share their length and their ends with
// one that is.
func (l *level) hash(key string) uint32 {
	n := len(key)
	return (uint32(key[0]) | uint32(key[n-1])<<8 | uint32(n)<<16) * l.multiplier >> (32 - slotBits)
}

// find returns the entry of key, or nil.
func (l *level) find(key string) *entry {
	if key == "" {
		return nil
	}
	for i := l.slots[l.hash(key)]; i != 0; {
		e := l.entries[i]
		if e.key == key {
			return e
		}
		i = e.next
	}
	return nil
}
