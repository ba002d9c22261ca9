package fsystest

import (
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"time"
)

const sector = 512

// inode is a file or a directory, as the running system sees it and as the
// disk holds it. Guarded by Crash.mu.
type inode struct {
	dir  bool
	mode fs.FileMode

	// Of a file: data is what a reader gets, disk what the last sync covered.
	// dirty lists the bytes written since, cut the smallest size since, which
	// tells what of disk is gone even where the file has grown again.
	data, disk []byte
	dirty      []span
	cut        int

	// Of a directory: pending are the changes that lead from onDisk to entries.
	entries, onDisk map[string]*inode
	pending         []func(map[string]*inode)
}

type span struct{ from, to int }

func newFile(perm fs.FileMode) *inode { return &inode{mode: perm.Perm()} }

func newDir() *inode {
	return &inode{dir: true, mode: fs.ModeDir | 0o750, entries: map[string]*inode{}, onDisk: map[string]*inode{}}
}

func (n *inode) names() []string { return slices.Sorted(maps.Keys(n.entries)) }

func (n *inode) set(name string, child *inode) {
	n.change(func(entries map[string]*inode) { entries[name] = child })
}

func (n *inode) remove(name string) {
	n.change(func(entries map[string]*inode) { delete(entries, name) })
}

func (n *inode) change(do func(map[string]*inode)) {
	do(n.entries)
	n.pending = append(n.pending, do)
}

func (n *inode) syncEntries() {
	n.onDisk, n.pending = maps.Clone(n.entries), nil
}

func (n *inode) writeAt(p []byte, off int) {
	end := off + len(p)
	if grow := end - len(n.data); grow > 0 {
		n.markDirty(span{len(n.data), end})
		n.data = append(n.data, make([]byte, grow)...)
	}
	copy(n.data[off:], p)
	n.markDirty(span{off, end})
}

func (n *inode) markDirty(s span) {
	if last := len(n.dirty) - 1; last >= 0 && n.dirty[last].to >= s.from && n.dirty[last].from <= s.from {
		n.dirty[last].to = max(n.dirty[last].to, s.to)
		return
	}
	n.dirty = append(n.dirty, s)
}

func (n *inode) truncate(size int) {
	if grow := size - len(n.data); grow > 0 {
		n.writeAt(make([]byte, grow), len(n.data))
		return
	}
	n.data = n.data[:size]
	n.cut = min(n.cut, size)
	for i := range n.dirty {
		n.dirty[i].to = min(n.dirty[i].to, size)
	}
	n.dirty = slices.DeleteFunc(n.dirty, func(s span) bool { return s.from >= s.to })
}

// sync makes the disk hold what was written since the last one.
func (n *inode) sync() {
	have := min(len(n.disk), n.cut)
	n.disk = append(n.disk[:have], make([]byte, len(n.data)-have)...)
	for _, s := range n.dirty {
		copy(n.disk[s.from:], n.data[s.from:s.to])
	}
	n.forgetDirty()
}

// forgetDirty is what a failed sync leaves: pages that count as clean and were
// never written. A later sync adopts the size alone.
func (n *inode) forgetDirty() { n.dirty, n.cut = nil, len(n.data) }

// flushed returns the content of the disk once it has the given size and those
// of the dirty sectors that keep names.
func (n *inode) flushed(size int, keep func(sector int) bool) []byte {
	out := make([]byte, size)
	copy(out, n.disk[:min(len(n.disk), n.cut)])
	for _, s := range n.dirty {
		for from := s.from; from < s.to; {
			next := min((from/sector+1)*sector, s.to)
			if keep(from/sector) && from < size {
				copy(out[from:], n.data[from:next])
			}
			from = next
		}
	}
	return out
}

// strict returns the inode as the disk holds it.
func (n *inode) strict() *inode {
	m := *n
	m.data, m.entries = slices.Clone(n.disk), maps.Clone(n.onDisk)
	return &m
}

// torn returns the inode with a random part of what was not synced.
func (n *inode) torn(rnd *rand.Rand) *inode {
	m := n.strict()
	for _, do := range n.pending[:rnd.IntN(len(n.pending)+1)] {
		do(m.entries)
	}
	if n.dir {
		return m
	}
	size := []int{len(n.disk), len(n.data), min(n.cut, len(n.disk))}[rnd.IntN(3)]
	if len(n.data) > len(n.disk) && rnd.IntN(2) == 0 {
		size = len(n.disk) + rnd.IntN(len(n.data)-len(n.disk)+1)
	}
	var keep func(int) bool
	switch rnd.IntN(3) {
	case 0:
		keep = func(int) bool { return false }
	case 1:
		keep = func(int) bool { return true }
	default:
		kept := map[int]bool{}
		keep = func(i int) bool {
			if _, ok := kept[i]; !ok {
				kept[i] = rnd.IntN(2) == 0
			}
			return kept[i]
		}
	}
	if size > min(n.cut, len(n.disk)) && n.cut < len(n.disk) && rnd.IntN(2) == 0 {
		m.data = slices.Clone(n.disk) // the truncation itself did not reach the disk
		return m
	}
	m.data = n.flushed(size, keep)
	return m
}

// markSynced makes the disk hold what is seen: the state after a restart.
func (n *inode) markSynced() {
	n.disk = slices.Clone(n.data)
	n.forgetDirty()
	n.onDisk, n.pending = maps.Clone(n.entries), nil
}

func (n *inode) info(name string) fs.FileInfo {
	return info{name: name, size: int64(len(n.data)), mode: n.mode}
}

type info struct {
	name string
	size int64
	mode fs.FileMode
}

func (i info) Name() string      { return i.name }
func (i info) Size() int64       { return i.size }
func (i info) Mode() fs.FileMode { return i.mode }
func (info) ModTime() time.Time  { return time.Time{} }
func (i info) IsDir() bool       { return i.mode.IsDir() }
func (info) Sys() any            { return nil }
