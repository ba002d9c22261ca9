package parquetfile

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"

	"github.com/parquet-go/parquet-go"

	v1 "github.com/spanlake/spanlake/internal/schema/v1"
)

// Schema is the schema that reads all of a file: that of its signal, with the
// additional columns that the file has.
func Schema(in io.ReaderAt, size int64) (schema *v1.Schema, err error) {
	defer recovered(&err)
	file, err := openFile(in, size)
	if err != nil {
		return nil, err
	}
	signal, _ := file.Lookup(v1.KeySignal)
	base := v1.ForSignal(signal)
	if base == nil {
		return nil, &v1.UnknownSignalError{Signal: signal}
	}
	if err := checkFile(file, base); err != nil {
		return nil, err
	}
	lifts := slices.DeleteFunc(v1.LiftsOf(file.Schema()), func(l v1.Lift) bool { return base.Index(l.Name) >= 0 })
	return v1.Extend(base, lifts)
}

// openFile reads the footer of a file. parquet-go makes room for as many bytes
// as the end of the file says that the footer has: up to 4 GiB in a damaged one.
func openFile(in io.ReaderAt, size int64, options ...parquet.FileOption) (*parquet.File, error) {
	const magic = "PAR1"
	var end [8]byte // the length of the footer, and the magic
	if size < int64(len(magic)+len(end)) {
		return nil, fmt.Errorf("damaged file: %d bytes are too few", size)
	}
	if _, err := in.ReadAt(end[:], size-int64(len(end))); err != nil {
		return nil, err
	}
	footer := int64(binary.LittleEndian.Uint32(end[:4]))
	if string(end[4:]) != magic || footer > size-int64(len(magic)+len(end)) {
		return nil, errors.New("damaged file: it does not end as Parquet files do")
	}
	return parquet.OpenFile(in, size, append(options, parquet.SkipBloomFilters(true), parquet.SkipPageIndex(true))...)
}

// recovered makes a panic of parquet-go an error: it trusts a file's numbers in
// places, and has limits that it meets so.
func recovered(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("damaged file or values too large: %v", r)
	}
}

// Read appends the rows of a file to rows, or nothing when it returns an error.
// Columns are found by name; ones that the rows' schema does not know are left
// out (Schema gives one that knows all), and ones that the file does not have
// are null.
func Read(in io.ReaderAt, size int64, rows *v1.Rows) (err error) {
	before := rows.Len()
	defer func() {
		if err != nil {
			rows.Truncate(before)
		}
	}()
	defer recovered(&err)
	file, err := openFile(in, size)
	if err != nil {
		return err
	}
	if err := checkFile(file, rows.Schema()); err != nil {
		return err
	}
	for _, group := range file.RowGroups() {
		if err := readGroup(file, group, rows); err != nil {
			return err
		}
	}
	return nil
}

func checkFile(file *parquet.File, schema *v1.Schema) error {
	version, _ := file.Lookup(v1.KeySchema)
	signal, _ := file.Lookup(v1.KeySignal)
	if version != strconv.Itoa(v1.Version) || signal != schema.Signal {
		return fmt.Errorf("a file of %q with schema version %q, where %q with version %d was expected",
			signal, version, schema.Signal, v1.Version)
	}
	return nil
}

func readGroup(file *parquet.File, group parquet.RowGroup, rows *v1.Rows) error {
	if group.NumRows() < 0 || group.NumRows() > v1.MaxRowGroup {
		return fmt.Errorf("a row group of %d rows", group.NumRows())
	}
	n := int(group.NumRows())
	first := rows.Grow(n)
	chunks := group.ColumnChunks()
	for i, c := range rows.Columns() {
		leaf, ok := file.Schema().Lookup(c.Name)
		if !ok {
			continue
		}
		if err := checkType(leaf, c); err != nil {
			return fmt.Errorf("column %s: %w", c.Name, err)
		}
		row := first
		to := setter{table: &rows.Table, column: i}
		err := eachValue(chunks[leaf.ColumnIndex], func(v parquet.Value, inDictionary bool) error {
			row++
			return to.set(row-1, v, inDictionary)
		})
		if err == nil && row != first+n {
			err = errors.New("not as many values as rows")
		}
		if err != nil {
			return fmt.Errorf("column %s: %w", c.Name, err)
		}
	}
	for i := range rows.Lists() {
		if err := readList(file, chunks, rows, i, first, n); err != nil {
			return err
		}
	}
	return nil
}

