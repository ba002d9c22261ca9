package logcorrelationprocessor

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestScan(t *testing.T) {
	l, _ := compile([]list{{kind: kindTraceID, names: []string{"trace_id", "dt", "x", "-"}}}, 0)
	tests := []struct {
		name, text string
		want       bool
	}{
		{"JSON", `{"a":1,"trace_id":"5"}`, true},
		{"JSON, the first key", `{"trace_id":"5"}`, true},
		{"JSON, blanks before the colon", "{\"a\" :1,\"trace_id\" \t\n\r:1}", true},
		{"JSON, a key of two bytes", `{"somewhere":1,"dt":2}`, true},
		{"JSON, a key of one byte", `{"somewhere":1,"x":2}`, true},
		{"JSON, a longer key with that end", `{"my_trace_id":1,"adt":2,"xx":3}`, false},
		{"JSON, a value", `{"a":"trace_id","b":": trace_id","c":"12:30:45"}`, false},
		{"JSON, a nested key", `{"a":{"b":[{"trace_id":1}]}}`, true},
		{"JSON, an escape in a key", `{"trac\u0065_id":1}`, true},
		{"JSON, an escaped quote in a key", `{"a\"dt":1}`, true},
		{"JSON, escapes in a value", `{"a":"\"trace_id\":1","b":"\\\""}`, false},
		{"JSON, a key behind escapes", `{"a":"\\","trace_id":1}`, true},
		{"JSON, another key behind escapes", `{"a":"\n","bcd":1}`, false},
		{"JSON, semicolons behind colons", `{"abcdef":;:::;"trace_id";1}`, false},
		{"logfmt", `a=1 trace_id=5`, true},
		{"logfmt, the first key", `trace_id=5`, true},
		{"logfmt, keys of two and one bytes", "somewhere=1\tdt=5", true},
		{"logfmt, another key with that end", `my_trace_id=1 adt=2 xx=3`, false},
		{"logfmt, a key that no key begins with", `a=1 -=2`, false},
		{"logfmt, a sentence", `the trace_id=5`, false},
		{"logfmt, a sentence behind", `trace_id=5 is it`, false},
		{"logfmt, nothing but a key", `trace_id`, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			scan := hasLogfmtKey
			if strings.HasPrefix(tt.name, "JSON") {
				scan = hasJSONKey
			}
			require.Equal(t, tt.want, scan(tt.text, l))
		})
	}
}

// requireSeen requires that the scan sees a key wherever parsing finds one.
func requireSeen(tb require.TestingT, l *level, text string) {
	line := trim(text)
	if line == "" {
		return
	}
	if fields, ok := parse((*parser).parseJSON, line); ok && hasKnown(l, fields.AsRaw()) {
		require.True(tb, hasJSONKey(line, l), line)
	}
	if fields, ok := parse((*parser).parseLogfmt, line); ok && hasKnown(l, fields.AsRaw()) {
		require.True(tb, hasLogfmtKey(line, l), line)
	}
}

func hasKnown(l *level, v any) bool {
	switch v := v.(type) {
	case map[string]any:
		for key, of := range v {
			if l.find(key) != nil || hasKnown(l, of) {
				return true
			}
		}
	case []any:
		for _, of := range v {
			if hasKnown(l, of) {
				return true
			}
		}
	}
	return false
}

func TestScanSeesWhatParsingFinds(t *testing.T) {
	p := planWith(t, nil)
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.OneOf(
			rapid.SampledFrom([]string{"trace_id", "dt", "ts", "@m", "b3", "level", "my_level", "log", "a:b", `a\"level`, `leve\u006c`, `\\`, `"`, "", `\"level\":1`, "12:30", "level=info"}),
			rapid.StringMatching(`[a-e]{0,9}`),
		)
		blank := rapid.SampledFrom([]string{"", "", "", " ", "\t\n\r "})
		var text strings.Builder
		write := func(parts ...string) {
			for _, part := range parts {
				text.WriteString(part)
			}
		}
		if rapid.Bool().Draw(t, "JSON") {
			write("{")
			for i := range rapid.IntRange(1, 6).Draw(t, "members") {
				if i > 0 {
					write(",")
				}
				write(blank.Draw(t, ""), `"`, word.Draw(t, "key"), `"`, blank.Draw(t, ""), ":", blank.Draw(t, ""))
				if rapid.Bool().Draw(t, "nested") {
					write(`[{"`, word.Draw(t, "inner"), `"`, blank.Draw(t, ""), `:1}]`)
				} else {
					write(`"`, word.Draw(t, "value"), `"`)
				}
			}
			write("}")
		} else {
			for range rapid.IntRange(1, 6).Draw(t, "pairs") {
				write(word.Draw(t, "key"), "=", rapid.SampledFrom([]string{"", "1", `"a b=c"`, `"\"level=1 \""`}).Draw(t, "value"), " ", blank.Draw(t, ""))
			}
		}
		requireSeen(t, p.root, text.String())
	})
}
