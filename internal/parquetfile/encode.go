package parquetfile

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"math"

	"github.com/parquet-go/parquet-go"

	v1 "github.com/spanlake/spanlake/internal/schema/v1"
)

const (
	// rowGroupRows bounds row groups, which are of even size: small ones let a
	// reader skip more, and a trace by ID decodes one or two.
	rowGroupRows = min(30_000, v1.MaxRowGroup)
	// chunkRows and chunkBytes bound what is handed to parquet-go at once; it
	// ends a page only between two calls.
	chunkRows  = 1024
	chunkBytes = 256 << 10
	// dictPageBytes of values end the page of a dictionary column: parquet-go
	// looks at the size of the dictionary then, and counts only numbers else.
	dictPageBytes = 1 << 20
)

// encoder writes files of one signal, one after the other. The writer is a new
// one for each: Reset of parquet-go's clears the sorting columns for good.
type encoder struct {
	schema  *v1.Schema
	options []parquet.WriterOption
	values  []parquet.Value
	hex     []byte
}

func newEncoder(schema *v1.Schema) *encoder {
	return &encoder{schema: schema, options: schema.WriterOptions(), hex: make([]byte, 0, chunkRows*32)}
}

// encode writes the rows in the given order as a file to out.
func (e *encoder) encode(ctx context.Context, out io.Writer, rows *v1.Rows, order []uint32, metadata []keyValue) error {
	w := parquet.NewGenericWriter[any](out, e.fileOptions(rows, order)...)
	for _, m := range metadata {
		w.SetKeyValueMetadata(m.key, m.value)
	}
	groups := (len(order) + rowGroupRows - 1) / rowGroupRows
	for ; groups > 0; groups-- {
		if err := ctx.Err(); err != nil {
			return err
		}
		size := (len(order) + groups - 1) / groups
		if err := e.rowGroup(w, rows, order[:size]); err != nil {
			return err
		}
		order = order[size:]
	}
	return w.Close()
}

func (e *encoder) rowGroup(w *parquet.GenericWriter[any], rows *v1.Rows, order []uint32) error {
	leaves := w.ColumnWriters()
	for i, c := range rows.Columns() {
		if err := e.column(leaves[i], &rows.Table, i, order); err != nil {
			return fmt.Errorf("column %s: %w", c.Name, err)
		}
	}
	leaves = leaves[len(rows.Columns()):]
	for i := range rows.Lists() {
		l := &rows.Lists()[i]
		for j, c := range l.Columns() {
			if err := e.list(leaves[j], l, j, order); err != nil {
				return fmt.Errorf("column %s.%s: %w", e.schema.Lists[i].Name, c.Name, err)
			}
		}
		leaves = leaves[len(l.Columns()):]
	}
	return w.Flush()
}

// column writes a column of the rows themselves.
func (e *encoder) column(w *parquet.ColumnWriter, t *v1.Table, column int, order []uint32) error {
	c := t.Columns()[column]
	s := sink{encoder: e, writer: w}
	switch {
	case c.Optional && !t.Any(column):
		return s.nulls(len(order))
	case c.Type == v1.String:
		s.dict = c.Encoding == v1.Dict
		return e.strings(&s, t, column, order)
	}
	defined := definition(c)
	for _, row := range order {
		v, size := e.value(t, c.Type, column, int(row))
		if !v.IsNull() {
			v.SetDefinitionLevel(defined)
		}
		s.add(v, size)
		if err := s.endRow(); err != nil {
			return err
		}
	}
	return s.write()
}

// strings is column for most of them. Rows next to each other often share a
// string.
func (e *encoder) strings(s *sink, t *v1.Table, column int, order []uint32) error {
	defined := definition(t.Columns()[column])
	var v parquet.Value
	size := 0
	for i, row := range order {
		if i == 0 || !t.SameString(column, int(order[i-1]), int(row)) {
			v, size = parquet.Value{}, 0
			if b, ok := t.String(column, int(row)); ok {
				v, size = parquet.ByteArrayValue(b), len(b)
				v.SetDefinitionLevel(defined)
				s.distinct += size
			}
		}
		s.add(v, size)
		if err := s.endRow(); err != nil {
			return err
		}
	}
	return s.write()
}

