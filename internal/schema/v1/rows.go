package v1

import (
	"bytes"
	"iter"
	"strings"
	"unicode/utf8"
)

// Rows are rows of one signal in the making. They are not safe for concurrent
// use. The arena is addressed by 32 bits: a caller keeps Bytes below 4 GiB.
type Rows struct {
	Table

	schema *Schema
	lists  []List
	// scratch is reused by conversions.
	scratch scratch
}

// Table is a set of columns of equal length.
type Table struct {
	arena   *arena
	columns []Column
	cells   []cells
	rows    int
}

// List holds the elements of a list column, of all rows behind each other.
type List struct {
	Table

	ends []uint32 // by row: end of the row's elements in Table
}

// ref addresses a string in the arena; the zero ref is null.
type ref struct{ off, len uint32 }

type arena struct{ b []byte }

// cells hold one column. A slice shorter than the table means null, or zero,
// in the rows beyond: a column that is never set costs nothing.
type cells struct {
	ref  []ref   // String
	id   []byte  // TraceID, SpanID
	num  []int64 // all others; a Double as its bits, a Bool as 0 or 1
	set  []bool  // optional ones of num: not null
	last ref     // the string stored last, shared when it comes again

	longest uint32 // no string since the last Reset was longer
}

// New returns empty rows of schema s.
func New(s *Schema) *Rows {
	// The first byte is never addressed, so that the zero ref can be null.
	a := &arena{b: make([]byte, 1, 1<<10)}
	r := &Rows{Table: newTable(a, s.Columns), schema: s, lists: make([]List, len(s.Lists))}
	for i, l := range s.Lists {
		r.lists[i] = List{Table: newTable(a, l.Columns)}
	}
	return r
}

func newTable(a *arena, columns []Column) Table {
	return Table{arena: a, columns: columns, cells: make([]cells, len(columns))}
}

// Schema is the schema of the rows.
func (r *Rows) Schema() *Schema { return r.schema }

// Lists are the list columns, in the order of Schema().Lists.
func (r *Rows) Lists() []List { return r.lists }

// Bytes is the memory that the rows fill; the buffers may have grown to about
// twice as much.
func (r *Rows) Bytes() int64 {
	n := int64(len(r.arena.b)) + r.bytes()
	for i := range r.lists {
		n += r.lists[i].bytes() + 4*int64(len(r.lists[i].ends))
	}
	return n
}

// Reset removes all rows and keeps the buffers.
func (r *Rows) Reset() {
	r.Truncate(0)
	r.arena.b = r.arena.b[:1]
}

// Truncate removes all rows from the nth on. What they held in the arena is
// given back by Reset only.
func (r *Rows) Truncate(n int) {
	for i := range r.lists {
		l := &r.lists[i]
		l.ends = l.ends[:min(n, len(l.ends))]
		elements := 0
		if len(l.ends) > 0 {
			elements = int(l.ends[len(l.ends)-1])
		}
		l.truncate(elements)
	}
	r.truncate(n)
}

// Grow appends n empty rows and returns the number of the first.
func (r *Rows) Grow(n int) int {
	for i := range r.lists {
		l := &r.lists[i]
		for range n {
			l.ends = append(l.ends, uint32(l.rows))
		}
	}
	return r.grow(n)
}

// AddElement appends an empty element to a list of the last row, and returns
// its number.
func (r *Rows) AddElement(list int) int {
	l := &r.lists[list]
	l.ends[len(l.ends)-1]++
	return l.grow(1)
}

// Range is the range of a row's elements.
func (l *List) Range(row int) (int, int) {
	start := 0
	if row > 0 {
		start = int(l.ends[row-1])
	}
	return start, int(l.ends[row])
}

// SetCounts completes rows from first on, whose lists are empty, by the numbers
// of their elements, which are then the last ones of the list.
func (l *List) SetCounts(first int, counts []uint32) {
	end := uint32(l.rows)
	for i, n := range counts {
		end += n
		l.ends[first+i] = end
	}
	l.rows = int(end)
}

// Len is the number of rows.
func (t *Table) Len() int { return t.rows }

// Columns describe the table.
func (t *Table) Columns() []Column { return t.columns }

// String is a value of a String column and whether it is there. It is valid
// until the rows are reset.
func (t *Table) String(column, row int) ([]byte, bool) {
	c := &t.cells[column]
	if row >= len(c.ref) || c.ref[row] == (ref{}) {
		return nil, !t.columns[column].Optional
	}
	return t.arena.at(c.ref[row]), true
}

// IDValue is a value of a TraceID or SpanID column and whether it is there: in
// an optional column zero means absent.
func (t *Table) IDValue(column, row int) ([]byte, bool) {
	width := t.columns[column].Type.Width()
	c := &t.cells[column]
	var id []byte
	if (row+1)*width <= len(c.id) {
		id = c.id[row*width : (row+1)*width]
	} else {
		id = zeroID[:width]
	}
	return id, !t.columns[column].Optional || !bytes.Equal(id, zeroID[:width])
}

