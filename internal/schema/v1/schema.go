package v1

import "slices"

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
