package columnarexporter

import (
	"context"
	"errors"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/spanlake/spanlake/exporter/columnarexporter/internal/metadatatest"
	"github.com/spanlake/spanlake/internal/attr"
	"github.com/spanlake/spanlake/internal/fsys/fsystest"
	"github.com/spanlake/spanlake/internal/lake"
	"github.com/spanlake/spanlake/internal/wal"
)

func TestStoresByInterval(t *testing.T) {
	r := startRig(t, fsystest.NewCrash())
	one, logs := batch(1, 5, ""), logBatch(2, 4)
	require.NoError(t, r.consumeTraces(t.Context(), one))
	require.NoError(t, r.consumeLogs(t.Context(), logs))
	require.Empty(t, r.lake.Snapshot().Files)
	require.NoError(t, r.clock.BlockUntilContext(t.Context(), 2))
	r.clock.Advance(r.cfg.Flush.Interval)
	require.Eventually(t, func() bool { return len(r.lake.Snapshot().Files) == 2 }, 10*time.Second, time.Millisecond)
	r.written(t)

	require.Empty(t, r.log.Sealed(), "a stored segment stays in the log")
	signal := func(s string) attribute.Set { return attribute.NewSet(attribute.String("signal", s)) }
	both := []metricdata.DataPoint[int64]{{Value: 5, Attributes: signal("traces")}, {Value: 4, Attributes: signal("logs")}}
	metadatatest.AssertEqualExporterColumnarRowsAccepted(t, r.tel, both, metricdatatest.IgnoreTimestamp())
	metadatatest.AssertEqualExporterColumnarRowsWritten(t, r.tel, both, metricdatatest.IgnoreTimestamp())
	metadatatest.AssertEqualExporterColumnarFilesWritten(t, r.tel, []metricdata.DataPoint[int64]{{Value: 2}}, metricdatatest.IgnoreTimestamp())
	metadatatest.AssertEqualExporterColumnarSegmentsPending(t, r.tel, []metricdata.DataPoint[int64]{{Value: 0}}, metricdatatest.IgnoreTimestamp())
	r.end()
	require.Equal(t, ids(one, logs), storedIn(t, r.disk))
}

// A log that begins its numbers anew would have every segment taken for stored.
func TestLogBehindTheLakeIsRefused(t *testing.T) {
	disk := fsystest.NewCrash()
	r := startRig(t, disk)
	for i := range 3 {
		require.NoError(t, r.consumeTraces(t.Context(), batch(byte(i), 1, "")))
		r.mu.Lock()
		require.NoError(t, r.seal())
		r.mu.Unlock()
		r.written(t)
	}
	dir := r.cfg.Log.Directory
	require.NoError(t, r.shutdown(t.Context()))
	entries, err := disk.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		if path.Ext(e.Name()) == ".wal" {
			require.NoError(t, disk.Remove(path.Join(dir, e.Name())))
		}
	}

	r = newRig(t, disk)
	err = r.start(componenttest.NewNopHost())
	require.ErrorContains(t, err, "log::directory")
	require.ErrorContains(t, err, "move the directory away")
	r.end()
}

func TestRequestOfASenderThatIsGoneIsNotTaken(t *testing.T) {
	r := startRig(t, fsystest.NewCrash())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, r.consumeTraces(ctx, batch(1, 1, "")), context.Canceled)
	require.NoError(t, r.shutdown(t.Context()))
	require.Empty(t, storedIn(t, r.disk))
}

func TestStoresByRows(t *testing.T) {
	r := startRig(t, fsystest.NewCrash(), func(c *Config) { c.Flush.MaxRows = 10 })
	for i := range 5 {
		require.NoError(t, r.consumeTraces(t.Context(), batch(byte(i), 10, "")))
		r.written(t)
	}
	require.Len(t, r.lake.Snapshot().Files, 4, "the fifth is not full yet")
	require.NoError(t, r.shutdown(t.Context()))
	require.Len(t, storedIn(t, r.disk), 50)
}

