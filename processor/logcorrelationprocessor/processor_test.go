package logcorrelationprocessor

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/spanlake/spanlake/processor/logcorrelationprocessor/internal/metadata"
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

// consume runs a batch through a processor of its own.
func consume(t *testing.T, tt *componenttest.Telemetry, change func(*Config), ld plog.Logs) plog.Logs {
	t.Helper()
	cfg := createDefaultConfig().(*Config)
	change(cfg)
	require.NoError(t, cfg.Validate())
	sink := new(consumertest.LogsSink)
	p, err := NewFactory().CreateLogs(t.Context(), metadatatest.NewSettings(tt), cfg, sink)
	require.NoError(t, err)
	require.NoError(t, p.Start(t.Context(), componenttest.NewNopHost()))
	require.NoError(t, p.ConsumeLogs(t.Context(), ld))
	require.NoError(t, p.Shutdown(t.Context()))
	return sink.AllLogs()[0]
}

func newTelemetryForTest(t *testing.T) *componenttest.Telemetry {
	t.Helper()
	tt := componenttest.NewTelemetry()
	t.Cleanup(func() { require.NoError(t, tt.Shutdown(context.Background())) })
	return tt
}

func plainOf(ld plog.Logs) []record {
	var got []record
	forEach(ld, func(lr plog.LogRecord) { got = append(got, plain(lr)) })
	return got
}

func fieldsPoint(source, property, field, place, form, outcome string, n int64) metricdata.DataPoint[int64] {
	attributes := []attribute.KeyValue{
		attribute.String("source", source), attribute.String("property", property),
		attribute.String("field", field), attribute.String("outcome", outcome),
	}
	if place != "" {
		attributes = append(attributes, attribute.String("place", place), attribute.String("form", form))
	}
	return metricdata.DataPoint[int64]{Value: n, Attributes: attribute.NewSet(attributes...)}
}

func recordsPoint(source, trace string, n int64) metricdata.DataPoint[int64] {
	return metricdata.DataPoint[int64]{Value: n, Attributes: attribute.NewSet(attribute.String("source", source), attribute.String("trace", trace))}
}

// mixed is records of every outcome, and what is counted of them.
func mixed(t *testing.T) (ld plog.Logs, fields, records []metricdata.DataPoint[int64]) {
	t.Helper()
	ld = batch(
		t,
		record{attrs: m{"trace_id": traceA, "span_id": spanA, "trace_flags": "01"}},
		record{body: m{"dt": when, "level": "info", "trace_id": traceA, "message": "hi", "k": "v"}},
		record{trace: traceA, attrs: m{"trace_id": traceB, "span_id": "x"}},
		record{attrs: m{"trace": "projects/p/traces/" + traceA}},
		record{attrs: m{"trace_id": ""}, body: "text"},
		record{body: `{"msg":"level=warn msg=hi","dd":{"trace_id":"1"}}`},
		record{body: m{"trace_id": traceA, "message": "{\"k\":{}}"}}, // of the second round, nothing is left
		record{body: "trace_id=1" + manyPairs(20*maxValues)},
	)
	fields = []metricdata.DataPoint[int64]{
		fieldsPoint("", "trace_id", "trace_id", "attributes", "hex", "moved", 1),
		fieldsPoint("", "trace_id", "trace_id", "", "", "conflict", 1),
		fieldsPoint("", "trace_id", "trace_id", "body", "hex", "moved", 2),
		fieldsPoint("", "trace_id", "trace", "", "", "read", 1),
		fieldsPoint("", "trace_id", "dd.trace_id", "json", "decimal", "moved", 1),
		fieldsPoint("", "span_id", "span_id", "attributes", "hex", "moved", 1),
		fieldsPoint("", "span_id", "span_id", "", "", "unreadable", 1),
		fieldsPoint("", "trace_flags", "trace_flags", "attributes", "hex", "moved", 1),
		fieldsPoint("", "timestamp", "dt", "body", "rfc3339", "moved", 1),
		fieldsPoint("", "severity", "level", "body", "name", "moved", 1),
		fieldsPoint("", "severity", "level", "logfmt", "name", "moved", 1),
		fieldsPoint("", "message", "message", "body", "text", "moved", 2),
		fieldsPoint("", "message", "msg", "json", "text", "moved", 1),
		fieldsPoint("", "message", "msg", "logfmt", "text", "moved", 1),
		fieldsPoint("", "message", "", "", "", "over_limit", 1),
	}
	records = []metricdata.DataPoint[int64]{recordsPoint("", "sent", 1), recordsPoint("", "found", 5), recordsPoint("", "missing", 2)}
	return ld, fields, records
}

