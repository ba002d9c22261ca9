package tokenotlpreceiver

import (
	"strings"
	"testing"
)

// Each item of the requests of one item, as it arrives.
var usualItems = [signals]string{
	traces: `{"traceId":"0102030405060708090a0b0c0d0e0f10","spanId":"0102030405060708","name":"GET /cart","startTimeUnixNano":"1","endTimeUnixNano":"2",` +
		`"attributes":[{"key":"http.response.status_code","value":{"intValue":"200"}}],"status":{}}`,
	logs:    `{"body":{"stringValue":"hello"}}`,
	metrics: `{"name":"requests","sum":{"dataPoints":[{"asInt":"3"}]}}`,
}

func successRows(t *testing.T) []row {
	t.Helper()
	var rows []row
	for s := range signals {
		rows = append(rows, anyWay(s.String(), waysOf(t, s), func(name string, send sendable) row {
			return accepted(name, send, 1).arriving(usualItems[s])
		})...)
	}
	return append(rows,
		accepted("several resources and scopes", post("/v1/traces", jsonType, []byte(
			`{"resourceSpans":[{"scopeSpans":[{"spans":[`+aSpan+`,`+aSpan+`]},{"spans":[`+aSpan+`]}]},{"scopeSpans":[{"spans":[`+aSpan+`]}]}]}`)), 4),
		accepted("a query after the path", post("/v1/logs?x=1", protoType, protoOf(t, requestOf(logs))), 1),
		accepted("second token of a source", post("/v1/traces", jsonType, jsonOf(t, requestOf(traces))).authorized("Bearer "+shopNewToken), 1),
		accepted("token of another source", post("/v1/traces", jsonType, jsonOf(t, requestOf(traces))).authorized("Bearer "+otherToken), 1).from("billing"),
		accepted("token of another source, gRPC", export(metrics, protoOf(t, requestOf(metrics))).authorized("Bearer "+otherToken), 1).from("billing"),
		accepted("token of another source, events", post("/", "", []byte(`{"a":1}`)).authorized("Bearer "+otherToken), 1).from("billing"),
	)
}

// emptyRows are requests of nothing, which is nothing wrong.
func emptyRows(*testing.T) []row {
	var rows []row
	for s := range signals {
		rows = append(rows, anyWay("empty "+s.String(), ways(s, []byte(`{}`), nil), func(name string, send sendable) row {
			return accepted(name, send, 0)
		})...)
	}
	resource := message(1, nil)
	return append(rows,
		accepted("empty list", post("/v1/traces", jsonType, []byte(`{"resourceSpans":[]}`)), 0),
		accepted("resource without spans", post("/v1/traces", jsonType, []byte(`{"resourceSpans":[{"scopeSpans":[{}]}]}`)), 0),
		accepted("resource without spans, protobuf", post("/v1/traces", protoType, resource), 0),
		accepted("resource without records, gRPC", export(logs, resource), 0),
		accepted("nothing, to a pipeline that is full", post("/v1/traces", jsonType, []byte(`{}`)), 0).at(full),
		accepted("nothing, to a pipeline that is full, gRPC", export(traces, nil), 0).at(full),
	)
}