func TestShutdownStoresEverythingAndRefusesMore(t *testing.T) {
	r := startRig(t, fsystest.NewCrash())
	one := batch(1, 5, "")
	require.NoError(t, r.consumeTraces(t.Context(), one))
	require.NoError(t, r.shutdown(t.Context()))
	require.NoError(t, r.shutdown(t.Context()), "twice")
	err := r.consumeTraces(t.Context(), batch(2, 1, ""))
	require.ErrorIs(t, err, errNotRunning)
	require.False(t, consumererror.IsPermanent(err))
	require.Equal(t, ids(one), storedIn(t, r.disk))
	require.Equal(t, int64(1), r.count(t, "otelcol_exporter_columnar_rows_refused"))
}

func TestShutdownLeavesToTheLogWhatTakesTooLong(t *testing.T) {
	disk := fsystest.NewCrash()
	r := startRig(t, disk)
	one := batch(1, 5, "")
	require.NoError(t, r.consumeTraces(t.Context(), one))
	disk.Hook(func(_ fsystest.Op, name string) error {
		if strings.Contains(name, ".parquet") {
			return errors.New("disk is gone")
		}
		return nil
	})
	ended := make(chan error)
	go func() { ended <- r.shutdown(context.Background()) }()
	// The ticker may be gone already: the pause of drain and the time limit.
	require.NoError(t, r.clock.BlockUntilContext(t.Context(), 3))
	r.clock.Advance(shutdownTimeout)
	require.NoError(t, <-ended)
	disk.Hook(nil)
	require.Empty(t, storedIn(t, disk))

	again := startRig(t, disk)
	again.written(t)
	require.NoError(t, again.shutdown(t.Context()))
	require.Equal(t, ids(one), storedIn(t, disk))
	require.Equal(t, int64(5), again.count(t, "otelcol_exporter_columnar_rows_replayed"))
}

func TestRepeatedBatchIsStoredOnce(t *testing.T) {
	disk := fsystest.NewCrash()
	r := startRig(t, disk)
	one := batch(1, 5, "batch-1")
	repeat := func(r *rig, when string) {
		require.NoError(t, r.consumeTraces(t.Context(), one), when)
	}
	repeat(r, "first")
	repeat(r, "in the active segment")
	r.tick()
	repeat(r, "in a sealed segment, or stored")
	r.written(t)
	repeat(r, "stored")
	require.Equal(t, int64(3), r.count(t, "otelcol_exporter_columnar_batches_repeated"))
	require.Equal(t, int64(5), r.count(t, "otelcol_exporter_columnar_rows_accepted"))

	two := batch(2, 5, "batch-2")
	require.NoError(t, r.consumeTraces(t.Context(), two))
	disk = disk.Crash()
	r.end()

	r = startRig(t, disk)
	repeat(r, "stored before the restart")
	require.NoError(t, r.consumeTraces(t.Context(), two), "in the log before the restart")
	r.written(t)
	require.NoError(t, r.consumeTraces(t.Context(), two), "taken up after the restart")
	require.Equal(t, int64(3), r.count(t, "otelcol_exporter_columnar_batches_repeated"))
	require.NoError(t, r.shutdown(t.Context()))
	require.Equal(t, ids(one, two), storedIn(t, disk))
}