func TestProcessorCorrelatesAndCounts(t *testing.T) {
	tt := newTelemetryForTest(t)
	ld, fields, records := mixed(t)
	got := consume(t, tt, func(*Config) {}, ld)
	require.Equal(t, []record{
		{trace: traceA, span: spanA, flags: 1},
		{trace: traceA, time: whenNs, sevNumber: 9, sevText: "info", body: "hi", attrs: m{"k": "v"}},
		{trace: traceA, attrs: m{"trace_id": traceB, "span_id": "x"}},
		{trace: traceA, attrs: m{"trace": "projects/p/traces/" + traceA}},
		{attrs: m{"trace_id": ""}, body: "text"},
		{trace: "00000000000000000000000000000001", sevNumber: 13, sevText: "warn", body: "hi"},
		{trace: traceA, body: `{"k":{}}`},
		{body: "trace_id=1" + manyPairs(20*maxValues)},
	}, plainOf(got))
	for _, rl := range got.ResourceLogs().All() {
		require.Equal(t, m{"trace_id": traceB}, rl.Resource().Attributes().AsRaw())
	}
	metadatatest.AssertEqualLogCorrelationFields(t, tt, fields, metricdatatest.IgnoreTimestamp())
	metadatatest.AssertEqualLogCorrelationRecords(t, tt, records, metricdatatest.IgnoreTimestamp())
}

func TestDryRunOnlyCounts(t *testing.T) {
	tt := newTelemetryForTest(t)
	ld, fields, records := mixed(t)
	before := plog.NewLogs()
	ld.CopyTo(before)
	ld.MarkReadOnly() // as it is when another pipeline shares it
	require.Equal(t, before, mutable(consume(t, tt, func(c *Config) { c.DryRun = true }, ld)))
	metadatatest.AssertEqualLogCorrelationFields(t, tt, fields, metricdatatest.IgnoreTimestamp())
	metadatatest.AssertEqualLogCorrelationRecords(t, tt, records, metricdatatest.IgnoreTimestamp())
}

func mutable(ld plog.Logs) plog.Logs {
	c := plog.NewLogs()
	ld.CopyTo(c)
	return c
}

func TestSettingsBySource(t *testing.T) {
	tt := newTelemetryForTest(t)
	ld := batch(
		t,
		record{attrs: m{"tid": traceA, "trace_id": traceB, "level": int64(30)}},
		record{attrs: m{"tid": traceA, "trace_id": traceB, "level": int64(30)}},
		record{attrs: m{"tid": traceA, "trace_id": traceB, "level": int64(30)}},
	)
	for i, source := range []string{"shop", "legacy"} {
		ld.ResourceLogs().At(i).Resource().Attributes().PutStr("spanlake.source", source)
	}
	got := consume(t, tt, func(c *Config) {
		c.Sources = []Source{
			{Name: "shop", Settings: Settings{Fields: Fields{TraceID: []string{"tid"}}}},
			{Name: "legacy", Settings: Settings{NumericSeverity: "python"}},
			{Name: "unused"},
		}
	}, ld)
	require.Equal(t, []record{
		{trace: traceA, attrs: m{"trace_id": traceB, "level": int64(30)}},
		{trace: traceB, sevNumber: 13, sevText: "30", attrs: m{"tid": traceA}},
		{trace: traceB, attrs: m{"tid": traceA, "level": int64(30)}},
	}, plainOf(got))
	metadatatest.AssertEqualLogCorrelationFields(t, tt, []metricdata.DataPoint[int64]{
		fieldsPoint("shop", "trace_id", "tid", "attributes", "hex", "moved", 1),
		fieldsPoint("shop", "severity", "level", "", "", "unreadable", 1),
		fieldsPoint("legacy", "trace_id", "trace_id", "attributes", "hex", "moved", 1),
		fieldsPoint("legacy", "severity", "level", "attributes", "python", "moved", 1),
		fieldsPoint("", "trace_id", "trace_id", "attributes", "hex", "moved", 1),
		fieldsPoint("", "severity", "level", "", "", "unreadable", 1),
	}, metricdatatest.IgnoreTimestamp())
	metadatatest.AssertEqualLogCorrelationRecords(t, tt, []metricdata.DataPoint[int64]{
		recordsPoint("shop", "found", 1), recordsPoint("legacy", "found", 1), recordsPoint("", "found", 1),
	}, metricdatatest.IgnoreTimestamp())
}

