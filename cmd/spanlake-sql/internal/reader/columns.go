package reader

import (
	"strings"

	"github.com/spanlake/spanlake/cmd/spanlake-sql/internal/duck"
	schema "github.com/spanlake/spanlake/internal/schema/v1"
)

// column is one of a view's, with its type in the engine's words.
type column struct{ name, typ string }

// schemaColumns are those that every view of the signal has, whatever the files
// of the store have or lack.
func schemaColumns(signal string) []column {
	s := schema.ForSignal(signal)
	columns := plainColumns(s.Columns)
	for _, l := range s.Lists {
		var typ strings.Builder
		typ.WriteString("STRUCT(")
		for i, c := range plainColumns(l.Columns) {
			if i > 0 {
				typ.WriteString(", ")
			}
			typ.WriteString(duck.QuoteName(c.name) + " " + c.typ)
		}
		typ.WriteString(")[]")
		columns = append(columns, column{l.Name, typ.String()})
	}
	return columns
}

func plainColumns(from []schema.Column) []column {
	columns := make([]column, len(from))
	for i, c := range from {
		columns[i] = column{c.Name, sqlType(c.Type)}
	}
	return columns
}

func sqlType(t schema.Type) string {
	switch t {
	case schema.Time:
		return "TIMESTAMP_NS"
	case schema.Int64:
		return "BIGINT"
	case schema.Int32:
		return "INTEGER"
	case schema.Uint32:
		return "UINTEGER"
	case schema.Double:
		return "DOUBLE"
	case schema.Bool:
		return "BOOLEAN"
	default:
		return "VARCHAR"
	}
}

// merge adds columns that are new. Engines fold the case of names, so two that
// differ in it only are one. Where files disagree about a type the column is
// text.
func merge(columns []column, fixed int, more []column) []column {
	at := make(map[string]int, len(columns))
	for i, c := range columns {
		at[strings.ToLower(c.name)] = i
	}
	for _, c := range more {
		i, known := at[strings.ToLower(c.name)]
		switch {
		case !known:
			at[strings.ToLower(c.name)] = len(columns)
			columns = append(columns, c)
		case i >= fixed && columns[i].typ != c.typ:
			columns[i].typ = "VARCHAR"
		}
	}
	return columns
}
