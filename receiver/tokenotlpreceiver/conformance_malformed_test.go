package tokenotlpreceiver

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/wireerr"
)

// nested is a field in the messages of these numbers, the outermost first.
func nested(content []byte, numbers ...byte) []byte {
	for _, number := range slices.Backward(numbers) {
		content = message(number, content)
	}
	return content
}

// inSpan are the numbers of the messages around what is in a span.
var inSpan = []byte{1, 2, 2}

// protobufRows are of bytes that are no protobuf, each over HTTP and gRPC.
func protobufRows(t *testing.T) []row {
	t.Helper()
	short := []byte{5<<3 | 2, 9, 'x'} // a string of nine bytes that has one
	var rows []row
	both := func(name string, s signal, body []byte, why refusal) {
		rows = append(rows, refusedAnyWay(name, map[string]sendable{"protobuf": post(paths[s], protoType, body), "gRPC": export(s, body)}, why)...)
	}
	broken := malformed("malformed message")
	both("text for protobuf", traces, []byte("hello"), broken)
	both("protobuf cut off", traces, protoOf(t, requestOf(traces))[:60], broken)
	for i, where := range []string{"request", "resource", "scope", "span", "attribute", "value", "list", "element"} {
		both("field cut off in the "+where, traces, nested(short, []byte{1, 2, 2, 9, 2, 5, 1}[:i]...), broken)
	}
	for _, fault := range []struct {
		name  string
		bytes string
	}{
		{"a length of 2^63-1", "\x2a\xff\xff\xff\xff\xff\xff\xff\xff\x7f"},
		{"a length of -1", "\x2a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"},
		{"a length of 2^31", "\x2a\x80\x80\x80\x80\x08"},
		{"a length of 2^32+1", "\x2a\x81\x80\x80\x80\x10x"},
		{"a length cut off", "\x2a\x80"},
		{"a length of eleven bytes", "\x2a\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"},
		{"a tag cut off", "\xaa"},
		{"a tag without value", "\x2a"},
		{"a varint cut off", "\x30\xff"},
		{"eight bytes cut off", "\x39\x01\x02\x03"},
		{"four bytes cut off", "\x85\x01\x01"},
		{"a group", "\x2b\x2c"},
		{"an end of a group", "\x2c"},
		{"wire type 6", "\x2e"},
		{"wire type 7", "\x2f"},
		{"field number 0", "\x02\x00"},
		{"field number 0 of four bytes", "\x05\x00\x00\x00\x00"},
	} {
		both(fault.name, traces, nested([]byte(fault.bytes), inSpan...), broken)
	}
	both("a group in a log record", logs, nested([]byte("\x2b\x2c"), 1, 2, 2), broken)
	both("a group in a data point", metrics, nested([]byte("\x2b\x2c"), 1, 2, 2, 5, 1), broken)
	trace, span := rawIDs()
	ids := append(message(1, []byte(trace)), message(2, []byte(span))...)
	both("a name that is a number", traces, nested(append(ids, "\x28\x05"...), inSpan...), malformed("proto: wrong wireType = 0 for field Name"))
	both("a start time that is a string", traces, nested(append(ids, "\x3a\x01x"...), inSpan...), malformed("proto: wrong wireType = 2 for field StartTimeUnixNano"))
	both("spans that are a number", traces, nested([]byte("\x10\x05"), 1, 2), malformed("proto: wrong wireType = 0 for field Spans"))
	both("a body that is a number", logs, nested([]byte("\x28\x05"), 1, 2, 2), malformed("proto: wrong wireType = 0 for field Body"))
	return rows
}

// framingRows are of what gRPC's own client does not send.
func framingRows(*testing.T) []row {
	flagged := func(n int) refusal {
		return malformed("the message has flag " + string(rune('0'+n)) + ", which its grpc-encoding does not explain")
	}
	frame := func(flag byte, content string) []byte {
		return append([]byte{flag, 0, 0, 0, byte(len(content))}, content...)
	}
	return []row{
		refused("no message", inFrame(""), malformed("the call has no message")),
		refused("header of a message cut off", inFrame("", 0, 0, 0), malformed("the call has no message")),
		refused("message cut off", inFrame("", 0, 0, 0, 0, 9, 'x'), malformed("unreadable request body: message cut off: EOF")),
		refused("flag 1 without an encoding", inFrame("", frame(1, "hello")...), flagged(1)),
		refused("flag 1 with identity", inFrame("identity", frame(1, "hello")...), flagged(1)),
		refused("flag 7", inFrame("", frame(7, "hello")...), flagged(7)),
		refused("no gzip", inFrame("gzip", frame(1, "hello")...), malformed("unreadable request body: unexpected EOF")),
		refused("no zstd", inFrame("zstd", frame(1, "hello")...), malformed("unreadable request body: invalid input: magic number mismatch")),
		refused("no snappy", inFrame("snappy", frame(1, "hello")...), malformed("unreadable request body: snappy: corrupt input")),
		refused("unknown compressor", inFrame("br", frame(1, "hello")...), refusal{reason: wireerr.Encoding, code: codes.Unimplemented, message: `grpc: Decompressor is not installed for grpc-encoding "br"`}).uncountedByUs(),
	}
}