func readList(file *parquet.File, chunks []parquet.ColumnChunk, rows *v1.Rows, list, first, n int) error {
	l := &rows.Lists()[list]
	name := rows.Schema().Lists[list].Name
	counted := false
	var counts []uint32
	base := l.Len()
	for i, c := range l.Columns() {
		leaf, ok := file.Schema().Lookup(name, "list", "element", c.Name)
		if !ok {
			continue
		}
		if err := checkType(leaf, c); err != nil {
			return fmt.Errorf("column %s.%s: %w", name, c.Name, err)
		}
		seen := make([]uint32, 0, n)
		element := base
		to := setter{table: &l.Table, column: i}
		err := eachValue(chunks[leaf.ColumnIndex], func(v parquet.Value, inDictionary bool) error {
			if v.RepetitionLevel() == 0 {
				seen = append(seen, 0)
			}
			if v.DefinitionLevel() < leaf.MaxDefinitionLevel {
				return nil // the row's list is empty
			}
			if len(seen) == 0 {
				return errors.New("an element before the first row")
			}
			seen[len(seen)-1]++
			element++
			return to.set(element-1, v, inDictionary)
		})
		if err == nil && (len(seen) != n || counted && !slices.Equal(seen, counts)) {
			err = errors.New("not the same lists as in the other columns")
		}
		if err != nil {
			return fmt.Errorf("column %s.%s: %w", name, c.Name, err)
		}
		counts, counted = seen, true
	}
	if counted {
		l.SetCounts(first, counts)
	}
	return nil
}

// checkType refuses a column that has the name of another: its values would be
// taken for something else.
func checkType(leaf parquet.LeafColumn, c v1.Column) error {
	if got, want := leaf.Node.Type().Kind(), c.Kind(); got != want {
		return fmt.Errorf("it is of type %s, where %s was expected", got, want)
	}
	return nil
}

// eachValue calls fn with every value of a column chunk, and whether it lies in
// the chunk's dictionary.
func eachValue(chunk parquet.ColumnChunk, fn func(v parquet.Value, inDictionary bool) error) error {
	pages := chunk.Pages()
	defer pages.Close()
	var buffer [256]parquet.Value
	for {
		page, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		err = eachOfPage(page, buffer[:], fn)
		parquet.Release(page)
		if err != nil {
			return err
		}
	}
}

func eachOfPage(page parquet.Page, buffer []parquet.Value, fn func(parquet.Value, bool) error) error {
	values, inDictionary := page.Values(), page.Dictionary() != nil
	for {
		n, err := values.ReadValues(buffer)
		for _, v := range buffer[:n] {
			if err := fn(v, inDictionary); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// setter stores the values of a column chunk.
type setter struct {
	table  *v1.Table
	column int
	// rows are the first rows that have a string of the dictionary, by its place
	// in memory: it is stored once, however often it comes.
	rows map[*byte]int
}

// set stores a value as the encoder took it.
func (s *setter) set(row int, v parquet.Value, inDictionary bool) error {
	if v.IsNull() {
		return nil
	}
	t, column := s.table, s.column
	switch c := t.Columns()[column]; c.Type {
	case v1.String:
		s.setString(row, v.ByteArray(), inDictionary)
	case v1.TraceID, v1.SpanID:
		var id [16]byte
		text := v.ByteArray()
		width := c.Type.Width()
		if len(text) != 2*width {
			return fmt.Errorf("%q is no ID of %d digits", text, 2*width)
		}
		if _, err := hex.Decode(id[:], text); err != nil {
			return err
		}
		t.SetID(column, row, id[:width])
	case v1.Int32:
		t.SetNum(column, row, int64(v.Int32()))
	case v1.Uint32:
		t.SetNum(column, row, int64(v.Uint32()))
	case v1.Double:
		t.SetNum(column, row, int64(math.Float64bits(v.Double())))
	case v1.Bool:
		switch {
		case v.Boolean():
			t.SetNum(column, row, 1)
		case c.Optional:
			t.SetNum(column, row, 0)
		}
	default:
		t.SetNum(column, row, v.Int64())
	}
	return nil
}

func (s *setter) setString(row int, text []byte, inDictionary bool) {
	if !inDictionary || len(text) == 0 {
		s.table.SetString(s.column, row, string(text))
		return
	}
	if first, ok := s.rows[&text[0]]; ok {
		s.table.RepeatString(s.column, row, first)
		return
	}
	if s.rows == nil {
		s.rows = map[*byte]int{}
	}
	s.rows[&text[0]] = row
	s.table.SetString(s.column, row, string(text))
}
