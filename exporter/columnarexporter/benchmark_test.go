package columnarexporter

import (
	"syscall"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanlake/spanlake/internal/fsys"
	"github.com/spanlake/spanlake/internal/schema/schematest"
)

// BenchmarkConsumeTraces takes spans into the log, in requests of 8,000, and
// stores them, fsync included.
func BenchmarkConsumeTraces(b *testing.B) {
	g := schematest.New(1, noon)
	var requests []ptrace.Traces
	for range 12 {
		requests = append(requests, g.Traces(8_000))
	}
	s, err := newStore(testConfig(b.TempDir()), componenttest.NewNopTelemetrySettings(), fsys.OS, clockwork.NewRealClock())
	require.NoError(b, err)
	require.NoError(b, s.start(noHost))
	n := 0
	cpu := cpuTime(b)
	b.ReportAllocs()
	for b.Loop() {
		for _, td := range requests {
			require.NoError(b, s.consumeTraces(b.Context(), td))
			n += td.SpanCount()
		}
		s.tick()
		require.Eventually(b, func() bool { return s.unwritten() == 0 }, time.Minute, time.Millisecond)
	}
	b.ReportMetric((cpuTime(b)-cpu).Seconds()/float64(n)*1e6, "CPU-s/Mspans")
	var bytes int64
	for _, f := range s.lake.Snapshot().Files {
		bytes += f.Bytes
	}
	b.ReportMetric(float64(bytes)/float64(n), "B/span")
	require.NoError(b, s.shutdown(b.Context()))
}

// cpuTime is user and system time of this process.
func cpuTime(tb testing.TB) time.Duration {
	tb.Helper()
	var u syscall.Rusage
	require.NoError(tb, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
