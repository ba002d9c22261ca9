package parquetfile

import (
	"unsafe"

	"github.com/parquet-go/parquet-go"
)

// gather hands the values of one column, which come from many sources, to its
// writer, in whole rows.
type gather struct {
	merge    *merge
	writer   *parquet.ColumnWriter
	dict     bool
	distinct int // bytes of values in the page that differ from the one before
}

// writeError tells an error of the output from those of the inputs.
type writeError struct{ err error }

func (e *writeError) Error() string { return e.err.Error() }

// room is where the next values of a column without lists go, n at most.
func (g *gather) room(n int) ([]parquet.Value, error) {
	m := g.merge
	if len(m.values) == cap(m.values) || m.bytes >= chunkBytes {
		if err := g.write(); err != nil {
			return nil, err
		}
	}
	n = min(n, cap(m.values)-len(m.values))
	return m.values[len(m.values) : len(m.values)+n], nil
}

// took says that the first n places of room are filled.
func (g *gather) took(n int) {
	m := g.merge
	from := len(m.values)
	m.values = m.values[:from+n]
	for i := from; i < len(m.values); i++ {
		m.bytes += size(&m.values[i])
	}
}

func size(v *parquet.Value) int {
	if v.Kind() != parquet.ByteArray {
		return 0
	}
	return len(v.ByteArray())
}

// write writes what was gathered. A page ends only between two calls of the
// writer, so that large values go in smaller steps.
func (g *gather) write() error {
	m := g.merge
	defer func() {
		clear(m.values)
		m.values, m.bytes = m.values[:0], 0
		m.release()
	}()
	from, bytes := 0, 0
	var last *byte
	for i := range m.values {
		v := &m.values[i]
		if bytes >= chunkBytes && v.RepetitionLevel() == 0 {
			if err := g.hand(m.values[from:i]); err != nil {
				return err
			}
			from, bytes = i, 0
		}
		if v.Kind() != parquet.ByteArray {
			continue
		}
		b := v.ByteArray()
		bytes += len(b)
		// The same entry of a source's dictionary is the same memory.
		if first := unsafe.SliceData(b); first != last {
			g.distinct += len(b)
			last = first
		}
	}
	return g.hand(m.values[from:])
}

func (g *gather) hand(values []parquet.Value) error {
	if len(values) == 0 {
		return nil
	}
	if _, err := g.writer.WriteRowValues(values); err != nil {
		return &writeError{err}
	}
	if g.dict && g.distinct > dictPageBytes {
		g.distinct = 0
		if err := g.writer.Flush(); err != nil {
			return &writeError{err}
		}
	}
	return nil
}
