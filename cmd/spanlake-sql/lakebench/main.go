// Command lakebench writes a lake of realistic spans, merges it and asks it, and
// prints what each took: the bars of the Parquet store. Run it from the
// repository's root; bench/README.md says what it measures.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spanlake/spanlake/internal/command"
)

type options struct {
	spans, perFile, rounds int
	dir                    string
	seed                   uint64
}

func main() { command.Main("lakebench", run) }

func parse(args []string, stderr io.Writer) (*options, error) {
	o := &options{}
	f := flag.NewFlagSet("lakebench", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.IntVar(&o.spans, "spans", 10_000_000, "spans in the lake, spread evenly over 24 hours")
	f.IntVar(&o.perFile, "per-file", 104_000, "spans of a flush")
	f.IntVar(&o.rounds, "rounds", 40, "times that each query runs; the lookups of traces five times as often")
	f.StringVar(&o.dir, "dir", "bench/_work/lake", "where to make the lake; removed afterwards")
	f.Uint64Var(&o.seed, "seed", 1, "seed of the generated spans")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if o.spans < hours || o.perFile < 1 || o.rounds < 1 {
		return nil, fmt.Errorf("-spans must be at least %d, -per-file and -rounds at least 1", hours)
	}
	return o, nil
}

func run(ctx context.Context, args []string, out, stderr io.Writer) (err error) {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(o.dir), 0o750); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(o.dir)) }()

	b := &bench{options: o, out: out, log: stderr, start: time.Now().UTC().Truncate(time.Hour).Add(-(hours + 2) * time.Hour)}
	if err := b.open(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.lake.Close()) }()
	for _, step := range []func(context.Context) error{b.write, b.queriesBefore, b.compact, b.queriesAfter, b.openHour, b.queriesOpen} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}
