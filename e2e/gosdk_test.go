package e2e

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"log/slog"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/contrib/bridges/otelslog"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// transport makes the exporters of the Go SDK for one protocol.
type transport struct {
	spans func(context.Context, ports) (sdktrace.SpanExporter, error)
	logs  func(context.Context, ports) (sdklog.Exporter, error)
}

var transports = map[string]transport{
	"grpc": {
		spans: func(ctx context.Context, p ports) (sdktrace.SpanExporter, error) {
			return otlptracegrpc.New(ctx, otlptracegrpc.WithEndpoint(p.grpc), otlptracegrpc.WithInsecure(), otlptracegrpc.WithHeaders(bearer))
		},
		logs: func(ctx context.Context, p ports) (sdklog.Exporter, error) {
			return otlploggrpc.New(ctx, otlploggrpc.WithEndpoint(p.grpc), otlploggrpc.WithInsecure(), otlploggrpc.WithHeaders(bearer))
		},
	},
	"http": {
		spans: func(ctx context.Context, p ports) (sdktrace.SpanExporter, error) {
			return otlptracehttp.New(ctx, otlptracehttp.WithEndpoint(p.http), otlptracehttp.WithInsecure(), otlptracehttp.WithHeaders(bearer),
				otlptracehttp.WithCompression(otlptracehttp.GzipCompression))
		},
		logs: func(ctx context.Context, p ports) (sdklog.Exporter, error) {
			return otlploghttp.New(ctx, otlploghttp.WithEndpoint(p.http), otlploghttp.WithInsecure(), otlploghttp.WithHeaders(bearer),
				otlploghttp.WithCompression(otlploghttp.GzipCompression))
		},
	},
}

var bearer = map[string]string{"Authorization": "Bearer " + token}

func TestGoSDK(t *testing.T) {
	c := startCollector(t, t.TempDir())
	for name, over := range transports {
		t.Run(name, func(t *testing.T) {
			service := "shop-" + name
			shop := resource.NewWithAttributes("https://opentelemetry.io/schemas/1.37.0", append(everyType("res"),
				attribute.String("service.name", service), attribute.String("host.name", "pod-1"))...)

			sent := &spanLog{}
			spans, err := over.spans(t.Context(), c.ports)
			require.NoError(t, err)
			tracing := sdktrace.NewTracerProvider(sdktrace.WithResource(shop), sdktrace.WithBatcher(spans), sdktrace.WithSyncer(sent))

			records := &logLog{}
			logs, err := over.logs(t.Context(), c.ports)
			require.NoError(t, err)
			logging := sdklog.NewLoggerProvider(sdklog.WithResource(shop),
				sdklog.WithProcessor(sdklog.NewSimpleProcessor(records)), sdklog.WithProcessor(sdklog.NewBatchProcessor(logs)))

			failed := sell(tracing, logging)
			require.NoError(t, tracing.Shutdown(t.Context()))
			require.NoError(t, logging.Shutdown(t.Context()))

			rows := requireSpans(t, c.lake(), sent.spans())
			for _, r := range rows {
				require.Equal(t, service, r["service_name"])
				require.Equal(t, "pod-1", r["host.name"])
				class, retention := "normal", "7d"
				if r.text("trace_id") == failed.String() {
					class, retention = "errors", "30d"
				}
				require.Equal(t, class, r["class"])
				require.Equal(t, retention, r["retention"])
			}
			requireLogs(t, c.lake(), service, records.logs())

			joined := mustQuery(t, c.lake(), "select s.name from logs l join spans s using (trace_id, span_id) where l.service_name = "+literals([]string{service})+" order by all")
			require.Equal(t, []row{{"name": "charge"}, {"name": "charge"}, {"name": "checkout"}}, joined)
		})
	}
}