// jsonRows are of what is no JSON, or none of OTLP. A ^ is not sent: it is where
// the fault is, which is told, and the way to it.
func jsonRows(*testing.T) []row {
	var rows []row
	add := func(s signal, name, marked, path, reason string) {
		at := strings.IndexByte(marked, '^')
		where := strings.TrimSpace(fmt.Sprintf("%s at byte %d", path, at))
		rows = append(rows, refused("JSON: "+name, post(paths[s], jsonType, []byte(marked[:at]+marked[at+1:])), malformed("malformed message: "+where+": "+reason)))
	}
	const (
		noObject, noArray, noString, noName = "not an object", "not an array", "not a string", "not a name"
		openObject, openArray               = "neither a comma nor the end of the object", "neither a comma nor the end of the array"
		follows, endless                    = "something follows the request", "a string without end"
		noTime                              = "not an unsigned 64-bit integer"
	)
	for _, fault := range []struct{ name, marked, path, reason string }{
		{"empty", `^`, "", noObject},
		{"blanks", "  \n^", "", noObject},
		{"byte order mark", "^\xef\xbb\xbf{}", "", noObject},
		{"array", `^[]`, "", noObject},
		{"string", `^"resourceSpans"`, "", noObject},
		{"number", `^1`, "", noObject},
		{"cut off in a name", `{^"resource`, "", endless},
		{"cut off behind a name", `{"resourceSpans"^`, "", "not a colon"},
		{"cut off behind a colon", `{"resourceSpans":^`, "resourceSpans", noArray},
		{"cut off in a list", `{"resourceSpans":[^`, "resourceSpans", noObject},
		{"cut off behind an object", `{"resourceSpans":[{}^`, "resourceSpans", openArray},
		{"cut off at the end", `{"resourceSpans":[{}]^`, "", openObject},
		{"cut off in a string", `{"resourceSpans":[{"schemaUrl":^"x`, "resourceSpans.schemaUrl", endless},
		{"name without quotes", `{^resourceSpans:[]}`, "", noName},
		{"single quotes", `{^'resourceSpans':[]}`, "", noName},
		{"no colon", `{"resourceSpans" ^[]}`, "", "not a colon"},
		{"comma at the end of an object", `{"resourceSpans":[],^}`, "", noName},
		{"comma at the end of a list", `{"resourceSpans":[{},^]}`, "resourceSpans", noObject},
		{"comment", `{^/**/}`, "", noName},
		{"garbage behind", `{} ^x`, "", follows},
		{"second request", "{}\n^{}", "", follows},
		{"bracket behind", `{}^}`, "", follows},
		{"zero byte behind", "{}^\x00", "", follows},
		{"resources that are an object", `{"resourceSpans":^{}}`, "resourceSpans", noArray},
		{"resource that is a list", `{"resourceSpans":[^[]]}`, "resourceSpans", noObject},
	} {
		add(traces, fault.name, fault.marked, fault.path, fault.reason)
	}
	for _, fault := range []struct{ name, marked, path, reason string }{
		{"name that is a number", `"name":^5`, "name", noString},
		{"trace ID that is a number", `"traceId":^5`, "traceId", noString},
		{"time that is no number", `"startTimeUnixNano":^"now"`, "startTimeUnixNano", noTime},
		{"time that is negative", `"startTimeUnixNano":^-1`, "startTimeUnixNano", noTime},
		{"time that is no integer", `"startTimeUnixNano":^1.5`, "startTimeUnixNano", noTime},
		{"time beyond 64 bits", `"startTimeUnixNano":^"18446744073709551616"`, "startTimeUnixNano", noTime},
		{"time with a leading zero", `"startTimeUnixNano":0^1`, "", openObject},
		{"kind of no name", `"kind":^"SERVER"`, "kind", "neither a 32-bit integer nor a name of the enum"},
		{"attribute of no value", `"attributes":[{"key":"a","value":^1}]`, "attributes.value", noObject},
		{"attributes as an object", `"attributes":^{"a":1}`, "attributes", noArray},
		{"boolean in quotes", `"attributes":[{"value":{"boolValue":^"true"}}]`, "attributes.value.boolValue", "not a boolean"},
		{"integer beyond 64 bits", `"attributes":[{"value":{"intValue":^"9223372036854775808"}}]`, "attributes.value.intValue", "not a 64-bit integer"},
		{"double that is none", `"attributes":[{"value":{"doubleValue":^NaN}}]`, "attributes.value.doubleValue", "not a double"},
		{"bytes that are no base64", `"attributes":[{"value":{"bytesValue":^"*"}}]`, "attributes.value.bytesValue", "not base64"},
		{"unknown escape", `"name":"^\x"`, "name", "not an escape"},
		{"escape cut off", `"name":"^\u12"`, "name", "not an escape"},
		{"line end in a string", "\"name\":\"a^\nb\"", "name", "a control character in a string"},
		{"half a word", `"name":^nul`, "name", "not JSON"},
		{"fault in an unknown field", `"x":[1,^}`, "", "not a value"},
	} {
		add(traces, fault.name, string(spansJSON(fault.marked)), strings.TrimSuffix("resourceSpans.scopeSpans.spans."+fault.path, "."), fault.reason)
	}
	add(logs, "body that is no object", `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":^"x"}]}]}]}`, "resourceLogs.scopeLogs.logRecords.body", noObject)
	add(metrics, "value of a data point", `{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"gauge":{"dataPoints":[{"asInt":^"x"}]}}]}]}]}`,
		"resourceMetrics.scopeMetrics.metrics.gauge.dataPoints.asInt", "not a 64-bit integer")
	return rows
}

