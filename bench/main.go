// Command bench compares whole processes: Spanlake, and a stock Collector of
// the same versions, given the same requests. Run it from the repository's
// root; README.md says what it measures.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spanlake/spanlake/bench/internal/load"
	"github.com/spanlake/spanlake/internal/command"
)

type options struct {
	spans, runs, rate, connections int
	seed                           uint64
	grpc, write                    bool
	drain                          time.Duration
	workloads                      []workload
	subjects                       []*subject
}

func main() { command.Main("bench", run) }

func parse(args []string, stderr io.Writer) (*options, error) {
	o := &options{}
	var protocol, workloads, only, spanlake, stock string
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.IntVar(&o.spans, "spans", 1_000_000, "spans to send in each run")
	f.IntVar(&o.runs, "runs", 3, "runs of each process and workload")
	f.IntVar(&o.rate, "rate", 25_000, "spans a second; 0: as fast as they are taken")
	f.IntVar(&o.connections, "connections", 8, "connections, one request under way on each")
	f.Uint64Var(&o.seed, "seed", 1, "seed of the generated spans")
	f.DurationVar(&o.drain, "drain", 15*time.Second, "wait between the last request and SIGTERM; above decision_wait and flush interval together")
	f.StringVar(&protocol, "protocol", "http", "http (OTLP/HTTP protobuf) or grpc")
	f.StringVar(&workloads, "workloads", "sample,keep", "workloads to run")
	f.StringVar(&only, "only", "", "measure one process only: spanlake or stock")
	f.StringVar(&spanlake, "spanlake", "bin/spanlake", "the Spanlake binary")
	f.StringVar(&stock, "stock", stockBinary, "the stock Collector's binary; built when missing")
	f.BoolVar(&o.write, "write", false, "write the result to bench/RESULTS.md as well")
	if err := f.Parse(args); err != nil {
		return nil, err
	}

	errs := []error{command.Positive(f, "spans", "runs", "connections")}
	if o.rate < 0 {
		errs = append(errs, fmt.Errorf("-rate: %d must not be negative", o.rate))
	}
	if protocol != "http" && protocol != "grpc" {
		errs = append(errs, fmt.Errorf("-protocol: %q must be http or grpc", protocol))
	}
	o.grpc = protocol == "grpc"
	for name := range strings.SplitSeq(workloads, ",") {
		i := slices.IndexFunc(allWorkloads, func(w workload) bool { return w.name == name })
		if i < 0 {
			errs = append(errs, fmt.Errorf("-workloads: %q must be sample or keep", name))
			continue
		}
		o.workloads = append(o.workloads, allWorkloads[i])
	}
	for _, s := range []*subject{newSpanlake(spanlake), newStock(stock)} {
		if only == "" || only == s.name {
			o.subjects = append(o.subjects, s)
		}
	}
	if len(o.subjects) == 0 {
		errs = append(errs, fmt.Errorf("-only: %q must be spanlake or stock", only))
	}
	return o, errors.Join(errs...)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	for _, s := range o.subjects {
		if err := s.prepare(ctx, stderr); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	if err := os.MkdirAll(workDir, 0o750); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(workDir, "run-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)

	in, err := generate(o, filepath.Join(dir, "requests"), stderr)
	if err != nil {
		return fmt.Errorf("generate: %w", err)
	}
	var results []result
	for _, w := range o.workloads {
		// Interleaved, so that what else the machine does falls on all alike.
		for i := range o.runs {
			for _, s := range o.subjects {
				r, err := measure(ctx, o, s, w, in, dir)
				if err != nil {
					return fmt.Errorf("%s %s, run %d: %w", s.name, w.name, i+1, err)
				}
				fmt.Fprintf(stderr, "%-8s %-6s %d/%d: %s\n", s.name, w.name, i+1, o.runs, r)
				results = append(results, r)
			}
		}
	}
	text := report(o, in, results, machine())
	if o.write {
		if err := os.WriteFile(resultsFile, []byte(text), 0o644); err != nil {
			return err
		}
	}
	_, err = io.WriteString(stdout, text)
	return err
}

// input is the generated requests.
type input struct {
	file  string
	stats load.Stats
}

func generate(o *options, file string, stderr io.Writer) (*input, error) {
	f, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	w := load.NewWriter(f)
	rate := o.rate
	if rate == 0 {
		rate = 100_000
	}
	stats, err := load.Generate(load.Config{Seed: o.seed, Spans: o.spans, Start: time.Now().UTC().Truncate(time.Second), Rate: rate}, w.Write)
	if err != nil {
		return nil, err
	}
	if err := w.Flush(); err != nil {
		return nil, err
	}
	fmt.Fprintf(stderr, "%d spans in %d requests, %d MB\n", stats.Spans, stats.Requests, stats.Bytes/1e6)
	return &input{file: file, stats: stats}, f.Close()
}
