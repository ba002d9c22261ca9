package logevent

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

var roomy = Limits{Depth: 8, Decoded: math.MaxInt64}

const observed = pcommon.Timestamp(1_700_000_000_000_000_000)

// read returns the bodies of the records, raw.
func read(t testing.TB, data string, l Limits) ([]map[string]any, Report, error) {
	t.Helper()
	records := plog.NewLogRecordSlice()
	report, err := Read([]byte(data), records, observed, l)
	if err != nil {
		return nil, report, err
	}
	bodies := make([]map[string]any, 0, records.Len())
	for _, record := range records.All() {
		require.Equal(t, observed, record.ObservedTimestamp())
		require.Zero(t, record.Timestamp())
		require.Equal(t, pcommon.ValueTypeMap, record.Body().Type())
		bodies = append(bodies, record.Body().Map().AsRaw())
	}
	return bodies, report, nil
}

type body = map[string]any

func TestForms(t *testing.T) {
	for name, test := range map[string]struct {
		data string
		want []body
	}{
		"one object":             {`{"message":"hello","level":"info"}`, []body{{"message": "hello", "level": "info"}}},
		"over lines":             {"{\n  \"message\": \"hello\",\n  \"context\": {\n    \"a\": [1, 2]\n  }\n}\n", []body{{"message": "hello", "context": body{"a": []any{int64(1), int64(2)}}}}},
		"array":                  {`[{"a":1}, {"a":2}]`, []body{{"a": int64(1)}, {"a": int64(2)}}},
		"one a line":             {"{\"a\":1}\n{\"a\":2}\r\n\n{\"a\":3}", []body{{"a": int64(1)}, {"a": int64(2)}, {"a": int64(3)}}},
		"one after the other":    {`{"a":1}{"a":2} {"a":3}`, []body{{"a": int64(1)}, {"a": int64(2)}, {"a": int64(3)}}},
		"an array a line":        {"[{\"a\":1}]\n[{\"a\":2},{\"a\":3}]", []body{{"a": int64(1)}, {"a": int64(2)}, {"a": int64(3)}}},
		"byte order mark":        {"\xef\xbb\xbf{\"a\":1}", []body{{"a": int64(1)}}},
		"empty object":           {`{}`, []body{{}}},
		"empty array":            {` [ ] `, []body{}},
		"nothing":                {" \n", []body{}},
		"equal keys":             {`{"a":1,"b":2,"a":3,"a":4}`, []body{{"a": int64(4), "b": int64(2)}}},
		"equal keys within":      {`{"o":{"a":1,"a":{"b":1,"b":2}}}`, []body{{"o": body{"a": body{"b": int64(2)}}}}},
		"empty key":              {`{"":1}`, []body{{"": int64(1)}}},
		"all kinds":              {`{"s":"x","i":-7,"d":1.5,"t":true,"f":false,"n":null,"o":{},"l":[]}`, []body{{"s": "x", "i": int64(-7), "d": 1.5, "t": true, "f": false, "n": nil, "o": body{}, "l": []any{}}}},
		"exponent is a double":   {`{"a":1e3,"b":1.0,"c":-0.0E-2}`, []body{{"a": 1000.0, "b": 1.0, "c": math.Copysign(0, -1)}}},
		"64 bits":                {`{"a":9223372036854775807,"b":-9223372036854775808}`, []body{{"a": int64(math.MaxInt64), "b": int64(math.MinInt64)}}},
		"more than 64 bits":      {`{"a":18446744073709551615,"b":-9223372036854775809}`, []body{{"a": "18446744073709551615", "b": "-9223372036854775809"}}},
		"beyond a double":        {`{"a":1e999}`, []body{{"a": "1e999"}}},
		"escapes":                {`{"a":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00","\u0062":1}`, []body{{"a": "\"\\/\b\f\n\r\té😀", "b": int64(1)}}},
		"half a surrogate pair":  {`{"a":"\ud83dx","b":"\ud83d\u0041","c":"\ude00"}`, []body{{"a": "\uFFFDx", "b": "\uFFFDA", "c": "\uFFFD"}}},
		"invalid UTF-8":          {"{\"a\xff\":\"b\xc3\"}", []body{{"a\uFFFD": "b\uFFFD"}}},
		"reserved keys":          {`{"spanlake.source":"x","\u0073panlake.class":{"a":1},"spanlakes":1,"o":{"spanlake.x":1}}`, []body{{"spanlakes": int64(1), "o": body{"spanlake.x": int64(1)}}}},
		"reserved and equal key": {`{"a":1,"spanlake.a":1,"a":2}`, []body{{"a": int64(2)}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, report, err := read(t, test.data, roomy)
			require.NoError(t, err)
			require.Equal(t, test.want, got)
			require.Equal(t, Report{Accepted: len(test.want)}, report)
		})
	}
}

