package logcorrelationprocessor

import (
	"context"
	"fmt"
	"maps"
	"testing"

	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/transformprocessor"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.uber.org/zap"
)

const benchRecords = 1000

func start(tb testing.TB, f processor.Factory, cfg component.Config) processor.Logs {
	tb.Helper()
	set := processortest.NewNopSettings(f.Type())
	set.Logger = zap.NewNop()
	p, err := f.CreateLogs(tb.Context(), set, cfg, consumertest.NewNop())
	require.NoError(tb, err)
	require.NoError(tb, p.Start(tb.Context(), componenttest.NewNopHost()))
	tb.Cleanup(func() { require.NoError(tb, p.Shutdown(context.Background())) })
	return p
}

// transform is contrib's transform processor told to move flat attributes: the
// least it can be asked for. It does not look into nested maps or bodies, see
// whether values agree, or read more than one form of time.
func transform(tb testing.TB, traceIDs, spanIDs, times []string) processor.Logs {
	tb.Helper()
	var statements []any
	move := func(names []string, target, value string) {
		for _, n := range names {
			field := fmt.Sprintf("log.attributes[%q]", n)
			statements = append(statements,
				fmt.Sprintf("set(%s, %s) where %s != nil", target, fmt.Sprintf(value, field), field),
				fmt.Sprintf("delete_key(log.attributes, %q) where %s != nil", n, field))
		}
	}
	move(traceIDs, "log.trace_id.string", "%s")
	move(spanIDs, "log.span_id.string", "%s")
	move(times, "log.time", `Time(%s, "%%Y-%%m-%%dT%%H:%%M:%%S.%%LZ")`)
	f := transformprocessor.NewFactory()
	cfg := f.CreateDefaultConfig()
	require.NoError(tb, confmap.NewFromStringMap(m{"error_mode": "ignore", "log_statements": statements}).Unmarshal(cfg))
	return start(tb, f, cfg)
}

// peers are the processors compared: transform with the names that occur, and
// with the names that log_correlation looks for by default.
func peers(tb testing.TB) map[string]processor.Logs {
	tb.Helper()
	cfg := createDefaultConfig().(*Config)
	return map[string]processor.Logs{
		"log_correlation":              start(tb, NewFactory(), cfg),
		"transform of the three names": transform(tb, []string{"context.trace_id"}, []string{"context.span_id"}, []string{"timestamp"}),
		"transform of all names":       transform(tb, cfg.Settings.Fields.TraceID, cfg.Settings.Fields.SpanID, cfg.Settings.Fields.Timestamp),
	}
}

func workload(tb testing.TB, with m) plog.Logs {
	tb.Helper()
	attrs := m{
		"http.route": "/cart/{id}", "http.request.method": "POST", "code.function": "checkout.Cart.Add",
		"thread.id": int64(12), "duration_ms": 1.5, "tenant": "t1", "user": "u-1234", "retry": false,
	}
	maps.Copy(attrs, with)
	ld := plog.NewLogs()
	records := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for range benchRecords {
		record{attrs: attrs, body: "item added to the cart"}.build(tb).CopyTo(records.AppendEmpty())
	}
	return ld
}

var withFields = m{"context.trace_id": traceA, "context.span_id": spanA, "timestamp": when}

// All make the same record of the benchmark's one, so that the comparison is
// of like with like.
func TestTransformDoesTheSame(t *testing.T) {
	want := record{
		trace: traceA, span: spanA, time: whenNs, body: "item added to the cart",
		attrs: workload(t, nil).ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).Attributes().AsRaw(),
	}
	for name, p := range peers(t) {
		t.Run(name, func(t *testing.T) {
			ld := workload(t, withFields)
			require.NoError(t, p.ConsumeLogs(t.Context(), ld))
			require.Equal(t, want, plain(ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)))
		})
	}
}

func benchmark(b *testing.B, p processor.Logs, template plog.Logs) {
	b.Helper()
	b.ReportAllocs()
	var spent int
	for b.Loop() {
		b.StopTimer()
		ld := plog.NewLogs()
		template.CopyTo(ld)
		b.StartTimer()
		require.NoError(b, p.ConsumeLogs(b.Context(), ld))
		spent += benchRecords
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(spent), "ns/record")
}

func BenchmarkFields(b *testing.B) {
	template := workload(b, withFields)
	for name, p := range peers(b) {
		b.Run(name, func(b *testing.B) { benchmark(b, p, template) })
	}
}

func BenchmarkNoFields(b *testing.B) {
	template := workload(b, nil)
	for name, p := range peers(b) {
		b.Run(name, func(b *testing.B) { benchmark(b, p, template) })
	}
	b.Run("decode", func(b *testing.B) {
		wire, err := (&plog.ProtoMarshaler{}).MarshalLogs(template)
		require.NoError(b, err)
		b.ReportAllocs()
		for b.Loop() {
			_, err := (&plog.ProtoUnmarshaler{}).UnmarshalLogs(wire)
			require.NoError(b, err)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchRecords, "ns/record")
	})
}
