package traceid

import (
	"encoding/base64"
	"encoding/hex"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

var (
	trace = pcommon.TraceID{0x4b, 0xf9, 0x2f, 0x35, 0x77, 0xb3, 0x4d, 0xa6, 0xa3, 0xce, 0x92, 0x9d, 0x0e, 0x0e, 0x47, 0x36}
	short = pcommon.TraceID{8: 0xa3, 0xce, 0x92, 0x9d, 0x0e, 0x0e, 0x47, 0x36}
	span  = pcommon.SpanID{0x00, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7}
)

func TestParseTrace(t *testing.T) {
	tests := []struct {
		name, in string
		want     pcommon.TraceID
		ok       bool
	}{
		{"hex, lower case", "4bf92f3577b34da6a3ce929d0e0e4736", trace, true},
		{"hex, upper case", "4BF92F3577B34DA6A3CE929D0E0E4736", trace, true},
		{"hex, mixed case", "4bF92f3577b34dA6a3Ce929D0e0E4736", trace, true},
		{"64-bit hex is left-padded", "a3ce929d0e0e4736", short, true},
		{"64-bit hex of digits only is still hex", "1234567890123456", pcommon.TraceID{8: 0x12, 0x34, 0x56, 0x78, 0x90, 0x12, 0x34, 0x56}, true},
		{"UUID", "4bf92f35-77b3-4da6-a3ce-929d0e0e4736", trace, true},
		{"UUID, upper case", "4BF92F35-77B3-4DA6-A3CE-929D0E0E4736", trace, true},
		{"all zero is readable and empty", strings.Repeat("0", 32), pcommon.TraceID{}, true},
		{"empty", "", pcommon.TraceID{}, false},
		{"31 digits", "4bf92f3577b34da6a3ce929d0e0e473", pcommon.TraceID{}, false},
		{"33 digits", "4bf92f3577b34da6a3ce929d0e0e47360", pcommon.TraceID{}, false},
		{"a wrong digit at the end", "4bf92f3577b34da6a3ce929d0e0e473g", pcommon.TraceID{}, false},
		{"a wrong digit at the start", "xbf92f3577b34da6a3ce929d0e0e4736", pcommon.TraceID{}, false},
		{"64-bit with a wrong digit", "a3ce929d0e0e473z", pcommon.TraceID{}, false},
		{"0x prefix", "0xa3ce929d0e0e47", pcommon.TraceID{}, false},
		{"blanks around", " 4bf92f3577b34da6a3ce929d0e0e4736 ", pcommon.TraceID{}, false},
		{"36 digits without dashes", "4bf92f3577b34da6a3ce929d0e0e47360000", pcommon.TraceID{}, false},
		{"UUID with a dash misplaced", "4bf92f357-7b3-4da6-a3ce-929d0e0e4736", pcommon.TraceID{}, false},
		{"UUID with a dash for a digit", "4bf92f35-77b3-4da6-a3ce-929d0e0e473-", pcommon.TraceID{}, false},
		{"UUID in braces", "{4bf92f35-77b3-4da6-a3ce-929d0e0e47}", pcommon.TraceID{}, false},
		{"traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", pcommon.TraceID{}, false},
		{"base64", "S/kvNXezTaajzpKdDg5HNg==", trace, true},
		{"base64, unused bits set", "S/kvNXezTaajzpKdDg5HNh==", pcommon.TraceID{}, false},
		{"base64 with a line break", "S/kvNXezTaajzpKdDg5HNg=\n", pcommon.TraceID{}, false},
		{"base64 of digits", "NGJmOTJmMzU3N2IzNGRhNmEzY2U5MjlkMGUwZTQ3MzY=", trace, true},
		{"base64 of no digits", base64.StdEncoding.EncodeToString([]byte(strings.Repeat("z", 32))), pcommon.TraceID{}, false},
		{"digits of misread digits", "e1b7fdd9fdf9efb6f7e1d6ba6b771ef76f5dd1ed1ee3bdfa", trace, true},
		{"48 zeros", strings.Repeat("0", 48), pcommon.TraceID{}, false},
		{"48 digits that were not misread", strings.Repeat("ff", 24), pcommon.TraceID{}, false},
		{"a decimal number", "11803532876627986230", pcommon.TraceID{}, false},
		{"22 decimal digits", "1180353287662798623011", pcommon.TraceID{}, false},
		{"base64, unpadded", "S/kvNXezTaajzpKdDg5HNg", pcommon.TraceID{}, false},
		{"a name of 22 characters", "checkout-request-flowA", pcommon.TraceID{}, false},
		{"base64 of both alphabets", "S/kvNXezTaajzpKdDg5-Ng==", pcommon.TraceID{}, false},
		{"other digits of Unicode", "４bf92f3577b34da6a3ce929d0e0e47", pcommon.TraceID{}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			id, ok := ParseTrace(tt.in)
			require.Equal(t, tt.ok, ok)
			require.Equal(t, tt.want, id)
		})
	}
}

