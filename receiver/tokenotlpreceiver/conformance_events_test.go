package tokenotlpreceiver

import (
	"strconv"
	"strings"
	"testing"
)

// event is a log event as it arrives, with the members of its body as pdata
// writes them.
func event(members ...string) string {
	return `{"observedTimeUnixNano":"1795253400123456789","body":{"kvlistValue":{"values":[` + strings.Join(members, ",") + `]}}}`
}

func eventsOf(body string) call { return post("/", "", []byte(body)) }

// eventRows are of JSON log events as people send them.
func eventRows(*testing.T) []row {
	one, two := event(`{"key":"a","value":{"intValue":"1"}}`), event(`{"key":"a","value":{"intValue":"2"}}`)
	rows := []row{
		accepted("event", eventsOf(`{"a":1}`), 0).arriving(one),
		accepted("event without members", eventsOf(`{}`), 1).arriving(`{"observedTimeUnixNano":"1795253400123456789","body":{"kvlistValue":{}}}`),
		accepted("event and a line end", eventsOf("{\"a\":1}\n"), 0).arriving(one),
		accepted("event over several lines", eventsOf("{\n  \"a\": 1\n}\n"), 0).arriving(one),
		accepted("array", eventsOf(`[{"a":1},{"a":2}]`), 0).arriving(one, two),
		accepted("array over several lines", eventsOf("[\n  {\"a\":1},\n  {\"a\":2}\n]\n"), 0).arriving(one, two),
		accepted("empty array", eventsOf(`[]`), 0),
		accepted("two arrays", eventsOf("[{\"a\":1}]\n[{\"a\":2}]"), 0).arriving(one, two),
		accepted("lines", eventsOf("{\"a\":1}\n{\"a\":2}\n"), 0).arriving(one, two),
		accepted("lines that end in CR LF", eventsOf("{\"a\":1}\r\n{\"a\":2}\r\n"), 0).arriving(one, two),
		accepted("no line end between", eventsOf(`{"a":1}{"a":2}`), 0).arriving(one, two),
		accepted("blank lines", eventsOf("\n\n{\"a\":1}\n\n \t\n{\"a\":2}\n\n"), 0).arriving(one, two),
		accepted("no event", eventsOf(""), 0),
		accepted("blanks for events", eventsOf(" \r\n\t\n"), 0),
		accepted("byte order mark before events", eventsOf("\xef\xbb\xbf{\"a\":1}"), 0).arriving(one),
		accepted("events in chunks", eventsOf("{\"a\":1}\n{\"a\":2}").inChunks(), 0).arriving(one, two),
		accepted("event with time and level", eventsOf(`{"dt":"2026-11-21T09:30:00Z","message":"order paid","level":"info","span":{"id":"00f067aa0ba902b7"}}`), 0).arriving(event(
			`{"key":"dt","value":{"stringValue":"2026-11-21T09:30:00Z"}}`, `{"key":"message","value":{"stringValue":"order paid"}}`,
			`{"key":"level","value":{"stringValue":"info"}}`,
			`{"key":"span","value":{"kvlistValue":{"values":[{"key":"id","value":{"stringValue":"00f067aa0ba902b7"}}]}}}`)),
		accepted("event with IDs", eventsOf(`{"trace_id":"`+traceDigits+`","span_id":null}`), 0).
			arriving(event(`{"key":"trace_id","value":{"stringValue":"`+traceDigits+`"}}`, `{"key":"span_id","value":{}}`)),
	}
	rows[0].whole = `{"resourceLogs":[{"resource":{"attributes":[{"key":"spanlake.source","value":{"stringValue":"shop"}}]},"scopeLogs":[{"scope":{},"logRecords":[` + one + `]}]}]}`
	for _, contentType := range []string{jsonType, "application/x-ndjson", "application/x-www-form-urlencoded", "text/plain; charset=utf-8", protoType, "nonsense", "a/b; c"} {
		rows = append(rows, accepted("events as "+contentType, post("/", contentType, []byte(`{"a":1}`)), 0).arriving(one))
	}
	return rows
}

// partlyEvents is a request of events of which some are bad.
func partlyEvents(name string, c call, lost int, body string, kept ...string) row {
	r := accepted(name, c, 0).arriving(kept...).losing(lost)
	r.want.body = body
	return r
}

