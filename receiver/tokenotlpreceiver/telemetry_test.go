package tokenotlpreceiver

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/metadatatest"
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
	metadatatest.AssertEqualTokenOtlpRequestBytes(t, h.telemetry, []metricdata.DataPoint[int64]{
		point(int64(2*len(spans)), "shop", "traces", "http"),
		point(int64(len(points)), "billing", "metrics", "grpc"),
		point(int64(len("{}\nbad\n{}")+len("bad")+len("{")), "shop", "logs", "http"),
	}, metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())
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

func TestCountingAnAcceptedRequestDoesNotAllocate(t *testing.T) {
	h := start(t, options{})
	r := request{source: newSource("shop"), signal: traces, transport: overHTTP, body: []byte("x")}
	tel := h.receiver.telemetry
	require.Zero(t, testing.AllocsPerRun(100, func() {
		tel.received(context.Background(), r)
		tel.accepted(context.Background(), r, 5)
	}))
}
