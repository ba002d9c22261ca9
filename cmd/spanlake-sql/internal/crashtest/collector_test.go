package crashtest

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	token         = "crash-token"
	startDeadline = 30 * time.Second
	stopDeadline  = 10 * time.Second
)

// config has a store that is always busy: a flush makes a file for each of many
// partitions, most of them of hours that are over, and files go soon after the
// manifest has given them up. What is acknowledged is in the log of the exporter.
func config(data, otlp, health string) string {
	return fmt.Sprintf(`
extensions: {health_check: {endpoint: %q}}
receivers:
  token_otlp:
    protocols: {http: {endpoint: %q}}
    sources: [{name: crash, tokens: [%s]}]
processors:
  attributes: {actions: [{key: spanlake.retention, from_attribute: keep, action: upsert}]}
exporters:
  columnar:
    log: {directory: %q, max_size_mib: 256}
    flush: {interval: 100ms}
    parquet:
      directory: %q
      compaction: {target_file_size_mib: 1, cpu_limit_percentage: 100}
      remove_after: %s
    retry_on_failure: {initial_interval: 100ms, max_interval: 500ms}
service:
  extensions: [health_check]
  pipelines:
    traces: {receivers: [token_otlp], processors: [attributes], exporters: [columnar]}
    logs: {receivers: [token_otlp], processors: [attributes], exporters: [columnar]}
  telemetry: {metrics: {level: none}}
`, health, otlp, token, filepath.Join(data, "wal"), lakeOf(data), removeAfter)
}

func lakeOf(data string) string { return filepath.Join(data, "lake") }

// collector is a running bin/spanlake.
type collector struct {
	otlp, health string // endpoints
	launched     time.Time
	cmd          *exec.Cmd
	said         *transcript
	exited       chan struct{} // closed after err is set
	err          error
}

// launch starts the binary and does not wait for it. It is killed at the end of
// the test at the latest.
func launch(t *testing.T, data string) *collector {
	t.Helper()
	binary := os.Getenv("SPANLAKE_BIN")
	if binary == "" {
		binary = filepath.Join("..", "..", "..", "..", "bin", "spanlake")
	}
	binary, err := filepath.Abs(binary)
	require.NoError(t, err)
	require.FileExists(t, binary, "run make build, or set SPANLAKE_BIN")
	c := &collector{otlp: freePort(t), health: freePort(t), launched: time.Now(), said: &transcript{}, exited: make(chan struct{})}
	c.cmd = exec.Command(binary, "--config", "yaml:"+config(data, c.otlp, c.health))
	c.cmd.Env = append(os.Environ(), "GOMEMLIMIT=1GiB")
	c.cmd.Stdout, c.cmd.Stderr = c.said, c.said
	require.NoError(t, c.cmd.Start())
	go func() {
		defer close(c.exited)
		c.err = c.cmd.Wait()
	}()
	t.Cleanup(func() {
		c.kill()
		if t.Failed() {
			t.Logf("the collector said:\n%s", c.said)
		}
	})
	return c
}

// waitHealthy returns once the collector takes requests.
func (c *collector) waitHealthy(t *testing.T) {
	t.Helper()
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	c.poll(t, "be healthy", startDeadline, func() error {
		response, err := client.Get("http://" + c.health)
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

// poll calls check until it succeeds, while the collector lives.
func (c *collector) poll(t *testing.T, what string, deadline time.Duration, check func() error) {
	t.Helper()
	timeout := time.NewTimer(deadline)
	defer timeout.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-c.exited:
			t.Fatalf("the collector ended by itself: %v; it said:\n%s", c.err, c.said)
		case <-timeout.C:
			t.Fatalf("did not %s within %s: %v", what, deadline, err)
		case <-tick.C:
		}
	}
}

// kill ends the collector as kill -9 does.
func (c *collector) kill() {
	_ = c.cmd.Process.Signal(syscall.SIGKILL) // an error means that it has ended
	<-c.exited
}

// stop ends it as Ctrl-C does.
func (c *collector) stop(t *testing.T) {
	t.Helper()
	require.NoError(t, c.cmd.Process.Signal(os.Interrupt))
	select {
	case <-c.exited:
		require.NoError(t, c.err, "exit after SIGINT")
	case <-time.After(stopDeadline):
		t.Fatalf("the collector did not end within %s of SIGINT", stopDeadline)
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

// transcript keeps the end of what a process wrote.
type transcript struct {
	mu   sync.Mutex // guards text
	text []byte
}

func (o *transcript) Write(p []byte) (int, error) {
	const size = 32 << 10
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text = append(o.text, p...)
	if surplus := len(o.text) - size; surplus > 0 {
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
