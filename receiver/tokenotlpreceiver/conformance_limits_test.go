package tokenotlpreceiver

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// blanks are n bytes that are no event, and in JSON no request.
func blanks(n int) []byte { return bytes.Repeat([]byte{' '}, n) }

// padded is an empty request of n bytes.
func padded(n int) []byte { return append(blanks(n-len(`{}`)), `{}`...) }

// paddedProto is one of n bytes, where the length of n-5 bytes takes as many
// bytes as that of a few more.
func paddedProto(n int) []byte {
	const unknown = 15
	head := len(message(unknown, make([]byte, n-5))) - (n - 5)
	return message(unknown, make([]byte, n-head))
}

// sizeRows are of the limits as received, 1 MiB, and decompressed, 2 MiB.
func sizeRows(t *testing.T) []row {
	t.Helper()
	const announced, turnsOut = "request body too large: 1048577 bytes, limit 1048576", "request body too large: over the limit as received"
	const unpacked = "request body too large: over 2097152 bytes when decompressed"
	inJSON := func(n int) call { return post("/v1/traces", jsonType, padded(n)) }
	events := func(n int) call { return post("/", "", append(blanks(n-len(`{"a":1}`)), `{"a":1}`...)) }
	inProto := func(n int) call { return post("/v1/metrics", protoType, paddedProto(n)) }
	call := func(n int) rpc { return export(logs, paddedProto(n)) }
	rows := []row{
		accepted("at the limit", inJSON(mib), 0),
		accepted("at the limit, in chunks", inJSON(mib).inChunks(), 0),
		accepted("at the limit, protobuf", inProto(mib), 0),
		accepted("at the limit, events", events(mib), 1),
		accepted("at the limit, events in chunks", events(mib).inChunks(), 1),
		accepted("at the limit, gRPC", call(mib), 0),
		refused("a byte over the limit", inJSON(mib+1), tooLarge(announced)),
		refused("a byte over the limit, in chunks", inJSON(mib+1).inChunks(), tooLarge(turnsOut)),
		refused("a byte over the limit, protobuf", inProto(mib+1), tooLarge(announced)),
		refused("a byte over the limit, protobuf in chunks", inProto(mib+1).inChunks(), tooLarge(turnsOut)),
		refused("a byte over the limit, events", events(mib+1), tooLarge(announced)),
		refused("a byte over the limit, events in chunks", events(mib+1).inChunks(), tooLarge(turnsOut)),
		refused("a byte over the limit, gRPC", call(mib+1), tooLarge(announced)),
		refused("a byte over the limit, said to be gzip", inJSON(mib+1).with("Content-Encoding", "gzip"), tooLarge(announced)),
		refused("an enormous message announced, gRPC", inFrame("", append(binary.BigEndian.AppendUint32([]byte{0}, 0xffffffff), "hello"...)...),
			tooLarge("request body too large: 4294967295 bytes, limit 1048576")),
		accepted("at the limit decompressed", inJSON(2*mib).packed(t, "gzip"), 0),
		accepted("at the limit decompressed, protobuf", inProto(2*mib).packed(t, "zstd"), 0),
		accepted("at the limit decompressed, events", events(2*mib).packed(t, "lz4"), 1),
		accepted("at the limit decompressed, snappy block", inJSON(2*mib).packed(t, "snappy block"), 0),
		accepted("at the limit decompressed, gRPC", call(2*mib).packed("gzip"), 0),
		refused("a byte over the limit decompressed", inJSON(2*mib+1).packed(t, "gzip"), tooLarge(unpacked)),
		refused("a byte over the limit decompressed, protobuf", inProto(2*mib+1).packed(t, "zstd"), tooLarge(unpacked)),
		refused("a byte over the limit decompressed, events", events(2*mib+1).packed(t, "lz4"), tooLarge(unpacked)),
		refused("a byte over the limit decompressed, gRPC", call(2*mib+1).packed("gzip"), tooLarge(unpacked)),
	}
	for i := range rows {
		rows[i].to = small
	}
	return rows
}

