package otlpjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/otlptest"
	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/wire"
)

// fuzzDepth is low, so that mutations reach it.
const fuzzDepth = 4

func addSeeds(f *testing.F) {
	f.Helper()
	for s, bodies := range map[wire.Signal][]string{
		wire.Traces: {
			oneSpan(`"traceId":"` + traceHex + `","spanId":"` + spanHex + `","parentSpanId":null,"traceState":"a=b","flags":1,` +
				`"name":"n\u00e9\ud83d\ude00\ud800","kind":2,"startTimeUnixNano":"1700000000000000000","endTimeUnixNano":1.7e18,` +
				`"attributes":[{"key":"k","value":{"stringValue":"v"}},{"key":"i","value":{"intValue":"-5"}},{"key":"b","value":{"boolValue":true}}],` +
				`"events":[{"timeUnixNano":1,"name":"e","attributes":[]}],"links":[{"traceId":"","spanId":"x","flags":3}],` +
				`"status":{"code":"STATUS_CODE_ERROR","message":"m"},"unknown":{"a":[1,-0.5e+3,"\"",{}],"b":[[],null,false]}`),
			`{"resource_spans":[{"resource":{"attributes":[{"key":"\u0073","value":{"kvlistValue":{"values":[{"key":"a","value":{"arrayValue":{"values":[{},null]}}}]}}}],` +
				`"entityRefs":[{"type":"t","idKeys":["a",null],"descriptionKeys":[]}]},"schemaUrl":"s","deprecatedScopeSpans":[{}]}]}`,
			` { } `, `null`, `{"":1,"resourceSpans":[{}]}`,
		},
		wire.Logs: {
			oneLog(`"timeUnixNano":"1","severityNumber":"SEVERITY_NUMBER_WARN","severityText":"w","body":{"bytesValue":"AQI="},"flags":1,"eventName":"e","traceId":"` + traceHex + `"`),
			nested(fuzzDepth, false), nested(fuzzDepth+1, true),
		},
		wire.Metrics: {
			oneMetric(`"name":"m","unit":"1","sum":{"aggregationTemporality":2,"isMonotonic":true,"dataPoints":[{"asInt":"-3","exemplars":[{"asDouble":1.5,"spanId":"` + spanHex + `"}]},{"asDouble":"NaN"}]}`),
			oneMetric(`"histogram":{"dataPoints":[{"count":"3","sum":1e3,"bucketCounts":["1",2],"explicitBounds":[0.1,1e9],"min":0,"max":-0}]},"metadata":[{}]`),
			oneMetric(`"exponentialHistogram":{"dataPoints":[{"scale":-3,"zeroCount":1,"zeroThreshold":0.5,"positive":{"offset":-1,"bucketCounts":[1,"1e19"]},"negative":{}}]}`),
			oneMetric(`"summary":{"dataPoints":[{"quantileValues":[{"quantile":0.5,"value":1}]}]},"gauge":{}`),
		},
	} {
		for _, body := range bodies {
			f.Add(uint8(s), []byte(body))
		}
	}
}

// hasUnreadableID tells the one reason for which pdata refuses our output.
func hasUnreadableID(err error) bool {
	return strings.Contains(err.Error(), "invalid TraceID length") || strings.Contains(err.Error(), "invalid SpanID length")
}

// FuzzTranscode: whatever is accepted is JSON, is within the bounds, and is
// accepted by the walk and the decoder that come next.
func FuzzTranscode(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, signal uint8, body []byte) {
		s := wire.Signal(signal % 3)
		kept := []byte("kept")
		held := int64(0)
		out, _, err := Transcode(s, body, kept, Limits{Depth: fuzzDepth, Size: math.MaxInt64, Hold: func(n int64) error {
			held += n
			return nil
		}})
		require.Equal(t, kept, out[:len(kept)])
		require.LessOrEqual(t, int64(cap(out)-cap(kept)), held)
		if err != nil {
			require.True(t, errors.Is(err, wire.ErrMalformed) || errors.Is(err, wire.ErrTooDeep), err)
			require.Less(t, len(err.Error()), 500)
			return
		}
		require.True(t, json.Valid(body))
		out = out[len(kept):]
		require.LessOrEqual(t, len(out), 4*len(body))
		_, err = wire.Proto(s, out, wire.Limits{Depth: fuzzDepth, Decoded: math.MaxInt64})
		require.NoError(t, err)
		if err = otlptest.New(s).UnmarshalProto(out); err != nil {
			require.True(t, hasUnreadableID(err), err)
		}

		_, _, err = Transcode(s, body, nil, Limits{Depth: fuzzDepth, Size: int64(len(out)) - 1})
		require.ErrorIs(t, err, wire.ErrTooLarge)
	})
}

// FuzzDifferential holds us against pdata, for what is JSON.
func FuzzDifferential(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, signal uint8, body []byte) {
		againstPdata(t, wire.Signal(signal%3), body)
	})
}

// differs reports whether body may hold what pdata and we read differently, as
// the package comment has it.
func differs(body []byte) bool {
	return bytes.Contains(body, []byte(`""`)) || // an empty name, or an empty ID after another one
		bytes.Contains(body, []byte("eprecated")) ||
		!utf8.Valid(body) && bytes.Contains(body, []byte("null")) || // which withoutNulls changes
		bytes.Contains(bytes.ToLower(body), []byte(`\ud`)) // a surrogate
}

// againstPdata compares what we and pdata read from body, and reports whether
// there was something to compare. Where pdata takes a request, so do we.
func againstPdata(t require.TestingT, s wire.Signal, body []byte) bool {
	want := otlptest.New(s)
	if !json.Valid(body) || differs(body) || want.UnmarshalJSON(body) != nil {
		return false
	}
	out, _, err := Transcode(s, body, nil, Limits{Depth: wire.MaxDepth, Size: math.MaxInt64})
	if err != nil {
		require.True(t, strings.HasSuffix(err.Error(), "given twice") || errors.Is(err, wire.ErrTooDeep), err)
		return false
	}
	if bytes.Contains(body, []byte("null")) {
		want = otlptest.New(s)
		require.NoError(t, want.UnmarshalJSON(withoutNulls(t, body)))
	}
	got := otlptest.New(s)
	require.NoError(t, got.UnmarshalProto(out))
	wantProto, err := want.MarshalProto()
	require.NoError(t, err)
	gotProto, err := got.MarshalProto()
	require.NoError(t, err)
	require.Equal(t, wantProto, gotProto)
	return true
}
