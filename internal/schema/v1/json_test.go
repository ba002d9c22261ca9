package v1

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"pgregory.net/rapid"
)

func TestValuesAsJSON(t *testing.T) {
	object := func(fill func(pcommon.Map)) pcommon.Value {
		v := pcommon.NewValueMap()
		fill(v.Map())
		return v
	}
	bytes := func(b ...byte) pcommon.Value {
		v := pcommon.NewValueBytes()
		v.Bytes().FromRaw(b)
		return v
	}
	for name, tc := range map[string]struct {
		value pcommon.Value
		want  string
	}{
		"no value":            {pcommon.NewValueEmpty(), `null`},
		"empty string":        {pcommon.NewValueStr(""), `""`},
		"escapes":             {pcommon.NewValueStr("a\"\\\n\r\t\x00\x1f"), `"a\"\\\n\r\t\u0000\u001f"`},
		"unicode":             {pcommon.NewValueStr("Łódź 🚀\u2028"), "\"Łódź 🚀\u2028\""},
		"invalid UTF-8":       {pcommon.NewValueStr("a\xffb\xc3"), "\"a\uFFFDb\uFFFD\""},
		"invalid bytes":       {pcommon.NewValueStr("a\xff\xfe\"\xff\xe2\x82b"), "\"a\uFFFD\\\"\uFFFDb\""},
		"replacement":         {pcommon.NewValueStr("\uFFFD"), "\"\uFFFD\""},
		"bool":                {pcommon.NewValueBool(true), `true`},
		"integer":             {pcommon.NewValueInt(1), `1`},
		"least integer":       {pcommon.NewValueInt(math.MinInt64), `-9223372036854775808`},
		"double":              {pcommon.NewValueDouble(1.5), `1.5`},
		"whole double":        {pcommon.NewValueDouble(1), `1.0`},
		"negative zero":       {pcommon.NewValueDouble(math.Copysign(0, -1)), `-0.0`},
		"large double":        {pcommon.NewValueDouble(1e21), `1e+21`},
		"small double":        {pcommon.NewValueDouble(1e-7), `1e-07`},
		"NaN":                 {pcommon.NewValueDouble(math.NaN()), `{"@double":"NaN"}`},
		"infinity":            {pcommon.NewValueDouble(math.Inf(1)), `{"@double":"Infinity"}`},
		"negative infinity":   {pcommon.NewValueDouble(math.Inf(-1)), `{"@double":"-Infinity"}`},
		"bytes":               {bytes(0, 255), `{"@bytes":"AP8="}`},
		"no bytes":            {bytes(), `{"@bytes":""}`},
		"empty map":           {pcommon.NewValueMap(), `{}`},
		"empty array":         {pcommon.NewValueSlice(), `[]`},
		"like a tag":          {object(func(m pcommon.Map) { m.PutStr("@bytes", "AP8=") }), `{"@@bytes":"AP8="}`},
		"like an escaped tag": {object(func(m pcommon.Map) { m.PutInt("@@double", 1) }), `{"@@@double":1}`},
		"tag of several keys": {object(func(m pcommon.Map) { m.PutInt("@double", 1); m.PutInt("a", 2) }), `{"@double":1,"a":2}`},
		"other dollar":        {object(func(m pcommon.Map) { m.PutInt("@ref", 1) }), `{"@ref":1}`},
	} {
		t.Run(name, func(t *testing.T) {
			text := appendValue(nil, tc.value)
			require.Equal(t, tc.want, string(text))
			require.True(t, json.Valid(text))
			back := pcommon.NewValueEmpty()
			require.NoError(t, readValue(text, back))
			if !strings.HasPrefix(name, "invalid ") {
				require.Equal(t, valueLine(tc.value), valueLine(back))
			}
		})
	}
}

func TestReadValueRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":          ``,
		"more behind":      `1 2`,
		"open":             `{"a":1`,
		"too large":        `9223372036854775808`,
		"bad base64":       `{"@bytes":"*"}`,
		"number as bytes":  `{"@bytes":1}`,
		"finite tag":       `{"@double":"1.5"}`,
		"array as double":  `{"@double":[]}`,
		"double too large": `1e999`,
	} {
		t.Run(name, func(t *testing.T) {
			require.Error(t, readValue([]byte(text), pcommon.NewValueEmpty()))
		})
	}
}

func TestRepeatedKeyKeepsFirstValue(t *testing.T) {
	m := pcommon.NewMap()
	require.NoError(t, readAttributes([]byte(`{"a":1,"b":2,"a":[3]}`), m))
	require.Equal(t, map[string]any{"a": int64(1), "b": int64(2)}, m.AsRaw())
}

func TestNestingIsBoundedInReading(t *testing.T) {
	deep := make([]byte, 0, 2*maxDepth+10)
	for range maxDepth + 5 {
		deep = append(deep, '[')
	}
	for range maxDepth + 5 {
		deep = append(deep, ']')
	}
	require.Error(t, readValue(deep, pcommon.NewValueEmpty()))
}

// A string is mended in JSON as in a column of its own.
func TestStringsComeBackMended(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := string(rapid.SliceOf(rapid.Byte()).Draw(t, "s"))
		text := appendString(nil, s)
		var back string
		require.NoError(t, json.Unmarshal(text, &back))
		require.Equal(t, mend(s), back)
	})
}

// What is read is written and read again unchanged.
func FuzzReadValue(f *testing.F) {
	for _, s := range []string{`null`, `{"@@bytes":"x"}`, `{"@bytes":"AP8="}`, `[1,1.0,1e5,{"@double":"NaN"}]`, `{"a":{"b":["",true]}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v := pcommon.NewValueEmpty()
		if readValue(text, v) != nil {
			return
		}
		again := pcommon.NewValueEmpty()
		require.NoError(t, readValue(appendValue(nil, v), again))
		require.Equal(t, valueLine(v), valueLine(again))
	})
}
