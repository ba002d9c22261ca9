//go:build linux

package logcorrelationprocessor

import (
	"context"
	"fmt"
	"maps"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
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
	"golang.org/x/sys/unix"
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

const (
	plainBody = "item added to the cart"
	jsonBody  = `{"context":{"trace_id":"` + traceA + `","span_id":"` + spanA + `"},"timestamp":"` + when + `","message":"item added to the cart","customer":"u-1234","count":3,"total":12.5}`
)

type peer struct {
	name string
	processor.Logs
}

// transform is contrib's transform processor told to do what statements say.
func transform(tb testing.TB, statements []any) processor.Logs {
	tb.Helper()
	f := transformprocessor.NewFactory()
	cfg := f.CreateDefaultConfig()
	require.NoError(tb, confmap.NewFromStringMap(m{"error_mode": "ignore", "log_statements": statements}).Unmarshal(cfg))
	return start(tb, f, cfg)
}

// moves moves flat attributes: the least that transform can be asked for. It
// does not look into nested maps or bodies, see whether values agree, or read
// more than one form of time.
func moves(from string, traceIDs, spanIDs, times []string) (statements []any) {
	move := func(names []string, target, value string) {
		for _, n := range names {
			field := fmt.Sprintf("%s[%q]", from, n)
			statements = append(statements,
				fmt.Sprintf("set(%s, %s) where %s != nil", target, fmt.Sprintf(value, field), field),
				fmt.Sprintf("delete_key(%s, %q) where %s != nil", from, n, field))
		}
	}
	move(traceIDs, "log.trace_id.string", "%s")
	move(spanIDs, "log.span_id.string", "%s")
	move(times, "log.time", `Time(%s, "%%Y-%%m-%%dT%%H:%%M:%%S.%%LZ")`)
	return statements
}

// asked is ours, told to look for some names alone, as moves tells transform.
func asked(tb testing.TB, parseBody string, traceIDs, spanIDs, times, messages []any) processor.Logs {
	tb.Helper()
	f := NewFactory()
	cfg := f.CreateDefaultConfig()
	fields := m{
		"trace_id": traceIDs, "span_id": spanIDs, "timestamp": times, "message": messages,
		"decimal_trace_id": []any{}, "trace_id_high": []any{}, "decimal_span_id": []any{}, "enclosing_span_id": []any{},
		"trace_flags": []any{}, "severity": []any{}, "severity_number": []any{},
	}
	require.NoError(tb, confmap.NewFromStringMap(m{"parse_body": parseBody, "fields": fields}).Unmarshal(cfg))
	return start(tb, f, cfg)
}

// peers are the processors compared: with the names that occur, and with those that
// log_correlation looks for by default.
func peers(tb testing.TB) []peer {
	tb.Helper()
	fields := createDefaultConfig().(*Config).Settings.Fields
	return []peer{
		{"log_correlation", start(tb, NewFactory(), createDefaultConfig())},
		{"log_correlation of the three names", asked(tb, "none", []any{"context.trace_id"}, []any{"context.span_id"}, []any{"timestamp"}, []any{})},
		{"transform of the three names", transform(tb, moves("log.attributes", []string{"context.trace_id"}, []string{"context.span_id"}, []string{"timestamp"}))},
		{"transform of all names", transform(tb, moves("log.attributes", fields.TraceID, fields.SpanID, fields.Timestamp))},
	}
}

// textPeers do so for JSON text.
func textPeers(tb testing.TB) []peer {
	tb.Helper()
	statements := func(renames ...any) []any {
		all := append([]any{`merge_maps(log.cache, ParseJSON(log.body), "upsert") where IsMatch(log.body, "^\\{")`}, renames...)
		return append(all,
			`set(log.trace_id.string, log.cache["context"]["trace_id"]) where log.cache["context"]["trace_id"] != nil`,
			`set(log.span_id.string, log.cache["context"]["span_id"]) where log.cache["context"]["span_id"] != nil`,
			`delete_key(log.cache, "context") where log.cache["context"] != nil`,
			`set(log.body, log.cache["message"]) where log.cache["message"] != nil`,
			`delete_key(log.cache, "message") where log.cache["message"] != nil`,
			`merge_maps(log.attributes, log.cache, "upsert")`,
		)
	}
	fields := createDefaultConfig().(*Config).Settings.Fields
	return []peer{
		{"log_correlation", start(tb, NewFactory(), createDefaultConfig())},
		{"log_correlation of the names that occur", asked(tb, "json", []any{"context.trace_id"}, []any{"context.span_id"}, []any{"timestamp"}, []any{"message"})},
		{"transform of the names that occur", transform(tb, statements(moves("log.cache", nil, nil, []string{"timestamp"})...))},
		{"transform of all names", transform(tb, statements(moves("log.cache", fields.TraceID, fields.SpanID, fields.Timestamp)...))},
	}
}

func workload(tb testing.TB, with m, body any) plog.Logs {
	tb.Helper()
	attrs := m{
		"http.route": "/cart/{id}", "http.request.method": "POST", "code.function": "checkout.Cart.Add",
		"thread.id": int64(12), "duration_ms": 1.5, "tenant": "t1", "user": "u-1234", "retry": false,
	}
	maps.Copy(attrs, with)
	ld := plog.NewLogs()
	records := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for range benchRecords { // each has its attributes in another order
		record{attrs: attrs, body: body}.build(tb).CopyTo(records.AppendEmpty())
	}
	return ld
}

var withFields = m{"context.trace_id": traceA, "context.span_id": spanA, "timestamp": when}

func first(ld plog.Logs) record {
	return plain(ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0))
}

