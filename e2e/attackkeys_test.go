package e2e

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
)

// sampleSpans is a span with something of everything.
func sampleSpans() []byte {
	name := attr("service.name", text(1, "sample"))
	span := join(
		text(1, "sample-trace-id!"), text(2, "span-id!"), text(4, "parent-!"), text(5, "sample"),
		protowire.AppendFixed64(protowire.AppendTag(nil, 7, protowire.Fixed64Type), uint64(time.Now().UnixNano())),
		protowire.AppendFixed64(protowire.AppendTag(nil, 8, protowire.Fixed64Type), uint64(time.Now().UnixNano())+1),
		field(9, name), field(9, attr("n", []byte{3 << 3, 42})), field(9, attr("nested", nested(mapLevel, 3))),
		field(11, join(text(2, "event"), field(3, text(1, "k")))),
		field(13, join(text(1, "sample-trace-id!"), text(2, "span-id!"))),
	)
	return within(path(1), join(within(path(1, 1), name), within(path(2, 2), span)))
}

func sampleLogs() []byte {
	return within(path(1, 2, 2), join(text(3, "INFO"), within(path(5, 1), []byte("sample")), field(6, text(1, "k"))))
}

// sampleSpansJSON is a span with the trace ID sampleTraceID.
func sampleSpansJSON() string {
	now := time.Now().UnixNano()
	return fmt.Sprintf(`{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"sample"}}]},"scopeSpans":[{"spans":[
		{"traceId":%q,"spanId":"0102030405060708","name":"\u0041","kind":2,"startTimeUnixNano":"%d","endTimeUnixNano":"%d",
		"attributes":[{"key":"k","value":{"arrayValue":{"values":[{"intValue":"1"},{"doubleValue":1.5},{"boolValue":true}]}}}]}]}]}]}`, sampleTraceID, now, now+1)
}

const sampleTraceID = "0102030405060708090a0b0c0d0e0f10"

func attr(key string, value []byte) []byte { return join(text(1, key), field(2, value)) }

// Lengths that are larger than the body, than memory, than an int, or negative.
func attackWithLengths(t *testing.T, c *collector) {
	t.Helper()
	lengths := map[string][]byte{
		"one too many":     {1},
		"2 GiB":            protowire.AppendVarint(nil, 1<<31),
		"4 GiB":            protowire.AppendVarint(nil, 1<<32),
		"largest int":      protowire.AppendVarint(nil, math.MaxInt64),
		"-1":               protowire.AppendVarint(nil, math.MaxUint64),
		"least int":        protowire.AppendVarint(nil, 1<<63),
		"eleven bytes":     bytes.Repeat([]byte{0xff}, 11),
		"more than 64 bit": append(bytes.Repeat([]byte{0xff}, 9), 0x7f),
		"no end":           {0x80},
	}
	var hits []hit
	for at := range spanValue {
		for name, length := range lengths {
			tag := protowire.AppendTag(nil, spanValue[at], protowire.BytesType)
			body := within(spanValue[:at], join(tag, length))
			hits = append(hits, hit{name: fmt.Sprintf("%s at level %d", name, at), path: "/v1/traces", body: body, want: isMalformed})
		}
	}
	for name, body := range map[string][]byte{
		"field 0":           {0x02, 0x00},
		"reserved type 6":   {0x0e},
		"reserved type 7":   {0x0f},
		"group":             {0x0b, 0x0c},
		"end of no group":   {0x0c},
		"two million group": bytes.Repeat([]byte{0x0b}, 2_000_000),
		"wrong type":        {0x08, 0x01},
		"fixed, cut off":    {0x09, 1, 2, 3},
	} {
		for _, outer := range [][]protowire.Number{nil, spanPath, spanValue} {
			want := isRefused
			if name == "wrong type" && outer != nil {
				want = []verdict{taken} // the span has no IDs: it is left out
			}
			hits = append(hits, hit{name: fmt.Sprintf("%s within %v", name, outer), path: "/v1/traces", body: within(outer, body), want: want})
		}
	}
	hits = bothTransports(hits)

	message := func(name string, want []verdict, body ...[]byte) {
		hits = append(hits, hit{name: name, overGRPC: true, path: "/v1/traces", contentType: raw, body: join(body...), want: want})
	}
	message("message of 4 GiB", isTooLarge, grpcMessage(false, math.MaxUint32, nil))
	message("compressed message of 4 GiB", isRefused, grpcMessage(true, math.MaxUint32, nil))
	message("message of one byte more", isMalformed, grpcMessage(false, 1, nil))
	message("half a header", isMalformed, []byte{0, 0})
	message("two messages", []verdict{taken, malformed}, grpcMessage(false, 0, nil), grpcMessage(false, 0, nil))
	message("compressed by nothing", []verdict{malformed, unsupported}, grpcMessage(true, 0, nil))
	for flag := 2; flag < 256; flag += 23 {
		message(fmt.Sprintf("flag %d", flag), isMalformed, []byte{byte(flag), 0, 0, 0, 0})
	}
	sendEach(t, c, hits)
}

