package tokenotlpreceiver

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/body"
	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/metadatatest"
	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/wireerr"
)

func point(n int64, source, signal, transport string, reason ...string) metricdata.DataPoint[int64] {
	attributes := []attribute.KeyValue{
		attribute.String("source", source), attribute.String("signal", signal), attribute.String("transport", transport),
	}
	for _, r := range reason {
		attributes = append(attributes, attribute.String("reason", r))
	}
	return metricdata.DataPoint[int64]{Value: n, Attributes: attribute.NewSet(attributes...)}
}

func TestRequestsAreCountedBySourceAndReason(t *testing.T) {
	h := start(t, options{})
	spans, points := protoOf(t, requestOf(traces)), protoOf(t, requestOf(metrics))
	require.Equal(t, 200, h.post("/v1/traces", protoType, spans).status)
	require.Equal(t, 200, h.post("/v1/traces", protoType, spans).status)
	_, err := h.send(h.withToken(otherToken), exportMethod(metrics), points)
	require.NoError(t, err)
	require.Equal(t, 202, h.post("/", "", []byte("{}\nbad\n{}")).status)
	require.Equal(t, 400, h.post("/", "", []byte("bad")).status)
	require.Equal(t, 400, h.post("/v1/logs", jsonType, []byte("{")).status)
	require.Equal(t, 401, h.http(call{path: "/v1/logs"}).status)
	require.Equal(t, 404, h.post("/nowhere", "", nil).status)
	_, err = h.send(h.withToken("wrong-token"), exportMethod(traces), spans)
	require.Error(t, err)

	metadatatest.AssertEqualTokenOtlpAcceptedItems(t, h.telemetry, []metricdata.DataPoint[int64]{
		point(2, "shop", "traces", "http"),
		point(1, "billing", "metrics", "grpc"),
		point(2, "shop", "logs", "http"),
	}, metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())
	metadatatest.AssertEqualTokenOtlpRejectedItems(t, h.telemetry, []metricdata.DataPoint[int64]{
		point(2, "shop", "logs", "http", "malformed"),
	}, metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())
	metadatatest.AssertEqualTokenOtlpRejectedRequests(t, h.telemetry, []metricdata.DataPoint[int64]{
		point(2, "shop", "logs", "http", "malformed"),
		point(1, "", "logs", "http", "unauthorized"),
		point(1, "shop", "none", "http", "not_found"),
		point(1, "", "traces", "grpc", "unauthorized"),
	}, metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())
	// The bytes that were accepted are those of the requests less those refused.
	metadatatest.AssertEqualTokenOtlpRejectedBytes(t, h.telemetry, []metricdata.DataPoint[int64]{
		point(int64(len("bad")+len("{")), "shop", "logs", "http", "malformed"),
	}, metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())
	sizes := histogram[int64](t, h, "otelcol_token_otlp_request_size")
	require.Equal(t, map[string]int64{
		"shop/traces/http":     int64(2 * len(spans)),
		"billing/metrics/grpc": int64(len(points)),
		"shop/logs/http":       int64(len("{}\nbad\n{}") + len("bad") + len("{")),
	}, sums(sizes))
	require.Equal(t, map[string]uint64{"shop/traces/http": 2, "billing/metrics/grpc": 1, "shop/logs/http": 3}, counts(sizes))
	// Requests of a known source take time, whatever becomes of them.
	require.Equal(t, map[string]uint64{"shop/traces/http": 2, "billing/metrics/grpc": 1, "shop/logs/http": 3, "shop/none/http": 1},
		counts(histogram[float64](t, h, "otelcol_token_otlp_request_duration")))
}

func histogram[N int64 | float64](t *testing.T, h *harness, name string) []metricdata.HistogramDataPoint[N] {
	t.Helper()
	m, err := h.telemetry.GetMetric(name)
	require.NoError(t, err)
	return m.Data.(metricdata.Histogram[N]).DataPoints
}

// seriesOf names a histogram's attributes: source, signal and transport.
func seriesOf(attributes attribute.Set) string {
	var values []string
	for _, key := range []attribute.Key{"source", "signal", "transport"} {
		value, _ := attributes.Value(key)
		values = append(values, value.AsString())
	}
	return strings.Join(values, "/")
}

func sums[N int64 | float64](points []metricdata.HistogramDataPoint[N]) map[string]N {
	all := make(map[string]N)
	for _, p := range points {
		all[seriesOf(p.Attributes)] = p.Sum
	}
	return all
}

func counts[N int64 | float64](points []metricdata.HistogramDataPoint[N]) map[string]uint64 {
	all := make(map[string]uint64)
	for _, p := range points {
		all[seriesOf(p.Attributes)] = p.Count
	}
	return all
}

func TestItemsThatThePipelineRefusesAreCounted(t *testing.T) {
	for reason, failure := range map[string]error{
		"unavailable": errors.New("full"),
		"refused":     consumererror.NewPermanent(errors.New("never")),
	} {
		h := start(t, options{next: failingWith(failure)})
		require.NotEqual(t, 200, h.post("/v1/traces", protoType, protoOf(t, requestOf(traces))).status)
		metadatatest.AssertEqualTokenOtlpRejectedItems(t, h.telemetry, []metricdata.DataPoint[int64]{
			point(1, "shop", "traces", "http", reason),
		}, metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())
		refused, err := h.telemetry.GetMetric("otelcol_receiver_refused_spans")
		require.NoError(t, err)
		require.Equal(t, int64(1), refused.Data.(metricdata.Sum[int64]).DataPoints[0].Value)
	}
}

func TestMeasuringARequestDoesNotAllocate(t *testing.T) {
	h := start(t, options{})
	s := newSource("shop")
	s.bucket = newBucket(1<<40, testTime)
	ctx := context.Background()
	b := new(body.Body)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		v := h.receiver.ingest.visit(s, traces, overHTTP)
		if v.admit() != nil {
			panic("not admitted")
		}
		v.arrived(ctx, b)
		v.in.telemetry.accepted(ctx, request{source: s, signal: traces, transport: overHTTP}, 5)
		v.size = 7
		v.refused(ctx, wireerr.Malformed)
		v.refused(ctx, wireerr.Busy)
		v.answered(ctx)
	}))
}

func TestAttributeSetsOfASourceAreMadeOnce(t *testing.T) {
	s := newSource("shop")
	var made sync.Map
	twice := make(chan [3]any, 1)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for sig := range signals + 1 {
				for tr := range transports {
					for _, reason := range []wireerr.Reason{"", wireerr.Busy, wireerr.Malformed} {
						key, got := [3]any{sig, tr, reason}, s.series(sig, tr, reason)
						if first, _ := made.LoadOrStore(key, got); first != got {
							select {
							case twice <- key:
							default:
							}
						}
					}
				}
			}
		})
	}
	wg.Wait()
	require.Empty(t, twice)
}
