package tokenotlpreceiver

import "testing"

// inSpanJSON is a request of a good span with more members.
func inSpanJSON(members string) call {
	return post("/v1/traces", jsonType, spansJSON(aGoodSpan+","+members))
}

// lenientRows are in JSON that senders write beside the letter of OTLP.
func lenientRows(*testing.T) []row {
	const attribute = `,"attributes":[{"key":"a","value":{"stringValue":"b"}}]`
	with := func(members string) string { return spanItem(traceDigits, spanDigits, members) }
	return []row{
		accepted("white space", post("/v1/traces", jsonType, []byte(" \r\n{\t\"resourceSpans\" : [ {\"scopeSpans\":[{\"spans\":[ "+aSpan+" ]}]}]}\n\n")), 1).arriving(with("")),
		accepted("unknown fields", post("/v1/traces", jsonType, []byte(`{"x":[{"y":[1,true,null,"z\n",{}]}],"resourceSpans":[{"dropped":0,"scopeSpans":[{"spans":[{"_msg":"","":1,`+aGoodSpan+`}]}]}]}`)), 1).arriving(with("")),
		accepted("snake_case", post("/v1/traces", jsonType, []byte(`{"resource_spans":[{"scope_spans":[{"spans":[{"trace_id":"`+traceDigits+`","span_id":"`+spanDigits+`","parent_span_id":"`+spanDigits+`","attributes":[{"key":"a","value":{"string_value":"b"}}]}]}]}]}`)), 1).
			arriving(with(`,"parentSpanId":"` + spanDigits + `"` + attribute)),
		accepted("names in capitals are unknown", inSpanJSON(`"Name":"x","NAME":"y"`), 1).arriving(with("")),
		accepted("names with escapes", inSpanJSON(`"\u006eame":"x"`), 1).arriving(with(`,"name":"x"`)),
		accepted("kind by number", inSpanJSON(`"kind":2`), 1).arriving(with(`,"kind":2`)),
		accepted("kind by name", inSpanJSON(`"kind":"SPAN_KIND_SERVER"`), 1).arriving(with(`,"kind":2`)),
		accepted("kind by number in quotes", inSpanJSON(`"kind":"2"`), 1).arriving(with(`,"kind":2`)),
		accepted("status by name", inSpanJSON(`"status":{"code":"STATUS_CODE_ERROR"}`), 1).arriving(with(`,"status":{"code":2}`)),
		accepted("severity by name", post("/v1/logs", jsonType, []byte(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"severityNumber":"SEVERITY_NUMBER_WARN2"}]}]}]}`)), 1).arriving(`{"severityNumber":14,"body":{}}`),
		accepted("temporality by name", post("/v1/metrics", jsonType, []byte(`{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"sum":{"aggregationTemporality":"AGGREGATION_TEMPORALITY_DELTA","dataPoints":[{"asInt":1}]}}]}]}]}`)), 1).
			arriving(`{"sum":{"dataPoints":[{"asInt":"1"}],"aggregationTemporality":1}}`),
		accepted("null everywhere", inSpanJSON(`"name":null,"kind":null,"startTimeUnixNano":null,"attributes":null,"events":null,"links":null,"status":null,"traceState":null,"flags":null`), 1).arriving(with("")),
		accepted("null for a list", post("/v1/traces", jsonType, []byte(`{"resourceSpans":null}`)), 0),
		accepted("null for a resource", post("/v1/traces", jsonType, []byte(`{"resourceSpans":[{"resource":null,"scopeSpans":[{"scope":null,"spans":[`+aSpan+`]}]}]}`)), 1).arriving(with("")),
		accepted("null for a value", inSpanJSON(`"attributes":[{"key":"a","value":null}]`), 1).arriving(with(`,"attributes":[{"key":"a","value":{}}]`)),
		accepted("a name given twice", inSpanJSON(`"name":"a","name":"b"`), 1).arriving(with(`,"name":"b"`)),
		accepted("a list given twice", inSpanJSON(`"attributes":[],"attributes":[{"key":"a","value":{"stringValue":"b"}}]`), 1).arriving(with(attribute)),
		accepted("an attribute given twice", inSpanJSON(`"attributes":[{"key":"a","value":{"intValue":1}},{"key":"a","value":{"intValue":2}}]`), 1).
			arriving(with(`,"attributes":[{"key":"a","value":{"intValue":"1"}},{"key":"a","value":{"intValue":"2"}}]`)),
		accepted("bytes without padding", inSpanJSON(`"attributes":[{"key":"a","value":{"bytesValue":"AA"}}]`), 1).arriving(with(`,"attributes":[{"key":"a","value":{"bytesValue":"AA=="}}]`)),
		accepted("bytes for URLs", inSpanJSON(`"attributes":[{"key":"a","value":{"bytesValue":"_-8="}}]`), 1).arriving(with(`,"attributes":[{"key":"a","value":{"bytesValue":"/+8="}}]`)),
		accepted("surrogate pair", inSpanJSON(`"name":"\ud83d\ude00"`), 1).arriving(with(`,"name":"😀"`)),
		accepted("escaped slash", inSpanJSON(`"name":"\/cart"`), 1).arriving(with(`,"name":"/cart"`)),
	}
}

// numberRows write numbers in every notation.
func numberRows(*testing.T) []row {
	with := func(members string) string { return spanItem(traceDigits, spanDigits, members) }
	var rows []row
	for _, time := range []struct{ name, written string }{
		{"in quotes", `"1700000000000000000"`},
		{"plain", `1700000000000000000`},
		{"with an exponent", `1.7e18`},
		{"with a point", `1700000000000000000.0`},
		{"with an exponent in quotes", `"1.7E+18"`},
		{"with an escape", `"\u0031700000000000000000"`},
	} {
		rows = append(rows, accepted("time "+time.name, inSpanJSON(`"startTimeUnixNano":`+time.written), 1).arriving(with(`,"startTimeUnixNano":"1700000000000000000"`)))
	}
	value := func(name, written, kind, want string) row {
		return accepted("value "+name, inSpanJSON(`"attributes":[{"key":"a","value":{"`+kind+`":`+written+`}}]`), 1).arriving(with(`,"attributes":[{"key":"a","value":{"` + kind + `":` + want + `}}]`))
	}
	return append(rows,
		value("12.0 as an integer", `12.0`, "intValue", `"12"`),
		value("1.5e9 as an integer", `1.5e9`, "intValue", `"1500000000"`),
		value("smallest integer", `-9223372036854775808`, "intValue", `"-9223372036854775808"`),
		value("largest integer", `"9223372036854775807"`, "intValue", `"9223372036854775807"`),
		value("double", `1.5`, "doubleValue", `1.5`),
		value("double in quotes", `"1.5"`, "doubleValue", `1.5`),
		value("double of an integer", `2`, "doubleValue", `2`),
		value("NaN", `"NaN"`, "doubleValue", `"NaN"`),
		value("infinity", `"-Infinity"`, "doubleValue", `"-Infinity"`),
		value("boolean", `false`, "boolValue", `false`),
	)
}
