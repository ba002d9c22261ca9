// Package process runs a Collector as an operator would, and watches what it
// uses.
package process

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

const (
	readyTimeout = 30 * time.Second
	stopTimeout  = 60 * time.Second
	pollInterval = 100 * time.Millisecond
)

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
	// Done is closed when the process has ended; then peak and err are set.
	Done chan struct{}

	cmd  *exec.Cmd
	log  string
	peak int64 // bytes
	err  error
}

// Addresses are those that it listens on, in BENCH_HTTP, BENCH_GRPC,
// BENCH_HEALTH and, the port only, BENCH_METRICS.
type Addresses struct{ HTTP, GRPC, Health, Metrics string }

func freeAddresses() (Addresses, error) {
	var a Addresses
	for _, p := range []*string{&a.HTTP, &a.GRPC, &a.Health, &a.Metrics} {
		// All stay open until the end, so that they differ.
		l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
		if err != nil {
			return a, err
		}
		defer l.Close()
		*p = l.Addr().String()
	}
	return a, nil
}

// Start starts a Collector and waits until it is ready.
func Start(ctx context.Context, o Options) (*Process, error) {
	p, err := Launch(ctx, o)
	if err != nil {
		return nil, err
	}
	if err := p.ready(ctx); err != nil {
		_, stopErr := p.Stop()
		return nil, errors.Join(err, stopErr)
	}
	return p, nil
}

// Launch starts a Collector and does not wait for it. It must be ended by Stop
// or Kill.
func Launch(ctx context.Context, o Options) (*Process, error) {
	file := filepath.Join(o.Dir, "config.yaml")
	if err := os.WriteFile(file, o.Config, 0o600); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.Data(), 0o750); err != nil {
		return nil, err
	}
	a, err := freeAddresses()
	if err != nil {
		return nil, err
	}
	_, metricsPort, err := net.SplitHostPort(a.Metrics)
	if err != nil {
		return nil, err
	}
	p := &Process{Addresses: a, Done: make(chan struct{}), log: filepath.Join(o.Dir, "log")}
	out, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer out.Close()

	// Not bound to ctx: the process is always ended by Stop or Kill.
	p.cmd = exec.CommandContext(context.WithoutCancel(ctx), o.Binary, "--config="+file)
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.Env = append([]string{
		"BENCH_HTTP=" + a.HTTP, "BENCH_GRPC=" + a.GRPC, "BENCH_HEALTH=" + a.Health, "BENCH_METRICS=" + metricsPort,
		"BENCH_DATA=" + o.Data(), "BENCH_TOKEN=" + o.Token, "TMPDIR=" + o.Dir,
	}, o.Env...)
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go p.watch()
	return p, nil
}

// watch follows the process until it ends. It owns peak and err until then.
func (p *Process) watch() {
	ended := make(chan error, 1)
	go func() { ended <- p.cmd.Wait() }()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			p.peak = max(p.peak, p.Memory().Peak)
		case p.err = <-ended:
			close(p.Done)
			return
		}
	}
}

func (p *Process) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.Health, http.NoBody)
		if err != nil {
			return err
		}
		if resp, err := client.Do(req); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-time.After(pollInterval):
		case <-p.Done:
			return errors.New("ended before it was ready")
		case <-ctx.Done():
			return fmt.Errorf("not ready: %w", ctx.Err())
		}
	}
}

// Usage is what a process has used in its life.
type Usage struct {
	CPU  time.Duration // user and system
	Peak int64         // bytes resident
}

// Kill ends the process as kill -9 does.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // an error means that it has ended
	<-p.Done
}

// Stop ends the process as an operator would and says what it used. An exit
// status other than 0 is an error, which has the end of the process's log.
func (p *Process) Stop() (Usage, error) {
	timeout := time.NewTimer(stopTimeout)
	defer timeout.Stop()
	// It may have ended by itself, which the status will tell.
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.Done:
	case <-timeout.C:
		p.Kill()
		p.err = fmt.Errorf("still running %s after SIGTERM", stopTimeout)
	}
	if p.err != nil {
		return Usage{}, fmt.Errorf("%w\n%s", p.err, p.tail())
	}
	state := p.cmd.ProcessState
	u := Usage{CPU: state.UserTime() + state.SystemTime(), Peak: p.peak}
	if ru, ok := state.SysUsage().(*syscall.Rusage); ok && u.Peak == 0 {
		u.Peak = ru.Maxrss
		if runtime.GOOS == "linux" {
			u.Peak <<= 10
		}
	}
	return u, nil
}

// tail returns the end of the process's log.
func (p *Process) tail() string {
	const lines = 15
	b, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
