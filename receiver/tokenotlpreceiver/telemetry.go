package tokenotlpreceiver

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/metadata"
	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/wire"
	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/wireerr"
)

// signal is what a request is for.
type signal uint8

const (
	traces signal = iota
	logs
	metrics
	signals // how many there are
	none    = signals
)

func (s signal) String() string {
	return [...]string{traces: "traces", logs: "logs", metrics: "metrics", none: "none"}[s]
}

// transport is how a request came.
type transport uint8

const (
	overGRPC transport = iota
	overHTTP
	transports // how many there are
)

func (t transport) String() string {
	return [...]string{overGRPC: "grpc", overHTTP: "http"}[t]
}

// telemetry counts requests and items. It is safe for concurrent use.
type telemetry struct{ builder *metadata.TelemetryBuilder }

func newTelemetry(set component.TelemetrySettings) (telemetry, error) {
	builder, err := metadata.NewTelemetryBuilder(set)
	return telemetry{builder}, err
}

// received measures the body of an authenticated request.
func (t telemetry) received(ctx context.Context, s *source, sig signal, tr transport, size int64) {
	t.builder.TokenOtlpRequestSize.Record(ctx, size, s.series(sig, tr, "").record[:]...)
}

// answered measures how long an authenticated request took.
func (t telemetry) answered(ctx context.Context, s *source, sig signal, tr transport, took time.Duration) {
	t.builder.TokenOtlpRequestDuration.Record(ctx, took.Seconds(), s.series(sig, tr, "").record[:]...)
}

func (t telemetry) accepted(ctx context.Context, r request, items int) {
	t.builder.TokenOtlpAcceptedItems.Add(ctx, int64(items), r.source.series(r.signal, r.transport, "").add[:]...)
}

// rejectedItems counts items that were decoded and then refused.
func (t telemetry) rejectedItems(ctx context.Context, r request, reason wireerr.Reason, items int) {
	t.builder.TokenOtlpRejectedItems.Add(ctx, int64(items), r.source.series(r.signal, r.transport, reason).add[:]...)
}

// repaired counts what was mended in a request.
func (t telemetry) repaired(ctx context.Context, r request, m wire.Mended) {
	add := func(repair string, n int) {
		if n > 0 {
			set := attribute.NewSet(append(labels(r.source.name, r.signal, r.transport), attribute.String("repair", repair))...)
			t.builder.TokenOtlpRepairs.Add(ctx, int64(n), metric.WithAttributeSet(set))
		}
	}
	add("id_read", m.IDsRead)
	add("id_dropped", m.IDsDropped)
	add("utf8_replaced", m.StringsReplaced)
}

// rejected counts a request that is refused as a whole.
func (t telemetry) rejected(ctx context.Context, s *source, sig signal, tr transport, reason wireerr.Reason) {
	t.builder.TokenOtlpRejectedRequests.Add(ctx, 1, s.series(sig, tr, reason).add[:]...)
}

// rejectedBytes counts the body of a request that is refused as a whole.
func (t telemetry) rejectedBytes(ctx context.Context, s *source, sig signal, tr transport, reason wireerr.Reason, size int64) {
	t.builder.TokenOtlpRejectedBytes.Add(ctx, size, s.series(sig, tr, reason).add[:]...)
}

// reloaded counts what became of a change of a token file.
func (t telemetry) reloaded(ctx context.Context, s *source, ok bool) {
	outcome := "failed"
	if ok {
		outcome = "ok"
	}
	t.builder.TokenOtlpTokenFileReloads.Add(ctx, 1, metric.WithAttributes(
		attribute.String("source", s.name), attribute.String("outcome", outcome)))
}

func (t telemetry) shutdown() { t.builder.Shutdown() }