// bombRows decompress to 8 MiB, of which no more is looked at than the limit.
func bombRows(t *testing.T) []row {
	t.Helper()
	bomb := make([]byte, 8*mib)
	const over = "request body too large: over 2097152 bytes when decompressed"
	var rows []row
	for _, coding := range []string{"gzip", "zstd", "deflate", "zlib", "lz4"} {
		rows = append(rows, refused("bomb of "+coding, post("/", "", bomb).packed(t, coding).inChunks(), tooLarge(over)).at(small))
	}
	const block = "request body too large: 4294967295 bytes when decompressed, limit 2097152"
	length := binary.AppendUvarint(nil, 0xffffffff)
	rows = append(rows,
		refused("bomb of snappy", post("/", "", length).with("Content-Encoding", "snappy"), tooLarge(block)).at(small),
		refused("bomb of framed snappy", post("/", "", bomb).packed(t, "x-snappy-framed"), tooLarge(over)).at(small),
	)
	for _, compressor := range []string{"gzip", "zstd", "snappy"} {
		rows = append(rows, refused("bomb of "+compressor+", gRPC", export(traces, bomb).packed(compressor), tooLarge(over)).at(small))
	}
	return rows
}

// repeated is a request in JSON with the same item n times.
func repeated(before, item string, n int, after string) []byte {
	return []byte(before + strings.Repeat(item+",", n) + item + after)
}

