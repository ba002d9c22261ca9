package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	readyTimeout = 30 * time.Second
	stopTimeout  = 60 * time.Second
	pollInterval = 100 * time.Millisecond
)

// process is a collector under measurement.
type process struct {
	cmd    *exec.Cmd
	log    string
	health string
	// done is closed when the process has ended; then peak and err are set.
	done chan struct{}
	peak int64 // bytes
	err  error
}

// addresses are free ones on loopback.
type addresses struct{ http, grpc, health, metrics string }

func freeAddresses() (addresses, error) {
	var a addresses
	for _, p := range []*string{&a.http, &a.grpc, &a.health, &a.metrics} {
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

// start starts a collector with its configuration and data below dir and waits
// until it is ready.
func start(ctx context.Context, s *subject, w workload, a addresses, dir string) (*process, error) {
	config, err := configs.ReadFile("config/" + s.name + "-" + w.name + ".yaml")
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "config.yaml")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	if err := os.Mkdir(data, 0o750); err != nil {
		return nil, err
	}
	p := &process{log: filepath.Join(dir, "log"), health: "http://" + a.health, done: make(chan struct{})}
	out, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	_, metricsPort, err := net.SplitHostPort(a.metrics)
	if err != nil {
		return nil, err
	}

	// Not bound to ctx: the process is always ended by stop.
	p.cmd = exec.CommandContext(context.WithoutCancel(ctx), s.binary, "--config="+file)
	p.cmd.Stdout, p.cmd.Stderr = out, out
	// Nothing is inherited that changes the runtime, such as GOMEMLIMIT.
	p.cmd.Env = []string{
		"BENCH_HTTP=" + a.http, "BENCH_GRPC=" + a.grpc, "BENCH_HEALTH=" + a.health, "BENCH_METRICS=" + metricsPort,
		"BENCH_DATA=" + data, "BENCH_TOKEN=" + s.token, "TMPDIR=" + dir,
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go p.watch()
	if err := p.ready(ctx); err != nil {
		_, stopErr := p.stop()
		return nil, errors.Join(err, stopErr)
	}
	return p, nil
}

// watch follows the process until it ends. It owns peak and err until then.
func (p *process) watch() {
	ended := make(chan error, 1)
	go func() { ended <- p.cmd.Wait() }()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			p.peak = max(p.peak, highWater(p.cmd.Process.Pid))
		case p.err = <-ended:
			close(p.done)
			return
		}
	}
}

// highWater returns the largest resident set a process has had, or 0 where the
// system does not tell. The rusage of an ended child is second best: on Linux
// it is no less than the resident set of the parent when it forked.
func highWater(pid int) int64 {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0
	}
	_, after, ok := bytes.Cut(b, []byte("VmHWM:"))
	if !ok {
		return 0
	}
	fields := strings.Fields(string(after))
	if len(fields) == 0 {
		return 0
	}
	kib, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil {
		return 0
	}
	return kib << 10
}

func (p *process) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.health, http.NoBody)
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
		case <-p.done:
			return errors.New("ended before it was ready")
		case <-ctx.Done():
			return fmt.Errorf("not ready: %w", ctx.Err())
		}
	}
}

// usage is what a process has used in its life.
type usage struct {
	cpu  time.Duration // user and system
	peak int64         // bytes resident
}

// stop ends the process as an operator would and says what it used. An exit
// status other than 0 is an error, which has the end of the process's log.
func (p *process) stop() (usage, error) {
	timeout := time.NewTimer(stopTimeout)
	defer timeout.Stop()
	// It may have ended by itself, which the status will tell.
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-timeout.C:
		_ = p.cmd.Process.Kill()
		<-p.done
		p.err = fmt.Errorf("still running %s after SIGTERM", stopTimeout)
	}
	if p.err != nil {
		return usage{}, fmt.Errorf("%w\n%s", p.err, p.tail())
	}
	state := p.cmd.ProcessState
	u := usage{cpu: state.UserTime() + state.SystemTime(), peak: p.peak}
	if ru, ok := state.SysUsage().(*syscall.Rusage); ok && u.peak == 0 {
		u.peak = ru.Maxrss
		if runtime.GOOS == "linux" {
			u.peak <<= 10
		}
	}
	return u, nil
}

// tail returns the end of the process's log.
func (p *process) tail() string {
	const lines = 15
	b, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
