// Command overload sends a Collector ten times what it has memory for, and
// never slower because it is refused. Then it looks whether the Collector kept
// within its memory and whether its books balance. Run it from the repository's
// root; bench/README.md says more.
package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spanlake/spanlake/bench/internal/load"
	"github.com/spanlake/spanlake/bench/internal/pool"
	"github.com/spanlake/spanlake/bench/internal/process"
	"github.com/spanlake/spanlake/internal/command"
	"github.com/spanlake/spanlake/internal/lake"
)

//go:embed config.yaml
var config []byte

const (
	workDir  = "bench/_work"
	token    = "token-of-the-bench"
	poolRate = 20_000 // of simulated time
	mib      = 1 << 20
)

type options struct {
	binary                      string
	duration, calm, drain, wait time.Duration
	factor                      float64
	connections, giants         int
	poolSpans, giantMiB         int
	memoryMiB, limitMiB         int
	inFlightMiB                 int
	goMemLimit                  string
	seed                        uint64
}

func main() { command.Main("overload", run) }

func parse(args []string, stderr io.Writer) (*options, error) {
	o := &options{}
	f := flag.NewFlagSet("overload", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&o.binary, "spanlake", "bin/spanlake", "the Spanlake binary")
	f.DurationVar(&o.duration, "duration", 5*time.Minute, "how long the overload lasts")
	f.DurationVar(&o.calm, "calm", time.Minute, "how long the load stays at the base rate afterwards")
	f.DurationVar(&o.drain, "drain", 5*time.Minute, "longest wait for everything to be stored after the load")
	f.DurationVar(&o.wait, "decision-wait", 30*time.Second, "decision_wait")
	f.Float64Var(&o.factor, "factor", 10, "the load over the base rate, which fills memory_limit_mib within decision_wait")
	f.IntVar(&o.connections, "connections", 256, "connections, one request under way on each")
	f.IntVar(&o.giants, "giants", 3, "giant traces")
	f.IntVar(&o.giantMiB, "giant-mib", 50, "size of a giant trace")
	f.IntVar(&o.poolSpans, "pool", 200_000, "spans generated; they are sent many times, under other trace IDs")
	f.IntVar(&o.memoryMiB, "memory-mib", 256, "memory_limit_mib")
	f.IntVar(&o.inFlightMiB, "in-flight-mib", 32, "max_in_flight_mib of the receiver")
	f.IntVar(&o.limitMiB, "limit-mib", 512, "resident memory that the process must stay within")
	f.StringVar(&o.goMemLimit, "gomemlimit", "384MiB", "GOMEMLIMIT of the process")
	f.Uint64Var(&o.seed, "seed", 1, "seed of the generated spans")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	return o, command.Positive(f, "duration", "calm", "drain", "decision-wait", "factor",
		"connections", "pool", "memory-mib", "in-flight-mib", "limit-mib")
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(workDir, 0o750); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(workDir, "overload-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	p, err := pool.New(load.Config{Seed: o.seed, Spans: o.poolSpans, Start: time.Now().UTC().Truncate(time.Second), Rate: poolRate})
	if err != nil {
		return fmt.Errorf("generate: %w", err)
	}
	options := o.process(dir)
	c, err := process.Start(ctx, options)
	if err != nil {
		return err
	}
	ended := false
	defer func() {
		if !ended {
			c.Kill()
		}
	}()

	r, err := o.stress(ctx, c, p, stderr)
	if err != nil {
		return err
	}
	metrics, err := settle(ctx, c, o.drain)
	if err != nil {
		return err
	}
	r.peak = c.Memory().Peak
	ended = true
	if err := c.Stop(); err != nil {
		return err
	}
	snapshot, err := lake.ReadSnapshot(filepath.Join(options.Data(), "lake"))
	if err != nil {
		return fmt.Errorf("lake: %w", err)
	}
	stored := 0
	for _, f := range snapshot.Files {
		stored += int(f.Rows)
	}
	b := newBooks(&r.counts, metrics, stored)
	fmt.Fprint(stdout, r.report(o), b)
	return errors.Join(r.check(o), b.check())
}

func (o *options) process(dir string) process.Options {
	return process.Options{
		Binary: o.binary, Config: config, Token: token, Dir: dir,
		Env: []string{
			"GOMEMLIMIT=" + o.goMemLimit,
			"BENCH_DECISION_WAIT=" + o.wait.String(),
			fmt.Sprintf("BENCH_MEMORY_MIB=%d", o.memoryMiB),
			fmt.Sprintf("BENCH_IN_FLIGHT_MIB=%d", o.inFlightMiB),
		},
	}
}
