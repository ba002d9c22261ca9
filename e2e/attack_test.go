package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// memoryLimit is what the process may take at most, in bytes of resident
// memory: its own text, the heap, and what Go has not given back yet.
const memoryLimit = 512 << 20

// attackConfig is config/local.yaml with what lies behind the receiver made to
// fit memoryLimit. The receiver keeps its sizes. A slow body is given up after
// 8 s and not after a minute, so that the test need not wait that long.
const attackConfig = `
receivers:
  token_otlp:
    protocols: {http: {read_timeout: 8s, read_header_timeout: 2s}}
    sources:
      - {name: local, tokens: ["${env:SPANLAKE_TOKEN}"]}
      - {name: other, tokens: [another-sources-token]}
processors:
  memory_limiter: {limit_mib: 384, spike_limit_mib: 64}
  trace_sampling: {memory_limit_mib: 32}
exporters:
  columnar: {flush: {interval: 1s, max_rows: 20000}}
`

// A collector under 512 MiB is attacked in every way that follows, while good
// clients go on sending. It lives, answers by its contract, keeps within its
// memory, and stores what the good clients sent, once.
func TestAttacks(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the peak of a process's memory is read from /proc, which only Linux has")
	}
	root := t.TempDir()
	c := startCollectorWith(t, []string{"GOMEMLIMIT=384MiB"}, filepath.Join(root, "data"), attackConfig)
	good := startGoodClients(t, c)

	for _, attack := range []struct {
		name string
		run  func(*testing.T, *collector)
	}{
		{"nesting", attackWithNesting},
		{"empty elements", attackWithEmptyElements},
		{"as much as is allowed", attackWithAllThatIsAllowed},
		{"bombs", attackWithBombs},
		{"damaged bodies", attackWithDamage},
		{"lengths", attackWithLengths},
		{"keys and strings", attackWithKeys},
		{"invalid UTF-8", attackWithInvalidUTF8},
		{"reserved keys", attackWithReservedKeys},
		{"tokens", attackWithTokens},
		{"methods and paths", attackWithPaths},
		{"headers", attackWithHeaders},
		{"HTTP/2 floods", attackWithFrames},
		{"slow headers", attackWithSlowHeaders},
		{"slow bodies", attackWithSlowBodies},
		{"slow messages", attackWithSlowMessages},
		{"idle connections", attackWithConnections},
	} {
		passed := t.Run(attack.name, func(t *testing.T) {
			c.ForgetPeak() // so that it tells which attack took the memory
			began := time.Now()
			attack.run(t, c)
			good.requireProgress(t)
			peak := c.Memory().Peak
			t.Logf("%s, peak %d MiB", time.Since(began).Round(time.Millisecond), peak>>20)
			require.Positive(t, peak, "the collector ended, it seems")
			require.Less(t, peak, int64(memoryLimit), "resident memory")
		})
		c.requireAlive(t)
		if !passed {
			good.settle()
		}
	}

	good.stop()
	good.requireStoredOnce(t, c)
	requireNothingOfTheAttackers(t, c, root)
	c.stop(t)
	requireFilesOnlyInTheStore(t, root)
	require.NotContains(t, c.Said(), token, "a token in the log")
	require.NotContains(t, c.Said(), "panic")
}

func (c *collector) requireAlive(t *testing.T) {
	t.Helper()
	select {
	case <-c.Done:
		t.Fatalf("the collector ended: %v", c.Err)
	default:
	}
}

// storePath is what the store may be made of, below the directory of the data.
var storePath = regexp.MustCompile(`^data((/wal|/journal|/journal/(spans|rulings))(/[A-Za-z0-9_.-]+)?|/lake(/(LOCK|MANIFEST|(traces|logs)(/retention=(7|14|30)d(/date=[0-9-]{10}(/hour=[0-9]{2}(/([0-9a-f]{16}|compact)-[0-9]+-[0-9]+\.parquet)?)?)?)?))?)?$`)

func requireFilesOnlyInTheStore(t *testing.T, root string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(root, func(path string, _ os.DirEntry, err error) error {
		if path != root {
			inside := strings.TrimPrefix(path, root+string(filepath.Separator))
			require.Regexp(t, storePath, filepath.ToSlash(inside))
		}
		return err
	}))
}
