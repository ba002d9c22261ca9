package tokenotlpreceiver

import (
	"fmt"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/otlptest"
)

// partly is a request of spans of which some were left out.
func partly(name string, s sendable, lost int, text string, kept ...string) row {
	r := accepted(name, s, 0).arriving(kept...).losing(lost)
	if r.want.status == 0 || r.want.headers["Content-Type"][0] == protoType {
		response := ptraceotlp.NewExportResponse()
		response.PartialSuccess().SetRejectedSpans(int64(lost))
		response.PartialSuccess().SetErrorMessage(text)
		body, err := response.MarshalProto()
		if err != nil {
			panic(err)
		}
		r.want.body = string(body)
		return r
	}
	escaped := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text)
	r.want.body = fmt.Sprintf(`{"partialSuccess":{"rejectedSpans":"%d","errorMessage":"%s"}}`, lost, escaped)
	return r
}

// partialRows lose spans for their own IDs, and never more than those.
func partialRows(*testing.T) []row {
	trace, span := rawIDs()
	const first = `resourceSpans[0].scopeSpans[0].spans[0]`
	zeroTrace, zeroSpan := strings.Repeat("\x00", 16), strings.Repeat("\x00", 8)
	good := spanItem(traceDigits, spanDigits, "")
	var rows []row
	add := func(name string, inJSON, inProto []byte, lost int, text string, kept ...string) {
		rows = append(rows, anyWay(name, ways(traces, inJSON, inProto), func(name string, s sendable) row {
			return partly(name, s, lost, text, kept...)
		})...)
	}
	for _, fault := range []struct{ name, inJSON, trace, span string }{
		{"trace ID missing", `"spanId":"` + spanDigits + `"`, "", span},
		{"trace ID zero", `"traceId":"00000000000000000000000000000000","spanId":"` + spanDigits + `"`, zeroTrace, span},
		{"trace ID unreadable", `"traceId":"none","spanId":"` + spanDigits + `"`, "none", span},
		{"span ID missing", `"traceId":"` + traceDigits + `"`, trace, ""},
		{"span ID zero", `"traceId":"` + traceDigits + `","spanId":"0000000000000000"`, trace, zeroSpan},
		{"span ID unreadable", `"traceId":"` + traceDigits + `","spanId":"?"`, trace, "?"},
	} {
		add(fault.name, spansJSON(fault.inJSON+`,"name":"a"`, aGoodSpan), spansProto([3]string{fault.trace, fault.span, "a"}, [3]string{trace, span}), 1,
			"1 of 2 spans rejected ("+fault.name+": 1); the first is "+first+`, named "a"`, good)
	}
	inJSON, inProto, kept := make([]string, 1000), make([][3]string, 1000), make([]string, 999)
	for i := range inJSON {
		inJSON[i], inProto[i] = aGoodSpan, [3]string{trace, span}
	}
	for i := range kept {
		kept[i] = good
	}
	inJSON[417] = `"traceId":"` + traceDigits + `","spanId":"0000000000000000","name":"GET /cart"`
	inProto[417] = [3]string{trace, zeroSpan, "GET /cart"}
	add("one bad span of a thousand", spansJSON(inJSON...), spansProto(inProto...), 1,
		`1 of 1000 spans rejected (span ID zero: 1); the first is resourceSpans[0].scopeSpans[0].spans[417], named "GET /cart"`, kept...)
	add("all spans bad", spansJSON(`"name":"a"`, `"name":"b","traceId":null,"spanId":""`), spansProto([3]string{"", "", "a"}, [3]string{"", "", "b"}), 2,
		"2 of 2 spans rejected (trace ID missing: 2); the first is "+first+`, named "a"`)
	add("several faults", spansJSON(aGoodSpan, ``, `"traceId":"`+traceDigits+`","spanId":"x"`, `"traceId":"x"`), spansProto([3]string{trace, span}, [3]string{}, [3]string{trace, "x"}, [3]string{"x", ""}), 3,
		`3 of 4 spans rejected (trace ID missing: 1, trace ID unreadable: 1, span ID unreadable: 1); the first is resourceSpans[0].scopeSpans[0].spans[1], named ""`, good)
	long := strings.Repeat("é", 40)
	add("long name", spansJSON(`"name":"`+long+`"`), spansProto([3]string{"", "", long}), 1,
		"1 of 1 spans rejected (trace ID missing: 1); the first is "+first+`, named "`+strings.Repeat("é", 32)+`…"`)
	add("name with quotes and tags", spansJSON(`"name":"<a href=\"x\">&\n"`), spansProto([3]string{"", "", "<a href=\"x\">&\n"}), 1,
		"1 of 1 spans rejected (trace ID missing: 1); the first is "+first+`, named "<a href=\"x\">&\n"`)
	read := partly("several repairs", post("/v1/traces", protoType, spansProto(
		[3]string{traceDigits, span, "n\xffame"}, [3]string{trace, spanDigits, "x"}, [3]string{"?", span, "bad"})), 1,
		`1 of 3 spans rejected (trace ID unreadable: 1); the first is resourceSpans[0].scopeSpans[0].spans[2], named "bad"`,
		spanItem(traceDigits, spanDigits, `,"name":"n`+"\uFFFD"+`ame"`), spanItem(traceDigits, spanDigits, `,"name":"x"`))
	rows = append(rows, read.mending("id_read", 2).mending("utf8_replaced", 1))
	elsewhere := `{"resourceSpans":[{},{"scopeSpans":[{},{"spans":[` + aSpan + `,{}]}]}]}`
	spans := append(message(2, append(message(1, []byte(trace)), message(2, []byte(span))...)), message(2, nil)...)
	add("position in the request", []byte(elsewhere), append(message(1, nil), message(1, append(message(2, nil), message(2, spans)...))...), 1,
		`1 of 2 spans rejected (trace ID missing: 1); the first is resourceSpans[1].scopeSpans[1].spans[1], named ""`, good)
	return rows
}

