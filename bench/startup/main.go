// Command startup fills the sampler's journal with undecided spans, kills the
// Collector with -9 and measures how long it takes after a restart until it
// accepts a span. Run it from the repository's root; bench/README.md says more.
package main

import (
	"context"
	_ "embed"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spanlake/spanlake/bench/internal/load"
	"github.com/spanlake/spanlake/bench/internal/pool"
	"github.com/spanlake/spanlake/bench/internal/process"
	"github.com/spanlake/spanlake/bench/internal/send"
	"github.com/spanlake/spanlake/internal/command"
	"github.com/spanlake/spanlake/internal/scrape"
)

//go:embed config.yaml
var config []byte

const (
	workDir    = "bench/_work"
	token      = "token-of-the-bench"
	poolSpans  = 200_000
	poolRate   = 20_000 // of simulated time
	mib        = 1 << 20
	undecided  = "otelcol_processor_trace_sampling_undecided_traces"
	askTimeout = time.Second
)

type options struct {
	binary                string
	spans, connections    int
	memoryMiB, journalMiB int
	deadline, limit       time.Duration
	seed                  uint64
}

func main() { command.Main("startup", run) }

func parse(args []string, stderr io.Writer) (*options, error) {
	o := &options{}
	f := flag.NewFlagSet("startup", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&o.binary, "spanlake", "bin/spanlake", "the Spanlake binary")
	f.IntVar(&o.spans, "spans", 5_000_000, "undecided spans at the restart")
	f.IntVar(&o.connections, "connections", 8, "connections that fill the journal")
	f.IntVar(&o.memoryMiB, "memory-mib", 512, "memory_limit_mib")
	f.IntVar(&o.journalMiB, "journal-mib", 8192, "max_size_mib of the journal")
	f.DurationVar(&o.limit, "limit", 10*time.Second, "time that the start may take")
	f.DurationVar(&o.deadline, "deadline", time.Minute, "time after which the start is given up")
	f.Uint64Var(&o.seed, "seed", 1, "seed of the generated spans")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	return o, command.Positive(f, "spans", "connections", "memory-mib", "journal-mib", "limit", "deadline")
}

func (o *options) process(dir string) process.Options {
	return process.Options{
		Binary: o.binary, Config: config, Token: token, Dir: dir,
		Env: []string{fmt.Sprintf("BENCH_MEMORY_MIB=%d", o.memoryMiB), fmt.Sprintf("BENCH_JOURNAL_MIB=%d", o.journalMiB)},
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(workDir, 0o750); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(workDir, "startup-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	p, err := pool.New(load.Config{Seed: o.seed, Spans: poolSpans, Start: time.Now().UTC().Truncate(time.Second), Rate: poolRate})
	if err != nil {
		return fmt.Errorf("generate: %w", err)
	}
	cursor := p.Cursor(o.seed)
	options := o.process(dir)

	filled, err := o.fill(ctx, options, cursor)
	if err != nil {
		return fmt.Errorf("fill: %w", err)
	}
	fmt.Fprintln(stderr, filled)
	ready, err := o.restart(ctx, options, cursor.Next(), filled.traces)
	fmt.Fprintf(stdout, "%s\n%s\n", filled, ready)
	if err != nil {
		return fmt.Errorf("restart: %w", err)
	}
	if ready.after > o.limit {
		return fmt.Errorf("the start took %s, more than %s", ready.after, o.limit)
	}
	return nil
}

// fullJournal is what was acknowledged before the kill.
type fullJournal struct {
	sent   send.Result
	traces int
	peak   int64 // bytes resident
}

func (f fullJournal) String() string {
	return fmt.Sprintf("filled with %d spans of %d undecided traces in %s, %d retries, peak RSS %d MiB",
		f.sent.Spans, f.traces, f.sent.Elapsed.Round(time.Millisecond), f.sent.Retries, f.peak/mib)
}

// fill sends what is to be undecided, and kills the process.
func (o *options) fill(ctx context.Context, options process.Options, cursor *pool.Cursor) (fullJournal, error) {
	var f fullJournal
	c, err := process.Start(ctx, options)
	if err != nil {
		return f, err
	}
	defer c.Kill()
	left := o.spans
	f.sent, err = send.Run(ctx, send.Options{Endpoint: c.HTTP, Token: token, Connections: o.connections}, func() ([]byte, int, error) {
		if left <= 0 {
			return nil, 0, io.EOF
		}
		m := cursor.Next()
		left -= m.Spans
		return m.AppendTo(nil), m.Spans, nil
	})
	if err != nil {
		return f, err
	}
	metrics, err := scrape.Get(ctx, c.Metrics)
	f.traces, f.peak = metrics.Sum(undecided), c.Memory().Peak
	return f, err
}