var zeroID [16]byte

// Num is a value of any other column, a Double as its bits and a Bool as 0 or
// 1, and whether it is there.
func (t *Table) Num(column, row int) (int64, bool) {
	c := &t.cells[column]
	if row >= len(c.num) {
		return 0, !t.columns[column].Optional
	}
	return c.num[row], !t.columns[column].Optional || c.set[row]
}

// Any reports whether a column may have values that are not null or zero.
func (t *Table) Any(column int) bool {
	c := &t.cells[column]
	return len(c.ref) > 0 || len(c.id) > 0 || len(c.num) > 0
}

// SameString reports whether two rows have the same string, where that can be
// seen without reading it.
func (t *Table) SameString(column, row1, row2 int) bool {
	c := &t.cells[column]
	return max(row1, row2) < len(c.ref) && c.ref[row1] == c.ref[row2]
}

// LongStrings is how many bytes the strings longer than limit have that a column
// holds in the given rows, and how many those of them that differ, as far as
// that can be seen without reading them.
func (t *Table) LongStrings(column, limit int, rows iter.Seq[int]) (all, distinct int64) {
	c := &t.cells[column]
	if int64(c.longest) <= int64(limit) {
		return 0, 0
	}
	seen := map[ref]struct{}{}
	for row := range rows {
		if row >= len(c.ref) {
			continue
		}
		v := c.ref[row]
		if int64(v.len) <= int64(limit) {
			continue
		}
		all += int64(v.len)
		if _, ok := seen[v]; !ok {
			seen[v] = struct{}{}
			distinct += int64(v.len)
		}
	}
	return all, distinct
}

// SetString sets a value of a String column, mended where it is not UTF-8.
func (t *Table) SetString(column, row int, s string) {
	c := &t.cells[column]
	if c.last.len == uint32(len(s)) && c.last.off > 0 && string(t.arena.at(c.last)) == s {
		t.setRef(column, row, c.last)
		return
	}
	c.last = t.arena.add(s)
	t.setRef(column, row, c.last)
}

// RepeatString sets a value of a String column to that of another row.
func (t *Table) RepeatString(column, row, from int) {
	t.setRef(column, row, t.cells[column].ref[from])
}

// SetID sets a value of a TraceID or SpanID column.
func (t *Table) SetID(column, row int, id []byte) {
	c := &t.cells[column]
	width := t.columns[column].Type.Width()
	c.id = extend(c.id, (row+1)*width)
	copy(c.id[row*width:], id)
}

// SetNum sets a value of any other column.
func (t *Table) SetNum(column, row int, v int64) {
	c := &t.cells[column]
	c.num = extend(c.num, row+1)
	c.num[row] = v
	if t.columns[column].Optional {
		c.set = extend(c.set, row+1)
		c.set[row] = true
	}
}

func (t *Table) setRef(column, row int, v ref) {
	c := &t.cells[column]
	c.ref = extend(c.ref, row+1)
	c.ref[row] = v
	c.longest = max(c.longest, v.len)
}

// share makes row's string that of the column's last one where they are equal,
// and gives its bytes back; v has to lie at the end of the arena.
func (t *Table) share(column, row int, v ref) {
	c := &t.cells[column]
	if c.last.len == v.len && c.last.off > 0 && bytes.Equal(t.arena.at(c.last), t.arena.at(v)) {
		t.arena.b = t.arena.b[:v.off]
	} else {
		c.last = v
	}
	t.setRef(column, row, c.last)
}

func (t *Table) grow(n int) int {
	first := t.rows
	t.rows += n
	return first
}

func (t *Table) truncate(n int) {
	t.rows = min(t.rows, n)
	for i := range t.cells {
		c := &t.cells[i]
		c.ref = c.ref[:min(len(c.ref), n)]
		c.id = c.id[:min(len(c.id), n*t.columns[i].Type.Width())]
		c.num = c.num[:min(len(c.num), n)]
		c.set = c.set[:min(len(c.set), n)]
		c.last = ref{}
		if n == 0 {
			c.longest = 0
		}
	}
}

func (t *Table) bytes() int64 {
	n := 0
	for i := range t.cells {
		c := &t.cells[i]
		n += 8*len(c.ref) + len(c.id) + 8*len(c.num) + len(c.set)
	}
	return int64(n)
}

func extend[T any](s []T, n int) []T {
	if n <= len(s) {
		return s
	}
	return append(s, make([]T, n-len(s))...)
}

func (a *arena) at(v ref) []byte { return a.b[v.off : v.off+v.len : v.off+v.len] }

func (a *arena) add(s string) ref {
	off := len(a.b)
	a.b = append(a.b, mend(s)...)
	return a.since(off)
}

// since is the string from off to the end of the arena.
func (a *arena) since(off int) ref { return ref{uint32(off), uint32(len(a.b) - off)} }

// mend makes a string valid UTF-8: one that is not makes a file unreadable.
func mend(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
