package logcorrelationprocessor

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

// numbersAsWritten puts the numbers of want, which are text, into got where got
// has their value.
func numbersAsWritten(want, got any) any {
	switch w := want.(type) {
	case map[string]any:
		if g, ok := got.(map[string]any); ok && len(g) == len(w) {
			out := make(map[string]any)
			for k := range g {
				out[k] = numbersAsWritten(w[k], g[k])
			}
			return out
		}
	case []any:
		if g, ok := got.([]any); ok && len(g) == len(w) {
			out := make([]any, len(g))
			for i := range g {
				out[i] = numbersAsWritten(w[i], g[i])
			}
			return out
		}
	case json.Number:
		switch g := got.(type) {
		case int64:
			if n, err := w.Int64(); err == nil && n == g {
				return w
			}
		case float64:
			if d, err := w.Float64(); err == nil && d == g {
				return w
			}
		case string:
			return json.Number(g)
		}
	}
	return got
}

func parse(by func(*parser, pcommon.Map, string) bool, text string) (pcommon.Map, bool) {
	dst := pcommon.NewMap()
	ok := by(new(parser), dst, trim(text))
	return dst, ok
}

func TestParseJSON(t *testing.T) {
	tests := []struct {
		name, text string
		want       m // nil: not parsed
	}{
		{"empty", `{}`, m{}},
		{"all types", `{"s":"x","i":-5,"d":2.5,"t":true,"f":false,"n":null,"l":[1,[]],"o":{"a":{}}}`, m{"s": "x", "i": int64(-5), "d": 2.5, "t": true, "f": false, "n": nil, "l": []any{int64(1), []any{}}, "o": m{"a": m{}}}},
		{"blanks", " { \"a\" :\t1 , \"b\":[ 1 , 2 ] } \n", m{"a": int64(1), "b": []any{int64(1), int64(2)}}},
		{"escapes", `{"a\n":"\"\\\/\b\f\r\té\ud83d\ude00"}`, m{"a\n": "\"\\/\b\f\r\té😀"}},
		{"an integer beyond 64 bits is kept as its digits", `{"n":18446744073709551615}`, m{"n": "18446744073709551615"}},
		{"a double that is beyond doubles is kept as its digits", `{"n":1e999}`, m{"n": "1e999"}},
		{"a double that is below doubles is kept as its digits", `{"n":1e-999}`, m{"n": "1e-999"}},
		{"digits that a double does not hold are kept", `{"n":0.12345678901234567890}`, m{"n": "0.12345678901234567890"}},
		{"digits that a double holds", `{"n":1700000000.1234567}`, m{"n": 1700000000.1234567}},
		{"negative zero", `{"n":-0}`, m{"n": math.Copysign(0, -1)}},
		{"a key twice", `{"a":1,"a":2}`, nil},
		{"a key twice in one of its objects", `{"o":{"a":1,"a":2}}`, nil},
		{"a key twice among many", `{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"j":1,"k":1,"l":1,"m":1,"n":1,"o":1,"p":1,"q":1,"a":1}`, nil},
		{"half a surrogate pair", `{"a":"\ud800"}`, nil},
		{"two first halves", `{"a":"\ud800\ud800"}`, nil},
		{"a control character", "{\"a\":\"\t\"}", nil},
		{"an unknown escape", `{"a":"\x"}`, nil},
		{"nested too deep", strings.Repeat(`{"a":`, 33) + "1" + strings.Repeat("}", 33), nil},
		{"a comma too much", `{"a":1,}`, nil},
		{"cut off", `{"a":"b`, nil},
		{"more behind it", `{} {}`, nil},
		{"a leading zero", `{"a":01}`, nil},
		{"a list", `[1]`, nil},
		{"text", `{a}`, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := parse((*parser).parseJSON, tt.text)
			require.Equal(t, tt.want != nil, ok)
			if ok {
				require.Equal(t, tt.want, got.AsRaw())
			}
		})
	}
}

