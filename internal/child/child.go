// Package child runs a Collector as an operator would, and watches what it uses.
package child

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	startTimeout   = 30 * time.Second
	checkInterval  = 20 * time.Millisecond
	memoryInterval = 100 * time.Millisecond
)

// Process is a Collector that was started.
type Process struct {
	// Done is closed when the process has ended; then Err is set.
	Done chan struct{}
	Err  error

	cmd  *exec.Cmd
	said transcript
	peak int64 // bytes
}

// Launch starts a Collector and does not wait for it. It must be ended by Stop
// or Kill. What it says is kept for Said.
func Launch(cmd *exec.Cmd) (*Process, error) {
	p := &Process{Done: make(chan struct{}), cmd: cmd}
	cmd.Stdout, cmd.Stderr = &p.said, &p.said
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go p.watch()
	return p, nil
}

// watch follows the process until it ends. It owns peak and Err until then.
func (p *Process) watch() {
	ended := make(chan error, 1)
	go func() { ended <- p.cmd.Wait() }()
	tick := time.NewTicker(memoryInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			p.peak = max(p.peak, p.Memory().Peak)
		case p.Err = <-ended:
			close(p.Done)
			return
		}
	}
}

// WaitHealthy waits until the health check at an address says that the process
// is ready.
func (p *Process) WaitHealthy(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	return p.Until(ctx, func() error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address, http.NoBody)
		if err != nil {
			return err
		}
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("health check: %s", response.Status)
		}
		return nil
	})
}

// Until repeats check until it returns nil, while the process runs.
func (p *Process) Until(ctx context.Context, check func() error) error {
	for {
		err := check()
		if err == nil {
			return nil
		}
		select {
		case <-time.After(checkInterval):
		case <-p.Done:
			return p.explain(errors.Join(errors.New("the collector ended by itself"), p.Err))
		case <-ctx.Done():
			return p.explain(fmt.Errorf("%w: %w", ctx.Err(), err))
		}
	}
}

// Kill ends the process as kill -9 does.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // an error means that it has ended
	<-p.Done
}

// Stop ends the process by a signal. It is an error if the process had ended
// before, does not end in time, or ends with a status other than 0.
func (p *Process) Stop(signal os.Signal, within time.Duration) error {
	timeout := time.NewTimer(within)
	defer timeout.Stop()
	err := p.cmd.Process.Signal(signal)
	select {
	case <-p.Done:
		err = cmp.Or(p.Err, err)
	case <-timeout.C:
		p.Kill()
		err = fmt.Errorf("still running %s after the signal %s", within, signal)
	}
	if err != nil {
		return p.explain(err)
	}
	return nil
}

// Usage is what a process has used in its life.
type Usage struct {
	CPU  time.Duration // user and system
	Peak int64         // bytes resident
}

// Usage is of a process that has ended.
func (p *Process) Usage() Usage {
	state := p.cmd.ProcessState
	u := Usage{CPU: state.UserTime() + state.SystemTime(), Peak: p.peak}
	if ru, ok := state.SysUsage().(*syscall.Rusage); ok && u.Peak == 0 {
		u.Peak = ru.Maxrss
		if runtime.GOOS == "linux" {
			u.Peak <<= 10
		}
	}
	return u
}

// Said returns the end of what the process wrote to its outputs.
func (p *Process) Said() string { return p.said.String() }

// Forget drops what the process said until now.
func (p *Process) Forget() { p.said.clear() }

// explain adds the last lines that the process said.
func (p *Process) explain(err error) error {
	const lines = 15
	all := strings.Split(strings.TrimSpace(p.Said()), "\n")
	return fmt.Errorf("%w\n%s", err, strings.Join(all[max(0, len(all)-lines):], "\n"))
}

// transcript keeps the end of what is written to it.
type transcript struct {
	mu   sync.Mutex // guards text
	text []byte
}

const transcriptSize = 64 << 10

func (o *transcript) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text = append(o.text, p...)
	if surplus := len(o.text) - transcriptSize; surplus > 0 {
		o.text = bytes.Clone(o.text[surplus:])
	}
	return len(p), nil
}

func (o *transcript) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.text)
}

func (o *transcript) clear() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text = nil
}

// FreeAddresses sets addresses that nothing listens on, different ones.
func FreeAddresses(addresses ...*string) error {
	for _, a := range addresses {
		// All stay open until the end, so that they differ.
		l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer l.Close()
		*a = l.Addr().String()
	}
	return nil
}