func TestParseSpan(t *testing.T) {
	tests := []struct {
		name, in string
		want     pcommon.SpanID
		ok       bool
	}{
		{"hex, lower case", "00f067aa0ba902b7", span, true},
		{"hex, upper case", "00F067AA0BA902B7", span, true},
		{"all zero is readable and empty", "0000000000000000", pcommon.SpanID{}, true},
		{"empty", "", pcommon.SpanID{}, false},
		{"base64", "APBnqgupArc=", span, true},
		{"base64, unpadded", "APBnqgupArc", pcommon.SpanID{}, false},
		{"a name of 11 characters", "db-query-08", pcommon.SpanID{}, false},
		{"base64 of digits", "MDBmMDY3YWEwYmE5MDJiNw==", span, true},
		{"a short decimal number", "12345678901", pcommon.SpanID{}, false},
		{"15 digits", "00f067aa0ba902b", pcommon.SpanID{}, false},
		{"17 digits", "00f067aa0ba902b70", pcommon.SpanID{}, false},
		{"a wrong digit at the end", "00f067aa0ba902bx", pcommon.SpanID{}, false},
		{"a trace ID", "4bf92f3577b34da6a3ce929d0e0e4736", pcommon.SpanID{}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			id, ok := ParseSpan(tt.in)
			require.Equal(t, tt.ok, ok)
			require.Equal(t, tt.want, id)
		})
	}
}

func TestReadableIDsDoNotAllocate(t *testing.T) {
	n := testing.AllocsPerRun(100, func() {
		_, _ = ParseTrace("4bf92f3577b34da6a3ce929d0e0e4736")
		_, _ = ParseTrace("a3ce929d0e0e4736")
		_, _ = ParseTrace("4bf92f35-77b3-4da6-a3ce-929d0e0e4736")
		_, _ = ParseSpan("00f067aa0ba902b7")
	})
	require.Zero(t, n)
}

// formsOf writes n bytes in every form of the package comment, as text and as
// the content of a bytes field. It is a second reading of that table.
func formsOf(id []byte) (texts, fields map[string]string) {
	digits := hex.EncodeToString(id)
	misread := make([]byte, len(id)*3/2)
	if _, err := base64.StdEncoding.Decode(misread, []byte(digits)); err != nil {
		panic(err)
	}
	texts = map[string]string{
		"digits":                   digits,
		"upper case":               strings.ToUpper(digits),
		"base64":                   base64.StdEncoding.EncodeToString(id),
		"base64url":                base64.URLEncoding.EncodeToString(id),
		"base64 of digits":         base64.StdEncoding.EncodeToString([]byte(digits)),
		"base64 of upper case":     base64.StdEncoding.EncodeToString([]byte(strings.ToUpper(digits))),
		"digits of misread digits": hex.EncodeToString(misread),
		"digits of misread, upper": strings.ToUpper(hex.EncodeToString(misread)),
	}
	if len(id) == 16 {
		texts["UUID"] = digits[:8] + "-" + digits[8:12] + "-" + digits[12:16] + "-" + digits[16:20] + "-" + digits[20:]
	}
	fields = maps.Clone(texts)
	fields["bytes"] = string(id)
	fields["misread digits"] = string(misread)
	return texts, fields
}

