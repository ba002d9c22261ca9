package v1

import (
	"slices"
	"strings"
)

// Signals, as the store's folders and the manifest name them.
const (
	SignalTraces = "traces"
	SignalLogs   = "logs"
)

// Type is what a column holds, in a row and in a file.
type Type uint8

// Types of columns.
const (
	String  Type = iota // valid UTF-8
	TraceID             // 16 bytes; in a file 32 lower-case hexadecimal digits
	SpanID              // 8 bytes; in a file 16 lower-case hexadecimal digits
	Time                // nanoseconds since 1970 UTC
	Int64
	Int32
	Uint32
	Double
	Bool
)

// Width is the number of bytes of an ID, else 0.
func (t Type) Width() int {
	switch t {
	case TraceID:
		return 16
	case SpanID:
		return 8
	default:
		return 0
	}
}

// Column describes one leaf column.
type Column struct {
	Name     string
	ID       int // Parquet field ID, never used again
	Type     Type
	Optional bool
	Encoding Encoding
	Bloom    bool // has a bloom filter
	NoBounds bool // has no min and max
}

// Encoding is how a file holds a column's values.
type Encoding uint8

// Encodings of columns.
const (
	Plain  Encoding = iota
	Dict            // dictionary
	Delta           // DELTA_BINARY_PACKED
	Length          // DELTA_LENGTH_BYTE_ARRAY
)

// ListColumn describes a column that is a list of structs.
type ListColumn struct {
	Name      string
	ID        int // of the list
	ElementID int // of its elements
	Columns   []Column
}

// Schema describes the rows of one signal. It is immutable.
type Schema struct {
	Signal  string
	Columns []Column     // in the order of the file
	Lists   []ListColumn // behind Columns in the file

	at      positions
	lifts   map[string]lift // by the key of an attribute
	unlifts []unlift
}

// newSchema completes a schema by the attributes that have a column. Positions
// in columns of both signals and in lists are those of the signal's schema
// here, whatever columns follow.
func newSchema(s Schema, lifts map[string]lift) *Schema {
	s.at = positionsOf(&s)
	s.lifts = lifts
	for key, l := range lifts {
		if l.rank == 0 {
			s.unlifts = append(s.unlifts, unlift{key, l.column})
		}
	}
	slices.SortFunc(s.unlifts, func(a, b unlift) int { return strings.Compare(a.key, b.key) })
	return &s
}

// Index is the position of the column of that name in Columns, or -1.
func (s *Schema) Index(name string) int { return indexOf(s.Columns, name) }

func indexOf(columns []Column, name string) int {
	return slices.IndexFunc(columns, func(c Column) bool { return c.Name == name })
}

// ForSignal is the schema of a signal, or nil.
func ForSignal(signal string) *Schema {
	switch signal {
	case SignalTraces:
		return Traces
	case SignalLogs:
		return Logs
	default:
		return nil
	}
}
