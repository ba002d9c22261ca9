package columnarexporter

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"path"
	"slices"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/spanlake/spanlake/internal/attr"
	"github.com/spanlake/spanlake/internal/fsys/fsystest"
	"github.com/spanlake/spanlake/internal/lake"
	"github.com/spanlake/spanlake/internal/parquetfile"
	v1 "github.com/spanlake/spanlake/internal/schema/v1"
)

var noHost = componenttest.NewNopHost()

func testConfig(dir string) *Config {
	cfg := createDefaultConfig().(*Config)
	cfg.Log.Directory = path.Join(dir, "wal")
	cfg.Parquet = configoptional.Some(ParquetConfig{
		Directory: path.Join(dir, "lake"),
		Retention: RetentionConfig{Default: "7d", Logs: "3d"},
	})
	cfg.Retry.RandomizationFactor = 0
	return cfg
}

// rig is a store on a disk that can crash, with a clock that stands still.
type rig struct {
	*store

	disk  *fsystest.Crash
	clock *clockwork.FakeClock
	tel   *componenttest.Telemetry
}

func newRig(tb testing.TB, disk *fsystest.Crash, change ...func(*Config)) *rig {
	tb.Helper()
	cfg := testConfig("data")
	for _, c := range change {
		c(cfg)
	}
	tel := componenttest.NewTelemetry()
	clock := clockwork.NewFakeClockAt(noon)
	s, err := newStore(cfg, tel.NewTelemetrySettings(), disk, clock)
	require.NoError(tb, err)
	return &rig{store: s, disk: disk, clock: clock, tel: tel}
}

func startRig(tb testing.TB, disk *fsystest.Crash, change ...func(*Config)) *rig {
	tb.Helper()
	r := newRig(tb, disk, change...)
	require.NoError(tb, r.start(componenttest.NewNopHost()))
	return r
}

// end ends the store at once, as far as it lives, whatever its disk says.
func (r *rig) end() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = r.shutdown(ctx)
	_ = r.tel.Shutdown(context.Background())
}

// written waits until nothing is left to write.
func (r *rig) written(tb testing.TB) {
	tb.Helper()
	require.Eventually(tb, func() bool { return r.unwritten() == 0 }, 10*time.Second, time.Millisecond)
}

// batch is a request of n spans, whose IDs begin with the number.
func batch(number byte, n int, id string) ptrace.Traces {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", "shop")
	if id != "" {
		rs.Resource().Attributes().PutStr(attr.Batch, id)
	}
	spans := rs.ScopeSpans().AppendEmpty().Spans()
	for i := range n {
		s := spans.AppendEmpty()
		s.SetSpanID(pcommon.SpanID{number, byte(i >> 8), byte(i), 7: 1})
		s.SetTraceID(pcommon.TraceID{number, 15: 1})
		s.SetStartTimestamp(pcommon.NewTimestampFromTime(noon.Add(time.Duration(i) * time.Second)))
	}
	return td
}

func logBatch(number byte, n int) plog.Logs {
	ld := plog.NewLogs()
	records := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for i := range n {
		r := records.AppendEmpty()
		r.SetSpanID(pcommon.SpanID{number, byte(i >> 8), byte(i), 0xff})
		r.SetTimestamp(pcommon.NewTimestampFromTime(noon))
	}
	return ld
}

// ids of the spans and log records of requests, sorted.
func ids(requests ...any) []string {
	all := []string{}
	for _, request := range requests {
		switch d := request.(type) {
		case ptrace.Traces:
			for _, s := range d.ResourceSpans().At(0).ScopeSpans().At(0).Spans().All() {
				all = append(all, s.SpanID().String())
			}
		case plog.Logs:
			for _, r := range d.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().All() {
				all = append(all, r.SpanID().String())
			}
		}
	}
	slices.Sort(all)
	return all
}

// storedIn lists the IDs of all rows in the lake on a disk, sorted.
func storedIn(tb testing.TB, disk *fsystest.Crash) []string {
	tb.Helper()
	store, err := lake.Open("data/lake", disk)
	require.NoError(tb, err)
	defer store.Close()
	all := []string{}
	stored, err := readLake(disk, store.Snapshot().Files)
	require.NoError(tb, err)
	for id, n := range stored {
		all = append(all, slices.Repeat([]string{id}, n)...)
	}
	slices.Sort(all)
	return all
}

// readLake counts the rows of files by ID.
func readLake(disk *fsystest.Crash, files []lake.File) (map[string]int, error) {
	ids := map[string]int{}
	for _, f := range files {
		data, err := fsystest.ReadFile(disk, path.Join("data/lake", f.Path))
		if err != nil {
			return nil, err
		}
		rows := v1.New(v1.ForSignal(f.Signal))
		if err := parquetfile.Read(bytes.NewReader(data), int64(len(data)), rows); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Path, err)
		}
		if f.Rows != int64(rows.Len()) {
			return nil, fmt.Errorf("%s: %d rows, want %d", f.Path, rows.Len(), f.Rows)
		}
		column := rows.Schema().Index(v1.ColSpanID)
		for row := range rows.Len() {
			id, _ := rows.IDValue(column, row)
			ids[hex.EncodeToString(id)]++
		}
	}
	return ids, nil
}

func (r *rig) count(t *testing.T, name string) int64 {
	t.Helper()
	m, err := r.tel.GetMetric(name)
	if err != nil {
		return 0
	}
	n := int64(0)
	for _, p := range m.Data.(metricdata.Sum[int64]).DataPoints {
		n += p.Value
	}
	return n
}
