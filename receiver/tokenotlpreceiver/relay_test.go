package tokenotlpreceiver

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/metadatatest"
	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/otlptest"
)

func relaying(cfg *Config) { cfg.Sources[0].Relay = true }

// resourceOf is a request of one item whose resource has these attributes.
func resourceOf(s signal, attributes string) []byte {
	resource := `"resource":{"attributes":[` + attributes + `]}`
	switch s {
	case traces:
		return []byte(`{"resourceSpans":[{` + resource + `,"scopeSpans":[{"spans":[{"traceId":"0102030405060708090a0b0c0d0e0f10","spanId":"0102030405060708","name":"x"}]}]}]}`)
	case logs:
		return []byte(`{"resourceLogs":[{` + resource + `,"scopeLogs":[{"logRecords":[{"body":{"stringValue":"x"}}]}]}]}`)
	default:
		return []byte(`{"resourceMetrics":[{` + resource + `,"scopeMetrics":[{"metrics":[{"name":"x","gauge":{"dataPoints":[{"asInt":"1"}]}}]}]}]}`)
	}
}

// asProto turns a request in JSON into one in protobuf; pdata keeps duplicate
// keys in both.
func asProto(t *testing.T, s signal, body []byte) []byte {
	t.Helper()
	switch s {
	case traces:
		req := ptraceotlp.NewExportRequest()
		require.NoError(t, req.UnmarshalJSON(body))
		return protoOf(t, req)
	case logs:
		req := plogotlp.NewExportRequest()
		require.NoError(t, req.UnmarshalJSON(body))
		return protoOf(t, req)
	default:
		req := pmetricotlp.NewExportRequest()
		require.NoError(t, req.UnmarshalJSON(body))
		return protoOf(t, req)
	}
}

func str(key, value string) string {
	return `{"key":"` + key + `","value":{"stringValue":"` + value + `"}}`
}

func TestSourceOfAResource(t *testing.T) {
	const other = `{"key":"kept","value":{"stringValue":"x"}}`
	for name, test := range map[string]struct {
		attributes []string
		relay      string // the source it gets from a relay
	}{
		"named":                      {[]string{str("spanlake.source", "edge-1.eu_x"), other}, "edge-1.eu_x"},
		"named as another's":         {[]string{other, str("spanlake.source", "billing")}, "billing"},
		"absent":                     {[]string{other}, "shop"},
		"empty":                      {[]string{other, str("spanlake.source", "")}, "shop"},
		"a path":                     {[]string{other, str("spanlake.source", "../../etc/passwd")}, "shop"},
		"with a line break":          {[]string{other, str("spanlake.source", `edge\n`)}, "shop"},
		"too long":                   {[]string{other, str("spanlake.source", strings.Repeat("a", 65))}, "shop"},
		"the longest":                {[]string{other, str("spanlake.source", strings.Repeat("a", 64))}, strings.Repeat("a", 64)},
		"a number":                   {[]string{other, `{"key":"spanlake.source","value":{"intValue":"7"}}`}, "shop"},
		"bytes":                      {[]string{other, `{"key":"spanlake.source","value":{"bytesValue":"ZWRnZQ=="}}`}, "shop"},
		"an array":                   {[]string{other, `{"key":"spanlake.source","value":{"arrayValue":{"values":[{"stringValue":"edge"}]}}}`}, "shop"},
		"no value":                   {[]string{other, `{"key":"spanlake.source","value":{}}`}, "shop"},
		"twice":                      {[]string{str("spanlake.source", "edge"), other, str("spanlake.source", "billing")}, "shop"},
		"twice the same":             {[]string{str("spanlake.source", "edge"), str("spanlake.source", "edge"), other}, "shop"},
		"with one of the wrong type": {[]string{str("spanlake.source", "edge"), `{"key":"spanlake.source","value":{"intValue":"7"}}`, other}, "shop"},
		"three times":                {[]string{str("spanlake.source", "edge"), str("spanlake.source", "a"), str("spanlake.source", ""), other}, "shop"},
		"beside other reserved keys": {[]string{str("spanlake.batch", "b"), str("spanlake.source", "edge"), str("spanlake.sourcex", "x"), str("spanlake.", "x"), str("spanlake.retention", "../../x"), other}, "edge"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, side := range []struct {
				config func(*Config)
				want   string
			}{{nil, "shop"}, {relaying, test.relay}} {
				h := start(t, options{config: side.config})
				for s := range signals {
					body := resourceOf(s, strings.Join(test.attributes, ","))
					require.Equal(t, 200, h.post(paths[s], jsonType, body).status)
					require.Equal(t, 200, h.post(paths[s], protoType, asProto(t, s, body)).status)
					_, err := h.send(h.withToken(shopToken), exportMethod(s), asProto(t, s, body))
					require.NoError(t, err)
					got := h.received(s)
					require.Equal(t, 3, strings.Count(got, "spanlake."), got)
					require.Equal(t, 3, strings.Count(got, str("spanlake.source", side.want)), got)
					require.Equal(t, 3, strings.Count(got, other), got)
				}
			}
		})
	}
}

func TestRelayMayNameSourcesOfResourcesOnly(t *testing.T) {
	h := start(t, options{config: relaying})
	for _, test := range []struct {
		signal signal
		req    otlptest.Request
	}{
		{traces, ptraceotlp.NewExportRequestFromTraces(forgedTraces(forge))},
		{logs, plogotlp.NewExportRequestFromLogs(forgedLogs(forge))},
		{metrics, pmetricotlp.NewExportRequestFromMetrics(forgedMetrics(forge))},
	} {
		require.Equal(t, 200, h.post(paths[test.signal], protoType, protoOf(t, test.req)).status)
		got := h.received(test.signal)
		require.Equal(t, 1, strings.Count(got, "spanlake."), got)
		require.Contains(t, got, str("spanlake.source", "billing"))
	}
	// It is the relay that is measured: what it names is without bound.
	metadatatest.AssertEqualTokenOtlpAcceptedItems(t, h.telemetry, []metricdata.DataPoint[int64]{
		point(1, "shop", "traces", "http"), point(1, "shop", "logs", "http"), point(5, "shop", "metrics", "http"),
	}, metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())
}

func TestEachResourceOfARelayHasItsSource(t *testing.T) {
	h := start(t, options{config: relaying})
	record := `"scopeLogs":[{"logRecords":[{"body":{"stringValue":"x"}}]}]`
	body := `{"resourceLogs":[` +
		`{"resource":{"attributes":[` + str("spanlake.source", "edge-1") + `]},` + record + `},` +
		`{"resource":{"attributes":[` + str("spanlake.source", "edge 2") + `]},` + record + `},` +
		`{` + record + `}]}`
	require.Equal(t, 200, h.post("/v1/logs", jsonType, []byte(body)).status)
	var sources []string
	for _, rl := range h.logSink.AllLogs()[0].ResourceLogs().All() {
		v, _ := rl.Resource().Attributes().Get("spanlake.source")
		sources = append(sources, v.Str())
	}
	require.Equal(t, []string{"edge-1", "shop", "shop"}, sources)
}

func TestLogEventsOfARelayAreItsOwn(t *testing.T) {
	h := start(t, options{config: relaying})
	require.Equal(t, 202, h.post("/", "", []byte(`{"spanlake.source":"edge","a":1}`)).status)
	require.Contains(t, h.received(logs), str("spanlake.source", "shop"))
	require.NotContains(t, h.received(logs), "edge")
}
