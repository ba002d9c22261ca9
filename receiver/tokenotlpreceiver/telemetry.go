package tokenotlpreceiver

import (
	"context"

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

// source is who sent a request. It does not change once made.
type source struct {
	name string
	// attributes are those of accepted requests, made once so that counting one
	// allocates nothing.
	attributes [signals][transports][]metric.AddOption
}

// unknown is the source of requests without a valid token.
var unknown = newSource("")

func newSource(name string) *source {
	s := &source{name: name}
	for sig := range signals {
		for tr := range transports {
			s.attributes[sig][tr] = []metric.AddOption{metric.WithAttributeSet(attribute.NewSet(labels(name, sig, tr)...))}
		}
	}
	return s
}

func labels(source string, sig signal, tr transport) []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.String("source", source),
		attribute.String("signal", sig.String()),
		attribute.String("transport", tr.String()),
	}
}

// telemetry counts requests and items. It is safe for concurrent use.
type telemetry struct{ builder *metadata.TelemetryBuilder }

func newTelemetry(set component.TelemetrySettings) (telemetry, error) {
	builder, err := metadata.NewTelemetryBuilder(set)
	return telemetry{builder}, err
}

// received counts the body of an authenticated request.
func (t telemetry) received(ctx context.Context, r request) {
	t.builder.TokenOtlpRequestBytes.Add(ctx, int64(len(r.body)), r.source.attributes[r.signal][r.transport]...)
}

func (t telemetry) accepted(ctx context.Context, r request, items int) {
	t.builder.TokenOtlpAcceptedItems.Add(ctx, int64(items), r.source.attributes[r.signal][r.transport]...)
}

// rejectedItems counts items that were decoded and then refused.
func (t telemetry) rejectedItems(ctx context.Context, r request, reason wireerr.Reason, items int) {
	t.builder.TokenOtlpRejectedItems.Add(ctx, int64(items), withReason(r.source, r.signal, r.transport, reason))
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
	t.builder.TokenOtlpRejectedRequests.Add(ctx, 1, withReason(s, sig, tr, reason))
}

func withReason(s *source, sig signal, tr transport, reason wireerr.Reason) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(append(labels(s.name, sig, tr), attribute.String("reason", string(reason)))...))
}

func (t telemetry) shutdown() { t.builder.Shutdown() }
