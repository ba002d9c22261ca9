package v1

import (
	"bytes"
	"reflect"
	"strconv"

	"github.com/parquet-go/parquet-go"
	parquetzstd "github.com/parquet-go/parquet-go/compress/zstd"
	"github.com/parquet-go/parquet-go/encoding"
)

// Keys of the footer's metadata.
const (
	KeySchema  = "spanlake.schema"
	KeySignal  = "spanlake.signal"
	KeyLog     = "spanlake.log"
	KeySegment = "spanlake.segment"
	KeyRows    = "spanlake.rows"
	KeyMinTime = "spanlake.min_time"
	KeyMaxTime = "spanlake.max_time"
	KeyBatches = "spanlake.batches"
	KeyMerged  = "spanlake.merged"
)

// bloomBits is the size of a bloom filter a value: about 1 % wrong hits.
const bloomBits = 10

// MaxRowGroup is the greatest number of rows in a row group. The dictionary of
// trace_id then never exceeds maxDictionary: parquet-go would leave the values
// behind that point out of the bloom filter.
const MaxRowGroup = 32_768

// maxDictionary is the size in bytes of a row group's dictionary at which a
// column goes on without one.
const maxDictionary = MaxRowGroup * 2 * 16

// compression is one for all writers: it keeps encoders, which are large.
var compression = &codec{Codec: parquetzstd.Codec{Level: parquetzstd.SpeedFastest}}

// Parquet is the schema as a file has it: Columns, then the leaves of Lists.
func (s *Schema) Parquet() *parquet.Schema {
	fields := leaves(s.Columns)
	for _, l := range s.Lists {
		element := group{fields: leaves(l.Columns)}
		list := parquet.List(parquet.FieldID(element, l.ElementID))
		fields = append(fields, &field{Node: parquet.FieldID(list, l.ID), name: l.Name})
	}
	return NewParquet(fields)
}

// NewParquet is the schema of a file with these columns, in this order.
func NewParquet(fields []parquet.Field) *parquet.Schema {
	return parquet.NewSchema("spanlake", group{fields: fields})
}

// WriterOptions are the options of a writer of the schema's files.
func (s *Schema) WriterOptions() []parquet.WriterOption {
	var blooms []parquet.BloomFilterColumn
	options := []parquet.WriterOption{
		s.Parquet(),
		parquet.CreatedBy("spanlake", strconv.Itoa(Version), ""),
		parquet.Compression(compression),
		parquet.DictionaryMaxBytes(maxDictionary),
		parquet.SortingWriterConfig(parquet.SortingColumns(
			parquet.Ascending(ColServiceName), parquet.Ascending(ColTimestamp),
		)),
		parquet.KeyValueMetadata(KeySchema, strconv.Itoa(Version)),
		parquet.KeyValueMetadata(KeySignal, s.Signal),
	}
	add := func(c Column, path ...string) {
		if c.Bloom {
			blooms = append(blooms, parquet.SplitBlockFilter(bloomBits, path...))
		}
		if c.NoBounds {
			options = append(options, parquet.SkipPageBounds(path...), parquet.SkipPageStatistics(path...))
		}
	}
	for _, c := range s.Columns {
		add(c, c.Name)
	}
	for _, l := range s.Lists {
		for _, c := range l.Columns {
			add(c, l.Name, "list", "element", c.Name)
		}
	}
	return append(options, parquet.BloomFilters(blooms...))
}

// EmptyFile is a Parquet file of the signal's schema without rows: from it a
// query engine learns the columns where the store has no file yet.
func EmptyFile(signal string) ([]byte, error) {
	s := ForSignal(signal)
	if s == nil {
		return nil, &UnknownSignalError{signal}
	}
	return s.EmptyFile()
}

// EmptyFile is one of the schema.
func (s *Schema) EmptyFile() ([]byte, error) {
	var b bytes.Buffer
	w := parquet.NewGenericWriter[any](&b, s.WriterOptions()...)
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// UnknownSignalError says that there is no schema of a signal.
type UnknownSignalError struct{ Signal string }

func (e *UnknownSignalError) Error() string {
	return "no schema for the signal " + strconv.Quote(e.Signal)
}

// group is a Parquet group whose fields keep their order; parquet.Group, which
// gives it its other properties, sorts them by name.
type group struct {
	parquet.Group

	fields []parquet.Field
}

func (g group) Fields() []parquet.Field { return g.fields }

func leaves(columns []Column) []parquet.Field {
	fields := make([]parquet.Field, len(columns))
	for i, c := range columns {
		node := parquet.Encoded(leaf(c.Type), c.Encoding.parquet())
		if c.Optional {
			node = parquet.Optional(node)
		}
		fields[i] = &field{Node: parquet.FieldID(node, c.ID), name: c.Name}
	}
	return fields
}

// Kind is the physical type of the column in a file.
func (c Column) Kind() parquet.Kind { return leaf(c.Type).Type().Kind() }

// LiftsOf are the additional columns in the schema of a file.
func LiftsOf(file *parquet.Schema) []Lift {
	var lifts []Lift
	for _, f := range file.Fields() {
		if !IsLiftID(f.ID()) || !f.Leaf() {
			continue
		}
		for _, t := range liftTypes {
			if leaf(t).Type().Kind() == f.Type().Kind() {
				lifts = append(lifts, Lift{Name: f.Name(), Type: t})
			}
		}
	}
	return lifts
}

func leaf(t Type) parquet.Node {
	switch t {
	case Time:
		return parquet.TimestampAdjusted(parquet.Nanosecond, false)
	case Int64:
		return parquet.Leaf(parquet.Int64Type)
	case Int32:
		return parquet.Leaf(parquet.Int32Type)
	case Uint32:
		return parquet.Uint(32)
	case Double:
		return parquet.Leaf(parquet.DoubleType)
	case Bool:
		return parquet.Leaf(parquet.BooleanType)
	default:
		return parquet.String()
	}
}

func (e Encoding) parquet() encoding.Encoding {
	switch e {
	case Dict:
		return &parquet.RLEDictionary
	case Delta:
		return &parquet.DeltaBinaryPacked
	case Length:
		return &parquet.DeltaLengthByteArray
	default:
		return &parquet.Plain
	}
}

// field is a node with its name. Rows are written column by column, so that
// no Go value is ever taken apart.
type field struct {
	parquet.Node

	name string
}

func (f *field) Name() string { return f.name }

func (f *field) Value(reflect.Value) reflect.Value { return reflect.Value{} }