func TestEveryFormIsReadAsTheSameID(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a fixed seed is the point
	for range 2000 {
		id := make([]byte, 16)
		for i := range id {
			id[i] = byte(random.Uint32())
		}
		texts, fields := formsOf(id)
		for form, s := range texts {
			got, ok := ParseTrace(s)
			require.True(t, ok, "%s: %s", form, s)
			require.Equal(t, id, got[:], form)
		}
		for form, s := range fields {
			got, ok := TraceFromBytes([]byte(s))
			require.True(t, ok, "%s: %q", form, s)
			require.Equal(t, id, got[:], form)
		}
		texts, fields = formsOf(id[:8])
		for form, s := range texts {
			got, ok := ParseSpan(s)
			require.True(t, ok, "%s: %s", form, s)
			require.Equal(t, id[:8], got[:], form)
		}
		for form, s := range fields {
			got, ok := SpanFromBytes([]byte(s))
			require.True(t, ok, "%s: %q", form, s)
			require.Equal(t, id[:8], got[:], form)
		}
	}
}

func TestBytesFieldAlone(t *testing.T) {
	// 64-bit trace IDs, and sixteen bytes that look like digits.
	id, ok := TraceFromBytes(short[8:])
	require.True(t, ok)
	require.Equal(t, short, id)
	id, ok = TraceFromBytes([]byte("a3ce929d0e0e4736"))
	require.True(t, ok)
	require.Equal(t, "a3ce929d0e0e4736", string(id[:]))
	sid, ok := SpanFromBytes([]byte("00f067aa"))
	require.True(t, ok)
	require.Equal(t, "00f067aa", string(sid[:]))
	for _, bad := range []string{"", "x", strings.Repeat("\xff", 12), strings.Repeat("\xff", 24), strings.Repeat("z", 24), strings.Repeat("a", 49)} {
		_, ok = TraceFromBytes([]byte(bad))
		require.False(t, ok, "%q", bad)
		_, ok = SpanFromBytes([]byte(bad))
		require.False(t, ok, "%q", bad)
	}
}

// Whatever is readable is one of the forms of what was read.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"4bf92f3577b34da6a3ce929d0e0e4736", "A3CE929D0E0E4736", "4bf92f35-77b3-4da6-a3ce-929d0e0e4736",
		"", "-", strings.Repeat("-", 36), strings.Repeat("0", 16), "4bf92f35-77b3-4da6-a3ce-929d0e0e473é",
	} {
		f.Add(s)
	}
	for _, id := range [][]byte{trace[:], span[:]} {
		_, fields := formsOf(id)
		for _, s := range fields {
			f.Add(s)
		}
	}
	f.Fuzz(func(t *testing.T, s string) {
		oneOf := func(id []byte, text bool) {
			texts, fields := formsOf(id)
			if !text {
				texts = fields
			}
			for _, form := range texts {
				if form == s || strings.EqualFold(form, s) && !strings.ContainsAny(form, "+/=_-") {
					return
				}
			}
			// What is left mixes cases, or alphabets, below base64.
			require.Contains(t, []int{12, 24, 36, 44}, len(s), "%q", s)
		}
		if id, ok := ParseTrace(s); !ok {
			require.True(t, id.IsEmpty())
		} else if len(s) == 16 {
			require.Equal(t, strings.ToLower(s), hex.EncodeToString(id[8:]))
		} else {
			oneOf(id[:], true)
		}
		if id, ok := ParseSpan(s); !ok {
			require.True(t, id.IsEmpty())
		} else {
			oneOf(id[:], true)
		}
		if id, ok := TraceFromBytes([]byte(s)); !ok {
			require.True(t, id.IsEmpty())
		} else if len(s) == 8 {
			require.Equal(t, s, string(id[8:]))
		} else {
			oneOf(id[:], false)
		}
		if id, ok := SpanFromBytes([]byte(s)); !ok {
			require.True(t, id.IsEmpty())
		} else {
			oneOf(id[:], false)
		}
	})
}

func BenchmarkParseTrace(b *testing.B) {
	for _, s := range []string{"4bf92f3577b34da6a3ce929d0e0e4736", "4bf92f35-77b3-4da6-a3ce-929d0e0e4736"} {
		b.Run(s, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = ParseTrace(s)
			}
		})
	}
}
