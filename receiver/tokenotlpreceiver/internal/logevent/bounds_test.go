package logevent

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/spanlake/spanlake/internal/attr"
)

func TestEveryInvalidJSONIsAFault(t *testing.T) {
	for _, value := range []string{
		``, `tru`, `nulll`, `01`, `+1`, `.5`, `1.`, `1e`, `1e+`, `-`, `--1`, `0x1`, `NaN`, `Infinity`, `'x'`,
		`"\x"`, `"\u12"`, `"\u12g4"`, `"\u+123"`, `"\ud83d\u12"`, `"\`, `[1,]`, `[,1]`, `[1 2]`, `{"b":1,}`, `{"b"}`, `{b:1}`, `{"b":1 "c":2}`, `{,}`, "\x00",
	} {
		_, report, err := read(t, `{"a":`+value+`}`, roomy)
		require.NoError(t, err)
		require.Zero(t, report.Accepted, value)
		require.NotZero(t, report.Rejected, value)
	}
}

func TestFaultsAreBoundedAndCounted(t *testing.T) {
	_, report, err := read(t, strings.Repeat("x\n", 1000), roomy)
	require.NoError(t, err)
	require.Equal(t, 1000, report.Rejected)
	require.Len(t, report.Faults, maxFaults)
	require.Equal(t, "line 1: an event must be a JSON object (and 999 more)", report.Message())
}

func TestDepthIsTheLastLevelThatPasses(t *testing.T) {
	for _, open := range []string{`{"a":`, `[`} {
		closed := map[string]string{`{"a":`: `}`, `[`: `]`}[open]
		for _, depth := range []int{1, 2, 8} {
			event := func(n int) string {
				return `{"e":` + strings.Repeat(open, n-1) + `1` + strings.Repeat(closed, n-1) + `}`
			}
			_, report, err := read(t, event(depth), Limits{Depth: depth, Decoded: math.MaxInt64})
			require.NoError(t, err)
			require.Equal(t, 1, report.Accepted)
			_, report, err = read(t, event(depth+1), Limits{Depth: depth, Decoded: math.MaxInt64})
			require.NoError(t, err)
			require.Equal(t, 1, report.Rejected)
		}
	}
}

func TestMemoryIsBounded(t *testing.T) {
	for name, data := range map[string]string{
		"events":  strings.Repeat("{}", 10_000),
		"members": `{"a":[` + strings.Repeat("1,", 30_000) + `1]}`,
		"keys":    `{"a":1` + strings.Repeat(`,"":1`, 30_000) + `}`,
		"in vain": strings.Repeat("{\"a\":[1,2,3,}\n", 10_000),
	} {
		_, _, err := read(t, data, Limits{Depth: 8, Decoded: 1 << 20})
		require.ErrorIs(t, err, ErrTooLarge, name)
		_, _, err = read(t, data, Limits{Depth: 8, Decoded: 16 << 20})
		require.NoError(t, err, name)
	}
}

// What is held must be what the records take, or many requests at once take more
// than all may.
func TestStringsAreHeld(t *testing.T) {
	const n = 4 << 20
	for name, test := range map[string]struct {
		data        string
		least, most int64
	}{
		"string":                {`{"a":"` + strings.Repeat("x", n) + `"}`, n, n + n/4},
		"key":                   {`{"` + strings.Repeat("x", n) + `":1}`, n, n + n/4},
		"key, reserved":         {`{"spanlake.` + strings.Repeat("x", n) + `":1}`, n, n + n/4},
		"not UTF-8":             {`{"a":"` + strings.Repeat("a\xff", n/2) + `"}`, 2 * n, 2*n + n/4},
		"not UTF-8, in one run": {`{"a":"` + strings.Repeat("\xff", n) + `"}`, 3, n / 4},
		"escapes":               {`{"a":"` + strings.Repeat(`\n`, n/2) + `"}`, n + n/2, 2 * n},
		"integer":               {`{"a":` + strings.Repeat("1", n) + `}`, n, n + n/4},
		"double":                {`{"a":1.` + strings.Repeat("1", n) + `}`, 2 * n, 2*n + n/4},
		"many strings":          {strings.Repeat(`{"a":"`+strings.Repeat("x", 1<<10)+`"}`, n>>10), n, 2 * n},
		"many escapes":          {strings.Repeat(`{"a":"\n`+strings.Repeat("x", 1<<10)+`"}`, n>>10), n, 2 * n},
	} {
		t.Run(name, func(t *testing.T) {
			var held int64
			limits := Limits{Depth: 8, Decoded: 4 * n, Hold: func(more int64) error { held += more; return nil }}
			_, report, err := read(t, test.data, limits)
			require.NoError(t, err)
			require.Zero(t, report.Rejected)
			require.GreaterOrEqual(t, held, test.least)
			require.LessOrEqual(t, held, test.most+holdStep)
			limits.Decoded = test.least - 1
			_, _, err = read(t, test.data, limits)
			require.ErrorIs(t, err, ErrTooLarge)
		})
	}
}

func TestHoldIsAskedBeforeMemoryIsTaken(t *testing.T) {
	data := []byte(`{"a":"` + strings.Repeat("a\xff", 4<<20) + `"}`)
	refusal := errors.New("no room")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := Read(data, plog.NewLogRecordSlice(), observed, Limits{Depth: 8, Decoded: math.MaxInt64, Hold: func(more int64) error {
		if more > 1<<20 {
			return refusal
		}
		return nil
	}})
	runtime.ReadMemStats(&after)
	require.ErrorIs(t, err, refusal)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20))
}

func TestManyKeysTakeLinearTime(t *testing.T) {
	// Quadratic, this would take minutes.
	const n = 300_000
	var sb strings.Builder
	sb.WriteString(`{"k0":0`)
	for i := range n {
		fmt.Fprintf(&sb, `,"k%d":%d`, i, i)
	}
	sb.WriteString(`}`)
	records := plog.NewLogRecordSlice()
	report, err := Read([]byte(sb.String()), records, observed, roomy)
	require.NoError(t, err)
	require.Equal(t, 1, report.Accepted)
	require.Equal(t, n, records.At(0).Body().Map().Len())
}

// FuzzRead holds the reader against encoding/json.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		`{"a":1}`, "{\"a\":1}\n{\"b\":[1,2.5,\"x\",null,true,{}]}\nbad\n", `[{"a":"\u00e9\ud83d\ude00"},1]`, "{\n \"a\": {\n  \"b\": 1e9\n }\n}",
		`{"a":18446744073709551616,"a":-0}`, "\xef\xbb\xbf{}", `{"spanlake.source":"x"}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data string) {
		records := plog.NewLogRecordSlice()
		report, err := Read([]byte(data), records, observed, Limits{Depth: 200, Decoded: math.MaxInt64})
		require.NoError(t, err)
		require.Equal(t, records.Len(), report.Accepted)
		lines := strings.Count(data, "\n") + 1
		for _, fault := range report.Faults {
			require.Positive(t, fault.Line)
			require.LessOrEqual(t, fault.Line, lines)
		}
		for _, record := range records.All() {
			checkUTF8(t, record.Body())
		}
		var want map[string]any
		if !utf8.ValidString(data) || json.Unmarshal([]byte(data), &want) != nil || want == nil {
			return
		}
		require.Equal(t, 1, report.Accepted, "valid JSON: %v", report)
		require.Zero(t, report.Rejected)
		for key := range want {
			if attr.Reserved(key) {
				delete(want, key)
			}
		}
		requireEqualJSON(t, want, records.At(0).Body().Map().AsRaw())
	})
}

func checkUTF8(t *testing.T, v pcommon.Value) {
	t.Helper()
	switch v.Type() {
	case pcommon.ValueTypeStr:
		require.True(t, utf8.ValidString(v.Str()))
	case pcommon.ValueTypeMap:
		for k, child := range v.Map().All() {
			require.True(t, utf8.ValidString(k))
			checkUTF8(t, child)
		}
	case pcommon.ValueTypeSlice:
		for _, child := range v.Slice().All() {
			checkUTF8(t, child)
		}
	default:
	}
}

// requireEqualJSON compares by value: encoding/json reads every number as a
// double.
func requireEqualJSON(t *testing.T, want, got any) {
	t.Helper()
	switch want := want.(type) {
	case map[string]any:
		got := got.(map[string]any)
		require.Len(t, got, len(want))
		for k := range want {
			require.Contains(t, got, k)
			requireEqualJSON(t, want[k], got[k])
		}
	case []any:
		got := got.([]any)
		require.Len(t, got, len(want))
		for i := range want {
			requireEqualJSON(t, want[i], got[i])
		}
	case float64:
		switch got := got.(type) {
		case int64:
			require.InDelta(t, want, float64(got), 0)
		case float64:
			require.InDelta(t, want, got, 0)
		case string:
			var f float64
			require.NoError(t, json.Unmarshal([]byte(got), &f))
			require.InDelta(t, want, f, 0)
		default:
			require.Fail(t, "no number", "%T", got)
		}
	default:
		require.Equal(t, want, got)
	}
}

func BenchmarkRead(b *testing.B) {
	line := `{"dt":"2026-11-21T09:30:00.123Z","level":"info","message":"order 4711 paid","context":{"trace_id":"0123456789abcdef0123456789abcdef","user":{"id":42,"plan":"pro"}},"duration":12.5}` + "\n"
	data := []byte(strings.Repeat(line, 500))
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		records := plog.NewLogRecordSlice()
		if report, err := Read(data, records, observed, roomy); err != nil || report.Accepted != 500 {
			b.Fatal(report, err)
		}
	}
}
