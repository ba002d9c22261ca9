// Package npmtest installs npm packages for tests.
package npmtest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Modules returns a directory with the packages that the package-lock.json in
// source pins by hash. It is filled once for each lock file and kept in the
// user's cache. The test is skipped where Node.js is not installed, and fails
// for it in CI.
func Modules(t *testing.T, source string) string {
	t.Helper()
	for _, program := range []string{"node", "npm"} {
		RequireProgram(t, program, "nodejs (Node.js 18.19 or newer, with npm)")
	}
	lock, err := os.ReadFile(filepath.Join(source, "package-lock.json"))
	require.NoError(t, err)
	hash := sha256.Sum256(lock)

	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	cache = filepath.Join(cache, "spanlake")
	require.NoError(t, os.MkdirAll(cache, 0o750))
	installed := filepath.Join(cache, "e2e-node-"+hex.EncodeToString(hash[:8]))
	modules := filepath.Join(installed, "node_modules")
	if _, err := os.Stat(modules); err == nil {
		return modules
	}

	// Under another name until it is whole, so that an interrupted install is
	// not taken for a finished one.
	unfinished := fmt.Sprintf("%s.%d.tmp", installed, os.Getpid())
	require.NoError(t, os.Mkdir(unfinished, 0o750))
	defer os.RemoveAll(unfinished)
	for _, name := range []string{"package.json", "package-lock.json", ".npmrc"} {
		data, err := os.ReadFile(filepath.Join(source, name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(unfinished, name), data, 0o600))
	}
	npm := exec.CommandContext(t.Context(), "npm", "ci")
	npm.Dir = unfinished
	out, err := npm.CombinedOutput()
	require.NoError(t, err, "npm ci:\n%s", out)
	if err := os.Rename(unfinished, installed); err != nil {
		require.DirExists(t, modules, "%v, and no other process has installed it", err)
	}
	return modules
}

// RequireProgram skips the test where a program is not installed, and fails it
// in CI, where nothing may be skipped.
func RequireProgram(t *testing.T, program, from string) {
	t.Helper()
	if _, err := exec.LookPath(program); err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed: install %s", program, from)
	}
	t.Skipf("%s is not installed: install %s to run this test", program, from)
}