// eventFaultRows lose events, and say which.
func eventFaultRows(*testing.T) []row {
	one, two := event(`{"key":"a","value":{"intValue":"1"}}`), event(`{"key":"a","value":{"intValue":"2"}}`)
	const noObject = "an event must be a JSON object"
	errorAt := func(line, message string) string {
		return `{"line":` + line + `,"message":"` + strings.ReplaceAll(message, `"`, `\"`) + `"}`
	}
	var twenty []string
	for line := 2; line <= 21; line++ {
		twenty = append(twenty, errorAt(strconv.Itoa(line), noObject))
	}
	all := func(name, body, message string, lost int) row {
		return refused(name, eventsOf(body), malformed("no event could be read: "+message)).losing(lost)
	}
	return []row{
		partlyEvents("a bad line", eventsOf("{\"a\":1}\nhello\n{\"a\":2}\n"), 1, `{"accepted":2,"rejected":1,"errors":[`+errorAt("2", noObject)+`]}`, one, two),
		partlyEvents("bad lines", eventsOf("{\"a\":1}\nhello\n{\"a\":2}\n{\"a\":\n"), 2,
			`{"accepted":2,"rejected":2,"errors":[`+errorAt("2", noObject)+`,`+errorAt("4", "unexpected end")+`]}`, one, two),
		partlyEvents("bad lines that end in CR LF", eventsOf("{\"a\":1}\r\n\r\nhello\r\n{\"a\":2}\r\n"), 1, `{"accepted":2,"rejected":1,"errors":[`+errorAt("3", noObject)+`]}`, one, two),
		partlyEvents("a bad line at first", eventsOf("x\n{\"a\":1}"), 1, `{"accepted":1,"rejected":1,"errors":[`+errorAt("1", noObject)+`]}`, one),
		partlyEvents("a bad event over several lines", eventsOf("{\n  \"a\": tru\n}\n{\"a\":1}"), 1, `{"accepted":1,"rejected":1,"errors":[{"line":1,"last_line":3,"message":"unexpected 't' where true, false or null should be"}]}`, one),
		partlyEvents("an element that is no object", eventsOf("[{\"a\":1},\n5,\n{\"a\":2}]"), 1, `{"accepted":2,"rejected":1,"errors":[`+errorAt("2", noObject)+`]}`, one, two),
		partlyEvents("a bad array in a line", eventsOf("[{\"a\":1},{]\n{\"a\":2}"), 1, `{"accepted":2,"rejected":1,"errors":[`+errorAt("1", "unexpected ']' where a key should be")+`]}`, one, two),
		partlyEvents("a bad array over several lines", eventsOf("[{\"a\":1},\n{\"a\":tru},\n{\"a\":2}\n]"), 1, `{"accepted":2,"rejected":1,"errors":[`+errorAt("2", "unexpected 't' where true, false or null should be")+`]}`, one, two),
		partlyEvents("an array without an end", eventsOf("[\n{\"a\":1}\n{\"a\":2}"), 1, `{"accepted":2,"rejected":1,"errors":[`+errorAt("1", "unexpected '{' where a comma or a bracket should be")+`]}`, one, two),
		partlyEvents("an array cut off", eventsOf(`[{"a":1}`), 1, `{"accepted":1,"rejected":1,"errors":[`+errorAt("1", "unexpected end")+`]}`, one),
		partlyEvents("an event cut off before another", eventsOf("{\"x\":\n{\"a\":1}\n{\"a\":2}"), 1, `{"accepted":2,"rejected":1,"errors":[`+errorAt("1", "unexpected '{' where a comma or a brace should be")+`]}`, one, two),
		partlyEvents("an indented event after a bad line", eventsOf("x\n\t{\"a\":1}\n"), 1, `{"accepted":1,"rejected":1,"errors":[`+errorAt("1", noObject)+`]}`, one),
		partlyEvents("more faults than are told", eventsOf("{\"a\":1}\n"+strings.Repeat("x\n", 30)), 30, `{"accepted":1,"rejected":30,"errors":[`+strings.Join(twenty, ",")+`]}`, one),
		partlyEvents("an event too deep", eventsOf("{\"a\":1}\n"+strings.Repeat(`{"a":`, 65)+"1"+strings.Repeat("}", 65)), 1,
			`{"accepted":1,"rejected":1,"errors":[`+errorAt("2", "nests deeper than 64 levels")+`]}`, one),
		accepted("an event as deep as may be", eventsOf(strings.Repeat(`{"a":`, 64)+"1"+strings.Repeat("}", 64)), 1),
		all("one event, bad", "\n\n{\"a\":tru}", "line 3: unexpected 't' where true, false or null should be", 1),
		all("all events bad", "a\nb\nc", "line 1: an event must be a JSON object (and 2 more)", 3),
		all("a string for an event", `"hello"`, "line 1: an event must be a JSON object", 1),
		all("a form for an event", "message=hello&level=info", "line 1: an event must be a JSON object", 1),
		all("an event cut off", `{"a":1`, "line 1: unexpected end", 1),
		all("an array of no objects", `[1,2]`, "line 1: an event must be a JSON object (and 1 more)", 2),
		all("protobuf for an event", "\x0a\x02\x12\x00", "line 2: an event must be a JSON object", 1),
		all("an event of too many levels", strings.Repeat(`{"a":`, 100_000), "line 1: nests deeper than 64 levels", 1),
		all("comma at the end of an event", `{"a":1,}`, "line 1: unexpected '}' where a key should be", 1),
		all("single quotes in an event", `{'a':1}`, `line 1: unexpected '\'' where a key should be`, 1),
		all("a control character in an event", "{\"a\":\"\x01\"}", "line 1: control character 0x01 in a string must be escaped", 1),
	}
}

