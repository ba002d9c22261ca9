package wal

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/spanlake/spanlake/internal/fsys"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(killEnv); dir != "" {
		appendUntilKilled(dir)
	}
	_ = flag.Set("rapid.checks", "1000") // the default of the flag, which the command line overrules
	goleak.VerifyTestMain(m)
}

func open(tb testing.TB, fs fsys.FS, dir string) *Log {
	tb.Helper()
	l, err := Open(Options{Dir: dir, FS: fs})
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = l.Close() })
	return l
}

func add(tb testing.TB, l *Log, records ...string) Position {
	tb.Helper()
	var p Position
	for _, r := range records {
		var err error
		p, err = l.Append([]byte(r))
		require.NoError(tb, err)
	}
	require.NoError(tb, l.Sync(tb.Context(), p))
	return p
}

func seal(tb testing.TB, l *Log) Sealed {
	tb.Helper()
	s, ok, err := l.Seal()
	require.NoError(tb, err)
	require.True(tb, ok)
	return s
}

func read(tb testing.TB, l *Log, segment uint64) ([]string, ReadStats) {
	tb.Helper()
	var records []string
	stats, err := l.Read(segment, func(r []byte) error {
		records = append(records, string(r))
		return nil
	})
	require.NoError(tb, err)
	require.EqualValues(tb, len(records), stats.Records)
	return records, stats
}

// readAll reads all sealed segments, none of which may be damaged.
func readAll(tb testing.TB, l *Log) []string {
	tb.Helper()
	var all []string
	for _, s := range l.Sealed() {
		records, stats := read(tb, l, s.Segment)
		require.Zero(tb, stats.DamagedRecords)
		require.Zero(tb, stats.DamagedBytes)
		all = append(all, records...)
	}
	return all
}

// numbered makes n records of sizes from 0 to a few hundred bytes.
func numbered(n int) []string {
	rnd := rand.New(rand.NewPCG(1, 2))
	records := make([]string, n)
	for i := range records {
		records[i] = fmt.Sprintf("%d %*s", i, rnd.IntN(400), "")
	}
	records[n/2] = ""
	return records
}

// sizeOnDisk sums the files of all segments.
func sizeOnDisk(t require.TestingT, fs fsys.FS, dir string) int64 {
	entries, err := fs.ReadDir(dir)
	require.NoError(t, err)
	total := int64(0)
	for _, e := range entries {
		if filepath.Ext(e.Name()) == ".wal" {
			info, err := e.Info()
			require.NoError(t, err)
			total += info.Size()
		}
	}
	return total
}