// deepLists and deepMaps are requests of a log body of so many levels.
func deepLists(depth int) (inJSON, inProto []byte) {
	return deepJSON(depth, `{"arrayValue":{"values":[`, `]}}`), deepBody(depth - 1)
}

func deepMaps(depth int) (inJSON, inProto []byte) {
	body := []byte{}
	for range depth - 1 {
		body = nested(body, 6, 1, 2)
	}
	return deepJSON(depth, `{"kvlistValue":{"values":[{"key":"","value":`, `}]}}`), nested(body, 1, 2, 2, 5)
}

func deepJSON(depth int, open, shut string) []byte {
	return []byte(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":` + strings.Repeat(open, depth-1) + `{}` + strings.Repeat(shut, depth-1) + `}]}]}]}`)
}

// depthRows are of max_attribute_depth: 64 levels at usual, 5 at small.
func depthRows(*testing.T) []row {
	const deepest = 64
	var rows []row
	for _, kind := range []struct {
		name  string
		of    func(depth int) (inJSON, inProto []byte)
		where string
	}{
		{"lists", deepLists, ": resourceLogs.scopeLogs.logRecords.body.arrayValue.values.….values.arrayValue.values.arrayValue.values.arrayValue at byte 1644"},
		{"maps", deepMaps, ": resourceLogs.scopeLogs.logRecords.body.kvlistValue.values.….values.value.kvlistValue.values.value.kvlistValue at byte 2842"},
	} {
		inJSON, inProto := kind.of(deepest)
		rows = append(rows, anyWay("as deep as may be, "+kind.name, ways(logs, inJSON, inProto), func(name string, s sendable) row { return accepted(name, s, 1) })...)
		for _, depth := range []int{deepest + 1, 5000} {
			inJSON, inProto := kind.of(depth)
			name := fmt.Sprintf("%d levels of %s", depth, kind.name)
			rows = append(rows,
				refused(name+", JSON", post("/v1/logs", jsonType, inJSON), tooDeep(kind.where)),
				refused(name+", protobuf", post("/v1/logs", protoType, inProto), tooDeep("")),
				refused(name+", gRPC", export(logs, inProto), tooDeep("")),
			)
		}
	}
	unknown := func(depth int) call {
		return post("/v1/logs", jsonType, []byte(`{"x":`+strings.Repeat("[", depth)+strings.Repeat("]", depth)+`}`))
	}
	attribute := func(depth int) call {
		return inSpanJSON(`"attributes":[{"value":` + strings.Repeat(`{"arrayValue":{"values":[`, depth-1) + `{}` + strings.Repeat(`]}}`, depth-1) + `}]`)
	}
	million := deepBody(1_000_000)
	return append(rows,
		refused("a million levels, protobuf", post("/v1/logs", protoType, million), tooDeep("")),
		refused("300,000 levels, gRPC", export(logs, deepBody(300_000)), tooDeep("")),
		accepted("1024 levels of an unknown field", unknown(1024), 0),
		refused("1025 levels of an unknown field", unknown(1025), tooDeep(": at byte 1029")),
		accepted("attribute as deep as may be", attribute(5), 1).at(small),
		refused("attribute too deep", attribute(6), tooDeep(": resourceSpans.scopeSpans.spans.attributes.value.arrayValue.….values.arrayValue.values.arrayValue.values.arrayValue at byte 255")).at(small),
	)
}