// eventValueRows are of what a value may be.
func eventValueRows(*testing.T) []row {
	var rows []row
	add := func(name, written, want string) {
		rows = append(rows, accepted("event value: "+name, eventsOf(`{"a":`+written+`}`), 0).arriving(event(`{"key":"a","value":`+want+`}`)))
	}
	add("string", `"x\"\\\/\b\f\n\r\t\u00e9"`, `{"stringValue":"x\"\\/\u0008\u000c\n\r\té"}`)
	add("empty string", `""`, `{"stringValue":""}`)
	add("surrogate pair", `"\ud83d\ude00"`, `{"stringValue":"😀"}`)
	add("half a surrogate pair", `"\ud83d"`, `{"stringValue":"`+"\uFFFD"+`"}`)
	add("not UTF-8", "\"\xff\"", `{"stringValue":"`+"\uFFFD"+`"}`)
	add("true", `true`, `{"boolValue":true}`)
	add("false", `false`, `{"boolValue":false}`)
	add("null", `null`, `{}`)
	add("zero", `0`, `{"intValue":"0"}`)
	add("integer", `-12`, `{"intValue":"-12"}`)
	add("largest integer", `9223372036854775807`, `{"intValue":"9223372036854775807"}`)
	add("integer beyond 64 bits", `18446744073709551615`, `{"stringValue":"18446744073709551615"}`)
	add("double", `1.5`, `{"doubleValue":1.5}`)
	add("double with an exponent", `1e3`, `{"doubleValue":1000}`)
	add("double beyond 64 bits", `1e999`, `{"stringValue":"1e999"}`)
	add("list", `[1,"x",[],{}]`, `{"arrayValue":{"values":[{"intValue":"1"},{"stringValue":"x"},{"arrayValue":{}},{"kvlistValue":{}}]}}`)
	add("map", `{"b":{"c":1}}`, `{"kvlistValue":{"values":[{"key":"b","value":{"kvlistValue":{"values":[{"key":"c","value":{"intValue":"1"}}]}}}]}}`)
	return append(rows,
		accepted("event with equal keys", eventsOf(`{"a":1,"b":2,"a":3}`), 0).arriving(event(`{"key":"b","value":{"intValue":"2"}}`, `{"key":"a","value":{"intValue":"3"}}`)),
		accepted("event with equal keys by an escape", eventsOf(`{"a":1,"\u0061":2}`), 0).arriving(event(`{"key":"a","value":{"intValue":"2"}}`)),
		accepted("event with equal keys further in", eventsOf(`{"x":{"a":1,"a":2}}`), 0).
			arriving(event(`{"key":"x","value":{"kvlistValue":{"values":[{"key":"a","value":{"intValue":"2"}}]}}}`)),
		accepted("event with an empty key", eventsOf(`{"":1}`), 0).arriving(event(`{"value":{"intValue":"1"}}`)),
		accepted("event with a key that is not UTF-8", eventsOf("{\"\xff\":1}"), 0).arriving(event(`{"key":"`+"\uFFFD"+`","value":{"intValue":"1"}}`)),
	)
}
