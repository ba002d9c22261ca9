package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/spanlake/spanlake/cmd/spanlake-sql/internal/format"
)

const usage = `usage: spanlake-sql [flags] ["select ..."]

Answers SQL (DuckDB) over the views spans and logs of a Spanlake store, safely
while the collector writes. Without a query: a prompt on a terminal, else the
query is read from standard input.

flags:
  --data DIR           directory of the store (default ./data/lake)
  --format NAME        table, csv or json (default table)
  --files              list the files of the store as it is now, one a line, for
                       other engines
  --threads N          threads of a query (default one for each core)
  --memory-limit SIZE  what a query may hold in memory before it spills to
                       temporary files (default 1GB)
`

type options struct {
	data        string
	format      string
	files       bool
	threads     int
	memoryLimit string
	query       string // "": none given
}

// parseOptions takes flags before and after the query. The error for --help is
// flag.ErrHelp, after the help was written to out.
func parseOptions(args []string, out io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("spanlake-sql", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&o.data, "data", "./data/lake", "")
	flags.StringVar(&o.format, "format", format.Names[0], "")
	flags.BoolVar(&o.files, "files", false, "")
	flags.IntVar(&o.threads, "threads", 0, "")
	flags.StringVar(&o.memoryLimit, "memory-limit", "1GB", "")

	var queries []string
	for {
		if err := flags.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				fmt.Fprint(out, usage)
			}
			return o, err
		}
		if flags.NArg() == 0 {
			break
		}
		queries = append(queries, flags.Arg(0))
		args = flags.Args()[1:]
	}
	return o, o.take(queries)
}

// take checks what the flag package cannot.
func (o *options) take(queries []string) error {
	switch {
	case len(queries) > 1:
		return errors.New("more than one query: put the query in quotes")
	case len(queries) == 1 && o.files:
		return errors.New("--files takes no query")
	case len(queries) == 1 && strings.TrimSpace(queries[0]) == "":
		return errors.New("the query is empty")
	case o.data == "":
		return errors.New("--data is empty: name the directory of the store")
	case !format.Known(o.format):
		return fmt.Errorf("--format: %q is not one of %s", o.format, strings.Join(format.Names, ", "))
	case o.threads < 0:
		return fmt.Errorf("--threads: %d is less than 0", o.threads)
	}
	if len(queries) == 1 {
		o.query = queries[0]
	}
	return nil
}