// codingRows are of every compression.
func codingRows(t *testing.T) []row {
	t.Helper()
	span, point := post("/v1/traces", jsonType, jsonOf(t, requestOf(traces))), post("/v1/metrics", protoType, protoOf(t, requestOf(metrics)))
	events := post("/", "", []byte("{\"a\":1}\n{\"a\":2}"))
	rows := []row{
		accepted("identity", span.with("Content-Encoding", "identity"), 1),
		accepted("identity, events", events.with("Content-Encoding", "Identity"), 2),
		accepted("no coding, in chunks", point.inChunks(), 1),
		accepted("no coding, events, in chunks", events.inChunks(), 2),
	}
	const early = "unexpected EOF"
	for _, of := range []struct{ coding, notIt, cutOff string }{
		{"gzip", "gzip: invalid header", early},
		{"zstd", "invalid input: magic number mismatch", early},
		{"deflate", "zlib: invalid header", early},
		{"zlib", "zlib: invalid header", early},
		{"snappy", "snappy: corrupt input", "snappy: corrupt input"},
		{"snappy block", "snappy: corrupt input", "snappy: corrupt input"},
		{"x-snappy-framed", "snappy: corrupt input", "snappy: corrupt input"},
		{"lz4", "lz4: bad magic number", early},
	} {
		coding := of.coding
		upper := strings.ToUpper(strings.TrimSuffix(coding, " block"))
		rows = append(rows,
			accepted(coding+", JSON", span.packed(t, coding), 1).arriving(usualItems[traces]),
			accepted(coding+", protobuf, in chunks", point.packed(t, coding).inChunks(), 1).arriving(usualItems[metrics]),
			accepted(coding+" in capitals, events", events.packed(t, coding).with("Content-Encoding", upper), 2),
			refused(coding+" that is not", span.with("Content-Encoding", strings.TrimSuffix(coding, " block")), malformed("unreadable request body: "+of.notIt)),
			refused(coding+" cut off", cutOff(span.packed(t, coding)), malformed("unreadable request body: "+of.cutOff)),
		)
	}
	for _, coding := range []string{"br", "gzip, gzip", "gzip, identity", "compress", "*", "gzip;q=1"} {
		rows = append(rows, refused("coding "+coding, span.with("Content-Encoding", coding), unknownCoding(coding)))
	}
	rows = append(rows,
		refused("unknown coding, protobuf", point.with("Content-Encoding", "br"), unknownCoding("br")),
		refused("unknown coding, events", events.with("Content-Encoding", "br"), unknownCoding("br")),
		accepted("lz4 of nothing", post("/v1/traces", protoType, nil).packed(t, "lz4"), 0),
	)
	for _, compressor := range []string{"identity", "gzip", "zstd", "snappy"} {
		for s := range signals {
			rows = append(rows, accepted(compressor+" over gRPC, "+s.String(), export(s, protoOf(t, requestOf(s))).packed(compressor), 1).arriving(usualItems[s]))
		}
	}
	return rows
}

func cutOff(c call) call { c.body = c.body[:len(c.body)/2]; return c }

func contentTypeRows(t *testing.T) []row {
	t.Helper()
	inJSON, inProto := jsonOf(t, requestOf(traces)), protoOf(t, requestOf(traces))
	var rows []row
	for _, contentType := range []string{
		"application/json; charset=utf-8", "application/json;charset=UTF-8", `application/json; charset="utf-8"`,
		"application/json; charset=iso-8859-1", "Application/JSON", "APPLICATION/JSON; CHARSET=UTF-8", "application/json ; a=b",
	} {
		rows = append(rows, accepted("content type "+contentType, post("/v1/traces", contentType, inJSON), 1))
	}
	for _, contentType := range []string{
		"Application/X-Protobuf", "application/x-protobuf; charset=utf-8", "application/x-protobuf;messageType=x",
	} {
		rows = append(rows, accepted("content type "+contentType, post("/v1/traces", contentType, inProto), 1))
	}
	for _, contentType := range []string{
		"", "text/plain", "text/json", "application/x-www-form-urlencoded", "application/protobuf", "application/vnd.google.protobuf",
		"application/grpc", "application/json; charset", "application/json, application/x-protobuf", "application/jsonx", "*/*", "json",
	} {
		rows = append(rows, refused("content type '"+contentType+"'", post("/v1/traces", contentType, inJSON), wrongType))
	}
	return append(rows,
		refused("JSON said to be protobuf", post("/v1/traces", protoType, inJSON), malformed("malformed message")),
		refused("protobuf said to be JSON", post("/v1/traces", jsonType, inProto), malformed("malformed message: at byte 1: not an object")), // byte 0 is a line end
		accepted("logs sent as traces, JSON", post("/v1/traces", jsonType, jsonOf(t, requestOf(logs))), 0),
	)
}
