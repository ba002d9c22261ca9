// Package collectortest starts the built collector for tests.
package collectortest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/child"
)

// Binary is the path of a built binary: what the environment's variable names,
// else the given one.
func Binary(t *testing.T, variable, path string) string {
	t.Helper()
	if named := os.Getenv(variable); named != "" {
		path = named
	}
	path, err := filepath.Abs(path)
	require.NoError(t, err)
	require.FileExists(t, path, "run make build, or set %s", variable)
	return path
}

// Launch starts a collector, with more environment variables than the test has,
// and does not wait for it. It is killed at the end of the test at the latest.
func Launch(t *testing.T, binary string, env []string, args ...string) *child.Process {
	t.Helper()
	// Not the test's own context, which ends before the cleanups that may need it.
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), binary, args...)
	cmd.Env = append(append(os.Environ(), "GOMEMLIMIT=1GiB"), env...) // of a name that is there twice, the last counts
	p, err := child.Launch(cmd)
	require.NoError(t, err)
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("the collector said:\n%s", p.Said())
		}
	})
	return p
}