// textRows have bytes that are not UTF-8.
func textRows(*testing.T) []row {
	trace, span := rawIDs()
	ids := append(message(1, []byte(trace)), message(2, []byte(span))...)
	attribute := append(message(1, []byte("k\xff")), message(2, message(1, []byte("v\xc3\x28")))...)
	var rows []row
	add := func(name string, s signal, inJSON string, inProto []byte, replaced int64, want string) {
		rows = append(rows, anyWay("not UTF-8: "+name, ways(s, []byte(inJSON), inProto), func(name string, s sendable) row {
			return accepted(name, s, 1).arriving(want).mending("utf8_replaced", replaced)
		})...)
	}
	add("name", traces, string(spansJSON(aGoodSpan+",\"name\":\"n\xffame\"")), nested(append(ids, message(5, []byte("n\xffame"))...), inSpan...), 1,
		spanItem(traceDigits, spanDigits, `,"name":"n`+"\uFFFD"+`ame"`))
	add("key and value", traces, string(spansJSON(aGoodSpan+",\"attributes\":[{\"key\":\"k\xff\",\"value\":{\"stringValue\":\"v\xc3\x28\"}}]")),
		nested(append(ids, message(9, attribute)...), inSpan...), 2,
		spanItem(traceDigits, spanDigits, `,"attributes":[{"key":"k`+"\uFFFD"+`","value":{"stringValue":"v`+"\uFFFD("+`"}}]`))
	add("body", logs, "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":{\"stringValue\":\"\xff\xfe\"}}]}]}]}", nested([]byte("\xff\xfe"), 1, 2, 2, 5, 1), 1,
		`{"body":{"stringValue":"`+"\uFFFD"+`"}}`)
	add("unit", metrics, "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"unit\":\"\xff\",\"gauge\":{\"dataPoints\":[{}]}}]}]}]}",
		nested(append(message(3, []byte("\xff")), nested(nil, 5, 1)...), 1, 2, 2), 1, `{"unit":"`+"\uFFFD"+`","gauge":{"dataPoints":[{}]}}`)
	everywhere := accepted("not UTF-8: wherever text is", post("/v1/traces", jsonType, []byte("{\"resourceSpans\":[{\"schemaUrl\":\"\xff\",\"scopeSpans\":[{\"schemaUrl\":\"\xff\","+
		"\"scope\":{\"name\":\"\xff\",\"version\":\"\xff\"},\"spans\":[{"+aGoodSpan+",\"traceState\":\"\xff\",\"events\":[{\"name\":\"\xff\"}],\"status\":{\"message\":\"\xff\"}}]}]}]}")), 1).
		arriving(`{"traceId":"` + traceDigits + `","spanId":"` + spanDigits + `","traceState":"` + "\uFFFD" + `","events":[{"name":"` + "\uFFFD" + `"}],"status":{"message":"` + "\uFFFD" + `"}}`)
	return append(rows, everywhere.mending("utf8_replaced", 7), accepted("half a surrogate pair", post("/v1/traces", jsonType, spansJSON(aGoodSpan+`,"name":"a\ud83d"`)), 1).
		arriving(spanItem(traceDigits, spanDigits, `,"name":"a`+"\uFFFD"+`"`)))
}

// keep puts into m what forge does, but for what is reserved.
func keep(m pcommon.Map) { m.PutStr("kept", "x") }

// reservedRows name themselves another source, and more, wherever attributes are.
func reservedRows(t *testing.T) []row {
	t.Helper()
	reqs := func(put func(pcommon.Map)) [signals]otlptest.Request {
		return [signals]otlptest.Request{
			traces:  ptraceotlp.NewExportRequestFromTraces(forgedTraces(put)),
			logs:    plogotlp.NewExportRequestFromLogs(forgedLogs(put)),
			metrics: pmetricotlp.NewExportRequestFromMetrics(forgedMetrics(put)),
		}
	}
	forged, kept := reqs(forge), reqs(keep)
	const ofResource, stamped = `"resource":{"attributes":[{"key":"kept","value":{"stringValue":"x"}}`, `,{"key":"spanlake.source","value":{"stringValue":"shop"}}`
	var rows []row
	for s := range signals {
		want := strings.Replace(string(jsonOf(t, kept[s])), ofResource, ofResource+stamped, 1)
		items := map[signal]int{traces: 1, logs: 1, metrics: 5}[s]
		for _, r := range anyWay("reserved keys, "+s.String(), ways(s, jsonOf(t, forged[s]), protoOf(t, forged[s])), func(name string, send sendable) row { return accepted(name, send, items) }) {
			r.whole = want
			rows = append(rows, r)
		}
		escaped := strings.ReplaceAll(string(jsonOf(t, forged[s])), "spanlake.", `\u0073panlake\u002e`)
		r := accepted("reserved keys, "+s.String()+", escapes", post(paths[s], jsonType, []byte(escaped)), items)
		r.whole = want
		rows = append(rows, r)
	}
	return append(rows,
		accepted("reserved keys, events", post("/", "", []byte(`{"spanlake.source":"billing","a":{"spanlake.x":1},"spanlake.retention":"../../x"}`)), 1).
			arriving(event(`{"key":"a","value":{"kvlistValue":{"values":[{"key":"spanlake.x","value":{"intValue":"1"}}]}}}`)),
		accepted("a key that is like a reserved one", post("/", "", []byte(`{"Spanlake.source":"x","spanlake":1}`)), 1).
			arriving(event(`{"key":"Spanlake.source","value":{"stringValue":"x"}}`, `{"key":"spanlake","value":{"intValue":"1"}}`)),
	)
}

// relayRows are of a source that may hand on the sources of others.
func relayRows(t *testing.T) []row {
	t.Helper()
	var rows []row
	for _, of := range []struct{ name, attributes, source string }{
		{"the source of another", str("spanlake.retention", "1d") + "," + str("spanlake.source", "edge-7"), "edge-7"},
		{"no source", str("a", "b"), "shop"},
		{"a source that is no name", str("spanlake.source", "../x"), "shop"},
	} {
		body := resourceOf(traces, of.attributes)
		for _, r := range anyWay("relay, "+of.name, ways(traces, body, asProto(t, traces, body)), func(name string, send sendable) row { return accepted(name, send, 1) }) {
			r.stamp = of.source
			rows = append(rows, r.at(relayed))
		}
	}
	return append(rows, accepted("relay, events", eventsOf(`{"spanlake.source":"edge-7"}`), 1).at(relayed))
}
