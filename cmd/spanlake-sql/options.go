package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/spanlake/spanlake/cmd/spanlake-sql/internal/format"
	"github.com/spanlake/spanlake/cmd/spanlake-sql/internal/reader"
	"github.com/spanlake/spanlake/cmd/spanlake-sql/internal/tracetree"
)

const usage = `usage: spanlake-sql [flags] ["select ..."]

Answers SQL (DuckDB) over the views spans and logs of a Spanlake store, safely
while the collector writes. Without a query: a prompt on a terminal, else the
query is read from standard input.

flags:
  --data DIR           directory of the store (default ./data/lake)
  --format NAME        table, csv, json or parquet (default table)
  --files              list the files of the store as it is now, one a line, for
                       other engines
  --trace ID           prints a trace as a tree with its logs (--format json too);
                       the ID as hexadecimal digits, UUID or traceparent
  --tail[=WHAT]        prints spans and log records as they are committed, or
                       spans or logs only (table or json); with --since those
                       from then on first; Ctrl-C ends it
  --where PREDICATE    of --tail: only rows that match, in SQL
  --ascii              draws with ASCII characters only
  --since DURATION     only what is younger: 30m, 12h, 7d
  --from TIME          only what is not older: 2026-11-21, 2026-11-21T09:30:00Z
  --to TIME            only what is older
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
	window      reader.Window
	trace       string // as the store writes it; "": none given
	ascii       bool
	tail        string // one of tailNames; "": not asked for
	where       string
	query       string // "": none given
}

// parseOptions takes flags before and after the query. The error for --help is
// flag.ErrHelp, after the help was written to out.
func parseOptions(args []string, now time.Time, out io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("spanlake-sql", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&o.data, "data", "./data/lake", "")
	flags.StringVar(&o.format, "format", format.Names[0], "")
	flags.BoolVar(&o.files, "files", false, "")
	flags.IntVar(&o.threads, "threads", 0, "")
	flags.StringVar(&o.memoryLimit, "memory-limit", "1GB", "")
	flags.BoolVar(&o.ascii, "ascii", false, "")
	flags.Var(tailFlag{&o.tail}, "tail", "")
	flags.StringVar(&o.where, "where", "", "")
	flags.Func("trace", "", func(text string) (err error) {
		o.trace, err = tracetree.ParseID(text)
		return err
	})
	flags.Func("since", "", func(text string) error {
		age, err := parseAge(text)
		o.window.From = now.Add(-age)
		return err
	})
	flags.Func("from", "", timeFlag(&o.window.From))
	flags.Func("to", "", timeFlag(&o.window.To))

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
	if o.tail != "" && len(queries) == 1 && slices.Contains(tailNames, queries[0]) {
		o.tail, queries = queries[0], nil
	}
	switch {
	case len(queries) > 1:
		return errors.New("more than one query: put the query in quotes")
	case len(queries) == 1 && o.mode() != "":
		return errors.New(o.mode() + " takes no query")
	case o.modes() > 1:
		return errors.New("--files, --trace and --tail exclude each other")
	case (o.trace != "" || o.tail != "") && o.format != "table" && o.format != "json":
		return fmt.Errorf("--format: %s writes table or json, not %q", o.mode(), o.format)
	case o.where != "" && o.tail == "":
		return errors.New("--where goes with --tail: a query has its own")
	case o.tail != "" && !o.window.To.IsZero():
		return errors.New("--tail has no end: leave --to out")
	case len(queries) == 1 && strings.TrimSpace(queries[0]) == "":
		return errors.New("the query is empty")
	case o.data == "":
		return errors.New("--data is empty: name the directory of the store")
	case !format.Known(o.format):
		return fmt.Errorf("--format: %q is not one of %s", o.format, strings.Join(format.Names, ", "))
	case o.threads < 0:
		return fmt.Errorf("--threads: %d is less than 0", o.threads)
	case !o.window.From.IsZero() && !o.window.To.IsZero() && !o.window.From.Before(o.window.To):
		return errors.New("--to is not after --from or --since")
	}
	if len(queries) == 1 {
		o.query = queries[0]
	}
	return nil
}

// modes counts the flags that ask for something other than a query.
func (o *options) modes() int {
	n := 0
	for _, set := range []bool{o.files, o.trace != "", o.tail != ""} {
		if set {
			n++
		}
	}
	return n
}

// mode is the first of them, "" for none.
func (o *options) mode() string {
	switch {
	case o.files:
		return "--files"
	case o.trace != "":
		return "--trace"
	case o.tail != "":
		return "--tail"
	default:
		return ""
	}
}

var timeLayouts = []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04", time.DateTime, "2006-01-02 15:04", time.DateOnly}

// timeFlag parses a time, UTC where it names no zone.
func timeFlag(to *time.Time) func(string) error {
	return func(text string) error {
		for _, layout := range timeLayouts {
			if t, err := time.Parse(layout, text); err == nil {
				*to = t
				return nil
			}
		}
		return errors.New("not a time such as 2026-11-21 or 2026-11-21T09:30:00Z")
	}
}

// parseAge parses a duration, for which days are common.
func parseAge(text string) (time.Duration, error) {
	units, rest := int64(1), text
	if days, found := strings.CutSuffix(text, "d"); found {
		units, rest = 24, days+"h"
	}
	age, err := time.ParseDuration(rest)
	if err != nil || age <= 0 || int64(age) > math.MaxInt64/units {
		return 0, errors.New("not a duration such as 30m, 12h or 7d")
	}
	return time.Duration(int64(age) * units), nil
}