func TestFailedWritesAreRepeatedUntilStored(t *testing.T) {
	for name, fails := range map[string]func(op fsystest.Op, name string) bool{
		"file cannot be made": func(op fsystest.Op, name string) bool {
			return op == fsystest.OpOpen && strings.Contains(name, ".parquet")
		},
		"file cannot be synced": func(op fsystest.Op, name string) bool {
			return op == fsystest.OpSync && strings.Contains(name, ".parquet")
		},
		"file cannot be renamed": func(op fsystest.Op, name string) bool {
			return op == fsystest.OpRename && strings.Contains(name, ".parquet")
		},
		"directory is not synced": func(op fsystest.Op, name string) bool {
			return op == fsystest.OpSyncDir && strings.Contains(name, "hour=")
		},
		"manifest is not synced": func(op fsystest.Op, name string) bool {
			return op == fsystest.OpSync && strings.Contains(name, "MANIFEST")
		},
	} {
		t.Run(name, func(t *testing.T) {
			disk := fsystest.NewCrash()
			r := startRig(t, disk)
			one := batch(1, 5, "")
			require.NoError(t, r.consumeTraces(t.Context(), one))
			disk.Hook(func(op fsystest.Op, name string) error {
				if fails(op, name) {
					return errors.New("disk is ill")
				}
				return nil
			})
			r.tick()
			for range 3 {
				require.NoError(t, r.clock.BlockUntilContext(t.Context(), 3))
				require.Equal(t, 1, r.unwritten())
				r.clock.Advance(time.Minute)
			}
			disk.Hook(nil)
			require.Eventually(t, func() bool {
				r.clock.Advance(time.Minute)
				return r.unwritten() == 0
			}, 10*time.Second, 10*time.Millisecond)
			require.GreaterOrEqual(t, r.count(t, "otelcol_exporter_columnar_flush_failures"), int64(3))
			require.NoError(t, r.shutdown(t.Context()))
			require.Equal(t, ids(one), storedIn(t, disk))
		})
	}
}

func TestRefusesWhenBehind(t *testing.T) {
	disk := fsystest.NewCrash()
	r := startRig(t, disk, func(c *Config) { c.Flush.MaxRows = 10 })
	disk.Hook(func(_ fsystest.Op, name string) error {
		if strings.Contains(name, ".parquet") {
			return errors.New("disk is ill")
		}
		return nil
	})
	var accepted []any
	var err error
	for i := 0; err == nil; i++ {
		b := batch(byte(i), 10, "")
		if err = r.consumeTraces(t.Context(), b); err == nil {
			accepted = append(accepted, b)
		}
	}
	require.ErrorIs(t, err, errBehind)
	require.False(t, consumererror.IsPermanent(err))
	require.Len(t, accepted, maxPending+1)
	require.Positive(t, r.gauges.buffered.Load())

	disk.Hook(nil)
	require.Eventually(t, func() bool {
		r.clock.Advance(time.Minute)
		return r.unwritten() == 0
	}, 10*time.Second, 10*time.Millisecond)
	require.NoError(t, r.shutdown(t.Context()))
	require.Equal(t, ids(accepted...), storedIn(t, disk))
}

func TestRefusesWhenLogIsFull(t *testing.T) {
	disk := fsystest.NewCrash()
	r := startRig(t, disk, func(c *Config) { c.Log.MaxSizeMiB = 1 })
	disk.Hook(func(_ fsystest.Op, name string) error {
		if strings.Contains(name, ".parquet") {
			return errors.New("disk is ill")
		}
		return nil
	})
	large := func(i int) ptrace.Traces {
		td := batch(byte(i), 1, "")
		td.ResourceSpans().At(0).Resource().Attributes().PutStr("x", strings.Repeat("x", 200_000))
		return td
	}
	var accepted []any
	var err error
	for i := 0; err == nil; i++ {
		b := large(i)
		if err = r.consumeTraces(t.Context(), b); err == nil {
			accepted = append(accepted, b)
		}
	}
	require.ErrorIs(t, err, wal.ErrFull)
	require.False(t, consumererror.IsPermanent(err))

	disk.Hook(nil)
	// A full log is sealed without waiting for the interval, so that it empties.
	require.Eventually(t, func() bool {
		r.clock.Advance(time.Second)
		return r.consumeTraces(t.Context(), large(100)) == nil
	}, 10*time.Second, 10*time.Millisecond)
	require.NoError(t, r.shutdown(t.Context()))
	require.Equal(t, ids(append(accepted, large(100))...), storedIn(t, disk))
}

