package columnarexporter

import (
	"fmt"
	"path"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/spanlake/spanlake/internal/fsys"
	"github.com/spanlake/spanlake/internal/fsys/fsystest"
	"github.com/spanlake/spanlake/internal/parquetfile"
)

func compacting(cfg *Config) {
	p := cfg.Parquet.Get()
	p.Compaction = createDefaultConfig().(*Config).Parquet.GetOrInsertDefault().Compaction
	p.Compaction.CPULimitPercentage = 100
	p.RemoveAfter = time.Minute
}

func (r *rig) gauge(t *testing.T, name, signal string) int64 {
	t.Helper()
	m, err := r.tel.GetMetric(name)
	require.NoError(t, err)
	for _, p := range m.Data.(metricdata.Gauge[int64]).DataPoints {
		if v, _ := p.Attributes.Value("signal"); v.AsString() == signal {
			return p.Value
		}
	}
	return -1
}

// The store merges the files of an hour that is over, expires them in time, and
// says so.
func TestMergesAndExpires(t *testing.T) {
	disk := fsystest.NewCrash()
	r := startRig(t, disk, compacting)
	var all []any
	for i := range 10 {
		td := batch(byte(i), 3, "")
		require.NoError(t, r.consumeTraces(t.Context(), td))
		all = append(all, td)
		r.tick()
		r.written(t)
	}
	require.Equal(t, int64(10), r.gauge(t, "otelcol_exporter_columnar_lake_files", "traces"))
	advance := func(d time.Duration, done func() bool) {
		t.Helper()
		r.clock.Advance(d)
		require.Eventually(t, func() bool {
			r.clock.Advance(5 * time.Second)
			return done()
		}, 20*time.Second, 5*time.Millisecond)
	}
	advance(2*time.Hour, func() bool { return len(r.lake.Snapshot().Files) == 1 })
	require.Equal(t, int64(30), r.lake.Snapshot().Files[0].Rows)
	require.Equal(t, int64(1), r.count(t, "otelcol_exporter_columnar_compactions"))
	require.Equal(t, int64(10), r.count(t, "otelcol_exporter_columnar_files_compacted"))
	require.Equal(t, int64(30), r.count(t, "otelcol_exporter_columnar_rows_compacted"))
	require.Equal(t, r.lake.Snapshot().Files[0].Bytes, r.gauge(t, "otelcol_exporter_columnar_lake_size", "traces"))

	advance(8*24*time.Hour, func() bool { return len(r.lake.Snapshot().Files) == 0 })
	require.Equal(t, int64(30), r.count(t, "otelcol_exporter_columnar_rows_expired"))
	require.NoError(t, r.shutdown(t.Context()))
	require.Len(t, ids(all...), 30)
}

// What a crash left: files of a segment that is written anew go first, files that
// were given up go later, and those of others stay.
func TestStartRemovesWhatACrashLeft(t *testing.T) {
	disk := fsystest.NewCrash()
	r := startRig(t, disk, compacting)
	require.NoError(t, r.consumeTraces(t.Context(), batch(1, 3, "")))
	r.tick()
	r.written(t)
	dir := path.Join("data/lake", path.Dir(r.lake.Snapshot().Files[0].Path))
	require.NoError(t, r.shutdown(t.Context()))
	stale := path.Join(dir, parquetfile.SegmentName(r.log.ID(), 1, 9))
	foreign := path.Join(dir, parquetfile.SegmentName("fedcba9876543210", 1, 0))
	for _, name := range []string{stale, foreign} {
		require.NoError(t, fsys.WriteFile(disk, name, []byte("x")))
	}
	exists := func(name string) bool { _, err := disk.Stat(name); return err == nil }

	r = startRig(t, disk, compacting)
	require.True(t, exists(stale))
	require.Eventually(t, func() bool { r.clock.Advance(30 * time.Second); return !exists(stale) }, 10*time.Second, 5*time.Millisecond)
	require.True(t, exists(foreign))
	require.NoError(t, r.shutdown(t.Context()))

	newer := path.Join(dir, parquetfile.SegmentName(r.log.ID(), 99, 0))
	require.NoError(t, fsys.WriteFile(disk, newer, []byte("x")))
	r = newRig(t, disk, compacting)
	require.ErrorContains(t, r.start(noHost), fmt.Sprintf("%s is newer than the file MANIFEST", newer[len("data/lake/"):]))
	r.end()
	require.True(t, exists(newer))
}

// A log that finds the disk full has what waits for readers unlinked.
func TestFullLogUnlinksWhatWaits(t *testing.T) {
	disk := fsystest.NewCrash()
	r := startRig(t, disk, compacting)
	for i := range 10 {
		require.NoError(t, r.consumeTraces(t.Context(), batch(byte(i), 3, "")))
		r.tick()
		r.written(t)
	}
	r.clock.Advance(2 * time.Hour)
	require.Eventually(t, func() bool { return len(r.lake.Snapshot().Files) == 1 }, 10*time.Second, time.Millisecond)
	var room atomic.Bool
	disk.Hook(func(op fsystest.Op, name string) error {
		switch {
		case op == fsystest.OpRemove && strings.HasSuffix(name, ".parquet"):
			room.Store(true)
		case op == fsystest.OpWrite && !room.Load():
			return syscall.ENOSPC
		}
		return nil
	})
	require.Eventually(t, func() bool { return r.consumeTraces(t.Context(), batch(99, 3, "")) == nil }, 10*time.Second, time.Millisecond)
	require.NoError(t, r.shutdown(t.Context()))
}

// Rows without a time of their own are kept from their arrival on.
func TestRowsWithoutTimeAreKept(t *testing.T) {
	disk := fsystest.NewCrash()
	r := startRig(t, disk, compacting)
	ld := plog.NewLogs()
	ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().Body().SetStr("hello")
	require.NoError(t, r.consumeLogs(t.Context(), ld))
	r.tick()
	r.written(t)
	r.end()

	r = startRig(t, disk, compacting)
	r.clock.Advance(time.Hour)
	require.NoError(t, r.clock.BlockUntilContext(t.Context(), 2))
	r.clock.Advance(time.Hour)
	require.NoError(t, r.clock.BlockUntilContext(t.Context(), 2))
	require.Len(t, r.lake.Snapshot().Files, 1)
	require.Equal(t, "logs/retention=3d/date=2026-11-21/hour=12", path.Dir(r.lake.Snapshot().Files[0].Path))
	require.NoError(t, r.shutdown(t.Context()))
}