func definition(c v1.Column) int {
	if c.Optional {
		return 1
	}
	return 0
}

// list writes a column of the elements of a list.
func (e *encoder) list(w *parquet.ColumnWriter, l *v1.List, column int, order []uint32) error {
	c := l.Columns()[column]
	s := sink{encoder: e, writer: w, dict: c.Type == v1.String && c.Encoding == v1.Dict}
	for _, row := range order {
		from, to := l.Range(int(row))
		if from == to {
			s.add(parquet.Value{}, 0)
		}
		for element := from; element < to; element++ {
			v, size := e.value(&l.Table, c.Type, column, element)
			v.SetDefinitionLevel(1)
			v.SetRepetitionLevel(min(element-from, 1))
			s.add(v, size)
			s.distinct += size
		}
		if err := s.endRow(); err != nil {
			return err
		}
	}
	return s.write()
}

// value is a row's value and about how many bytes it holds. It is valid until
// the rows are written.
func (e *encoder) value(t *v1.Table, typ v1.Type, column, row int) (parquet.Value, int) {
	switch typ {
	case v1.String:
		if b, ok := t.String(column, row); ok {
			return parquet.ByteArrayValue(b), len(b)
		}
		return parquet.Value{}, 0
	case v1.TraceID, v1.SpanID:
		if id, ok := t.IDValue(column, row); ok {
			from := len(e.hex)
			e.hex = hex.AppendEncode(e.hex, id)
			return parquet.ByteArrayValue(e.hex[from:]), len(e.hex) - from
		}
		return parquet.Value{}, 0
	default:
		n, ok := t.Num(column, row)
		if !ok {
			return parquet.Value{}, 0
		}
		return number(typ, n)
	}
}

func number(typ v1.Type, n int64) (parquet.Value, int) {
	switch typ {
	case v1.Int32, v1.Uint32:
		return parquet.Int32Value(int32(n)), 4
	case v1.Double:
		return parquet.DoubleValue(math.Float64frombits(uint64(n))), 8
	case v1.Bool:
		return parquet.BooleanValue(n != 0), 1
	default:
		return parquet.Int64Value(n), 8
	}
}

// sink hands values to a column writer in chunks of whole rows.
type sink struct {
	encoder  *encoder
	writer   *parquet.ColumnWriter
	dict     bool // of strings
	bytes    int  // in the chunk
	distinct int  // bytes of values in the page that differ from the one before
}

func (s *sink) add(v parquet.Value, size int) {
	s.encoder.values = append(s.encoder.values, v)
	s.bytes += size
}

// nulls writes n rows of null.
func (s *sink) nulls(n int) error {
	for n > 0 {
		chunk := min(n, len(null))
		if _, err := s.writer.WriteRowValues(null[:chunk]); err != nil {
			return err
		}
		n -= chunk
	}
	return nil
}

var null [chunkRows]parquet.Value

func (s *sink) endRow() error {
	if len(s.encoder.values) < chunkRows && s.bytes < chunkBytes {
		return nil
	}
	return s.write()
}

func (s *sink) write() error {
	var err error
	if len(s.encoder.values) > 0 {
		_, err = s.writer.WriteRowValues(s.encoder.values)
	}
	clear(s.encoder.values) // they point into the rows
	s.encoder.values, s.encoder.hex, s.bytes = s.encoder.values[:0], s.encoder.hex[:0], 0
	if err != nil {
		return err
	}
	if s.dict && s.distinct > dictPageBytes {
		s.distinct = 0
		return s.writer.Flush()
	}
	return nil
}
