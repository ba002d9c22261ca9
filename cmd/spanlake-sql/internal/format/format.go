// Package format writes query results as an aligned table, CSV or JSON.
package format

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spanlake/spanlake/cmd/spanlake-sql/internal/duck"
)

// Parquet is the name of the format that no sink writes: the engine does.
const Parquet = "parquet"

// Names of the formats, the default first.
var Names = []string{"table", "csv", "json", Parquet}

// New returns the sink that writes results to w in the format of that name. On a
// terminal the values are made printable in all formats.
func New(name string, w io.Writer, terminal bool) (duck.Sink, error) {
	out := bufio.NewWriterSize(w, 64<<10)
	switch name {
	case "table":
		return &table{out: out}, nil
	case "csv":
		return &csv{out: out, terminal: terminal}, nil
	case "json":
		return &json{out: out}, nil
	}
	return nil, fmt.Errorf("%q is not one of %s", name, strings.Join(Names, ", "))
}

// Known reports whether there is a format of that name.
func Known(name string) bool { return slices.Contains(Names, name) }