func TestFaults(t *testing.T) {
	for name, test := range map[string]struct {
		data string
		want []body
		bad  []Fault
	}{
		"bad line between good": {
			"{\"a\":1}\n{\"a\":}\n{\"a\":3}",
			[]body{{"a": int64(1)}, {"a": int64(3)}},
			[]Fault{{Line: 2, Message: "unexpected '}' where a value should be"}},
		},
		"line cut off": {
			"{\"a\":1,\n{\"a\":2}\n",
			[]body{{"a": int64(2)}},
			[]Fault{{Line: 1, Message: "unexpected '{' where a key should be"}},
		},
		"last line cut off":    {"{\"a\":1}\n{\"a\":\"x", []body{{"a": int64(1)}}, []Fault{{Line: 2, Message: "unexpected end"}}},
		"text between":         {"{\"a\":1}\nhello\n{\"a\":2}", []body{{"a": int64(1)}, {"a": int64(2)}}, []Fault{{Line: 2, Message: "an event must be a JSON object"}}},
		"text after":           {"{\"a\":1} x\n{\"a\":2}", []body{{"a": int64(1)}, {"a": int64(2)}}, []Fault{{Line: 1, Message: "an event must be a JSON object"}}},
		"scalars":              {"1\n\"x\"\nnull", []body{}, []Fault{{Line: 1, Message: "an event must be a JSON object"}, {Line: 2, Message: "an event must be a JSON object"}, {Line: 3, Message: "an event must be a JSON object"}}},
		"elements no objects":  {`[{"a":1},2,"x",[{}]]`, []body{{"a": int64(1)}}, []Fault{{Line: 1, Message: "an event must be a JSON object"}, {Line: 1, Message: "an event must be a JSON object"}, {Line: 1, Message: "an event must be a JSON object"}}},
		"broken array":         {"[{\"a\":1},\n{\"a\":]\n{\"a\":2}", []body{{"a": int64(1)}, {"a": int64(2)}}, []Fault{{Line: 1, Message: "an array without an end"}, {Line: 2, Message: "unexpected ']' where a value should be"}}},
		"broken array a line":  {"[{\"a\":1},2,{]\n[{\"a\":2}]", []body{{"a": int64(1)}, {"a": int64(2)}}, []Fault{{Line: 1, Message: "an event must be a JSON object"}, {Line: 1, Message: "unexpected ']' where a key should be"}}},
		"array cut off":        {`[{"a":1},`, []body{{"a": int64(1)}}, []Fault{{Line: 1, Message: "unexpected end"}}},
		"array not ended":      {`[{"a":1}`, []body{{"a": int64(1)}}, []Fault{{Line: 1, Message: "unexpected end"}}},
		"broken over lines":    {"{\n  \"a\": {\"b\":1},\n  \"c\": tru,\n  \"d\": [\n{\"e\":1}]\n}\n{\"f\":1}\n", []body{{"e": int64(1)}, {"f": int64(1)}}, []Fault{{Line: 1, LastLine: 4, Message: "unexpected 't' where true, false or null should be"}, {Line: 5, Message: "an event must be a JSON object"}, {Line: 6, Message: "an event must be a JSON object"}}},
		"indented stays whole": {"{\n  \"a\": nul,\n  \"b\": {\"c\":1}\n}\n{\"f\":1}\n", []body{{"f": int64(1)}}, []Fault{{Line: 1, LastLine: 4, Message: "unexpected 'n' where true, false or null should be"}}},
		"too deep":             {strings.Repeat(`{"a":`, 9) + "1" + strings.Repeat("}", 9) + "\n{\"a\":1}", []body{{"a": int64(1)}}, []Fault{{Line: 1, Message: "nests deeper than 8 levels"}}},
		"control character":    {"{\"a\":\"x\ty\"}", []body{}, []Fault{{Line: 1, Message: "control character 0x09 in a string must be escaped"}}},
		"protobuf":             {"\x0a\x05hello", []body{}, []Fault{{Line: 2, Message: "an event must be a JSON object"}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, report, err := read(t, test.data, roomy)
			require.NoError(t, err)
			require.Equal(t, test.want, got)
			require.Equal(t, Report{Accepted: len(test.want), Rejected: len(test.bad), Faults: test.bad}, report)
		})
	}
}