// decodedRows are small on the wire and large in memory, beyond 3 MiB.
func decodedRows(t *testing.T) []row {
	t.Helper()
	const n = 60_000
	attributes := message(1, message(2, message(2, bytes.Repeat(message(9, nil), n))))
	records := message(1, message(2, bytes.Repeat(message(2, nil), n)))
	points := message(1, message(2, message(2, message(5, bytes.Repeat(message(1, nil), n)))))
	var rows []row
	for _, many := range []struct {
		name string
		sent map[string]sendable
	}{
		{"spans", ways(traces, repeated(`{"resourceSpans":[{"scopeSpans":[{"spans":[`, `{}`, n, `]}]}]}`), manySpans(n))},
		{"attributes", ways(traces, repeated(`{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[`, `{}`, n, `]}]}]}]}`), attributes)},
		{"records", ways(logs, repeated(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[`, `{}`, n, `]}]}]}`), records)},
		{"points", ways(metrics, repeated(`{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"gauge":{"dataPoints":[`, `{}`, n, `]}}]}]}]}`), points)},
	} {
		rows = append(rows, refusedAnyWay("too many "+many.name, many.sent, tooLargeDecoded)...)
	}
	tooMany := tooLarge("the decoded events would take too much memory")
	rows = append(rows,
		refused("too many events", post("/", "", []byte(strings.Repeat("{}", n))), tooMany),
		refused("too many events in an array", post("/", "", repeated(`[`, `{}`, n, `]`)), tooMany),
		refused("too many events, gzip", post("/", "", []byte(strings.Repeat("{}\n", 10*n))).packed(t, "gzip"), tooMany),
		refused("too many values in an event", post("/", "", repeated(`{"a":[`, `0`, 2*n, `]}`)), tooMany),
		accepted("as many records as fit, gRPC", export(logs, message(1, message(2, bytes.Repeat(message(2, nil), n/6)))), n/6),
		accepted("as many events as fit", post("/", "", []byte(strings.Repeat("{}", n/6))), n/6),
	)
	for i := range rows {
		rows[i].to = small
	}
	return rows
}

// inFlightRows come while others hold max_in_flight_mib, or nearly so.
func inFlightRows(t *testing.T) []row {
	t.Helper()
	event := post("/", "", []byte(`{"a":1}`))
	large := post("/", "", []byte(`{"a":"`+strings.Repeat("x", room)+`"}`))
	largeProto := paddedProto(room + 1)
	rows := refusedAnyWay("nothing left", waysOf(t, traces), busy)
	rows = append(rows,
		refused("nothing left, events", event, busy),
		refused("nothing left, unread", event.with("Content-Encoding", "br"), busy),
		refused("nothing left, too large", post("/", "", blanks(mib+1)), busy),
		refused("nothing left, no content type", post("/v1/traces", "", nil), wrongType),
		refused("nothing left, unknown path", post("/x", "", nil), noSuchPath),
	)
	for i := range rows {
		rows[i].to = spent
	}
	near := []row{
		accepted("little left, small", event, 1),
		refused("little left, large", large, busy),
		refused("little left, large in chunks", large.inChunks(), busy),
		refused("little left, large, protobuf", post("/v1/traces", protoType, largeProto), busy),
		refused("little left, large, gRPC", export(traces, largeProto), busy),
		refused("little left, large, gRPC in gzip", export(traces, largeProto).packed("gzip"), busy),
	}
	for _, coding := range []string{"gzip", "zstd", "deflate", "zlib", "snappy", "snappy block", "x-snappy-framed", "lz4"} {
		near = append(near, refused("little left, large in "+coding, large.packed(t, coding), busy))
	}
	for i := range near {
		near[i].to = tight
	}
	return append(rows, near...)
}

// rateRows come while shop has 1.5 s to wait.
func rateRows(t *testing.T) []row {
	t.Helper()
	span := post("/v1/traces", jsonType, jsonOf(t, requestOf(traces)))
	var rows []row
	for s := range signals {
		rows = append(rows, refusedAnyWay("over the rate, "+s.String(), waysOf(t, s), rateLimited)...)
	}
	rows = append(rows,
		refused("over the rate, events", post("/", "", []byte(`{}`)), rateLimited),
		refused("over the rate, other token", span.authorized("Bearer "+shopNewToken), rateLimited),
		refused("over the rate, unread", span.with("Content-Encoding", "gzip"), rateLimited),
		refused("over the rate, GET", span.by("GET"), methodRefused("GET")),
		refused("over the rate, text", post("/v1/traces", "text/plain", nil), wrongType),
		accepted("over the rate, other source", span.authorized("Bearer "+otherToken), 1).from("billing"),
		accepted("over the rate, other source, gRPC", export(logs, protoOf(t, requestOf(logs))).authorized("Bearer "+otherToken), 1).from("billing"),
	)
	for i := range rows {
		rows[i].to = overdrawn
	}
	return rows
}

// errInternal is not to reach a client as what it says it is.
var errInternal = fmt.Errorf("exporter: %w", status.Error(codes.Internal, "broken"))

func pipelineRows(t *testing.T) []row {
	t.Helper()
	var rows []row
	for s := range signals {
		for _, r := range refusedAnyWay("pipeline full, "+s.String(), waysOf(t, s), unavailable("memory limit")) {
			rows = append(rows, r.at(full).losing(1))
		}
		for _, r := range refusedAnyWay("pipeline refuses, "+s.String(), waysOf(t, s), refusedForGood("Permanent error: bad \uFFFD batch")) {
			rows = append(rows, r.at(refusing).losing(1))
		}
	}
	for _, r := range refusedAnyWay("pipeline answers Internal", waysOf(t, traces), unavailable(errInternal.Error())) {
		rows = append(rows, r.at(confused).losing(1))
	}
	events := post("/", "", []byte("{\"a\":1}\n{\"a\":2}"))
	mixed := spansJSON(`"name":"bad"`, aGoodSpan)
	return append(rows,
		refused("pipeline full, events", events, unavailable("memory limit")).at(full).losing(2),
		refused("pipeline refuses, events", events, refusedForGood("Permanent error: bad \uFFFD batch")).at(refusing).losing(2),
		// The client sends all of it again: the bad span is told of then.
		refused("pipeline full, a span bad", post("/v1/traces", jsonType, mixed), unavailable("memory limit")).at(full).losing(1),
	)
}
