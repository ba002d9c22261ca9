package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	token = "e2e-token" // of the source "local"

	startDeadline = 30 * time.Second
	stopDeadline  = 5 * time.Second
)

// binary is the path of a built binary: the environment's, else the one in bin.
func binary(t *testing.T, variable, name string) string {
	t.Helper()
	path := os.Getenv(variable)
	if path == "" {
		path = filepath.Join("..", "bin", name)
	}
	path, err := filepath.Abs(path)
	require.NoError(t, err)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%s is not there: run make build, or set %s", path, variable)
	}
	return path
}

// collector is a running bin/spanlake.
type collector struct {
	data   string // holds the store and the log
	ports  ports
	cmd    *exec.Cmd
	stderr *transcript
	exited chan struct{} // closed after err is set
	err    error
}

// startCollector starts the binary on config/local.yaml with its data in the
// directory data, and returns when it reports to be healthy. It is killed at
// the end of the test unless it was stopped before.
func startCollector(t *testing.T, data string, overrides ...string) *collector {
	t.Helper()
	return startCollectorWith(t, nil, data, overrides...)
}

// startCollectorWith does so with more environment variables.
func startCollectorWith(t *testing.T, env []string, data string, overrides ...string) *collector {
	t.Helper()
	const attempts = 3 // another process may take a port between our look and the start
	for attempt := 1; ; attempt++ {
		c := launchWith(t, env, data, overrides...)
		err := c.waitHealthy()
		if err == nil {
			return c
		}
		if attempt < attempts && strings.Contains(c.stderr.String(), "address already in use") {
			continue
		}
		require.NoError(t, err, "the collector said:\n%s", c.stderr)
	}
}

// launch starts the binary and does not wait for it.
func launch(t *testing.T, data string, overrides ...string) *collector {
	t.Helper()
	return launchWith(t, nil, data, overrides...)
}

func launchWith(t *testing.T, env []string, data string, overrides ...string) *collector {
	t.Helper()
	c := &collector{data: data, ports: freePorts(t), stderr: &transcript{}, exited: make(chan struct{})}
	args := []string{"--config", filepath.Join("..", "config", "local.yaml"), "--config", "yaml:" + c.ports.config()}
	for _, o := range overrides {
		args = append(args, "--config", "yaml:"+o)
	}
	c.cmd = exec.Command(binary(t, "SPANLAKE_BIN", "spanlake"), args...)
	c.cmd.Env = append(os.Environ(), "SPANLAKE_TOKEN="+token, "SPANLAKE_DATA="+data, "GOMEMLIMIT=1GiB")
	c.cmd.Env = append(c.cmd.Env, env...) // of a name that is there twice, the last counts
	c.cmd.Stdout, c.cmd.Stderr = c.stderr, c.stderr
	require.NoError(t, c.cmd.Start())
	go func() {
		defer close(c.exited)
		c.err = c.cmd.Wait()
	}()
	t.Cleanup(func() {
		c.kill()
		if t.Failed() {
			t.Logf("the collector said:\n%s", c.stderr)
		}
	})
	return c
}

func (c *collector) waitHealthy() error {
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	return poll(startDeadline, func() error {
		select {
		case <-c.exited:
			return final{fmt.Errorf("the collector ended: %w", c.err)}
		default:
		}
		response, err := client.Get("http://" + c.ports.health)
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

// stop ends the collector as Ctrl-C does and holds it to the promised time.
func (c *collector) stop(t *testing.T) {
	t.Helper()
	require.NoError(t, c.cmd.Process.Signal(os.Interrupt))
	began := time.Now()
	select {
	case <-c.exited:
	case <-time.After(stopDeadline):
		c.kill()
		t.Fatalf("the collector did not end within %s of SIGINT", stopDeadline)
	}
	require.NoError(t, c.err, "exit after SIGINT")
	t.Logf("ended %s after SIGINT", time.Since(began).Round(time.Millisecond))
}

// kill ends the collector as kill -9 does.
func (c *collector) kill() {
	_ = c.cmd.Process.Signal(syscall.SIGKILL) // an error means that it has ended
	<-c.exited
}

// waitExit returns the exit code of a collector that ends by itself.
func (c *collector) waitExit(t *testing.T) int {
	t.Helper()
	select {
	case <-c.exited:
	case <-time.After(startDeadline):
		t.Fatalf("the collector did not end within %s; it said:\n%s", startDeadline, c.stderr)
	}
	return c.cmd.ProcessState.ExitCode()
}

func (c *collector) lake() string { return filepath.Join(c.data, "lake") }

// ports are the endpoints of a collector, as host:port.
type ports struct{ grpc, http, health, prometheus, telemetry string }

// freePorts finds ports that nothing listens on, different ones.
func freePorts(t *testing.T) ports {
	t.Helper()
	var p ports
	for _, endpoint := range []*string{&p.grpc, &p.http, &p.health, &p.prometheus, &p.telemetry} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer listener.Close()
		*endpoint = listener.Addr().String()
	}
	return p
}

// config moves the endpoints of config/local.yaml.
func (p ports) config() string {
	host, port, _ := net.SplitHostPort(p.telemetry)
	return fmt.Sprintf(`
receivers: {token_otlp: {protocols: {grpc: {endpoint: %q}, http: {endpoint: %q}}}}
exporters: {prometheus: {endpoint: %q}}
extensions: {health_check: {endpoint: %q}}
service:
  telemetry:
    metrics:
      readers:
        - pull: {exporter: {prometheus: {host: %s, port: %s, without_type_suffix: true, without_units: true, without_scope_info: true}}}
`, p.grpc, p.http, p.prometheus, p.health, host, port)
}

// transcript keeps the end of what a process wrote.
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

const pollInterval = 100 * time.Millisecond

// final is an error after which polling has no use.
type final struct{ error }

// poll calls check until it succeeds or the deadline has passed, and returns
// its last error.
func poll(deadline time.Duration, check func() error) error {
	timeout := time.NewTimer(deadline)
	defer timeout.Stop()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		err := check()
		if end, isFinal := errors.AsType[final](err); isFinal {
			return end.error
		}
		if err == nil {
			return nil
		}
		select {
		case <-timeout.C:
			return fmt.Errorf("not within %s: %w", deadline, err)
		case <-tick.C:
		}
	}
}

// answer is what a server said to a request.
type answer struct {
	code   int
	header http.Header
	body   string
}

// line is the status code and the body.
func (a answer) line() string { return strconv.Itoa(a.code) + " " + a.body }

const contentType = "application/json"

// post sends JSON with the token of the source "local".
func (c *collector) post(t *testing.T, path, body string) answer {
	t.Helper()
	return c.postAs(t, "Bearer "+token, path, body)
}

func (c *collector) postAs(t *testing.T, authorization, path, body string) answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+c.ports.http+path, strings.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("Content-Type", contentType)
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return answer{code: response.StatusCode, header: response.Header, body: string(text)}
}