func TestEveryLineIsKeptOrNamed(t *testing.T) {
	for name, test := range map[string]struct {
		data string
		kept string // what the key n has in the events
		bad  string // the lines
	}{
		"indented after text":          {"bad\n\t{\"n\":1}\n", "1", "1"},
		"indented after an object":     {"{\"x\":tru}\n\t{\"n\":1}\n\t{\"n\":2}\n", "12", "1"},
		"all indented":                 {"  {\"x\":tru}\n  {\"n\":1}\n", "1", "1"},
		"stray bracket":                {"{\"n\":1}\n[\n{\"n\":2}\n{\"n\":3}\n{\"n\":4}\n", "1234", "2"},
		"stray bracket, last":          {"{\"n\":1}\n[\n{\"n\":2}\n", "12", "2"},
		"stray bracket and text":       {"[\n{\"n\":1}\nx\n{\"n\":2}\n", "12", "1 3"},
		"stray brackets":               {"[\nx\n{\"n\":1}\n[\nx\n{\"n\":2}\n", "12", "1 2 4 5"},
		"stray brackets in a row":      {"[\n[\n{\"n\":1}\n{\"n\":2}\n", "12", "1 2"},
		"stray brace":                  {"{\n{\"n\":1}\n}\n{\"n\":2}\n", "12", "1 3"},
		"unclosed":                     {"{\"b\":2\n{\"n\":1}\n", "1", "1"},
		"cut off before a value":       {"{\"b\":\n{\"n\":1}\n{\"n\":2}\n", "12", "1"},
		"cut off in a list":            {"{\"b\":[{\"x\":1},\n{\"n\":1}\n{\"n\":2}\n", "12", "1"},
		"cut off before the last line": {"{\"b\":\n{\"n\":1}\n", "1", "1"},
		"cut off before text":          {"{\"b\":\n{\"n\":1}\nx\n", "1", "1 3"},
		"cut off twice":                {"{\"b\":\n{\"b\":\n{\"n\":1}\n{\"n\":2}", "12", "1-2"},
		"parts not indented":           {"{\"a\":[\n{\"x\":1},\n{\"y\":2}\n],\"z\":oops}\n{\"n\":2}\n", "2", "1-4"},
		"parts indented":               {"{\n  \"a\": tru,\n  \"l\": [\n    {\n      \"x\": 1\n    }\n  ]\n}\n{\"n\":1}\n", "1", "1-8"},
		"comma missing in parts":       {"{\n  \"l\": [\n    {\n      \"x\": 1\n    }\n    {\n      \"x\": 1\n    }\n  ]\n}\n{\"n\":1}\n", "1", "1-10"},
		"element":                      {"[\n  {\n    \"n\": 1\n  },\n  {\n    \"x\": tru\n  },\n  {\n    \"n\": 2\n  }\n]\n{\"n\":3}\n", "123", "5-7"},
		"element in a line":            {"[\n{\"n\":1},\n{\"x\":tru},\n{\"n\":2},\n{\"n\":3}\n]\n{\"n\":4}\n", "1234", "3"},
		"comma missing":                {"[\n  {\n    \"n\": 1\n  }\n  {\n    \"n\": 2\n  }\n]\n", "12", "1"},
		"comma missing in a line":      {"[\n{\"n\":1} {\"x\":1},\n{\"n\":2}\n]\n", "12", "2"},
		"array cut off":                {"[\n{\"n\":1},\n{\"n\":2},", "12", "1"},
		"array cut off in an element":  {"[\n{\"n\":1},\n{\"n\":2},\n{\"n", "12", "1 4"},
	} {
		t.Run(name, func(t *testing.T) {
			bodies, report, err := read(t, test.data, roomy)
			require.NoError(t, err)
			var kept string
			for _, b := range bodies {
				kept += fmt.Sprint(b["n"])
			}
			var bad []string
			for _, f := range report.Faults {
				if f.LastLine == 0 {
					bad = append(bad, strconv.Itoa(f.Line))
				} else {
					bad = append(bad, fmt.Sprintf("%d-%d", f.Line, f.LastLine))
				}
			}
			require.Equal(t, test.kept, kept)
			require.Equal(t, test.bad, strings.Join(bad, " "))
			require.Equal(t, len(bad), report.Rejected)
		})
	}
}