// sell does what an instrumented program may do, in three traces: one that goes
// well, one whose root is elsewhere, and one that fails, whose ID it returns.
func sell(tracing *sdktrace.TracerProvider, logging *sdklog.LoggerProvider) trace.TraceID {
	tracer := tracing.Tracer("shop/checkout", trace.WithInstrumentationVersion("1.2.3"), trace.WithSchemaURL("https://opentelemetry.io/schemas/1.37.0"),
		trace.WithInstrumentationAttributes(attribute.Int("scope.int", 7)))
	logger := logging.Logger("shop/audit", log.WithInstrumentationVersion("0.9"), log.WithInstrumentationAttributes(attribute.String("scope.text", "x")))

	// Every digit of a nanosecond is in use.
	base := time.Unix(time.Now().Unix()-2, 123_456_789)
	elsewhere := remoteParent()
	ctx, root := tracer.Start(elsewhere, "checkout", trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(base),
		trace.WithAttributes(everyType("app")...),
		trace.WithAttributes( // with columns of their own, one of another type than its column
			attribute.String("http.request.method", "POST"), attribute.String("http.route", "/checkout"), attribute.String("url.path", "/checkout"),
			attribute.Int("http.response.status_code", 201), attribute.String("server.port", "not a number"), attribute.Int("rpc.grpc.status_code", 0)))
	emit(ctx, logger, base, attribute.StringValue("cart 9f: 3 items 🛒"))

	for i, kind := range []trace.SpanKind{trace.SpanKindInternal, trace.SpanKindClient, trace.SpanKindProducer, trace.SpanKindConsumer} {
		start := base.Add(time.Duration(i+1)*time.Millisecond + time.Nanosecond)
		childCtx, child := tracer.Start(ctx, kind.String(), trace.WithSpanKind(kind), trace.WithTimestamp(start),
			trace.WithLinks(trace.Link{SpanContext: trace.SpanContextFromContext(elsewhere), Attributes: everyType("link")}, trace.LinkFromContext(ctx)))
		child.AddEvent("reserved", trace.WithTimestamp(start.Add(7)), trace.WithAttributes(everyType("event")...))
		child.AddEvent("no attributes", trace.WithTimestamp(start.Add(8)))
		child.SetStatus(codes.Ok, "")
		_, grandchild := tracer.Start(childCtx, "", trace.WithTimestamp(start)) // no name, no length
		grandchild.End(trace.WithTimestamp(start))
		child.End(trace.WithTimestamp(start.Add(999_999)))
	}
	root.End(trace.WithTimestamp(base.Add(42*time.Millisecond + 1)))

	_, part := tracer.Start(elsewhere, "part of another's trace", trace.WithSpanKind(trace.SpanKindConsumer))
	part.End()

	ctx, charge := tracer.Start(context.Background(), "charge")
	charge.RecordError(errors.New("card declined: \"insufficient\"\nfunds"), trace.WithStackTrace(true))
	charge.SetStatus(codes.Error, "declined")
	emit(ctx, logger, base.Add(1), attribute.MapValue(append(everyType("body"), attribute.Map("nested", everyType("deep")...))...))
	slog.New(otelslog.NewHandler("shop/slog", otelslog.WithLoggerProvider(logging))).ErrorContext(ctx, "declined", "attempt", 3, "after", 1500*time.Millisecond)
	charge.End()

	emit(context.Background(), logger, base.Add(2), attribute.ByteSliceValue([]byte{0, 1, 0xff}))
	emit(context.Background(), logger, base.Add(3), attribute.Value{})
	return charge.SpanContext().TraceID()
}

// remoteParent is a context with a span of another process in it, whose
// tracestate travels.
func remoteParent() context.Context {
	var id trace.TraceID
	_, _ = rand.Read(id[:])
	state, _ := trace.ParseTraceState("vendor=opaque,other=1")
	return trace.ContextWithRemoteSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: id, SpanID: trace.SpanID{0xbe, 7: 2}, TraceFlags: trace.FlagsSampled, TraceState: state, Remote: true,
	}))
}

func emit(ctx context.Context, logger log.Logger, at time.Time, body attribute.Value) {
	var record log.Record
	record.SetTimestamp(at)
	record.SetObservedTimestamp(at.Add(5 * time.Nanosecond))
	record.SetSeverity(log.SeverityWarn2)
	record.SetSeverityText("WARNING")
	record.SetEventName("cart.changed")
	record.SetBody(body)
	record.AddAttributes(everyType("app")...)
	logger.Emit(ctx, record)
}

// everyType is an attribute of each type, with the values at which types are
// lost.
func everyType(prefix string) []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.Bool(prefix+".bool", true),
		attribute.Int64(prefix+".int.max", math.MaxInt64),
		attribute.Int64(prefix+".int.min", math.MinInt64),
		attribute.Int64(prefix+".int.zero", 0),
		attribute.Float64(prefix+".double.whole", 5),
		attribute.Float64(prefix+".double.tiny", 5e-324),
		attribute.Float64(prefix+".double.huge", math.MaxFloat64),
		attribute.Float64(prefix+".double.nan", math.NaN()),
		attribute.Float64(prefix+".double.infinite", math.Inf(-1)),
		attribute.String(prefix+".string", "naïve \"quoted\" \\ \t 世界 🦆"),
		attribute.String(prefix+".string.empty", ""),
		attribute.String(prefix+".string.digits", "5"),
		attribute.BoolSlice(prefix+".bools", []bool{true, false}),
		attribute.Int64Slice(prefix+".ints", []int64{1, math.MaxInt64}),
		attribute.Float64Slice(prefix+".doubles", []float64{1, 0.1}),
		attribute.StringSlice(prefix+".strings", []string{"", "x"}),
		attribute.StringSlice(prefix+".strings.empty", []string{}),
		attribute.ByteSlice(prefix+".bytes", []byte{0, 0xff, 'a'}),
		attribute.Slice(prefix+".mixed", attribute.BoolValue(true), attribute.StringValue("two"), attribute.Float64Value(3)),
		attribute.Map(prefix+".map", attribute.Int("a", 1), attribute.Map("b", attribute.String("c", "d"))),
	}
}

// spanLog is an exporter that keeps what it is given.
type spanLog struct{ tracetest.InMemoryExporter }