func TestFailedSyncRefusesAndTheNextRequestIsTaken(t *testing.T) {
	disk := fsystest.NewCrash()
	r := startRig(t, disk)
	one, two, three := batch(1, 3, "b1"), batch(2, 3, "b2"), batch(3, 3, "b3")
	require.NoError(t, r.consumeTraces(t.Context(), one))
	disk.Fail(fsystest.OpSync, 1, errors.New("disk is ill"))
	err := r.consumeTraces(t.Context(), two)
	require.ErrorIs(t, err, wal.ErrFailed)
	require.False(t, consumererror.IsPermanent(err))
	require.NoError(t, r.consumeTraces(t.Context(), three))
	require.NoError(t, r.consumeTraces(t.Context(), two), "the sender tries again")
	require.NoError(t, r.shutdown(t.Context()))
	require.Equal(t, ids(one, two, three), storedIn(t, disk))
	require.Zero(t, r.count(t, "otelcol_exporter_columnar_batches_repeated"))
}

func TestInvalidRetentionIsReplacedAndCounted(t *testing.T) {
	r := startRig(t, fsystest.NewCrash())
	td := batch(1, 2, "")
	td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).Attributes().PutStr(attr.Retention, "../../../etc")
	td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(1).Attributes().PutStr(attr.Retention, "30d")
	require.NoError(t, r.consumeTraces(t.Context(), td))
	require.NoError(t, r.shutdown(t.Context()))
	require.Equal(t, int64(1), r.count(t, "otelcol_exporter_columnar_retention_replaced"))
	store, err := lake.Open("data/lake", r.disk)
	require.NoError(t, err)
	defer store.Close()
	var dirs []string
	for _, f := range store.Snapshot().Files {
		dirs = append(dirs, path.Dir(f.Path))
	}
	require.ElementsMatch(t, []string{
		"traces/retention=30d/date=2026-11-21/hour=12", "traces/retention=7d/date=2026-11-21/hour=12",
	}, dirs)
}

func TestDamagedRecordsAreCountedAndTheRestIsStored(t *testing.T) {
	disk := fsystest.NewCrash()
	log, err := wal.Open(wal.Options{Dir: "data/wal", FS: disk})
	require.NoError(t, err)
	one := batch(1, 3, "")
	data, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(one)
	require.NoError(t, err)
	for _, record := range [][]byte{
		[]byte("no record of ours"),
		append(appendRecordHead(nil, kindTraces, noon.UnixNano(), ""), "\xff\xff\xff no OTLP"...),
		append(appendRecordHead(nil, kindTraces, noon.UnixNano(), ""), data...),
	} {
		_, err := log.Append(record)
		require.NoError(t, err)
	}
	require.NoError(t, log.Close())

	r := startRig(t, disk)
	r.written(t)
	require.Equal(t, int64(2), r.count(t, "otelcol_exporter_columnar_records_damaged"))
	require.NoError(t, r.shutdown(t.Context()))
	require.Equal(t, ids(one), storedIn(t, disk))
}

func TestTooLargeRequestIsRefusedForGood(t *testing.T) {
	r := startRig(t, fsystest.NewCrash())
	err := r.consume(t.Context(), request{kind: kindTraces, rows: 1, data: make([]byte, maxRequest+1)})
	require.True(t, consumererror.IsPermanent(err))
	require.NoError(t, r.shutdown(t.Context()))
}

func TestStartNamesTheDirectoryAtFault(t *testing.T) {
	disk := fsystest.NewCrash()
	first := startRig(t, disk)
	second := newRig(t, disk, func(c *Config) { c.Log.Directory = "data/other" })
	require.ErrorContains(t, second.start(componenttest.NewNopHost()), "parquet::directory")
	second.end()
	require.NoError(t, first.shutdown(t.Context()))
	third := startRig(t, disk, func(c *Config) { c.Log.Directory = "data/other" })
	require.NoError(t, third.shutdown(t.Context()))
}