// Bad lines of which none ends what others began: {"a": and } make one event of
// themselves and the line between them.
func TestGoodLinesAreKeptAmongBadOnes(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // to be the same each time
	good := func() string {
		return []string{
			`{"n":%d}`, `{"n":%d,"a":{"b":[{"c":"}"},[]]}}`, ` {"a":[1,2,"[{"],"n":%d}  `, `{"a":{},"n":%d,"e":"\""}`,
		}[rnd.IntN(4)]
	}
	for range 20_000 {
		var lines []string
		var want []any
		bad := make(map[int]bool)
		for n := 1 + rnd.IntN(12); len(lines) < n; {
			line := fmt.Sprintf(good(), len(want))
			switch rnd.IntN(3) {
			case 0:
				line = strings.TrimSpace(line)
				line = line[:1+rnd.IntN(len(line)-1)]
				bad[len(lines)+1] = true
			case 1:
				line = []string{"[", "{", "[[", "hello", "x}", `{"a":tru}`, `{"a":1]`, `"x"`, `{"a":[`, `[{`, "\x00", `{"a":{"b":`}[rnd.IntN(12)]
				bad[len(lines)+1] = true
			default:
				want = append(want, int64(len(want)))
			}
			lines = append(lines, line)
		}
		data := strings.Join(lines, "\n")
		bodies, report, err := read(t, data, Limits{Depth: 200, Decoded: math.MaxInt64})
		require.NoError(t, err)
		var got []any
		for _, b := range bodies {
			got = append(got, b["n"])
		}
		require.Equal(t, want, got, "%s\n%+v", data, report)
		named := make(map[int]bool)
		for _, f := range report.Faults {
			for line := f.Line; line <= max(f.Line, f.LastLine); line++ {
				require.False(t, named[line], "%s\n%+v", data, report)
				named[line] = true
			}
		}
		require.Equal(t, bad, named, "%s\n%+v", data, report)
	}
}

// Among bad lines of any kind a good one is an event once, part of one, or named.
func TestNoGoodLineIsLostInSilence(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4)) //nolint:gosec // to be the same each time
	kinds := []string{"[", "{", "]", "}", ",", `{"a":`, `{"a":[`, "x", `{"a":tru}`, " ]", "  {", `  "x": 1,`, "},", "],"}
	for range 20_000 {
		var lines []string
		good := make(map[string]int) // the lines, by what is seen of their events
		for n := 1 + rnd.IntN(12); len(lines) < n; {
			line := kinds[rnd.IntN(len(kinds))]
			if rnd.IntN(2) == 0 {
				line = fmt.Sprintf(`{"n":%d}`, len(lines))
				good[fmt.Sprintf("n:%d]", len(lines))] = len(lines) + 1
			}
			lines = append(lines, strings.Repeat(" ", rnd.IntN(8)/6)+line)
		}
		data := strings.Join(lines, "\n")
		bodies, report, err := read(t, data, roomy)
		require.NoError(t, err)
		all := fmt.Sprint(bodies)
		for seen, line := range good {
			times := strings.Count(all, seen)
			named := slices.ContainsFunc(report.Faults, func(f Fault) bool {
				return f.Line <= line && line <= max(f.Line, f.LastLine)
			})
			require.True(t, times == 1 || times == 0 && named, "%s\n%+v %s", data, report, all)
		}
	}
}

func TestNoByteIsParsedMoreThanTwice(t *testing.T) {
	long := strings.Repeat("x", 4000)
	for name, data := range map[string]string{
		"nested":           strings.Repeat(`{"k":"`+long+`","n":`+"\n", 100),
		"nested, indented": strings.Repeat(` {"k":"`+long+`","n":`+"\n", 100),
		"lists":            strings.Repeat(`["`+long+`",`+"\n", 100),
		"list of lists":    strings.Repeat("[\n", 1000),
		"braces":           strings.Repeat("{\n", 1000),
		"cut off":          strings.Repeat(`{"k":"`+long+`","n":`+"\n"+`{"n":"`+long+`"}`+"\n", 100),
		"parts":            strings.Repeat("{\"k\":tru,\n"+strings.Repeat(` {"k":"`+long+`","n":[`+"\n", 10), 10),
		"one part":         "{\"k\":tru,\n" + strings.Repeat(` {"k":"`+long+`"}`+"\n", 10),
		"one line":         strings.Repeat(`{"k":"`+long+`","n":`, 100),
	} {
		r := newReader([]byte(data), plog.NewLogRecordSlice(), observed, Limits{Depth: 64, Decoded: math.MaxInt64})
		require.NoError(t, r.texts())
		require.LessOrEqual(t, r.looked, 2*len(data), name)
	}
}
