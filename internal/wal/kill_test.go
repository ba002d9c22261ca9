package wal

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

const killEnv = "WAL_TEST_KILL_DIR"

// appendUntilKilled is the child: eight writers print the number of each record
// whose sync returned nil, while segments are sealed.
func appendUntilKilled(dir string) {
	l, err := Open(Options{Dir: dir})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var out sync.Mutex
	for w := range uint64(8) {
		go func() {
			for n := w; ; n += 8 {
				p, err := l.Append(binary.LittleEndian.AppendUint64(nil, n), make([]byte, rand.IntN(2000)))
				if err == nil {
					err = l.Sync(context.Background(), p)
				}
				out.Lock()
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				fmt.Println(n)
				out.Unlock()
			}
		}()
	}
	for {
		out.Lock()
		out.Unlock() //nolint:staticcheck // SA2001: only lets the writers go first
		if _, _, err := l.Seal(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

func TestKilledProcessLosesNothingAcknowledged(t *testing.T) {
	for round := range 6 {
		dir := t.TempDir()
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), killEnv+"="+dir)
		cmd.Stderr = os.Stderr
		stdout, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		acknowledged := map[uint64]bool{}
		lines := bufio.NewScanner(stdout)
		killAfter := 20 + rand.IntN(300)
		for lines.Scan() {
			n, err := strconv.ParseUint(lines.Text(), 10, 64)
			if err != nil {
				continue // a torn line
			}
			acknowledged[n] = true
			if len(acknowledged) == killAfter {
				require.NoError(t, cmd.Process.Kill())
			}
		}
		require.Error(t, cmd.Wait(), "killed")

		l := open(t, nil, dir)
		seen := map[uint64]bool{}
		for _, s := range l.Sealed() {
			stats, err := l.Read(s.Segment, func(r []byte) error {
				n := binary.LittleEndian.Uint64(r)
				require.False(t, seen[n], "record %d twice", n)
				seen[n] = true
				return nil
			})
			require.NoError(t, err)
			require.Zero(t, stats.DamagedRecords)
		}
		for n := range acknowledged {
			require.True(t, seen[n], "round %d: record %d was acknowledged and is lost", round, n)
		}
		require.GreaterOrEqual(t, len(acknowledged), killAfter)
		require.NoError(t, l.Close())
	}
}
