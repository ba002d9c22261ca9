package columnarexporter

import (
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/spanlake/spanlake/internal/fsys/fsystest"
)

// hang makes calls of a kind wait until the result is called; the channel is
// closed when the first one does.
func hang(disk *fsystest.Crash, op fsystest.Op, part string) (<-chan struct{}, func()) {
	hangs, goOn := make(chan struct{}), make(chan struct{})
	var first sync.Once
	disk.Hook(func(o fsystest.Op, name string) error {
		if o == op && strings.Contains(name, part) {
			first.Do(func() { close(hangs) })
			<-goOn
		}
		return nil
	})
	return hangs, func() {
		disk.Hook(nil)
		close(goOn)
	}
}

// shutDownStuck ends a store whose disk hangs.
func shutDownStuck(t *testing.T, r *rig) {
	t.Helper()
	ended := make(chan error)
	go func() { ended <- r.shutdown(t.Context()) }()
	require.Eventually(t, func() bool {
		r.clock.Advance(time.Second)
		select {
		case err := <-ended:
			require.ErrorIs(t, err, errStuck)
			return true
		default:
			return false
		}
	}, 10*time.Second, time.Millisecond)
}

// startedAgain starts the store anew as soon as its directories are free.
func startedAgain(t *testing.T, disk *fsystest.Crash) *rig {
	t.Helper()
	var r *rig
	require.Eventually(t, func() bool {
		r = newRig(t, disk)
		if r.start(noHost) == nil {
			return true
		}
		r.end()
		return false
	}, 10*time.Second, 5*time.Millisecond)
	return r
}

// A file that the disk does not take must not keep the Collector from ending.
func TestShutdownDoesNotWaitForAHangingLake(t *testing.T) {
	disk := fsystest.NewCrash()
	r := startRig(t, disk)
	one := batch(1, 5, "")
	require.NoError(t, r.consumeTraces(t.Context(), one))
	hangs, goOn := hang(disk, fsystest.OpWrite, ".parquet")
	r.tick()
	<-hangs
	shutDownStuck(t, r)
	second := newRig(t, disk)
	require.ErrorContains(t, second.start(noHost), "in use by another owner", "two writers would be worse than none")
	second.end()

	goOn()
	again := startedAgain(t, disk)
	again.written(t)
	require.NoError(t, again.shutdown(t.Context()))
	require.Equal(t, ids(one), storedIn(t, disk))
}

// Neither a metric nor the shutdown waits for a log that hangs, though a
// request holds the store meanwhile.
func TestMetricsAndShutdownDoNotWaitForAHangingLog(t *testing.T) {
	disk := fsystest.NewCrash()
	r := startRig(t, disk)
	one := batch(1, 5, "")
	require.NoError(t, r.consumeTraces(t.Context(), one))
	hangs, goOn := hang(disk, fsystest.OpSync, filepath.Join("data", "wal"))
	ticked := make(chan struct{})
	go func() {
		defer close(ticked)
		r.tick()
	}()
	<-hangs
	require.False(t, r.mu.TryLock(), "nothing is tested unless the store is held")
	m, err := r.tel.GetMetric("otelcol_exporter_columnar_buffered_size")
	require.NoError(t, err)
	require.Positive(t, m.Data.(metricdata.Gauge[int64]).DataPoints[0].Value)
	shutDownStuck(t, r)

	goOn()
	<-ticked
	again := startedAgain(t, disk)
	again.written(t)
	require.NoError(t, again.shutdown(t.Context()))
	require.Equal(t, ids(one), storedIn(t, disk))
}
