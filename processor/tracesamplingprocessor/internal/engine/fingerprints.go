package engine

import (
	"math/bits"

	"github.com/zeebo/xxh3"
)

// fingerprint tells a span of a trace from the others: a hash of its encoded
// bytes and of those of its resource and scope, which make the seed, never 0. Identical spans of one
// source have the same one. The seed is random and stays with the journal, so
// that nobody can make a span that passes for another's.
func fingerprint(span []byte, seed uint64) uint64 {
	return max(1, xxh3.HashSeed(span, seed))
}

// fingerprints is the set of a trace's. It probes linearly in a table that is
// at most seven eighths full.
type fingerprints struct {
	table []uint64 // 0 is free
	n     int
}

// A table grows by half, so that it takes at most printCost a span, and at
// least minPrints places.
const (
	minPrints = 8
	printCost = 16
)

// place returns where a fingerprint is, or belongs. The table must not be empty.
func (f *fingerprints) place(mark uint64) int {
	hi, _ := bits.Mul64(mark, uint64(len(f.table)))
	i := int(hi)
	for f.table[i] != 0 && f.table[i] != mark {
		if i++; i == len(f.table) {
			i = 0
		}
	}
	return i
}

func (f *fingerprints) has(mark uint64) bool {
	return f.n > 0 && f.table[f.place(mark)] == mark
}

// add puts in a fingerprint that the set may have already.
func (f *fingerprints) add(mark uint64) {
	if f.n >= len(f.table)/8*7 {
		f.grow()
	}
	if i := f.place(mark); f.table[i] == 0 {
		f.table[i] = mark
		f.n++
	}
}

func (f *fingerprints) grow() {
	old := f.table
	f.table = make([]uint64, len(old)+max(minPrints, len(old)/16*8))
	for _, mark := range old {
		if mark != 0 {
			f.table[f.place(mark)] = mark
		}
	}
}

// list returns the members in no particular order.
func (f *fingerprints) list() []uint64 {
	all := make([]uint64, 0, f.n)
	for _, mark := range f.table {
		if mark != 0 {
			all = append(all, mark)
		}
	}
	return all
}

func (f *fingerprints) bytes() int64 { return 8 * int64(cap(f.table)) }
