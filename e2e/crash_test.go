package e2e

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	crashRounds       = 6 // by default; CRASH_ROUNDS says otherwise
	crashDecisionWait = 2 * time.Second
	crashRootWait     = 300 * time.Millisecond

	// A run ends after a random time between these.
	minCrashRun = 50 * time.Millisecond
	maxCrashRun = 3 * time.Second
)

// crashConfig has times so short that a kill meets each phase of a span's life,
// and takes turns with a memory that the load does not fit in.
func crashConfig(run int, data string) string {
	memory, trace := 64, 16
	if run%2 == 0 {
		memory, trace = 8, 4
	}
	return fmt.Sprintf(`
processors:
  trace_sampling:
    decision_wait: %s
    root_wait: %s
    memory_limit_mib: %d
    max_trace_size_mib: %d
    journal: {directory: %q, max_size_mib: 256}%s
exporters:
  columnar:
    flush: {interval: 500ms}
    retry_on_failure: {initial_interval: 100ms, max_interval: 500ms}
`, crashDecisionWait, crashRootWait, memory, trace, filepath.Join(data, "journal"), crashClasses)
}

// The collector is killed again and again under load, now and then stopped as an
// operator would, and its lake taken away for a while. What it acknowledged is
// stored in the end: once, and as its class says.
func TestCrashLosesNothingAndStoresNothingTwice(t *testing.T) {
	rounds := crashRounds
	if text := os.Getenv("CRASH_ROUNDS"); text != "" {
		var err error
		rounds, err = strconv.Atoi(text)
		require.NoError(t, err, "CRASH_ROUNDS")
	}
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("CRASH_SEED"); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err, "CRASH_SEED")
	}
	t.Logf("CRASH_SEED=%d", seed)
	random := rand.New(rand.NewPCG(seed, 2))

	data := t.TempDir()
	load := newCrashLoad(seed)
	ctx, cancel := context.WithCancel(t.Context())
	senders := load.start(ctx)
	defer senders.Wait()
	defer cancel()
	for round := range rounds {
		crashRound(t, load, data, round, between(random, minCrashRun, maxCrashRun))
	}

	c := startCollector(t, data, crashConfig(rounds, data))
	load.up(c.ports.http)
	require.NoError(t, load.finish())
	c.waitStored(t)
	c.stop(t)
	books := load.check(t, c.lake())
	t.Logf("rounds %d, traces %d, sent again %d, refused %d, acknowledged spans %d, stored %d, lost %d, twice %d",
		rounds, len(load.traces), load.resends, load.refusals, books.acked, books.stored, books.lost, books.twice)
	if text := books.explain(); text != "" {
		t.Fatalf("CRASH_SEED=%d\n%s", seed, text)
	}
}

// crashRound is one life of the collector under load.
func crashRound(t *testing.T, load *crashLoad, data string, round int, after time.Duration) {
	t.Helper()
	began := time.Now()
	c := startCollector(t, data, crashConfig(round, data))
	started := time.Since(began)
	select {
	case <-load.up(c.ports.http):
	case <-time.After(startDeadline):
		t.Fatal("the collector acknowledges nothing")
	}
	restore, manner := func() {}, "killed"
	switch round % 5 {
	case 2:
		restore, manner = hideTraces(t, c.lake()), "killed without its lake"
	case 4:
		manner = "stopped"
	}
	select {
	case <-time.After(after):
	case <-c.Done:
		t.Fatalf("the collector ended by itself: %v", c.Err)
	}
	load.fall()
	if manner == "stopped" {
		c.stop(t)
	} else {
		c.Kill()
	}
	require.NoError(t, load.down())
	restore()
	c.Forget() // so that a failure is not told under the logs of a hundred rounds
	t.Logf("round %d: started in %s, %s %s after the first acknowledgement", round+1, started.Round(time.Millisecond), manner, after.Round(time.Millisecond))
}

// hideTraces puts a file in the place of the directory that the exporter writes
// spans below, which stops root as well, and returns what undoes it.
func hideTraces(t *testing.T, lake string) func() {
	t.Helper()
	traces := filepath.Join(lake, "traces")
	hidden := filepath.Join(filepath.Dir(lake), "hidden")
	err := os.Rename(traces, hidden)
	wasThere := !errors.Is(err, fs.ErrNotExist)
	if wasThere {
		require.NoError(t, err)
	}
	require.NoError(t, os.WriteFile(traces, nil, 0o600))
	return func() {
		require.NoError(t, os.Remove(traces))
		if wasThere {
			require.NoError(t, os.Rename(hidden, traces))
		}
	}
}

// waitStored waits until no span is held anywhere but in the lake.
func (c *collector) waitStored(t *testing.T) {
	t.Helper()
	const deadline, inARow = time.Minute, 3 // a span may move on between two readings
	quiet := 0
	require.NoError(t, poll(deadline, func() error {
		held := map[string]int{
			"undecided": c.sum(t, "otelcol_processor_trace_sampling_undecided_traces"),
			"queued":    c.sum(t, "otelcol_processor_trace_sampling_queued_bytes"),
			"unwritten": c.sum(t, "otelcol_exporter_columnar_rows_accepted") + c.sum(t, "otelcol_exporter_columnar_rows_replayed") - c.sum(t, "otelcol_exporter_columnar_rows_written"),
		}
		for where, n := range held {
			if n != 0 {
				quiet = 0
				return fmt.Errorf("%s: %d", where, n)
			}
		}
		if quiet++; quiet < inARow {
			return errors.New("not quiet for long")
		}
		return nil
	}))
}