// Shutdown keeps the spans, which the in-memory exporter would drop.
func (*spanLog) Shutdown(context.Context) error { return nil }

func (l *spanLog) spans() []span {
	var spans []span
	for _, s := range l.GetSpans() {
		got := span{
			TraceID: s.SpanContext.TraceID().String(), SpanID: s.SpanContext.SpanID().String(),
			TraceState: s.SpanContext.TraceState().String(),
			Name:       s.Name, Kind: int64(s.SpanKind),
			Start: s.StartTime.UnixNano(), Duration: s.EndTime.UnixNano() - s.StartTime.UnixNano(),
			StatusMessage: s.Status.Description,
			Attributes:    attributes(s.Attributes), Resource: attributes(s.Resource.Attributes()), Scope: sdkScope(s.InstrumentationScope),
		}
		switch s.Status.Code {
		case codes.Ok:
			got.Status = 1
		case codes.Error:
			got.Status = 2
		default:
		}
		if s.Parent.IsValid() {
			got.Parent = s.Parent.SpanID().String()
		}
		for _, e := range s.Events {
			got.Events = append(got.Events, event{Time: e.Time.UnixNano(), Name: e.Name, Attributes: attributes(e.Attributes)})
		}
		for _, l := range s.Links {
			// The SDK's exporter leaves out the tracestate of a link.
			got.Links = append(got.Links, link{
				TraceID: l.SpanContext.TraceID().String(), SpanID: l.SpanContext.SpanID().String(), Attributes: attributes(l.Attributes),
			})
		}
		spans = append(spans, got)
	}
	return spans
}

// logLog is the same for logs.
type logLog struct {
	mu      sync.Mutex // guards records
	records []sdklog.Record
}

func (l *logLog) Export(_ context.Context, records []sdklog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range records {
		l.records = append(l.records, r.Clone())
	}
	return nil
}

func (*logLog) Shutdown(context.Context) error   { return nil }
func (*logLog) ForceFlush(context.Context) error { return nil }

func (l *logLog) logs() []logRecord {
	l.mu.Lock()
	defer l.mu.Unlock()
	var logs []logRecord
	for _, r := range l.records {
		got := logRecord{
			Time: r.Timestamp().UnixNano(), Observed: r.ObservedTimestamp().UnixNano(),
			Severity: int64(r.Severity()), SeverityText: r.SeverityText(), Body: value(r.Body()), EventName: r.EventName(),
			Attributes: map[string]any{}, Resource: attributes(r.Resource().Attributes()), Scope: sdkScope(r.InstrumentationScope()),
		}
		r.WalkAttributes(func(kv attribute.KeyValue) bool {
			got.Attributes[string(kv.Key)] = value(kv.Value)
			return true
		})
		if r.TraceID().IsValid() {
			got.TraceID, got.SpanID = r.TraceID().String(), r.SpanID().String()
		}
		logs = append(logs, got)
	}
	return logs
}

func sdkScope(s instrumentation.Scope) scope {
	return scope{Name: s.Name, Version: s.Version, SchemaURL: s.SchemaURL, Attributes: attributes(s.Attributes.ToSlice())}
}

func attributes(kvs []attribute.KeyValue) map[string]any {
	values := map[string]any{}
	for _, kv := range kvs {
		values[string(kv.Key)] = value(kv.Value)
	}
	return values
}

// value is an attribute's value as the store's JSON gives it back.
func value(v attribute.Value) any {
	switch v.Type() {
	case attribute.BOOL:
		return v.AsBool()
	case attribute.INT64:
		return v.AsInt64()
	case attribute.FLOAT64:
		switch f := v.AsFloat64(); {
		case math.IsNaN(f):
			return map[string]any{"@double": "NaN"}
		case math.IsInf(f, 1):
			return map[string]any{"@double": "Infinity"}
		case math.IsInf(f, -1):
			return map[string]any{"@double": "-Infinity"}
		default:
			return f
		}
	case attribute.STRING:
		return v.AsString()
	case attribute.BOOLSLICE:
		return list(v.AsBoolSlice(), attribute.BoolValue)
	case attribute.INT64SLICE:
		return list(v.AsInt64Slice(), attribute.Int64Value)
	case attribute.FLOAT64SLICE:
		return list(v.AsFloat64Slice(), attribute.Float64Value)
	case attribute.STRINGSLICE:
		return list(v.AsStringSlice(), attribute.StringValue)
	case attribute.BYTESLICE:
		return map[string]any{"@bytes": base64.StdEncoding.EncodeToString(v.AsByteSlice())}
	case attribute.SLICE:
		return list(v.AsSlice(), func(v attribute.Value) attribute.Value { return v })
	case attribute.MAP:
		return attributes(v.AsMap())
	default:
		return nil
	}
}

func list[T any](elements []T, wrap func(T) attribute.Value) []any {
	values := []any{}
	for _, e := range elements {
		values = append(values, value(wrap(e)))
	}
	return values
}
