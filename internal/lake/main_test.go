package lake

import (
	"flag"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/spanlake/spanlake/internal/fsys"
)

func TestMain(m *testing.M) {
	_ = flag.Set("rapid.checks", "300") // the default of the flag, which the command line overrules
	goleak.VerifyTestMain(m)
}

const logA, logB = "0123456789abcdef", "fedcba9876543210"

func open(tb testing.TB, dir string, fsy fsys.FS) *Store {
	tb.Helper()
	s, err := Open(dir, fsy)
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

// file is the nth file of a test.
func file(n int) File {
	return File{
		Path:   fmt.Sprintf("traces/retention=7d/date=2026-11-21/hour=09/%s-%010d-0.parquet", logA, n),
		Signal: "traces", Schema: 1, Rows: int64(n), Bytes: 1 << 40, MinTime: -5, MaxTime: 1<<62 + int64(n),
	}
}

func files(numbers ...int) []File {
	list := make([]File, len(numbers))
	for i, n := range numbers {
		list[i] = file(n)
	}
	return list
}

func paths(numbers ...int) []string {
	var list []string
	for _, f := range files(numbers...) {
		list = append(list, f.Path)
	}
	return list
}
