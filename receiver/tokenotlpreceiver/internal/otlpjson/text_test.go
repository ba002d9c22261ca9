package otlpjson

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/wire"
)

func TestStrings(t *testing.T) {
	for _, test := range []struct{ name, in, want string }{
		{"empty", ``, ""},
		{"plain", `abc`, "abc"},
		{"short escapes", `\"\\\/\b\f\n\r\t`, "\"\\/\b\f\n\r\t"},
		{"code units", `\u0041\u00e9\u20AC\u0000`, "Aé€\x00"},
		{"a pair", `x\ud83d\ude00y`, "x😀y"},
		{"a lone high surrogate", `x\ud83dy`, "x\ufffdy"},
		{"a lone low surrogate", `\ude00`, "\ufffd"},
		{"a high surrogate and a character", `\ud83d\u0041`, "\ufffdA"},
		{"a high surrogate and an escape", `\ud83d\n`, "\ufffd\n"},
		{"a high surrogate before a pair", `\ud83d\ud83d\ude00`, "\ufffd😀"},
		{"a high surrogate at the end", `\ud83d`, "\ufffd"},
		{"not escaped", "é€😀\u2028\x7f", "é€😀\u2028\x7f"},
		{"not UTF-8", "a\xff\xc0\xafb", "a\xff\xc0\xafb"},
		{"not UTF-8, with an escape", "a\xff\\n\xc0", "a\xff\n\xc0"},
		{"a quote at each place in a word", `1234567\"1234567\"12\"`, `1234567"1234567"12"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			// As the field of a span, as an attribute in its usual form, and as
			// one with white space.
			body := oneSpan(`"name":"` + test.in + `","attributes":[{"key":"` + test.in + `","value":{"stringValue":"` + test.in + `"}},{"key":"other", "value":{"stringValue":"` + test.in + `"}}]`)
			out, _, err := Transcode(wire.Traces, []byte(body), nil, roomy)
			require.NoError(t, err)
			req := ptraceotlp.NewExportRequest()
			require.NoError(t, req.UnmarshalProto(out))
			s := req.Traces().ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
			require.Equal(t, test.want, s.Name())
			require.Equal(t, map[string]any{test.want: test.want, "other": test.want}, s.Attributes().AsRaw())
		})
	}
}

func TestBadStrings(t *testing.T) {
	for _, in := range []string{`\`, `\x`, `\u`, `\u12`, `\u12g4`, `\ud83d\u12`, `\ud83d\`, "\x00", "\x1f", "a\tb", "\\\x01", `\U0041`, `\'`} {
		for _, member := range []string{`"name":"` + in + `"`, `"` + in + `":1`, `"unknown":["` + in + `"]`, `"unknown":{"` + in + `":1}`, `"attributes":[{"key":"` + in + `","value":{"stringValue":"v"}}]`} {
			_, _, err := Transcode(wire.Traces, []byte(oneSpan(member)), nil, roomy)
			require.ErrorIs(t, err, wire.ErrMalformed, member)
			require.Less(t, len(err.Error()), 200)
		}
	}
}

// The walk over the output sees reserved keys however they were written.
func TestReservedKeys(t *testing.T) {
	for _, key := range []string{`spanlake.source`, `spanlake\u002esource`, `\u0073panlake.source`, `\u0073\u0070anlake.source`} {
		for _, member := range []string{
			`"attributes":[{"key":"` + key + `","value":{"stringValue":"v"}}]`,
			`"attributes":[{"value":{"intValue":1}, "key":"` + key + `"}]`,
			`"attributes":[{"\u006bey":"` + key + `"}]`,
			`"attributes":[{"key":"m","value":{"kvlistValue":{"values":[{"key":"` + key + `"}]}}}]`,
		} {
			out, _, err := Transcode(wire.Traces, []byte(oneSpan(member)), nil, roomy)
			require.NoError(t, err)
			res, err := wire.Proto(wire.Traces, out, wire.Limits{Depth: 64, Decoded: 1 << 30})
			require.NoError(t, err)
			require.True(t, res.Reserved, member)
		}
	}
}

func TestStringEnd(t *testing.T) {
	for n := range 20 {
		for c := range 256 {
			src := strings.Repeat("\xa2", n) + string([]byte{byte(c)}) + `x"\` // 0xa2 is a quote with the high bit
			want := n
			if c >= ' ' && c != '"' && c != '\\' {
				want = n + 2
			}
			require.Equal(t, want, stringEnd([]byte(src), 0), "%q", src)
		}
		require.Equal(t, n, stringEnd([]byte(strings.Repeat("a", n)), 0))
	}
}
