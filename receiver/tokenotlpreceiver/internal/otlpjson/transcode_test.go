package otlpjson

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/otlptest"
	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/wire"
)

// sameAs checks that a request is read as pdata reads another one.
func sameAs(t *testing.T, s wire.Signal, body, plain string) {
	t.Helper()
	want := otlptest.New(s)
	require.NoError(t, want.UnmarshalJSON([]byte(plain)))
	require.Equal(t, jsonOf(t, want), decoded(t, s, body))
}

func TestRequests(t *testing.T) {
	for _, test := range []struct{ name, body, plain string }{
		{"empty", `{}`, `{}`},
		{"null", `null`, `{}`},
		{"white space around", " \n{\t}\r ", `{}`},
		{"no spans", `{"resourceSpans":[]}`, `{}`},
		{"null for a list", `{"resourceSpans":null}`, `{}`},
		{"null in a list", `{"resourceSpans":[null]}`, `{"resourceSpans":[{}]}`},
		{"white space everywhere", ` { "resourceSpans" : [ { "scopeSpans" : [ { "spans" : [ { "name" : "n" , "kind" : 2 } , { } ] } ] } ] } `, `{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"n","kind":2},{}]}]}]}`},
		{"names of the .proto file", `{"resource_spans":[{"scope_spans":[{"schema_url":"s","spans":[{"dropped_links_count":3}]}]}]}`, `{"resourceSpans":[{"scopeSpans":[{"schemaUrl":"s","spans":[{"droppedLinksCount":3}]}]}]}`},
		{"names with escapes", `{"\u0072esourceSpans":[{"schema\u0055rl":"s"}]}`, `{"resourceSpans":[{"schemaUrl":"s"}]}`},
		{"names of another case are unknown", `{"ResourceSpans":[{}]}`, `{}`},
		{"unknown fields", oneSpan(`"a":{"b":[1,{"c":"}"}]},"name":"n","":"","d":[[],{}],"e":null,"f":-1.5E-3`), oneSpan(`"name":"n"`)},
		{"null fields", oneSpan(`"traceId":null,"parentSpanId":null,"name":null,"kind":null,"startTimeUnixNano":null,"attributes":null,"status":null,"flags":null`), oneSpan(``)},
		{"the last value counts", oneSpan(`"name":"a","kind":1,"name":"","kind":0`), oneSpan(``)},
		{"null does not take back", oneSpan(`"name":"a","name":null`), oneSpan(`"name":"a"`)},
		{"lists are appended", oneSpan(`"events":[{"name":"a"}],"events":[{"name":"b"}]`), oneSpan(`"events":[{"name":"a"},{"name":"b"}]`)},
		{"messages are merged", oneSpan(`"status":{"code":2},"status":{"message":"m"}`), oneSpan(`"status":{"code":2,"message":"m"}`)},
		{"deprecated scopes", `{"resourceSpans":[{"deprecatedScopeSpans":[{"schemaUrl":"s"}]}]}`, `{"resourceSpans":[{"scopeSpans":[{"schemaUrl":"s"}]}]}`},
	} {
		t.Run(test.name, func(t *testing.T) { sameAs(t, wire.Traces, test.body, test.plain) })
	}
}

