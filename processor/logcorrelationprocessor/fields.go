package logcorrelationprocessor

import "strings"

// kind is the property of a log record that a field holds.
type kind uint8

const (
	kindTraceID kind = iota
	kindSpanID
	kindTraceFlags
	kindTimestamp
	kindSeverity
	kindCount
)

// level is what to look for in one map: the keys that are fields, and the keys
// whose maps may hold fields. It is read-only once built.
type level struct {
	// byFirst leads from a key's first byte to its bucket; bucket 0 is empty.
	byFirst [256]uint16
	buckets []bucket
}

// bucket is the known keys with the same first byte. They are few, so that
// comparing them in turn is faster than hashing.
type bucket struct {
	// lengths has a bit for each length of a key. It spares nearly every key
	// that is not known the comparing.
	lengths uint64
	entries []*entry
}

// entry is one known key. A key may be both a field and a parent: span is a
// parent in the default lists, and could be listed as a field as well.
type entry struct {
	key string

	isField bool
	kind    kind
	// order ranks the fields of one kind, the smallest first: by the position
	// in the list, then flat before nested. No two fields of a kind share it.
	order    uint32
	children *level
}

// rest is what is left of a name below some parents.
type rest struct {
	path  string
	kind  kind
	order uint32
}

// compile builds the root level: every name in every way it can be nested.
func compile(lists []list) *level {
	var rests []rest
	for _, l := range lists {
		for i, name := range l.names {
			rests = append(rests, rest{path: name, kind: l.kind, order: uint32(i) << maxParts})
		}
	}
	return build(rests)
}

func build(rests []rest) *level {
	l := &level{buckets: make([]bucket, 1)}
	below := make(map[*entry][]rest)
	for _, r := range rests {
		e := l.add(r.path)
		e.isField, e.kind, e.order = true, r.kind, r.order
		for i := range len(r.path) {
			if r.path[i] != '.' {
				continue
			}
			parent, path := l.add(r.path[:i]), r.path[i+1:]
			// The dots left of a split are within one key, so the number of
			// parts left over tells the splits of one name apart.
			split := uint32(1) << strings.Count(path, ".")
			below[parent] = append(below[parent], rest{path: path, kind: r.kind, order: r.order | split})
		}
	}
	for parent, rs := range below {
		parent.children = build(rs)
	}
	return l
}

func (l *level) add(key string) *entry {
	if e := l.find(key); e != nil {
		return e
	}
	i := &l.byFirst[key[0]]
	if *i == 0 {
		*i = uint16(len(l.buckets))
		l.buckets = append(l.buckets, bucket{})
	}
	b, e := &l.buckets[*i], &entry{key: key}
	b.lengths |= lengthBit(key)
	b.entries = append(b.entries, e)
	return e
}

// find returns the entry of key, or nil.
func (l *level) find(key string) *entry {
	if key == "" {
		return nil
	}
	b := &l.buckets[l.byFirst[key[0]]]
	if b.lengths&lengthBit(key) == 0 {
		return nil
	}
	for _, e := range b.entries {
		if e.key == key {
			return e
		}
	}
	return nil
}

// lengthBit gives all lengths from 63 on one bit.
func lengthBit(key string) uint64 { return 1 << min(len(key), 63) }
