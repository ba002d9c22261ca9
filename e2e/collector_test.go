package e2e

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/child"
	"github.com/spanlake/spanlake/internal/collectortest"
)

const (
	token = "e2e-token" // of the source "local"

	startDeadline = 30 * time.Second
	stopDeadline  = 5 * time.Second
)

func binary(t *testing.T, variable, name string) string {
	t.Helper()
	return collectortest.Binary(t, variable, filepath.Join("..", "bin", name))
}

// collector is a running bin/spanlake.
type collector struct {
	*child.Process

	data  string // holds the store and the log
	ports ports
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
		err := c.WaitHealthy(t.Context(), c.ports.health)
		if err == nil {
			return c
		}
		if attempt < attempts && strings.Contains(c.Said(), "address already in use") {
			continue
		}
		require.NoError(t, err)
	}
}

// launch starts the binary and does not wait for it.
func launch(t *testing.T, data string, overrides ...string) *collector {
	t.Helper()
	return launchWith(t, nil, data, overrides...)
}

func launchWith(t *testing.T, env []string, data string, overrides ...string) *collector {
	t.Helper()
	c := &collector{data: data}
	require.NoError(t, child.FreeAddresses(&c.ports.grpc, &c.ports.http, &c.ports.health, &c.ports.prometheus, &c.ports.telemetry))
	args := []string{"--config", filepath.Join("..", "config", "local.yaml"), "--config", "yaml:" + c.ports.config()}
	for _, o := range overrides {
		args = append(args, "--config", "yaml:"+o)
	}
	env = append([]string{"SPANLAKE_TOKEN=" + token, "SPANLAKE_DATA=" + data}, env...)
	c.Process = collectortest.Launch(t, binary(t, "SPANLAKE_BIN", "spanlake"), env, args...)
	return c
}

// stop ends the collector as Ctrl-C does and holds it to the promised time.
func (c *collector) stop(t *testing.T) {
	t.Helper()
	began := time.Now()
	require.NoError(t, c.Stop(os.Interrupt, stopDeadline))
	t.Logf("ended %s after SIGINT", time.Since(began).Round(time.Millisecond))
}

func (c *collector) lake() string { return filepath.Join(c.data, "lake") }

// ports are the endpoints of a collector, as host:port.
type ports struct{ grpc, http, health, prometheus, telemetry string }

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
