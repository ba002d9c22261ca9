package logcorrelationprocessor

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/spanlake/spanlake/processor/logcorrelationprocessor/internal/metadatatest"
)

// batch spreads records over resources and scopes.
func batch(tb testing.TB, records ...record) plog.Logs {
	tb.Helper()
	ld := plog.NewLogs()
	for i, r := range records {
		rl := ld.ResourceLogs().AppendEmpty()
		rl.Resource().Attributes().PutStr("trace_id", traceB) // not a record's
		for range i % 2 {
			rl.ScopeLogs().AppendEmpty()
		}
		r.build(tb).CopyTo(rl.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty())
	}
	return ld
}

func TestProcessorCorrelatesAndCounts(t *testing.T) {
	tt := componenttest.NewTelemetry()
	t.Cleanup(func() { require.NoError(t, tt.Shutdown(context.Background())) })
	sink := new(consumertest.LogsSink)
	f := NewFactory()
	p, err := f.CreateLogs(t.Context(), metadatatest.NewSettings(tt), f.CreateDefaultConfig(), sink)
	require.NoError(t, err)
	require.NoError(t, p.Start(t.Context(), componenttest.NewNopHost()))

	require.NoError(t, p.ConsumeLogs(t.Context(), batch(
		t,
		record{attrs: m{"trace_id": traceA, "span_id": spanA, "trace_flags": "01"}},
		record{body: m{"dt": when, "level": "info", "trace_id": traceA}},
		record{trace: traceA, attrs: m{"trace_id": traceB, "span_id": "x"}},
		record{attrs: m{"trace_id": traceA}},
		record{attrs: m{"trace_id": ""}, body: "text"},
	)))

	var got []record
	forEach(sink.AllLogs()[0], func(lr plog.LogRecord) { got = append(got, plain(lr)) })
	require.Equal(t, []record{
		{trace: traceA, span: spanA, flags: 1},
		{trace: traceA, time: whenNs, sevNumber: 9, sevText: "info", body: m{}},
		{trace: traceA, attrs: m{"trace_id": traceB, "span_id": "x"}},
		{trace: traceA},
		{attrs: m{"trace_id": ""}, body: "text"},
	}, got)
	for _, rl := range sink.AllLogs()[0].ResourceLogs().All() {
		require.Equal(t, m{"trace_id": traceB}, rl.Resource().Attributes().AsRaw())
	}

	point := func(field, place, outcome string, n int64) metricdata.DataPoint[int64] {
		return metricdata.DataPoint[int64]{Value: n, Attributes: attribute.NewSet(
			attribute.String("field", field), attribute.String("place", place), attribute.String("outcome", outcome))}
	}
	metadatatest.AssertEqualLogCorrelationFields(t, tt, []metricdata.DataPoint[int64]{
		point("trace_id", "attributes", "moved", 2),
		point("trace_id", "attributes", "conflict", 1),
		point("trace_id", "body", "moved", 1),
		point("span_id", "attributes", "moved", 1),
		point("span_id", "attributes", "unreadable", 1),
		point("trace_flags", "attributes", "moved", 1),
		point("timestamp", "body", "moved", 1),
		point("severity", "body", "moved", 1),
	}, metricdatatest.IgnoreTimestamp())
	require.NoError(t, p.Shutdown(t.Context()))
}

func TestProcessorIsSafeForConcurrentUse(t *testing.T) {
	tt := componenttest.NewTelemetry()
	t.Cleanup(func() { require.NoError(t, tt.Shutdown(context.Background())) })
	sink := new(consumertest.LogsSink)
	f := NewFactory()
	p, err := f.CreateLogs(t.Context(), metadatatest.NewSettings(tt), f.CreateDefaultConfig(), sink)
	require.NoError(t, err)

	const workers, batches = 4, 50
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range batches {
				if err := p.ConsumeLogs(t.Context(), batch(t, record{attrs: m{"context": m{"trace_id": traceA}}})); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	require.Equal(t, workers*batches, sink.LogRecordCount())
	for _, ld := range sink.AllLogs() {
		forEach(ld, func(lr plog.LogRecord) { require.Equal(t, record{trace: traceA}, plain(lr)) })
	}
	require.NoError(t, p.Shutdown(t.Context()))
}
