package logcorrelationprocessor

import (
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSpanFields(t *testing.T) {
	p := planWith(t, func(c *Config) { c.Output = "span_fields" })
	tests := []struct {
		name     string
		in, want record
	}{
		{
			"of a field",
			record{attrs: m{"trace_id": traceA, "span_id": spanA, "k": "v"}},
			record{trace: traceA, span: spanA, attrs: m{"k": "v", "span.trace_id": traceA, "span.span_id": spanA}},
		},
		{"of the record", record{trace: traceA}, record{trace: traceA, attrs: m{"span.trace_id": traceA}}},
		{
			"in the record's spelling",
			record{attrs: m{"span.trace_id": strings.ToUpper(traceA)}},
			record{trace: traceA, attrs: m{"span.trace_id": traceA}},
		},
		{"a field that differs stays", record{trace: traceA, attrs: m{"span.trace_id": traceB}}, record{trace: traceA, attrs: m{"span.trace_id": traceB}}},
		{"not without IDs", record{attrs: m{"k": "v"}}, record{attrs: m{"k": "v"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			lr := tt.in.build(t)
			correlate(p, lr)
			require.Equal(t, tt.want, plain(lr))
			once := bytesOf(t, lr)
			require.Zero(t, outcomes(correlate(p, lr))[outcomeMoved])
			require.Equal(t, once, bytesOf(t, lr), "a second time")
		})
	}
}

func TestMessages(t *testing.T) {
	many := make(m)
	for i := range 300 {
		many[strings.Repeat("k", i+1)] = int64(i)
	}
	with := func(base m, more m) m {
		out := make(m)
		for _, fields := range []m{base, more} {
			maps.Copy(out, fields)
		}
		return out
	}
	tests := []struct {
		name     string
		in, want record
	}{
		{"an attribute is the body where there is none", record{attrs: m{"message": "hi", "k": "v"}}, record{body: "hi", attrs: m{"k": "v"}}},
		{"an attribute that says what the body says goes", record{attrs: m{"message": "hi"}, body: "hi"}, record{body: "hi"}},
		{"an attribute that says something else stays", record{attrs: m{"message": "hi"}, body: "ho"}, record{attrs: m{"message": "hi"}, body: "ho"}},
		{"a body that is a number stays", record{attrs: m{"message": "hi"}, body: int64(1)}, record{attrs: m{"message": "hi"}, body: int64(1)}},
		{"the first name wins, the next becomes an attribute", record{body: m{"msg": "b", "message": "a"}}, record{body: "a", attrs: m{"msg": "b"}}},
		{"the same message under two names goes", record{attrs: m{"msg": "a"}, body: m{"msg": "a", "message": "a"}}, record{body: "a"}},
		{"a message that is no text stays", record{body: m{"message": m{"a": "b"}, "k": "v"}}, record{body: m{"message": m{"a": "b"}, "k": "v"}}},
		{"no message, no change", record{body: m{"k": "v"}}, record{body: m{"k": "v"}}},
		{"a field that is an attribute keeps the body whole", record{attrs: m{"k": "1"}, body: m{"message": "a", "k": "2"}}, record{attrs: m{"k": "1"}, body: m{"message": "a", "k": "2"}}},
		{"the attributes come first", record{attrs: m{"a": "1"}, body: m{"message": "m", "b": "2"}}, record{body: "m", attrs: m{"a": "1", "b": "2"}}},
		{"many fields", record{attrs: m{"a": "1"}, body: with(many, m{"message": "m"})}, record{body: "m", attrs: with(many, m{"a": "1"})}},
		{"many fields, one of them an attribute", record{attrs: with(many, nil), body: with(many, m{"message": "m"})}, record{attrs: many, body: with(many, m{"message": "m"})}},
		{"a message that is JSON without fields stays text", record{body: m{"message": `{"k": "v"}`}}, record{body: `{"k": "v"}`}},
		{"a message that only looks like logfmt stays whole", record{body: "event=click"}, record{body: "event=click"}},
		{"JSON text with no more than a message", record{body: `{"message": "a"}`}, record{body: "a"}},
		{"JSON text whose only field cannot be read stays text", record{body: `{"trace_id": "x"}`}, record{body: `{"trace_id": "x"}`}},
		{"JSON text without a message becomes a map", record{body: `{"trace_id": "` + traceA + `", "k": 1}`}, record{trace: traceA, body: m{"k": int64(1)}}},
		{"JSON text with a reserved name", record{body: `{"message": "a", "spanlake.class": "x"}`}, record{body: `{"message": "a", "spanlake.class": "x"}`}},
	}
	p := planWith(t, nil)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			requireBecomes(t, p, tt.in, tt.want)
		})
	}

	logfmt := planWith(t, func(c *Config) { c.Settings.ParseBody = "logfmt" })
	requireBecomes(t, logfmt, record{body: "event=click"}, record{body: "click"})
	requireBecomes(t, logfmt, record{body: `{"message": "a"}`}, record{body: `{"message": "a"}`})
	asJSON := planWith(t, func(c *Config) { c.Settings.ParseBody = "json" })
	requireBecomes(t, asJSON, record{body: "level=info msg=a"}, record{body: "level=info msg=a"})
}

func TestPatterns(t *testing.T) {
	p := planWith(t, func(c *Config) {
		c.Settings.Patterns = []string{
			`^A (?P<trace_id>\S+)(?: (?P<span_id>\w{16}))?`,
			`trace=(?P<trace_id>\S+) level=(?P<severity>\w+)`,
		}
	})
	far := strings.Repeat("x", maxPatternText) + " trace=" + traceA + " level=info"
	tests := []struct {
		name, text string
		want       record
	}{
		{"the first that matches", "A " + traceA + " " + spanA + " trace=" + traceB + " level=warn", record{trace: traceA, span: spanA}},
		{"a group that is not there", "A " + traceA, record{trace: traceA}},
		{"the next", "x trace=" + traceB + " level=warn", record{trace: traceB, sevNumber: 13, sevText: "warn"}},
		{"a value that cannot be read", "A x", record{}},
		{"beyond the first 4 KiB", far, record{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.want.body = tt.text
			requireBecomes(t, p, record{body: tt.text}, tt.want)
		})
	}
	// Text with fields of its own is not matched; what it wraps is.
	requireBecomes(t, p, record{body: `{"log": "A ` + traceA + `", "time": "` + when + `"}`}, record{trace: traceA, time: whenNs, body: "A " + traceA})
}

// What the end of the searched part cuts is not taken for a whole.
func TestPatternDoesNotReadWhatIsCut(t *testing.T) {
	p := planWith(t, func(c *Config) { c.Settings.Patterns = []string{`span=(?P<span_id>\w+) trace=(?P<trace_id>\w+)`} })
	found := "span=" + spanA + " trace=" + traceA
	for name, tt := range map[string]struct {
		before int
		want   string
	}{
		"whole": {maxPatternText - len(found) - 1, traceA},
		"cut":   {maxPatternText - len(found) + 16, ""},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Repeat("-", tt.before) + found + " ends"
			lr := record{body: text}.build(t)
			correlate(p, lr)
			require.Equal(t, record{trace: tt.want, span: spanA, body: text}, plain(lr))
		})
	}
}
