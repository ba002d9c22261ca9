package logcorrelationprocessor

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.yaml.in/yaml/v3"
)

// recordCase is a record as a library sends it, and what becomes of it. Recorded
// ones were written by the library itself (testdata/loggers). JSON is sent both
// as an event, whose body is a map, and as text.
type recordCase struct {
	Library, Reason string
	Recorded        string
	Config          m
	Own             said
	JSON            string
	Text            string
	Attributes      m
	Want            said
}

// said is what a record says. Time is what readTime reads.
type said struct {
	Trace, Span string
	Flags       uint32
	Time        any
	Severity    int32
	Text        string
	Body        any
	Attributes  m
}

func (s *said) record(t *testing.T) record {
	t.Helper()
	r := record{trace: s.Trace, span: s.Span, flags: s.Flags, sevNumber: s.Severity, sevText: s.Text, body: wholeNumbers(s.Body)}
	if s.Attributes != nil {
		r.attrs = wholeNumbers(s.Attributes).(m)
	}
	if s.Time != nil {
		v := pcommon.NewValueEmpty()
		require.NoError(t, v.FromRaw(wholeNumbers(s.Time)))
		ns, ok := readTime("UTC", v)
		require.True(t, ok)
		r.time = int64(ns)
	}
	return r
}

// wholeNumbers makes the integers of YAML those of pdata.
func wholeNumbers(v any) any {
	switch v := v.(type) {
	case int:
		return int64(v)
	case uint64: // beyond int64
		return float64(v)
	case []any:
		for i := range v {
			v[i] = wholeNumbers(v[i])
		}
	case m:
		for k := range v {
			v[k] = wholeNumbers(v[k])
		}
	}
	return v
}

func recordedLines(t *testing.T) map[string]string {
	t.Helper()
	lines := make(map[string]string)
	for _, language := range []string{"go", "node"} {
		f, err := os.Open(filepath.Join("testdata", "loggers", language+".jsonl"))
		require.NoError(t, err)
		defer f.Close()
		for s := bufio.NewScanner(f); s.Scan(); {
			var l struct{ Name, Line string }
			require.NoError(t, json.Unmarshal(s.Bytes(), &l))
			lines[language+": "+l.Name] = l.Line
		}
	}
	return lines
}

func recordCases(t *testing.T) []recordCase {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "records", "*.yaml"))
	require.NoError(t, err)
	lines := recordedLines(t)
	var cases []recordCase
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		var of []recordCase
		require.NoError(t, yaml.Unmarshal(data, &of), file)
		for _, c := range of {
			if c.Recorded != "" {
				line := lines[c.Recorded]
				require.NotEmpty(t, line, c.Recorded)
				if strings.HasPrefix(line, "{") {
					c.JSON = line
				} else {
					c.Text = line
				}
			}
			cases = append(cases, c)
		}
	}
	return cases
}

func TestRecords(t *testing.T) {
	const promised = 80
	cases := recordCases(t)
	require.GreaterOrEqual(t, len(cases), promised)
	for _, c := range cases {
		t.Run(c.Library+"/"+c.Reason, func(t *testing.T) {
			p := planWith(t, func(cfg *Config) { require.NoError(t, confmap.NewFromStringMap(c.Config).Unmarshal(cfg)) })
			if c.Attributes != nil {
				c.Attributes = wholeNumbers(c.Attributes).(m)
			}
			in := c.Own.record(t)
			in.attrs = c.Attributes
			want := c.Want.record(t)
			if c.JSON == "" {
				in.body = c.Text
				requireBecomes(t, p, in, want)
				return
			}
			fields, ok := parse((*parser).parseJSON, c.JSON)
			require.True(t, ok)
			in.body = fields.AsRaw()
			requireBecomes(t, p, in, want)
			in.body = c.JSON
			requireBecomes(t, p, in, want)
		})
	}
}

func requireBecomes(t *testing.T, p *plan, in, want record) {
	t.Helper()
	lr := in.build(t)
	correlate(p, lr)
	require.Equal(t, want, plain(lr))
	requireSound(t, p, in.build(t))
}

// Memory is linear in the record: what it takes for each byte does not grow with
// its size.
func TestMemoryIsLinear(t *testing.T) {
	shapes := map[string]func(n int) string{
		"many fields":  func(n int) string { return `{"trace_id":"` + traceA + `"` + manyKeys(n) + `}` },
		"long message": func(n int) string { return `{"trace_id":"` + traceA + `","message":"` + strings.Repeat("x", n) + `"}` },
		"escapes": func(n int) string {
			return `{"trace_id":"` + traceA + `","message":"` + strings.Repeat(`\n`, n/2) + `"}`
		},
		"nested messages":     nestedMessages,
		"nested lines":        nestedLines,
		"the same field":      func(n int) string { return `{"Scopes":[` + strings.Repeat(`{"TraceId":"`+traceA+`"},`, n/46) + `{}]}` },
		"pairs":               func(n int) string { return "level=info" + manyPairs(n) },
		"pairs in pairs":      func(n int) string { return strings.Repeat("msg=", n/4) + "x" },
		"not quite an object": func(n int) string { return `{"trace_id":"x","a":[` + strings.Repeat("[1],", n/4) + `}` },
	}
	for name, shape := range shapes {
		t.Run(name, func(t *testing.T) {
			p := planWith(t, func(c *Config) {
				if strings.HasPrefix(name, "pairs") {
					c.Settings.ParseBody = "logfmt"
				}
			})
			const small, large = 4 << 10, 256 << 10
			perByte := func(n int) float64 {
				lr := plog.NewLogRecord()
				text := shape(n)
				var before, after runtimeStats
				before.read()
				lr.Body().SetStr(text)
				correlate(p, lr)
				after.read()
				return float64(after.allocated-before.allocated) / float64(len(text))
			}
			perByte(small) // what is made once
			require.LessOrEqual(t, perByte(large), max(2*perByte(small), 2))
			require.Less(t, perByte(large), 100.0) // a field of few bytes has some hundred
		})
	}
}