func TestBatchWithManySeries(t *testing.T) {
	tt := newTelemetryForTest(t)
	var records []record
	want := make(map[string]int64)
	for _, name := range createDefaultConfig().(*Config).Settings.Fields.TraceID {
		for range 2 {
			records = append(records, record{attrs: m{name: traceA, "k": "v"}})
			want[name]++
		}
	}
	require.Greater(t, len(want), maxSeries-2)
	for _, name := range createDefaultConfig().(*Config).Settings.Fields.SpanID {
		records = append(records, record{attrs: m{name: spanA}})
		want[name]++
	}
	ld := plog.NewLogs()
	for _, r := range records {
		lrs := batch(t, r).ResourceLogs().At(0).ScopeLogs().At(0).LogRecords()
		if ld.ResourceLogs().Len() == 0 {
			ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty()
		}
		lrs.MoveAndAppendTo(ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords())
	}
	consume(t, tt, func(*Config) {}, ld)
	metrics, err := tt.GetMetric("otelcol_log_correlation_fields")
	require.NoError(t, err)
	got := make(map[string]int64)
	for _, point := range metrics.Data.(metricdata.Sum[int64]).DataPoints {
		field, _ := point.Attributes.Value("field")
		got[field.AsString()] += point.Value
	}
	require.Equal(t, want, got)
}

func TestProcessorIsSafeForConcurrentUse(t *testing.T) {
	tt := newTelemetryForTest(t)
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

// A sender cannot make so many series that those of others are summed up.
func TestSeriesAreBounded(t *testing.T) {
	for name, sources := range map[string]int{"one source": 1, "two sources": 2} {
		t.Run(name, func(t *testing.T) {
			cfg := createDefaultConfig().(*Config)
			for i := range sources - 1 {
				cfg.Sources = append(cfg.Sources, Source{Name: fmt.Sprint(i)})
			}
			tt := newTelemetryForTest(t)
			tb, err := metadata.NewTelemetryBuilder(tt.NewTelemetrySettings())
			require.NoError(t, err)
			c := newCorrelator(cfg, tb)
			t.Cleanup(tb.Shutdown)
			for s := range sources {
				counts := new(tally)
				p := c.plan
				if s > 0 {
					p = c.sources[fmt.Sprint(s-1)]
				}
				for _, e := range p.root.entries[1:] {
					if !e.isField {
						continue
					}
					for o := outcomeMoved; o < outcomeCount; o++ {
						for pl := placeAttributes; pl < placeCount; pl++ {
							for f := formNone + 1; f < formCount; f++ {
								w := worker{hits: []hit{{e: e, place: pl, outcome: o, reading: reading{form: f}}}}
								w.count(p, true)
								w.tally.each(func(s series, _ int64) { counts.add(s) })
							}
						}
					}
				}
				c.telemetry.add(t.Context(), uint16(s), counts)
			}
			got, err := tt.GetMetric("otelcol_log_correlation_fields")
			require.NoError(t, err)
			points := len(got.Data.(metricdata.Sum[int64]).DataPoints)
			names := len(c.telemetry.names) / sources
			require.LessOrEqual(t, points, maxDetailed+sources*names*int(outcomeCount))
			require.Less(t, points, 1000*sources)
			require.Greater(t, points, maxDetailed)
		})
	}
}
