package logcorrelationprocessor

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"pgregory.net/rapid"
)

// spelled is one way to write a meaning. The meaning "" stands for values that
// are no field's business: unreadable ones and those that say nothing, and those
// that say more than a record can.
type spelled struct {
	meaning string
	raw     any
}

// spellings of few meanings, so that fields often agree and often differ.
func spellings(l list) []spelled {
	lowerA, lowerB := traceA[16:], traceB[16:]
	switch {
	case l.variant == variantDecimal && l.kind == kindTraceID:
		return []spelled{{lowerA, "11803532876627986230"}, {lowerB, "9532127138774266268"}, {traceA, traceA}, {"", lowerA}, {"", 1.5}, {"", "0"}}
	case l.variant == variantDecimal:
		return []spelled{{spanA, "67667974448284343"}, {spanA, int64(67667974448284343)}, {"", spanB}, {"", int64(0)}}
	case l.variant == variantNumber:
		return []spelled{{"9", int64(9)}, {"17", "17"}, {"", int64(25)}, {"", "info"}}
	}
	switch l.kind {
	case kindTraceID:
		return []spelled{
			{traceA, traceA},
			{traceA, strings.ToUpper(traceA)},
			{traceA, decoded(traceA)},
			{lowerA, decoded(lowerA)},
			{traceA, "4bf92f35-77b3-4da6-a3ce-929d0e0e4736"},
			{traceA, "1-4bf92f35-77b34da6a3ce929d0e0e4736"},
			{traceA + "/" + spanA, traceA + "-" + spanA},
			{traceA + "/" + spanA + "/1", "00-" + traceA + "-" + spanA + "-01"},
			{traceA + "/" + spanB + "/0", "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=" + spanB + ";Sampled=0"},
			{traceB, traceB},
			{lowerA, lowerA},
			{lowerB, strings.ToUpper(lowerB)},
			{"", "projects/p/traces/" + traceA},
			{"", "abc"},
			{"", int64(7)},
			{"", strings.Repeat("0", 32)},
			{"", m{"deep": "value"}},
		}
	case kindTraceIDHigh:
		return []spelled{{traceA[:16], traceA[:16]}, {traceB[:16], traceB[:16]}, {"", "x"}}
	case kindSpanID:
		return []spelled{{spanA, spanA}, {spanA, strings.ToUpper(spanA)}, {spanB, spanB}, {spanA, decoded(spanA)}, {"", decoded("00")}, {"", "0"}, {"", traceA}, {"", nil}}
	case kindTraceFlags:
		return []spelled{{"0", "00"}, {"0", int64(0)}, {"1", "01"}, {"1", 1.0}, {"3", int64(3)}, {"sampled", true}, {"", "yes"}}
	case kindTimestamp:
		return []spelled{
			{fmt.Sprint(int64(whenNs)), when},
			{fmt.Sprint(int64(whenNs)), int64(whenNs / 1e6)},
			{fmt.Sprint(int64(whenNs)), fmt.Sprint(int64(whenNs))},
			{fmt.Sprint(int64(1.7e18)), 1.7e9},
			{"", "soon"},
			{"", int64(3)},
		}
	case kindSeverity:
		return []spelled{{"9", "info"}, {"9", "INFO"}, {"17", "error"}, {"17", "err"}, {"10", "INFO+1"}, {"", "audit"}, {"", int64(30)}}
	default:
		return []spelled{{"text", "text"}, {"other", "other"}, {"", int64(1)}, {"", ""}}
	}
}

func decoded(digits string) []byte {
	b, err := hex.DecodeString(digits)
	if err != nil {
		panic(err)
	}
	return b
}

// agrees reports whether the record says a meaning, in the terms of spelled.
func agrees(k kind, meaning string, lr plog.LogRecord) bool {
	flags := uint32(lr.Flags()) & 0xff
	switch parts := strings.Split(meaning, "/"); k {
	case kindTraceID:
		return strings.HasSuffix(lr.TraceID().String(), parts[0]) &&
			(len(parts) < 2 || parts[1] == lr.SpanID().String()) &&
			(len(parts) < 3 || parts[2] == fmt.Sprint(flags) || len(meaning) > 0 && parts[2] == fmt.Sprint(flags&1))
	case kindTraceIDHigh:
		return strings.HasPrefix(lr.TraceID().String(), meaning)
	case kindSpanID:
		return lr.SpanID().String() == meaning
	case kindTraceFlags:
		return meaning == "sampled" && flags&1 == 1 || fmt.Sprint(flags) == meaning
	case kindTimestamp:
		return fmt.Sprint(int64(lr.Timestamp())) == meaning
	case kindSeverity:
		return fmt.Sprint(int32(lr.SeverityNumber())) == meaning
	default:
		return lr.Body().AsString() == meaning
	}
}