// Keys that are long, many, or all the same are data: they are taken, and stored
// or refused for their size.
func attackWithKeys(t *testing.T, c *collector) {
	t.Helper()
	const long, many = 1 << 20, 100_000
	want := []verdict{taken, tooLarge}
	key := strings.Repeat("k", long)
	var different, same, members bytes.Buffer
	for i := range many {
		different.Write(field(9, text(1, fmt.Sprintf("key.%d", i))))
		same.Write(field(9, text(1, "key")))
		fmt.Fprintf(&members, `"%d":%d,`, i, i)
	}
	spanOf := func(attributes []byte) []byte { return within(spanPath, join(sampleIDs('k'), attributes)) }
	hits := bothTransports([]hit{
		{name: "long key", path: "/v1/traces", body: spanOf(field(9, text(1, key))), want: want},
		{name: "long name", path: "/v1/traces", body: spanOf(text(5, key)), want: want},
		{name: "long tracestate", path: "/v1/traces", body: spanOf(text(3, strings.Repeat("a=b,", long/4))), want: want},
		{name: "long string", path: "/v1/traces", body: spanOf(field(9, join(text(1, "k"), within(path(2, 1), make([]byte, 8<<20))))), want: want},
		{name: "long body", path: "/v1/logs", body: within(path(1, 2, 2, 5, 1), []byte(key)), want: want},
		{name: "different keys", path: "/v1/traces", body: spanOf(different.Bytes()), want: want},
		{name: "same keys", path: "/v1/traces", body: spanOf(same.Bytes()), want: want},
		{name: "resource keys", path: "/v1/traces", body: within(path(1, 1), bytes.ReplaceAll(different.Bytes(), []byte{9<<3 | 2}, []byte{1<<3 | 2})), want: want},
	})
	hits = append(hits,
		hit{name: "event of many members", path: "/", body: []byte("{" + members.String() + `"x":1}`), want: want},
		hit{name: "event of equal keys", path: "/", encoding: "gzip", body: gzipTimes(t, many, "{", `"dt":"x",`, `"dt":1}`), want: want},
		hit{name: "event of a long key", path: "/", body: []byte(`{"` + key + `":1}`), want: want},
		hit{name: "event of a long number", path: "/", body: []byte(`{"n":` + strings.Repeat("9", long) + `}`), want: append(want, malformed)},
		hit{name: "JSON of equal keys", path: "/v1/traces", contentType: contentType, encoding: "gzip", body: gzipTimes(t, many, "{", `"resourceSpans":[],`, `"x":1}`), want: want},
		hit{name: "JSON of a long key", path: "/v1/traces", contentType: contentType, body: []byte(`{"` + key + `":1}`), want: want},
		hit{name: "JSON of a long number", path: "/v1/traces", contentType: contentType, body: []byte(`{"n":` + strings.Repeat("9", long) + `}`), want: append(want, malformed)},
	)
	sendEach(t, c, hits)
}

// sampleIDs are the IDs of a span that nothing else has.
func sampleIDs(family byte) []byte {
	id := bytes.Repeat([]byte{family}, 16)
	return join(field(1, id), field(2, id[:8]))
}

// Invalid UTF-8 is replaced, wherever a string may be.
func attackWithInvalidUTF8(t *testing.T, c *collector) {
	t.Helper()
	const bad, mended = "a\xffb\xc3", "a\uFFFDb\uFFFD"
	kv := attr(bad, text(1, bad))
	now := protowire.AppendFixed64(protowire.AppendTag(nil, 7, protowire.Fixed64Type), uint64(time.Now().UnixNano()))
	end := protowire.AppendFixed64(protowire.AppendTag(nil, 8, protowire.Fixed64Type), uint64(time.Now().UnixNano()))
	span := join(sampleIDs('u'), text(3, bad), text(5, bad), now, end, field(9, kv), field(15, text(2, bad)),
		field(11, join(text(2, bad), field(3, kv))), field(13, join(sampleIDs('l'), text(3, bad), field(4, kv))))
	resource := join(field(1, attr("service.name", text(1, "utf8"))), field(1, kv))
	scope := join(text(1, bad), text(2, bad), field(3, kv))
	spans := field(1, join(field(1, resource), field(2, join(field(1, scope), field(2, span))), text(3, bad)))
	const escaped = `a\ud800b`
	sendEach(t, c, []hit{
		{name: "span", path: "/v1/traces", body: spans, want: []verdict{taken}},
		{name: "record", path: "/v1/logs", body: within(recordPath, join(text(3, bad), within(path(5, 1), []byte(bad)), field(6, kv))), want: []verdict{taken}},
		{name: "metric", path: "/v1/metrics", body: within(metricPath, join(text(1, bad), text(2, bad), text(3, bad), within(path(5, 1, 7), kv))), want: []verdict{taken}},
		{name: "JSON span", path: "/v1/traces", contentType: contentType, body: []byte(strings.ReplaceAll(sampleSpansJSON(), `"k"`, `"`+bad+`"`)), want: []verdict{taken}},
		{name: "JSON span, half a pair", path: "/v1/traces", contentType: contentType, body: []byte(strings.ReplaceAll(sampleSpansJSON(), `"k"`, `"`+escaped+`"`)), want: []verdict{taken, malformed}},
		{name: "JSON record", path: "/v1/logs", contentType: contentType, body: []byte(logJSONOf(bad)), want: []verdict{taken}},
		{name: "event", path: "/", body: []byte(`{"` + bad + `":"` + bad + `","` + escaped + `":"` + escaped + `"}`), want: []verdict{taken}},
	})
	rows := waitRows(t, c.lake(), 1, "select name, scope_name, attributes from spans where service_name = 'utf8'")
	require.Equal(t, mended, rows[0].text("name"))
	require.Equal(t, mended, rows[0].text("scope_name"))
	require.Contains(t, rows[0].text("attributes"), mended)
	mustQuery(t, c.lake(), "select * from logs limit 10")
}

// logJSONOf is a request whose body is taken as it is.
func logJSONOf(body string) string {
	return `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"` + body + `"}}]}]}]}`
}
