// Package process runs a Collector on a configuration of the benches.
package process

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spanlake/spanlake/internal/child"
)

const stopTimeout = 60 * time.Second

// Options say what to run.
type Options struct {
	Binary string
	Config []byte
	// Token of the only client, in BENCH_TOKEN.
	Token string
	// Env has more variables. Nothing else is inherited that changes the runtime,
	// such as GOMEMLIMIT.
	Env []string
	// Dir holds everything that the process writes; it may be an earlier one's.
	Dir string
}

// Data is the directory below Dir of what the process stores, in BENCH_DATA.
func (o *Options) Data() string { return filepath.Join(o.Dir, "data") }

// Process is a running Collector.
type Process struct {
	Addresses
	*child.Process
}

// Addresses are those that it listens on, in BENCH_HTTP, BENCH_GRPC,
// BENCH_HEALTH and, the port only, BENCH_METRICS.
type Addresses struct{ HTTP, GRPC, Health, Metrics string }

// Start starts a Collector and waits until it is ready.
func Start(ctx context.Context, o Options) (*Process, error) {
	p, err := Launch(o)
	if err != nil {
		return nil, err
	}
	if err := p.WaitHealthy(ctx, p.Health); err != nil {
		p.Kill()
		return nil, err
	}
	return p, nil
}

// Launch starts a Collector and does not wait for it. It must be ended by Stop
// or Kill.
func Launch(o Options) (*Process, error) {
	file := filepath.Join(o.Dir, "config.yaml")
	if err := os.WriteFile(file, o.Config, 0o600); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.Data(), 0o750); err != nil {
		return nil, err
	}
	var a Addresses
	if err := child.FreeAddresses(&a.HTTP, &a.GRPC, &a.Health, &a.Metrics); err != nil {
		return nil, err
	}
	_, metricsPort, err := net.SplitHostPort(a.Metrics)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(context.Background(), o.Binary, "--config="+file) // always ended by Stop or Kill
	cmd.Env = append([]string{
		"BENCH_HTTP=" + a.HTTP, "BENCH_GRPC=" + a.GRPC, "BENCH_HEALTH=" + a.Health, "BENCH_METRICS=" + metricsPort,
		"BENCH_DATA=" + o.Data(), "BENCH_TOKEN=" + o.Token, "TMPDIR=" + o.Dir,
	}, o.Env...)
	running, err := child.Launch(cmd)
	if err != nil {
		return nil, err
	}
	return &Process{a, running}, nil
}

// Stop ends the process as an operator would.
func (p *Process) Stop() error { return p.Process.Stop(syscall.SIGTERM, stopTimeout) }