func TestValues(t *testing.T) {
	for _, test := range []struct{ name, value, plain string }{
		{"none", `{}`, `{}`},
		{"null", `null`, `{}`},
		{"empty string", `{"stringValue":""}`, `{"stringValue":""}`},
		{"null string", `{"stringValue":null}`, `{}`},
		{"false", `{"boolValue":false}`, `{"boolValue":false}`},
		{"zero", `{"intValue":0}`, `{"intValue":"0"}`},
		{"empty bytes", `{"bytesValue":""}`, `{"bytesValue":""}`},
		{"empty array", `{"arrayValue":{}}`, `{"arrayValue":{}}`},
		{"null array", `{"arrayValue":null}`, `{}`},
		{"array of null", `{"arrayValue":{"values":[null,{}]}}`, `{"arrayValue":{"values":[{},{}]}}`},
		{"map", `{"kvlistValue":{"values":[{"value":{"doubleValue":0.5},"key":"k"}]}}`, `{"kvlistValue":{"values":[{"key":"k","value":{"doubleValue":0.5}}]}}`},
		{"two members", `{"stringValue":"s","intValue":1}`, `{"intValue":1}`},
		{"two members, then null", `{"stringValue":"s","intValue":null}`, `{"stringValue":"s"}`},
		{"two arrays", `{"arrayValue":{"values":[{}]},"arrayValue":{"values":[{"intValue":1}]}}`, `{"arrayValue":{"values":[{"intValue":1}]}}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			sameAs(t, wire.Logs, oneLog(`"body":`+test.value), oneLog(`"body":`+test.plain))
			sameAs(t, wire.Traces, oneSpan(`"attributes":[{"key":"k","value":`+test.value+`}]`), oneSpan(`"attributes":[{"key":"k","value":`+test.plain+`}]`))
		})
	}
}

func TestFaults(t *testing.T) {
	for _, test := range []struct{ name, body, want string }{
		{"nothing", ``, "at byte 0: not an object"},
		{"a list", `[]`, "at byte 0: not an object"},
		{"cut off", `{"resourceSpans":[{`, "resourceSpans at byte 19: not a name"},
		{"cut off in a string", `{"resour`, "at byte 1: a string without end"},
		{"garbage behind", `{} x`, "at byte 3: something follows the request"},
		{"a second request", `{}{}`, "at byte 2: something follows the request"},
		{"nulls", `nul`, "at byte 0: not JSON"},
		{"comma at the end of an object", `{"a":1,}`, "at byte 7: not a name"},
		{"comma at the end of a list", `{"resourceSpans":[{},]}`, "resourceSpans at byte 21: not an object"},
		{"no comma", `{"a":1 "b":2}`, "at byte 7: neither a comma nor the end of the object"},
		{"no colon", `{"a" 1}`, "at byte 5: not a colon"},
		{"wrong bracket", `{"resourceSpans":[}`, "resourceSpans at byte 18: not an object"},
		{"a name without quotes", `{a:1}`, "at byte 1: not a name"},
		{"a message for a list", `{"resourceSpans":{}}`, "resourceSpans at byte 17: not an array"},
		{"a list for a message", `{"resourceSpans":[{"resource":[]}]}`, "resourceSpans.resource at byte 30: not an object"},
		{"a time", oneSpan(`"startTimeUnixNano":"soon"`), "resourceSpans.scopeSpans.spans.startTimeUnixNano at byte 64: not an unsigned 64-bit integer"},
		{"a number for a string", oneSpan(`"name":1`), "resourceSpans.scopeSpans.spans.name at byte 51: not a string"},
		{"a number for an ID", oneSpan(`"traceId":1`), "resourceSpans.scopeSpans.spans.traceId at byte 54: not a string"},
		{"a name for an enum", oneSpan(`"kind":"SERVER"`), "resourceSpans.scopeSpans.spans.kind at byte 51: neither a 32-bit integer nor a name of the enum"},
		{"a string for a boolean", oneSpan(`"attributes":[{"key":"k","value":{"boolValue":"true"}}]`), "resourceSpans.scopeSpans.spans.attributes.value.boolValue at byte 90: not a boolean"},
		{"a control character", oneSpan("\"name\":\"a\nb\""), "resourceSpans.scopeSpans.spans.name at byte 53: a control character in a string"},
		{"an escape", oneSpan(`"name":"a\xb"`), "resourceSpans.scopeSpans.spans.name at byte 53: not an escape"},
		{"an escape in an unknown field", oneSpan(`"unknown":"a\u12"`), "resourceSpans.scopeSpans.spans at byte 56: not an escape"},
		{"a long way in", nested(8, true)[:300], "resourceLogs.scopeLogs.logRecords.body.kvlistValue.values.….values.value.kvlistValue.values.value.kvlistValue at byte 295"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := wire.Traces
			if strings.HasPrefix(test.body, `{"resourceLogs`) {
				s = wire.Logs
			}
			_, _, err := Transcode(s, []byte(test.body), nil, roomy)
			require.ErrorIs(t, err, wire.ErrMalformed)
			require.ErrorContains(t, err, test.want)
		})
	}

	t.Run("a list of numbers twice", func(t *testing.T) {
		_, _, err := Transcode(wire.Metrics, []byte(oneMetric(`"histogram":{"dataPoints":[{"bucketCounts":[1],"bucketCounts":[2]}]}`)), nil, roomy)
		require.ErrorContains(t, err, "resourceMetrics.scopeMetrics.metrics.histogram.dataPoints.bucketCounts at byte")
		require.ErrorContains(t, err, "given twice")
	})
	t.Run("null in a list of numbers", func(t *testing.T) {
		_, _, err := Transcode(wire.Metrics, []byte(oneMetric(`"histogram":{"dataPoints":[{"bucketCounts":[1,null]}]}`)), nil, roomy)
		require.ErrorContains(t, err, "not an unsigned 64-bit integer")
	})
}

// Every beginning of a request is no request.
func TestCutOff(t *testing.T) {
	body := oneSpan(`"name":"n","x":[1,{"a":null}],"attributes":[{"key":"k","value":{"stringValue":"v"}},{"key":"i","value":{"doubleValue":1.5}}],"kind":2,"traceId":"` + traceHex + `"`)
	for n := range len(body) {
		_, _, err := Transcode(wire.Traces, []byte(body[:n]), nil, roomy)
		require.ErrorIs(t, err, wire.ErrMalformed, body[:n])
	}
}

// Depth means what it means to the walk over the output.
func TestDepth(t *testing.T) {
	for _, asMap := range []bool{false, true} {
		for depth := 1; depth <= 12; depth++ {
			body := []byte(nested(depth, asMap))
			out, _, err := Transcode(wire.Logs, body, nil, Limits{Depth: wire.MaxDepth, Size: math.MaxInt64})
			require.NoError(t, err)
			for limit := range 14 {
				_, want := wire.Proto(wire.Logs, out, wire.Limits{Depth: limit, Decoded: math.MaxInt64})
				_, _, err := Transcode(wire.Logs, body, nil, Limits{Depth: limit, Size: math.MaxInt64})
				require.Equal(t, want == nil, err == nil, "depth %d, limit %d", depth, limit)
				if err != nil {
					require.ErrorIs(t, err, wire.ErrTooDeep)
				}
			}
		}
	}
}

func TestDeepAndUnknown(t *testing.T) {
	for _, brackets := range [][2]string{{"[", "]"}, {`{"a":`, `}`}} {
		deep := func(n int) []byte {
			return []byte(`{"a":` + strings.Repeat(brackets[0], n) + `1` + strings.Repeat(brackets[1], n) + `}`)
		}
		_, _, err := Transcode(wire.Traces, deep(maxSkipped), nil, roomy)
		require.NoError(t, err)
		_, _, err = Transcode(wire.Traces, deep(maxSkipped+1), nil, roomy)
		require.ErrorIs(t, err, wire.ErrTooDeep)
		_, _, err = Transcode(wire.Traces, deep(1_000_000)[:500_000], nil, roomy)
		require.ErrorIs(t, err, wire.ErrTooDeep)
	}
}

func TestLengths(t *testing.T) {
	for _, n := range []int{0, 1, 50, 100, 110, 120, 123, 124, 125, 126, 127, 128, 129, 200, 16_300, 16_383, 16_384, 20_000, 2_100_000} {
		for name, s := range map[string]string{"plain": strings.Repeat("x", n), "escaped": strings.Repeat(`\t`, n)} {
			t.Run(fmt.Sprint(n, " ", name), func(t *testing.T) {
				body := oneLog(`"body":{"arrayValue":{"values":[{"kvlistValue":{"values":[{"key":"k","value":{"arrayValue":{"values":[{"stringValue":"` + s + `"}]}}}]}}]}},` +
					`"attributes":[{"key":"` + s + `","value":{"stringValue":"` + s + `"}},{"key":"k", "value":{"stringValue":"` + s + `"}}],"eventName":"` + s + `"`)
				sameAs(t, wire.Logs, body, body)
			})
		}
	}
	for _, n := range []int{1, 15, 16, 17, 2047, 2048, 5000} {
		list := strings.Repeat(",1", n)[1:]
		body := oneMetric(`"histogram":{"dataPoints":[{"bucketCounts":[` + list + `],"explicitBounds":[` + list + `]}]}`)
		sameAs(t, wire.Metrics, body, body)
	}
}

// The bound in the package comment is met by its worst case.
func TestSizeBound(t *testing.T) {
	body := oneMetric(`"histogram":{"dataPoints":[{"explicitBounds":[1` + strings.Repeat(",1", 100_000) + `]}]}`)
	out, _, err := Transcode(wire.Metrics, []byte(body), nil, roomy)
	require.NoError(t, err)
	require.LessOrEqual(t, len(out), 4*len(body))
	require.Greater(t, len(out), 39*len(body)/10)
}

func TestSize(t *testing.T) {
	body := []byte(oneSpan(`"name":"` + strings.Repeat("n", 100_000) + `"`))
	full, _, err := Transcode(wire.Traces, body, nil, roomy)
	require.NoError(t, err)
	for name, dst := range map[string][]byte{"no buffer": nil, "a large one": make([]byte, 7, 1<<20)} {
		t.Run(name, func(t *testing.T) {
			out, _, err := Transcode(wire.Traces, body, dst, Limits{Depth: 64, Size: int64(len(full))})
			require.NoError(t, err)
			require.Equal(t, full, out[len(dst):])

			out, _, err = Transcode(wire.Traces, body, dst, Limits{Depth: 64, Size: int64(len(full)) - 1})
			require.ErrorIs(t, err, wire.ErrTooLarge)
			require.Len(t, out, len(dst))
			require.GreaterOrEqual(t, cap(out), cap(dst))

			_, _, err = Transcode(wire.Traces, body, dst, Limits{Depth: 64, Size: 1000})
			require.ErrorIs(t, err, wire.ErrTooLarge)
		})
	}
}

func TestHold(t *testing.T) {
	body := []byte(oneMetric(`"histogram":{"dataPoints":[{"explicitBounds":[1` + strings.Repeat(",1", 100_000) + `]}]}`))
	var asked, calls int64
	l := Limits{Depth: 64, Size: math.MaxInt64, Hold: func(n int64) error {
		require.Positive(t, n)
		asked += n
		calls++
		return nil
	}}
	out, _, err := Transcode(wire.Metrics, body, nil, l)
	require.NoError(t, err)
	require.Equal(t, int64(cap(out)), asked)
	require.Less(t, calls, int64(5))

	asked, calls = 0, 0
	_, _, err = Transcode(wire.Metrics, body, out[:0], l)
	require.NoError(t, err)
	require.Zero(t, calls)

	full := errors.New("full")
	left := int64(len(body))
	_, _, err = Transcode(wire.Metrics, body, nil, Limits{Depth: 64, Size: math.MaxInt64, Hold: func(n int64) error {
		if left -= n; left < 0 {
			return full
		}
		return nil
	}})
	require.Equal(t, full, err)
}

func TestNoAllocations(t *testing.T) {
	for s, name := range signalNames {
		body := []byte(jsonOf(t, otlptest.Usual(s)))
		out, _, err := Transcode(s, body, nil, roomy)
		require.NoError(t, err)
		require.Zero(t, testing.AllocsPerRun(5, func() {
			_, _, _ = Transcode(s, body, out[:0], roomy)
		}), name)
	}
}