// All make the same record of the benchmarks', so that the comparison is of like
// with like.
func TestTransformDoesTheSame(t *testing.T) {
	attrs := first(workload(t, nil, plainBody)).attrs
	for _, p := range peers(t) {
		t.Run(p.name, func(t *testing.T) {
			ld := workload(t, withFields, plainBody)
			require.NoError(t, p.ConsumeLogs(t.Context(), ld))
			require.Equal(t, record{trace: traceA, span: spanA, time: whenNs, body: plainBody, attrs: attrs}, first(ld))
		})
	}
	attrs = first(workload(t, m{"customer": "u-1234", "count": int64(3), "total": 12.5}, plainBody)).attrs
	for _, p := range textPeers(t) {
		t.Run("JSON text/"+p.name, func(t *testing.T) {
			ld := workload(t, nil, jsonBody)
			require.NoError(t, p.ConsumeLogs(t.Context(), ld))
			got := first(ld)
			if n, isDouble := got.attrs["count"].(float64); isDouble { // transform makes doubles of integers
				got.attrs["count"] = int64(n)
			}
			require.Equal(t, record{trace: traceA, span: spanA, time: whenNs, body: plainBody, attrs: attrs}, got)
		})
	}
}

// contender does a batch of records, which prepare makes, as decoding would have.
type contender struct {
	name    string
	prepare func() plog.Logs
	work    func(plog.Logs) error
}

// compare reports the CPU that contenders take for a record, and what the first
// takes of each other one. They take turns, and medians are reported, those of
// ratios over one turn: what else runs on the machine disturbs all alike. CPU is
// that of the thread, and garbage is collected in between: what the collector does
// in the background would be counted where it happens to run. Allocations are those
// of the first.
func compare(b *testing.B, contenders ...contender) {
	b.Helper()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const collectEvery = 16
	spent := make([][]float64, len(contenders))
	ratios := make([][]float64, len(contenders))
	b.ReportAllocs()
	for turn := 0; b.Loop(); turn++ {
		b.StopTimer()
		if turn%collectEvery == 0 {
			runtime.GC()
		}
		for i := range contenders {
			c := &contenders[i]
			ld := c.prepare()
			if i == 0 {
				b.StartTimer()
			}
			begun := cpu(b)
			err := c.work(ld)
			spent[i] = append(spent[i], float64(cpu(b)-begun)/benchRecords)
			b.StopTimer()
			if err != nil {
				b.Fatal(err)
			}
			ratios[i] = append(ratios[i], spent[0][turn]/spent[i][turn])
		}
		b.StartTimer()
	}
	b.ReportMetric(0, "ns/op")
	for i := range contenders {
		unit := strings.ReplaceAll(contenders[i].name, " ", "-")
		b.ReportMetric(median(spent[i]), unit+"-ns/record")
		if i > 0 {
			b.ReportMetric(median(ratios[i]), "of-"+unit)
		}
	}
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// cpu is the CPU time of the thread in nanoseconds, which Linux alone tells.
func cpu(b *testing.B) int64 {
	b.Helper()
	var at unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &at); err != nil {
		b.Fatal(err)
	}
	return at.Nano()
}

func processing(b *testing.B, p peer, template plog.Logs) contender {
	b.Helper()
	prepare := func() plog.Logs {
		ld := plog.NewLogs()
		template.CopyTo(ld)
		return ld
	}
	return contender{p.name, prepare, func(ld plog.Logs) error { return p.ConsumeLogs(b.Context(), ld) }}
}

func decoding(b *testing.B, template plog.Logs) contender {
	b.Helper()
	wire, err := (&plog.ProtoMarshaler{}).MarshalLogs(template)
	require.NoError(b, err)
	return contender{"decode", plog.NewLogs, func(plog.Logs) error {
		_, err := (&plog.ProtoUnmarshaler{}).UnmarshalLogs(wire)
		return err
	}}
}

func comparePeers(b *testing.B, all []peer, template plog.Logs) {
	b.Helper()
	var contenders []contender
	for _, p := range all {
		contenders = append(contenders, processing(b, p, template))
	}
	compare(b, contenders...)
}

// Three attributes that are moved.
func BenchmarkFields(b *testing.B) {
	comparePeers(b, peers(b), workload(b, withFields, plainBody))
}

// JSON text whose fields are moved, whose message becomes the body and whose
// other fields become attributes.
func BenchmarkJSONText(b *testing.B) {
	comparePeers(b, textPeers(b), workload(b, nil, jsonBody))
}

// Records in which nothing is found, beside what decoding them costs.
func BenchmarkNoFields(b *testing.B) {
	for name, body := range map[string]any{
		"text":   plainBody,
		"JSON":   `{"item": "socks", "count": 3, "cart": {"id": "c-81", "items": 7}, "customer": "u-1234"}`,
		"logfmt": `item=socks count=3 cart=c-81 items=7 customer=u-1234 why="out of stock"`,
		"map":    m{"item": "socks", "count": int64(3), "cart": m{"id": "c-81", "items": int64(7)}, "customer": "u-1234"},
	} {
		b.Run(name, func(b *testing.B) {
			template := workload(b, nil, body)
			ours := peer{"log_correlation", start(b, NewFactory(), createDefaultConfig())}
			compare(b, processing(b, ours, template), decoding(b, template))
		})
	}
}
