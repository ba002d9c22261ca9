package otlpjson

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/wire"
)

func TestIntegers(t *testing.T) {
	const (
		unsigned64 = `"startTimeUnixNano"`
		unsigned32 = `"droppedEventsCount"`
		signed32   = `"kind"`
	)
	for _, test := range []struct{ field, in, want string }{
		{unsigned64, `12`, `12`},
		{unsigned64, `"12"`, `12`},
		{unsigned64, `"012"`, `12`},
		{unsigned64, `"+12"`, `12`},
		{unsigned64, `"\u00312"`, `12`},
		{unsigned64, `12.0`, `12`},
		{unsigned64, `1200e-2`, `12`},
		{unsigned64, `0.12E+2`, `12`},
		{unsigned64, `1e3`, `1000`},
		{unsigned64, `"1e3"`, `1000`},
		{unsigned64, `1.7e18`, `1700000000000000000`},
		{unsigned64, `1.700000000000000001e18`, `1700000000000000001`},
		{unsigned64, `18446744073709551615`, `18446744073709551615`},
		{unsigned64, `184467440737095516150.0e-1`, `18446744073709551615`},
		{unsigned64, `-0`, `0`},
		{unsigned64, `-0.0e5`, `0`},
		{unsigned64, `0e999999999999999999999`, `0`},
		{unsigned64, `18446744073709551616`, ``},
		{unsigned64, `1e20`, ``},
		{unsigned64, `99999999999999999999`, ``},
		{unsigned64, `1e999999999999999999999`, ``},
		{unsigned64, `1e-999999999999999999999`, ``},
		{unsigned64, `-1`, ``},
		{unsigned64, `0.5`, ``},
		{unsigned64, `1e-1`, ``},
		{unsigned64, `01`, ``},
		{unsigned64, `1.`, ``},
		{unsigned64, `.5`, ``},
		{unsigned64, `1e`, ``},
		{unsigned64, `+1`, ``},
		{unsigned64, `-`, ``},
		{unsigned64, `""`, ``},
		{unsigned64, `"-"`, ``},
		{unsigned64, `"."`, ``},
		{unsigned64, `" 1"`, ``},
		{unsigned64, `"1e"`, ``},
		{unsigned64, `"1e+"`, ``},
		{unsigned64, `"1e5x"`, ``},
		{unsigned64, `"0x1"`, ``},
		{unsigned64, `"1_0"`, ``},
		{unsigned64, `"NaN"`, ``},
		{unsigned64, `true`, ``},
		{unsigned64, `{}`, ``},
		{unsigned64, `[]`, ``},
		{unsigned32, `4294967295`, `4294967295`},
		{unsigned32, `4294967296`, ``},
		{unsigned32, `-1`, ``},
		{signed32, `-2147483648`, `-2147483648`},
		{signed32, `-2147483649`, ``},
		{signed32, `2147483647`, `2147483647`},
		{signed32, `2147483648`, ``},
		{signed32, `"SPAN_KIND_SERVER"`, `2`},
		{signed32, `"SPAN\u005fKIND_SERVER"`, `2`},
		{signed32, `"2"`, `2`},
		{signed32, `2.0`, `2`},
	} {
		t.Run(test.field+test.in, func(t *testing.T) {
			body := oneSpan(test.field + ":" + test.in)
			if test.want == "" {
				_, _, err := Transcode(wire.Traces, []byte(body), nil, roomy)
				require.ErrorIs(t, err, wire.ErrMalformed)
				return
			}
			sameAs(t, wire.Traces, body, oneSpan(test.field+":"+test.want))
		})
	}
}

func TestSignedIntegers(t *testing.T) {
	for in, want := range map[string]string{
		`"-9223372036854775808"`: `-9223372036854775808`,
		`-9223372036854775808.0`: `-9223372036854775808`,
		`-1e3`:                   `-1000`,
		`9223372036854775807`:    `9223372036854775807`,
		`9223372036854775808`:    ``,
		`-9223372036854775809`:   ``,
	} {
		for _, place := range []string{`"metadata":[{"key":"k","value":{"intValue":%s}}]`, `"gauge":{"dataPoints":[{"asInt":%s}]}`} {
			body := oneMetric(fmt.Sprintf(place, in))
			if want == "" {
				_, _, err := Transcode(wire.Metrics, []byte(body), nil, roomy)
				require.ErrorContains(t, err, "not a 64-bit integer")
				continue
			}
			sameAs(t, wire.Metrics, body, oneMetric(fmt.Sprintf(place, want)))
		}
	}
}