// put draws a nesting of name and writes v there, unless something is there.
func put(t *rapid.T, at pcommon.Map, name string, raw any) (path []string, ok bool) {
	key := ""
	for i, part := range strings.Split(name, ".") {
		if i == 0 {
			key = part
			continue
		}
		if !rapid.Bool().Draw(t, "nest") {
			key += "." + part
			continue
		}
		child, had := at.GetOrPutEmpty(key)
		if had && child.Type() != pcommon.ValueTypeMap {
			return nil, false
		}
		if !had {
			child.SetEmptyMap()
		}
		path = append(path, key)
		at, key = child.Map(), part
	}
	if _, had := at.Get(key); had {
		return nil, false
	}
	if err := at.PutEmpty(key).FromRaw(raw); err != nil {
		t.Fatal(err)
	}
	return append(path, key), true
}

// Whatever fields a record has, in whatever spelling, nesting and kind of body:
// what goes is what the record now says itself, what stays is untouched, what
// the record said stays said, and a second time changes nothing.
func TestNoValueIsLost(t *testing.T) {
	p := planWith(t, nil)
	lists := createDefaultConfig().(*Config).Settings.Fields.lists()
	rapid.Check(t, func(t *rapid.T) {
		lr := plog.NewLogRecord()
		body := lr.Body().SetEmptyMap()
		if rapid.Bool().Draw(t, "own trace") {
			lr.SetTraceID(rapid.SampledFrom([]pcommon.TraceID{{1}, {0: 0x4b, 1: 0xf9, 15: 1}}).Draw(t, "trace"))
		}
		if rapid.Bool().Draw(t, "own flags") {
			lr.SetFlags(plog.LogRecordFlags(rapid.SampledFrom([]uint32{0x100, 1, 3}).Draw(t, "flags")))
		}
		if rapid.Bool().Draw(t, "own severity") {
			lr.SetSeverityNumber(plog.SeverityNumberInfo)
		}
		type field struct {
			kind
			leaf, meaning string
		}
		var in []field
		for range rapid.IntRange(0, 8).Draw(t, "fields") {
			l := rapid.SampledFrom(lists).Draw(t, "list")
			name := rapid.SampledFrom(l.names).Draw(t, "name")
			v := rapid.SampledFrom(spellings(l)).Draw(t, "value")
			root := lr.Attributes()
			if rapid.Bool().Draw(t, "in body") {
				root = body
			}
			if path, ok := put(t, root, name, v.raw); ok && v.raw != nil {
				value := pcommon.NewValueEmpty()
				require.NoError(t, value.FromRaw(v.raw))
				in = append(in, field{l.kind, leaf{path: path, value: value}.plain(), v.meaning})
			}
		}
		if rapid.Bool().Draw(t, "others") {
			lr.Attributes().PutStr("pid", "1")
			body.PutStr("hostname", "h")
		}
		if rapid.Bool().Draw(t, "as text") {
			text, err := json.Marshal(body.AsRaw())
			require.NoError(t, err)
			lr.Body().SetStr(string(text))
		}
		before := plog.NewLogRecord()
		lr.CopyTo(before)

		requireSound(t, p, lr)
		there := make(map[string]bool)
		for _, l := range leavesOfRecord(p, lr) {
			there[l.plain()] = true
		}
		for _, f := range in {
			if there[f.leaf] || lr.Body().Type() == pcommon.ValueTypeStr && lr.Body().Str() == before.Body().Str() {
				continue
			}
			if f.kind == kindSeverity && f.meaning == "" && strings.HasSuffix(f.leaf, "30") { // with pid and hostname
				f.meaning = "9"
			}
			require.True(t, agrees(f.kind, f.meaning, lr), "%s is gone and the record does not say it", f.leaf)
		}
		if !before.TraceID().IsEmpty() {
			require.Equal(t, before.TraceID(), lr.TraceID())
		}
		if before.Flags()&0xff != 0 {
			require.Equal(t, before.Flags(), lr.Flags())
		}
		if before.SeverityNumber() != 0 {
			require.Equal(t, before.SeverityNumber(), lr.SeverityNumber())
		}
		require.Equal(t, before.Flags()&^0xff, lr.Flags()&^0xff)
	})
}

