package tokenotlpreceiver

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

const (
	traceDigits = "4bf92f3577b34da6a3ce929d0e0e4736"
	spanDigits  = "00f067aa0ba902b7"

	// aGoodSpan are the members of a span that is well.
	aGoodSpan = `"traceId":"` + traceDigits + `","spanId":"` + spanDigits + `"`
	aSpan     = `{` + aGoodSpan + `}`
	halfTrace = "0000000000000000" + spanDigits
)

// spansJSON is a request of spans that are given as the members of their objects.
func spansJSON(spans ...string) []byte {
	return []byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[{` + strings.Join(spans, "},{") + `}]}]}]}`)
}

// spansProto is a request of spans that are given by IDs as they are on the
// wire, and name.
func spansProto(spans ...[3]string) []byte {
	var scope []byte
	for _, s := range spans {
		ids := append(message(1, []byte(s[0])), message(2, []byte(s[1]))...)
		scope = append(scope, message(2, append(ids, message(5, []byte(s[2]))...))...)
	}
	return nested(scope, 1, 2)
}

func rawIDs() (trace, span string) {
	t, _ := hex.DecodeString(traceDigits)
	s, _ := hex.DecodeString(spanDigits)
	return string(t), string(s)
}

// spanItem is a span as it arrives, with more members. pdata writes the status
// of each.
func spanItem(trace, span, more string) string {
	if !strings.Contains(more, `"status"`) {
		more += `,"status":{}`
	}
	return fmt.Sprintf(`{"traceId":%q,"spanId":%q%s}`, trace, span, more)
}

// idForm is a way to write an ID.
type idForm struct {
	name, text string
	repairs    int64
}

// formsOfID are those of the README that trace and span IDs share: in JSON and
// in bytes fields of protobuf.
func formsOfID(digits string) (inJSON, inProto []idForm) {
	raw, _ := hex.DecodeString(digits)
	misread, _ := base64.StdEncoding.DecodeString(digits)
	upper := strings.ToUpper(digits)
	texts := []idForm{
		{"base64", base64.StdEncoding.EncodeToString(raw), 1},
		{"base64 of URLs", base64.URLEncoding.EncodeToString(raw), 1},
		{"base64 of digits", base64.StdEncoding.EncodeToString([]byte(digits)), 1},
		{"base64 of upper-case digits", base64.StdEncoding.EncodeToString([]byte(upper)), 1},
		{"digits of misread digits", hex.EncodeToString(misread), 1},
	}
	inJSON = append([]idForm{{"digits", digits, 0}, {"upper-case digits", upper, 0}}, texts...)
	inProto = append([]idForm{{"bytes", string(raw), 0}, {"digits", digits, 1}, {"upper-case digits", upper, 1}, {"misread digits", string(misread), 1}}, texts...)
	return inJSON, inProto
}

func mended(r row, n int64) row {
	if n == 0 {
		return r
	}
	return r.mending("id_read", n)
}

func traceIDRows(*testing.T) []row {
	inJSON, inProto := formsOfID(traceDigits)
	uuid := traceDigits[:8] + "-" + traceDigits[8:12] + "-" + traceDigits[12:16] + "-" + traceDigits[16:20] + "-" + traceDigits[20:]
	half, _ := hex.DecodeString(spanDigits)
	inJSON = append(inJSON, idForm{"UUID", uuid, 1}, idForm{"UUID in capitals", strings.ToUpper(uuid), 1}, idForm{"64 bits", spanDigits, 1})
	inProto = append(inProto, idForm{"UUID", uuid, 1}, idForm{"64 bits", string(half), 1})
	want := func(form idForm) string {
		if form.name == "64 bits" {
			return spanItem(halfTrace, spanDigits, "")
		}
		return spanItem(traceDigits, spanDigits, "")
	}
	_, span := rawIDs()
	rows := []row{
		// Sixteen bytes are the ID, whatever they spell.
		accepted("trace ID in protobuf: 16 digits", post("/v1/traces", protoType, spansProto([3]string{spanDigits, span})), 1).
			arriving(spanItem(hex.EncodeToString([]byte(spanDigits)), spanDigits, "")),
		accepted("span ID in protobuf: 8 digits", post("/v1/traces", protoType, spansProto([3]string{traceDigits, spanDigits[:8]})), 1).
			arriving(spanItem(traceDigits, hex.EncodeToString([]byte(spanDigits[:8])), "")).mending("id_read", 1),
	}
	for _, form := range inJSON {
		body := spansJSON(fmt.Sprintf(`"traceId":%q,"spanId":%q`, form.text, spanDigits))
		rows = append(rows, mended(accepted("trace ID in JSON: "+form.name, post("/v1/traces", jsonType, body), 1).arriving(want(form)), form.repairs))
	}
	for _, form := range inProto {
		body := spansProto([3]string{form.text, span})
		rows = append(rows,
			mended(accepted("trace ID in protobuf: "+form.name, post("/v1/traces", protoType, body), 1).arriving(want(form)), form.repairs),
			mended(accepted("trace ID in gRPC: "+form.name, export(traces, body), 1).arriving(want(form)), form.repairs),
		)
	}
	return rows
}

func spanIDRows(*testing.T) []row {
	inJSON, inProto := formsOfID(spanDigits)
	trace, _ := rawIDs()
	want := spanItem(traceDigits, spanDigits, "")
	var rows []row
	for _, form := range inJSON {
		body := spansJSON(fmt.Sprintf(`"traceId":%q,"spanId":%q`, traceDigits, form.text))
		rows = append(rows, mended(accepted("span ID in JSON: "+form.name, post("/v1/traces", jsonType, body), 1).arriving(want), form.repairs))
	}
	for _, form := range inProto {
		body := spansProto([3]string{trace, form.text})
		rows = append(rows,
			mended(accepted("span ID in protobuf: "+form.name, post("/v1/traces", protoType, body), 1).arriving(want), form.repairs),
			mended(accepted("span ID in gRPC: "+form.name, export(traces, body), 1).arriving(want), form.repairs),
		)
	}
	return rows
}

// otherIDRows are of the IDs of links, log records and exemplars: a record is
// never lost for them.
func otherIDRows(*testing.T) []row {
	trace, span := rawIDs()
	ids := func(traceField, spanField byte, trace, span string) []byte {
		return append(message(traceField, []byte(trace)), message(spanField, []byte(span))...)
	}
	type kind struct {
		name              string
		signal            signal
		json              string // with verbs for the trace and the span ID
		proto             func(trace, span string) []byte
		want, wantWithout string
	}
	link := kind{
		"link", traces,
		`{"resourceSpans":[{"scopeSpans":[{"spans":[{` + aGoodSpan + `,"links":[{"traceId":%q,"spanId":%q}]}]}]}]}`,
		func(t, s string) []byte {
			return nested(append(ids(1, 2, trace, span), message(13, ids(1, 2, t, s))...), inSpan...)
		},
		spanItem(traceDigits, spanDigits, `,"links":[{"traceId":"`+traceDigits+`","spanId":"`+spanDigits+`"}]`),
		spanItem(traceDigits, spanDigits, `,"links":[{}]`),
	}
	record := kind{
		"log record", logs,
		`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"traceId":%q,"spanId":%q}]}]}]}`,
		func(t, s string) []byte { return nested(ids(9, 10, t, s), 1, 2, 2) },
		`{"body":{},"traceId":"` + traceDigits + `","spanId":"` + spanDigits + `"}`, `{"body":{}}`,
	}
	exemplar := kind{
		"exemplar", metrics,
		`{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"gauge":{"dataPoints":[{"exemplars":[{"traceId":%q,"spanId":%q}]}]}}]}]}]}`,
		func(t, s string) []byte { return nested(ids(5, 4, t, s), 1, 2, 2, 5, 1, 5) },
		`{"gauge":{"dataPoints":[{"exemplars":[{"traceId":"` + traceDigits + `","spanId":"` + spanDigits + `"}]}]}}`,
		`{"gauge":{"dataPoints":[{"exemplars":[{}]}]}}`,
	}
	var rows []row
	for _, k := range []kind{link, record, exemplar} {
		both := func(name, trace, span string, made func(row) row) {
			rows = append(rows, anyWay(k.name+", "+name, ways(k.signal, fmt.Appendf(nil, k.json, trace, span), k.proto(trace, span)), func(name string, s sendable) row {
				return made(accepted(name, s, 1))
			})...)
		}
		read := func(r row) row { return r.arriving(k.want).mending("id_read", 2) }
		without := func(r row) row { return r.arriving(k.wantWithout) }
		dropped := func(r row) row { return without(r).mending("id_dropped", 2) }
		both("IDs in base64", base64.StdEncoding.EncodeToString([]byte(trace)), base64.StdEncoding.EncodeToString([]byte(span)), read)
		both("empty IDs", "", "", without)
		both("unreadable IDs", "unknown", "?", dropped)
		both("IDs a digit short", traceDigits[1:], spanDigits[1:], dropped)
		zeros := func(r row) row { return without(r) }
		rows = append(rows,
			zeros(accepted(k.name+", IDs of zeros, JSON", post(paths[k.signal], jsonType, fmt.Appendf(nil, k.json, strings.Repeat("0", 32), strings.Repeat("0", 16))), 1)),
			zeros(accepted(k.name+", IDs of zeros, protobuf", post(paths[k.signal], protoType, k.proto(strings.Repeat("\x00", 16), strings.Repeat("\x00", 8))), 1)),
		)
	}
	return rows
}

// parentRows are of parentSpanId: a span is never lost for it.
func parentRows(*testing.T) []row {
	trace, span := rawIDs()
	root, child := spanItem(traceDigits, spanDigits, ""), spanItem(traceDigits, spanDigits, `,"parentSpanId":"`+spanDigits+`"`)
	inJSON := func(parent string) sendable {
		return post("/v1/traces", jsonType, spansJSON(aGoodSpan+`,"parentSpanId":`+parent))
	}
	inProto := func(parent string) sendable {
		ids := append(message(1, []byte(trace)), message(2, []byte(span))...)
		return post("/v1/traces", protoType, nested(append(ids, message(4, []byte(parent))...), inSpan...))
	}
	return []row{
		accepted("parent in JSON: none", post("/v1/traces", jsonType, spansJSON(aGoodSpan)), 1).arriving(root),
		accepted("parent in JSON: null", inJSON(`null`), 1).arriving(root),
		accepted("parent in JSON: empty", inJSON(`""`), 1).arriving(root),
		accepted("parent in JSON: zeros", inJSON(`"0000000000000000"`), 1).arriving(root),
		accepted("parent in JSON: digits", inJSON(`"`+spanDigits+`"`), 1).arriving(child),
		accepted("parent in JSON: base64", inJSON(`"APBnqgupArc="`), 1).arriving(child).mending("id_read", 1),
		accepted("parent in JSON: unreadable", inJSON(`"none"`), 1).arriving(root).mending("id_dropped", 1),
		accepted("parent in JSON: a trace ID", inJSON(`"`+traceDigits+`"`), 1).arriving(root).mending("id_dropped", 1),
		accepted("parent in JSON: escapes", inJSON(`"\u0030\u0030f067aa0ba902b7"`), 1).arriving(child).mending("id_read", 1),
		refused("parent in JSON: a number", inJSON(`0`), malformed("malformed message: resourceSpans.scopeSpans.spans.parentSpanId at byte 132: not a string")),
		accepted("parent in protobuf: empty", inProto(""), 1).arriving(root),
		accepted("parent in protobuf: zeros", inProto(strings.Repeat("\x00", 8)), 1).arriving(root),
		accepted("parent in protobuf: bytes", inProto(span), 1).arriving(child),
		accepted("parent in protobuf: digits", inProto(spanDigits), 1).arriving(child).mending("id_read", 1),
		accepted("parent in protobuf: unreadable", inProto("none"), 1).arriving(root).mending("id_dropped", 1),
		accepted("parent in protobuf: one zero", inProto("\x00"), 1).arriving(root).mending("id_dropped", 1),
	}
}