func TestDoubles(t *testing.T) {
	point := func(s string) string { return oneMetric(`"gauge":{"dataPoints":[{"asDouble":` + s + `}]}`) }
	for in, want := range map[string]string{
		`1`:           `1`,
		`-0.0`:        `-0.0`,
		`"0.25"`:      `0.25`,
		`"NaN"`:       `"NaN"`,
		`"Infinity"`:  `"Infinity"`,
		`"-Infinity"`: `"-Infinity"`,
		`"\u004eaN"`:  `"NaN"`,
		`5e-324`:      `5e-324`,
		`1e-999`:      `0`,
		`0.1000000000000000055511151231257827021181583404541015625`: `0.1`,
		`1` + strings.Repeat("0", 300):                              `1e300`,
		`1` + strings.Repeat("0", maxNumber):                        ``,
		`1e999`:                                                     ``,
		`NaN`:                                                       ``,
		`""`:                                                        ``,
		`"1,5"`:                                                     ``,
		`0x1p-2`:                                                    ``,
		`true`:                                                      ``,
		`{}`:                                                        ``,
		`1.e5`:                                                      ``,
	} {
		t.Run(in, func(t *testing.T) {
			if want == "" {
				_, _, err := Transcode(wire.Metrics, []byte(point(in)), nil, roomy)
				require.ErrorIs(t, err, wire.ErrMalformed)
				return
			}
			sameAs(t, wire.Metrics, point(in), point(want))
		})
	}
}

func TestBytes(t *testing.T) {
	value := func(s string) string { return oneLog(`"body":{"bytesValue":"` + s + `"}`) }
	for in, want := range map[string]string{
		``:                               ``,
		`AQID`:                           `AQID`,
		`AQI=`:                           `AQI=`,
		`AQI`:                            `AQI=`,
		`AQ==`:                           `AQ==`,
		`AQ`:                             `AQ==`,
		`+/+/`:                           `+/+/`,
		`-_-_`:                           `+/+/`,
		`\u002b\/+\/`:                    `+/+/`,
		`\/w`:                            `/w==`,
		strings.Repeat("AQID", 50):       strings.Repeat("AQID", 50),
		strings.Repeat(`\u0041QID`, 50):  strings.Repeat("AQID", 50),
		strings.Repeat("AQID", 10_000):   strings.Repeat("AQID", 10_000),
		strings.Repeat(`\u0041`, 10_000): strings.Repeat("A", 10_000),
	} {
		sameAs(t, wire.Logs, value(in), value(want))
	}
	for _, in := range []string{`A`, `!`, `A===`, `+-+-`, `=AAA`, `\u00ff`} {
		_, _, err := Transcode(wire.Logs, []byte(value(in)), nil, roomy)
		require.ErrorContains(t, err, "logRecords.body.bytesValue at byte 68: not base64", in)
	}
}

func TestIDs(t *testing.T) {
	const uuid = "01020304-0506-0708-090a-0b0c0d0e0f10"
	// ids of a span, as text, after decoding; UnreadableID stands out in wire form.
	read := func(t *testing.T, in string) (trace, span string, unreadable int) {
		t.Helper()
		body := oneSpan(`"traceId":` + in + `,"spanId":` + in)
		out, _, err := Transcode(wire.Traces, []byte(body), nil, roomy)
		require.NoError(t, err)
		// Drops the fields that nobody can read, as a later stage does.
		text := string(out)
		for _, field := range []string{"\x0a\x01\xff", "\x12\x01\xff"} {
			if i := strings.Index(text, field); i >= 0 {
				unreadable++
				text = strings.Replace(text, field, "\x1a\x01-", 1) // a trace state of the same length
			}
		}
		req := ptraceotlp.NewExportRequest()
		require.NoError(t, req.UnmarshalProto([]byte(text)))
		s := req.Traces().ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
		return s.TraceID().String(), s.SpanID().String(), unreadable
	}
	for _, test := range []struct {
		name, in, trace, span string
		unreadable            int
	}{
		{"null", `null`, "", "", 0},
		{"empty", `""`, "", "", 0},
		{"trace ID", `"` + traceHex + `"`, traceHex, "", 1},
		{"trace ID in upper case", `"` + strings.ToUpper(traceHex) + `"`, traceHex, "", 1},
		{"UUID", `"` + uuid + `"`, traceHex, "", 1},
		{"span ID", `"` + spanHex + `"`, "0000000000000000" + spanHex, spanHex, 0},
		{"with an escape", `"\u00311` + spanHex[2:] + `"`, "0000000000000000" + spanHex, spanHex, 0},
		{"zero", `"0000000000000000"`, "", "", 0},
		{"no digit", `"g112131415161718"`, "", "", 2},
		{"too long", `"` + strings.Repeat("0", 5000) + `"`, "", "", 2},
		{"one byte", `"1"`, "", "", 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			trace, span, unreadable := read(t, test.in)
			require.Equal(t, test.trace, trace)
			require.Equal(t, test.span, span)
			require.Equal(t, test.unreadable, unreadable)
		})
	}
	t.Run("zero is written", func(t *testing.T) {
		out, _, err := Transcode(wire.Traces, []byte(oneSpan(`"traceId":"`+strings.Repeat("0", 32)+`","parentSpanId":"`+strings.Repeat("0", 16)+`"`)), nil, roomy)
		require.NoError(t, err)
		require.Contains(t, string(out), "\x0a\x10"+strings.Repeat("\x00", 16)+"\x22\x08"+strings.Repeat("\x00", 8))
	})
	t.Run("unreadable in a link", func(t *testing.T) {
		out, _, err := Transcode(wire.Traces, []byte(oneSpan(`"links":[{"spanId":"?"}]`)), nil, roomy)
		require.NoError(t, err)
		require.Contains(t, string(out), "\x6a\x03\x12\x01\xff")
	})
}