// The order of the fields in a record does not matter.
func TestOrderOfFieldsDoesNotMatter(t *testing.T) {
	p := planWith(t, nil)
	lists := createDefaultConfig().(*Config).Settings.Fields.lists()
	rapid.Check(t, func(t *rapid.T) {
		fields := make(m)
		for range rapid.IntRange(0, 8).Draw(t, "fields") {
			l := rapid.SampledFrom(lists).Draw(t, "list")
			fields[rapid.SampledFrom(l.names).Draw(t, "name")] = rapid.SampledFrom(spellings(l)).Draw(t, "value").raw
		}
		var names []string
		for name := range fields {
			names = append(names, name)
		}
		result := func(names []string) record {
			lr := plog.NewLogRecord()
			for _, name := range names {
				require.NoError(t, lr.Attributes().PutEmpty(name).FromRaw(fields[name]))
			}
			correlate(p, lr)
			return plain(lr)
		}
		require.Equal(t, result(names), result(rapid.Permutation(names).Draw(t, "order")))
	})
}

// Any record at all, duplicate keys included.
func FuzzCorrelate(f *testing.F) {
	plans := []*plan{
		planWith(f, nil),
		planWith(f, func(c *Config) {
			c.Settings.TimeZone, c.Settings.NumericSeverity = "UTC", "pino"
			c.Settings.Patterns = []string{`(?P<timestamp>\S+) (?P<severity>\w+) \[(?P<trace_id>[^,]+),(?P<span_id>[^\]]+)\]`}
		}),
	}
	for _, r := range []record{
		{attrs: m{"trace_id": traceA, "context": m{"span_id": spanA}}, body: m{"dt": when, "level": "info"}},
		{trace: traceB, attrs: m{"trace_id": traceA, "ts": 1.7e9}, body: m{"trace": m{"id": ""}, "log": m{"level": "x"}}},
		{body: []any{m{"trace_id": traceA}}},
		{attrs: m{"message": "a", "k": "v"}, body: m{"message": "a", "level": int64(30), "pid": int64(1), "hostname": "h"}},
		{body: `{"log":"{\"level\":\"info\",\"msg\":\"level=warn msg=hi\",\"traceparent\":\"00-` + traceA + `-` + spanA + `-01\"}\n","time":"` + when + `"}`},
		{body: `time="` + when + `" level=error msg="a \"b\"" dd.trace_id=123 dd.span_id=45 _dd.p.tid=66d2f3a400000000`},
		{body: when + " WARN [" + traceA + "," + spanA + "] text"},
		{body: m{"Scopes": []any{m{"TraceId": traceA, "SpanId": spanA}, m{"Message": "x"}}, "instant": m{"epochSecond": int64(1700000000), "nanoOfSecond": int64(5)}}},
	} {
		f.Add([]byte(bytesOf(f, r.build(f))))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, p := range plans {
			ld, err := (&plog.ProtoUnmarshaler{}).UnmarshalLogs(b)
			if err != nil {
				t.Skip()
			}
			forEach(ld, func(lr plog.LogRecord) { requireSound(t, p, lr) })
		}
	})
}

// Any text as a body. What is parsed is what encoding/json reads, too.
func FuzzText(f *testing.F) {
	p := planWith(f, nil)
	for _, s := range []string{
		`{"trace_id":"` + traceA + `","n":[1,2.5,-0,1e400,12345678901234567890,0.1234567890123456789],"s":"\ud83d\ude00\u0000\/","o":{"a":null,"b":true}}`,
		`{"msg":"{\"msg\":\"{\\\"level\\\":\\\"info\\\"}\"}"}`, `{"a":1,"a":2,"level":"info"}`, `{"level":"info","x":"\ud800"}`,
		`level=info msg="a\tb" ts=1700000000.5 k= url="/a?b=c"`, `msg=msg=msg=x`, `level=info level=warn`, `a=b c`, `{"level"`, `{}`, `=`, `"`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		lr := plog.NewLogRecord()
		lr.Body().SetStr(s)
		requireSound(t, p, lr)
		requireSeen(t, p.root, s)

		if fields, ok := parse((*parser).parseJSON, s); ok && utf8.ValidString(s) {
			var want any
			d := json.NewDecoder(strings.NewReader(s))
			d.UseNumber()
			require.NoError(t, d.Decode(&want))
			require.Equal(t, want, numbersAsWritten(want, fields.AsRaw()))
		}
	})
}
