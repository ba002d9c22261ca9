// Command loggers writes a line of JSON for each way of logging: its name and
// what the library wrote within a span. record.sh keeps the output.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"strings"

	"github.com/rs/zerolog"
	"github.com/sirupsen/logrus"
	"go.opentelemetry.io/contrib/bridges/otellogrus"
	"go.opentelemetry.io/contrib/bridges/otelslog"
	"go.opentelemetry.io/contrib/bridges/otelzap"
	"go.opentelemetry.io/otel/attribute"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

type line struct {
	Name string `json:"name"`
	Line string `json:"line"`
}

// keep writes a line for a name.
type keep string

func (k keep) Write(p []byte) (int, error) {
	b, err := json.Marshal(line{string(k), strings.TrimSuffix(string(p), "\n")})
	if err != nil {
		return 0, err
	}
	_, err = os.Stdout.Write(append(b, '\n'))
	return len(p), err
}

func (keep) Sync() error { return nil }

// traced adds the IDs of the span, as the handlers that users write do.
type traced struct{ slog.Handler }

func (t traced) Handle(ctx context.Context, r slog.Record) error {
	s := trace.SpanContextFromContext(ctx)
	r.AddAttrs(slog.String("trace_id", s.TraceID().String()), slog.String("span_id", s.SpanID().String()))
	return t.Handler.Handle(ctx, r)
}

// bridged writes what a bridge hands to the SDK.
type bridged string

func (b bridged) OnEmit(_ context.Context, r *sdklog.Record) error {
	var out bytes.Buffer
	attrs := map[string]any{}
	r.WalkAttributes(func(kv attribute.KeyValue) bool {
		attrs[string(kv.Key)] = kv.Value.AsInterface()
		return true
	})
	err := json.NewEncoder(&out).Encode(map[string]any{
		"traceId": r.TraceID().String(), "spanId": r.SpanID().String(), "flags": r.TraceFlags(),
		"severity": r.Severity(), "severityText": r.SeverityText(), "time": r.Timestamp().UnixNano(),
		"body": r.Body().AsInterface(), "attributes": attrs,
	})
	if err != nil {
		return err
	}
	_, err = keep(b).Write(out.Bytes())
	return err
}

func (bridged) Enabled(context.Context, sdklog.EnabledParameters) bool { return true }
func (bridged) Shutdown(context.Context) error                        { return nil }
func (bridged) ForceFlush(context.Context) error                      { return nil }

func provider(name string) *sdklog.LoggerProvider {
	return sdklog.NewLoggerProvider(sdklog.WithProcessor(bridged(name)))
}

func main() {
	traceID, _ := trace.TraceIDFromHex("4bf92f3577b34da6a3ce929d0e0e4736")
	spanID, _ := trace.SpanIDFromHex("00f067aa0ba902b7")
	span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: traceID, SpanID: spanID, TraceFlags: trace.FlagsSampled})
	ctx := trace.ContextWithSpanContext(context.Background(), span)

	slog.New(traced{slog.NewJSONHandler(keep("slog, JSON"), nil)}).WarnContext(ctx, "cart is full", "cart", "c1")
	slog.New(traced{slog.NewTextHandler(keep("slog, text"), nil)}).WarnContext(ctx, "cart is full", "cart", "c1")
	slog.New(traced{slog.NewJSONHandler(keep("slog, a level between the names"), nil)}).Log(ctx, slog.LevelWarn+2, "cart is full")
	slog.New(otelslog.NewHandler("shop", otelslog.WithLoggerProvider(provider("slog by way of OpenTelemetry")))).WarnContext(ctx, "cart is full", "cart", "c1")

	ids := []zap.Field{zap.String("trace_id", traceID.String()), zap.String("span_id", spanID.String())}
	production := zap.NewProductionEncoderConfig()
	zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(production), keep("zap, production"), zap.InfoLevel)).With(ids...).Warn("cart is full", zap.String("cart", "c1"))
	iso := production
	iso.EncodeTime, iso.EncodeLevel = zapcore.ISO8601TimeEncoder, zapcore.CapitalLevelEncoder
	zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(iso), keep("zap, ISO 8601"), zap.InfoLevel)).With(ids...).DPanic("cart is full")
	zap.New(otelzap.NewCore("shop", otelzap.WithLoggerProvider(provider("zap by way of OpenTelemetry")))).Warn("cart is full", zap.Any("context", ctx), zap.String("cart", "c1"))

	z := zerolog.New(keep("zerolog")).With().Timestamp().Str("trace_id", traceID.String()).Str("span_id", spanID.String()).Logger()
	z.Warn().Str("cart", "c1").Msg("cart is full")
	zerolog.TimeFieldFormat = zerolog.TimeFormatUnixMs
	z = zerolog.New(keep("zerolog, milliseconds")).With().Timestamp().Str("trace_id", traceID.String()).Logger()
	z.Error().Msg("cart is full")

	fields := logrus.Fields{"trace_id": traceID.String(), "span_id": spanID.String(), "cart": "c1"}
	l := logrus.New()
	l.SetOutput(keep("logrus, JSON"))
	l.SetFormatter(&logrus.JSONFormatter{})
	l.WithFields(fields).Warn("cart is full")
	l.SetOutput(keep("logrus, text"))
	l.SetFormatter(&logrus.TextFormatter{DisableColors: true})
	l.WithFields(fields).Warn("cart is full")
	b := logrus.New()
	b.SetOutput(bytes.NewBuffer(nil))
	b.AddHook(otellogrus.NewHook("shop", otellogrus.WithLoggerProvider(provider("logrus by way of OpenTelemetry"))))
	b.WithContext(ctx).WithField("cart", "c1").Warn("cart is full")
}