func TestParseLogfmt(t *testing.T) {
	tests := []struct {
		name, text string
		want       m // nil: not parsed
	}{
		{"words", `level=info n=5`, m{"level": "info", "n": "5"}},
		{"quoted", `msg="a b=c \"d\"\n" k=v`, m{"msg": "a b=c \"d\"\n", "k": "v"}},
		{"no value", `k= msg="" x=1`, m{"k": "", "msg": "", "x": "1"}},
		{"an equals sign in a quoted value", `url="/a?b=c&d=e"`, m{"url": "/a?b=c&d=e"}},
		{"an equals sign in a value", `msg=msg=x`, nil},
		{"blanks and tabs", "a=1  b=2\tc=3", m{"a": "1", "b": "2", "c": "3"}},
		{"dots, dashes and slashes in keys", `dd.trace_id=1 x-id=2 logging.googleapis.com/trace=3 @t=4`, m{"dd.trace_id": "1", "x-id": "2", "logging.googleapis.com/trace": "3", "@t": "4"}},
		{"a word that is no pair", `started level=info`, nil},
		{"a key twice", `a=1 a=2`, nil},
		{"a quote in a word", `a=b"c"`, nil},
		{"a word behind a quote", `a="b"c`, nil},
		{"an open quote", `a="b`, nil},
		{"a bad escape", `a="\q"`, nil},
		{"bytes that are no text", `a="\xff"`, nil},
		{"a sentence", `x = 5`, nil},
		{"a query", `?a=b`, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := parse((*parser).parseLogfmt, tt.text)
			require.Equal(t, tt.want != nil, ok)
			if ok {
				require.Equal(t, tt.want, got.AsRaw())
			}
		})
	}
}

func nestedText(t *testing.T, levels int, inner string) string {
	t.Helper()
	for range levels {
		text, err := json.Marshal(map[string]string{"log": inner})
		require.NoError(t, err)
		inner = string(text)
	}
	return inner
}

// Each message may be little shorter than the text around it, and each is parsed.
func TestMessagesWithinMessagesAreBounded(t *testing.T) {
	p := planWith(t, nil)
	line := `{"time":"` + when + `","level":"error"}`
	lr := record{body: nestedText(t, maxWrapped, line)}.build(t)
	w := correlate(p, lr)
	require.Equal(t, record{time: whenNs, sevNumber: 17, sevText: "error", body: m{}}, plain(lr))
	require.Zero(t, outcomes(w)[outcomeOverLimit])

	lr = record{body: nestedText(t, maxWrapped+1, line)}.build(t)
	w = correlate(p, lr)
	require.Equal(t, record{body: line}, plain(lr))
	require.Equal(t, 1, outcomes(w)[outcomeOverLimit])

	lr = record{body: nestedText(t, maxWrapped+1, "free text")}.build(t)
	w = correlate(p, lr)
	require.Equal(t, record{body: "free text"}, plain(lr))
	require.Zero(t, outcomes(w)[outcomeOverLimit])

	p = planWith(t, func(c *Config) { c.Settings.Patterns = []string{`trace (?P<trace_id>\w+)`} })
	lr = record{body: nestedText(t, maxWrapped+1, "trace "+traceA)}.build(t)
	correlate(p, lr)
	require.Equal(t, record{trace: traceA, body: "trace " + traceA}, plain(lr))
}

// Text that would take much more memory parsed stays text.
func TestParsedTextIsBounded(t *testing.T) {
	field := `{"trace_id":"` + traceA + `","a":[`
	tests := []struct {
		name, text string
		parsed     bool
	}{
		{"as many values as may be", field + strings.Repeat("1,", maxValues-3) + "1]}", true},
		{"a value too many", field + strings.Repeat("1,", maxValues-2) + "1]}", false},
		{"maps too many", field + strings.Repeat(`{"a":1},`, maxValues/2) + "1]}", false},
		{"pairs too many", "trace_id=" + traceA + strings.Repeat(" a=1", maxValues), false},
		{"as long as may be", field + strings.Repeat(" ", maxText-len(field)-len("]}")) + "]}", true},
		{"a byte too long", field + strings.Repeat(" ", maxText-len(field)-len("]}")+1) + "]}", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := planWith(t, nil)
			lr := record{body: tt.text}.build(t)
			w := correlate(p, lr)
			if tt.parsed {
				require.Equal(t, traceA, lr.TraceID().String())
				require.Zero(t, outcomes(w)[outcomeOverLimit])
				return
			}
			require.Equal(t, record{body: tt.text}, plain(lr))
			require.Equal(t, 1, outcomes(w)[outcomeOverLimit])
		})
	}
}
