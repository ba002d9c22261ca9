package tokenotlpreceiver

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"google.golang.org/grpc"
	grpcmetadata "google.golang.org/grpc/metadata"
	"pgregory.net/rapid"

	"github.com/spanlake/spanlake/internal/attr"
	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/otlptest"
	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/wire"
)

// FuzzConformant holds this receiver against the stock one: of every conforming
// request, by whatever way it comes, both hand on the same data, but for the
// name of the source.
func FuzzConformant(f *testing.F) {
	p := startPair(f)
	f.Add([]byte{})
	f.Fuzz(rapid.MakeFuzz(func(t *rapid.T) {
		s := signal(rapid.IntRange(0, int(signals)-1).Draw(t, "signal"))
		p.compareAllWays(t, s, otlptest.Random(t, wireSignals[s]))
	}))
}

func TestRandomConformantRequests(t *testing.T) {
	p := startPair(t)
	for s := range signals {
		t.Run(s.String(), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) { p.compareAllWays(t, s, otlptest.Random(t, wireSignals[s])) })
		})
	}
}

// FuzzProtobuf sends any bytes as protobuf: what the stock receiver takes, and
// has nothing to be mended or stripped, arrives in the same way.
func FuzzProtobuf(f *testing.F) {
	p := startPair(f)
	for s := range signals {
		f.Add(uint8(s), protoOf(f, requestOf(s)))
	}
	f.Fuzz(func(t *testing.T, of uint8, body []byte) {
		s := signal(of % uint8(signals))
		found, err := wire.Proto(wireSignals[s], body, wire.Limits{Depth: 64, Decoded: math.MaxInt64})
		if err != nil || found.Faulty || found.Reserved {
			return
		}
		stock := p.stock.post(t, s, protoType, body)
		own := p.own.post(t, s, protoType, body)
		require.Equal(t, stock == http.StatusOK, own == http.StatusOK, "stock %d, own %d", stock, own)
		p.compare(t, s)
	})
}

// pair is a stock receiver and one of ours.
type pair struct{ stock, own peer }

// peer is a running receiver and what it hands on.
type peer struct {
	http    string
	harness *harness
	client  *http.Client
}

func startPair(t testing.TB) pair {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{}}
	own := start(t, options{config: func(cfg *Config) { cfg.MaxAttributeDepth = 200 }})
	sinks := &harness{t: t}
	sinks.newSinks()
	to := startStock(t, consumers{traces: sinks.traceSink, logs: sinks.logSink, metrics: sinks.metricSink})
	t.Cleanup(client.CloseIdleConnections)
	return pair{
		stock: peer{http: to.http, harness: sinks, client: client},
		own:   peer{http: own.receiver.httpAddr.String(), harness: own, client: client},
	}
}

// compareAllWays sends a request in each encoding and by each transport.
func (p pair) compareAllWays(t *rapid.T, s signal, m otlptest.Request) {
	inProto, err := m.MarshalProto()
	require.NoError(t, err)
	inJSON, err := m.MarshalJSON()
	require.NoError(t, err)

	require.Equal(t, http.StatusOK, p.stock.post(t, s, protoType, inProto))
	require.Equal(t, http.StatusOK, p.own.post(t, s, protoType, inProto))
	p.compare(t, s)

	require.Equal(t, http.StatusOK, p.stock.post(t, s, jsonType, inJSON))
	require.Equal(t, http.StatusOK, p.own.post(t, s, jsonType, inJSON))
	p.compare(t, s)

	require.Equal(t, http.StatusOK, p.stock.post(t, s, protoType, inProto))
	ctx := grpcmetadata.AppendToOutgoingContext(context.Background(), "authorization", "Bearer "+shopToken)
	var answer []byte
	require.NoError(t, p.own.harness.conn.Invoke(ctx, exportMethod(s), inProto, &answer, grpc.ForceCodecV2(rawBytes{})))
	p.compare(t, s)
}

// compare looks at what has arrived since it was called last.
func (p pair) compare(t require.TestingT, s signal) {
	require.Equal(t, p.stock.take(t, s), p.own.take(t, s))
}

func (p peer) post(t require.TestingT, s signal, contentType string, body []byte) int {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "http://"+p.http+paths[s], bytes.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+shopToken)
	req.Header.Set("Content-Type", contentType)
	resp, err := p.client.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	require.NoError(t, err)
	return resp.StatusCode
}

// take empties the sink of a signal. Items that hold nothing, of which the
// receivers differ in whether they hand them on, are left out.
func (p peer) take(t require.TestingT, s signal) []string {
	var all []otlptest.Request
	switch s {
	case traces:
		for _, td := range p.harness.traceSink.AllTraces() {
			if td.SpanCount() == 0 {
				continue
			}
			for _, r := range td.ResourceSpans().All() {
				r.Resource().Attributes().Remove(attr.Source)
			}
			all = append(all, ptraceotlp.NewExportRequestFromTraces(td))
		}
		p.harness.traceSink.Reset()
	case logs:
		for _, ld := range p.harness.logSink.AllLogs() {
			if ld.LogRecordCount() == 0 {
				continue
			}
			for _, r := range ld.ResourceLogs().All() {
				r.Resource().Attributes().Remove(attr.Source)
			}
			all = append(all, plogotlp.NewExportRequestFromLogs(ld))
		}
		p.harness.logSink.Reset()
	default:
		for _, md := range p.harness.metricSink.AllMetrics() {
			if md.DataPointCount() == 0 {
				continue
			}
			for _, r := range md.ResourceMetrics().All() {
				r.Resource().Attributes().Remove(attr.Source)
			}
			all = append(all, pmetricotlp.NewExportRequestFromMetrics(md))
		}
		p.harness.metricSink.Reset()
	}
	var texts []string
	for _, m := range all {
		b, err := m.MarshalProto()
		require.NoError(t, err)
		texts = append(texts, fmt.Sprintf("%x", b))
	}
	return texts
}

type endpoints struct{ http, grpc string }

// startStock starts the stock receiver with its defaults.
func startStock(t testing.TB, next consumers) endpoints {
	t.Helper()
	factory := otlpreceiver.NewFactory()
	cfg := factory.CreateDefaultConfig().(*otlpreceiver.Config)
	to := endpoints{http: freeAddress(t), grpc: freeAddress(t)}
	cfg.Protocols.GRPC.GetOrInsertDefault().NetAddr.Endpoint = to.grpc
	cfg.Protocols.HTTP.GetOrInsertDefault().ServerConfig.NetAddr.Endpoint = to.http
	telemetry := componenttest.NewTelemetry()
	t.Cleanup(func() { require.NoError(t, telemetry.Shutdown(context.Background())) })
	set := receivertest.NewNopSettings(factory.Type())
	set.TelemetrySettings = telemetry.NewTelemetrySettings()
	var components []component.Component
	add := func(c component.Component, err error) {
		require.NoError(t, err)
		components = append(components, c)
	}
	add(factory.CreateTraces(t.Context(), set, cfg, next.traces))
	add(factory.CreateLogs(t.Context(), set, cfg, next.logs))
	add(factory.CreateMetrics(t.Context(), set, cfg, next.metrics))
	for _, c := range components {
		require.NoError(t, c.Start(t.Context(), componenttest.NewNopHost()))
		t.Cleanup(func() { require.NoError(t, c.Shutdown(context.Background())) })
	}
	return to
}

// freeAddress is one that was free a moment ago: the stock receiver does not
// tell which port it was given.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "localhost:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}
