package traceid

import (
	"encoding/hex"
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

// Whatever is readable is exactly the hex digits of s, in order; nothing else
// is readable. This is a second reading of the table in the package comment.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"4bf92f3577b34da6a3ce929d0e0e4736", "A3CE929D0E0E4736", "4bf92f35-77b3-4da6-a3ce-929d0e0e4736",
		"", "-", strings.Repeat("-", 36), strings.Repeat("0", 16), "4bf92f35-77b3-4da6-a3ce-929d0e0e473é",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		digits := s
		if len(s) == 36 && s[8] == '-' && s[13] == '-' && s[18] == '-' && s[23] == '-' {
			digits = s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:]
		}
		isHex := strings.Trim(digits, "0123456789abcdefABCDEF") == ""

		id, ok := ParseTrace(s)
		require.Equal(t, isHex && (len(digits) == 32 || len(s) == 16), ok)
		if ok {
			want := strings.Repeat("0", 32-len(digits)) + strings.ToLower(digits)
			require.Equal(t, want, hex.EncodeToString(id[:]))
		} else {
			require.True(t, id.IsEmpty())
		}

		sid, ok := ParseSpan(s)
		require.Equal(t, isHex && len(s) == 16, ok)
		if ok {
			require.Equal(t, strings.ToLower(s), hex.EncodeToString(sid[:]))
		} else {
			require.True(t, sid.IsEmpty())
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
