package format

import (
	"bufio"
	"fmt"
	"strings"

	"github.com/spanlake/spanlake/cmd/spanlake-sql/internal/duck"
)

// sampleRows is how many rows are held to find the widths of the columns. Rows
// after them are written as they come, with a wider cell pushing its line out,
// so that the memory of a table does not grow with its length.
const (
	sampleRows  = 1000
	sampleBytes = 4 << 20 // of cells
)

// table writes aligned columns, a line below the header, and the number of rows.
type table struct {
	out     *bufio.Writer
	columns []duck.Column
	widths  []int
	sample  [][]string // nil once it has been written
	held    int        // bytes in sample
	rows    int
	text    []byte
}

func (t *table) Begin(columns []duck.Column) error {
	t.columns, t.rows, t.held = columns, 0, 0
	t.widths = make([]int, len(columns))
	for i, c := range columns {
		t.widths[i] = DisplayWidth(Printable([]byte(c.Name)))
	}
	t.sample = make([][]string, 0, sampleRows)
	return nil
}

func (t *table) Row(row duck.Row) error {
	t.rows++
	cells := make([]string, len(t.columns))
	for i := range cells {
		if row.IsNull(i) {
			cells[i] = "NULL"
			continue
		}
		t.text = row.AppendText(t.text[:0], i)
		cells[i] = Printable(t.text)
	}
	if t.sample == nil {
		return t.line(cells)
	}
	for i, cell := range cells {
		t.held += len(cell)
		t.widths[i] = max(t.widths[i], DisplayWidth(cell))
	}
	t.sample = append(t.sample, cells)
	if t.rows == sampleRows || t.held >= sampleBytes {
		return t.flushSample()
	}
	return nil
}

func (t *table) End() error {
	if t.sample != nil {
		if err := t.flushSample(); err != nil {
			return err
		}
	}
	noun := "rows"
	if t.rows == 1 {
		noun = "row"
	}
	if _, err := fmt.Fprintf(t.out, "(%d %s)\n", t.rows, noun); err != nil {
		return err
	}
	return t.out.Flush()
}

func (t *table) flushSample() error {
	header, rule := make([]string, len(t.columns)), make([]string, len(t.columns))
	for i, c := range t.columns {
		header[i] = Printable([]byte(c.Name))
		rule[i] = strings.Repeat("-", t.widths[i])
	}
	for _, cells := range append([][]string{header, rule}, t.sample...) {
		if err := t.line(cells); err != nil {
			return err
		}
	}
	t.sample = nil
	return nil
}

// line writes cells two spaces apart, numbers at the right of their column, and
// no spaces at the end.
func (t *table) line(cells []string) error {
	t.text = t.text[:0]
	for i, cell := range cells {
		if i > 0 {
			t.pad(2)
		}
		padding := max(0, t.widths[i]-DisplayWidth(cell))
		switch {
		case t.columns[i].Numeric():
			t.pad(padding)
			t.text = append(t.text, cell...)
		case i == len(cells)-1:
			t.text = append(t.text, cell...)
		default:
			t.text = append(t.text, cell...)
			t.pad(padding)
		}
	}
	t.text = append(t.text, '\n')
	_, err := t.out.Write(t.text)
	return err
}

func (t *table) pad(n int) {
	for range n {
		t.text = append(t.text, ' ')
	}
}
