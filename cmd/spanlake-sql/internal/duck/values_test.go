package duck

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestValuesOfEveryType(t *testing.T) {
	for name, tc := range map[string]struct{ sql, text, json string }{
		"true":               {"true", "true", "true"},
		"null":               {"null", "", "null"},
		"null bigint":        {"null::bigint", "", "null"},
		"tinyint":            {"(-128)::tinyint", "-128", "-128"},
		"smallint":           {"(-32768)::smallint", "-32768", "-32768"},
		"integer":            {"(-2147483648)::integer", "-2147483648", "-2147483648"},
		"bigint min":         {"(-9223372036854775808)::bigint", "-9223372036854775808", "-9223372036854775808"},
		"beyond 2^53":        {"9007199254740993::bigint", "9007199254740993", "9007199254740993"},
		"utinyint":           {"255::utinyint", "255", "255"},
		"usmallint":          {"65535::usmallint", "65535", "65535"},
		"uinteger":           {"4294967295::uinteger", "4294967295", "4294967295"},
		"ubigint":            {"18446744073709551615::ubigint", "18446744073709551615", "18446744073709551615"},
		"hugeint min":        {"'-170141183460469231731687303715884105728'::hugeint", "-170141183460469231731687303715884105728", "-170141183460469231731687303715884105728"},
		"hugeint -1":         {"-1::hugeint", "-1", "-1"},
		"uhugeint max":       {"'340282366920938463463374607431768211455'::uhugeint", "340282366920938463463374607431768211455", "340282366920938463463374607431768211455"},
		"sum of bigint":      {"(select sum(x) from (values (9223372036854775807), (1)) t(x))", "9223372036854775808", "9223372036854775808"},
		"float":              {"0.1::float", "0.1", "0.1"},
		"double whole":       {"5::double", "5.0", "5.0"},
		"double zero":        {"-0.0::double", "-0.0", "-0.0"},
		"double big":         {"1e300::double", "1e+300", "1e+300"},
		"double small":       {"1.5e-9::double", "1.5e-09", "1.5e-09"},
		"nan":                {"'nan'::double", "NaN", `"NaN"`},
		"infinite float":     {"'-inf'::float", "-Infinity", `"-Infinity"`},
		"decimal 16 bit":     {"-0.05::decimal(4,2)", "-0.05", "-0.05"},
		"decimal 32 bit":     {"12345.60::decimal(9,2)", "12345.60", "12345.60"},
		"decimal 64 bit":     {"1.5::decimal(18,3)", "1.500", "1.500"},
		"decimal 128 bit":    {"'-12345678901234567890123456789.012345678'::decimal(38,9)", "-12345678901234567890123456789.012345678", "-12345678901234567890123456789.012345678"},
		"decimal no scale":   {"7::decimal(5,0)", "7", "7"},
		"varchar empty":      {"''", "", `""`},
		"varchar 12 bytes":   {"'twelve bytes'", "twelve bytes", `"twelve bytes"`},
		"varchar 13 bytes":   {"'thirteen byte'", "thirteen byte", `"thirteen byte"`},
		"varchar escapes":    {`e'a"b\\c\n\t\x01世'`, "a\"b\\c\n\t\x01世", `"a\"b\\c\n\t\u0001世"`},
		"json stays text":    {`'{"b":12345678901234567890,"a":1.0}'::json`, `{"b":12345678901234567890,"a":1.0}`, `"{\"b\":12345678901234567890,\"a\":1.0}"`},
		"blob":               {`'\x00\xFFab'::blob`, "00ff6162", `"00ff6162"`},
		"uuid":               {"'00112233-4455-6677-8899-aabbccddeeff'::uuid", "00112233-4455-6677-8899-aabbccddeeff", `"00112233-4455-6677-8899-aabbccddeeff"`},
		"uuid high bit":      {"'ff112233-4455-6677-8899-aabbccddeeff'::uuid", "ff112233-4455-6677-8899-aabbccddeeff", `"ff112233-4455-6677-8899-aabbccddeeff"`},
		"enum":               {"'ok'::enum('bad', 'ok')", "ok", `"ok"`},
		"date":               {"date '1969-12-31'", "1969-12-31", `"1969-12-31"`},
		"date infinite":      {"'-infinity'::date", "-infinity", `"-infinity"`},
		"time":               {"time '01:02:03.04'", "01:02:03.040000", `"01:02:03.040000"`},
		"timestamp ns":       {"timestamp_ns '2026-11-21 01:02:03.123456789'", "2026-11-21T01:02:03.123456789Z", `"2026-11-21T01:02:03.123456789Z"`},
		"timestamp ns whole": {"timestamp_ns '2026-11-21 01:02:03'", "2026-11-21T01:02:03.000000000Z", `"2026-11-21T01:02:03.000000000Z"`},
		"timestamp ns old":   {"timestamp_ns '1969-12-31 23:59:59.999999999'", "1969-12-31T23:59:59.999999999Z", `"1969-12-31T23:59:59.999999999Z"`},
		"timestamp us":       {"timestamp '2026-11-21 01:02:03.5'", "2026-11-21T01:02:03.500000Z", `"2026-11-21T01:02:03.500000Z"`},
		"timestamp ms":       {"timestamp_ms '2026-11-21 01:02:03.5'", "2026-11-21T01:02:03.500Z", `"2026-11-21T01:02:03.500Z"`},
		"timestamp s":        {"timestamp_s '2026-11-21 01:02:03'", "2026-11-21T01:02:03Z", `"2026-11-21T01:02:03Z"`},
		"timestamp tz":       {"timestamptz '2026-11-21 03:02:03+02'", "2026-11-21T01:02:03.000000Z", `"2026-11-21T01:02:03.000000Z"`},
		"timestamp infinite": {"'infinity'::timestamp", "infinity", `"infinity"`},
		"interval":           {"interval '14 months 1 day 25 hours 0.5 seconds'", "1 year 2 months 1 day 25:00:00.500000", `"1 year 2 months 1 day 25:00:00.500000"`},
		"interval negative":  {"timestamp '2026-01-01' - timestamp '2026-01-01 00:00:01'", "-00:00:01.000000", `"-00:00:01.000000"`},
		"interval days":      {"interval 3 days", "3 days", `"3 days"`},
		"interval zero":      {"interval 0 days", "00:00:00.000000", `"00:00:00.000000"`},
		"list":               {"[1, null, 3]", "[1,null,3]", "[1,null,3]"},
		"list empty":         {"[]::int[]", "[]", "[]"},
		"list null":          {"null::int[]", "", "null"},
		"list of lists":      {"[['a'], [], null, ['b', 'a longer string than twelve']]", `[["a"],[],null,["b","a longer string than twelve"]]`, `[["a"],[],null,["b","a longer string than twelve"]]`},
		"array":              {"[1.5, 2]::double[2]", "[1.5,2.0]", "[1.5,2.0]"},
		"struct":             {"{'z': 1, 'a': 'x', 'n': null}", `{"z":1,"a":"x","n":null}`, `{"z":1,"a":"x","n":null}`},
		"events":             {`[{'timestamp': timestamp_ns '2026-11-21 01:02:03.000000001', 'attributes': '{"k":1}'::json}]`, `[{"timestamp":"2026-11-21T01:02:03.000000001Z","attributes":"{\"k\":1}"}]`, `[{"timestamp":"2026-11-21T01:02:03.000000001Z","attributes":"{\"k\":1}"}]`},
		"map":                {"map {'b': 1, 'a': null}", `{"b":1,"a":null}`, `{"b":1,"a":null}`},
		"map of ints":        {"map {2: ['x'], 1: []}", `{"2":["x"],"1":[]}`, `{"2":["x"],"1":[]}`},
		"nan in a list":      {"['inf'::double]", `["Infinity"]`, `["Infinity"]`},
	} {
		t.Run(name, func(t *testing.T) {
			var got collect
			require.NoError(t, openDB(t).Query(t.Context(), "select "+tc.sql, &got))
			require.Equal(t, [][]string{{tc.text}}, got.text)
			require.Equal(t, [][]string{{tc.json}}, got.json)
			require.True(t, json.Valid([]byte(got.json[0][0])))
		})
	}
}

// Chunks hold 2,048 rows: values, NULLs and list offsets must stay right across
// their borders.
func TestValuesAcrossChunks(t *testing.T) {
	const rows = 5000
	var got collect
	require.NoError(t, openDB(t).Query(t.Context(), `
		select range, if(range % 3 = 0, null, 'a string of row ' || range), [range, range + 1], {'n': if(range % 5 = 0, null, range)}
		from range(5000)`, &got))
	require.Len(t, got.json, rows)
	for i, row := range got.json {
		n := strconv.Itoa(i)
		text, field := `"a string of row `+n+`"`, n
		if i%3 == 0 {
			text = "null"
		}
		if i%5 == 0 {
			field = "null"
		}
		require.Equal(t, []string{n, text, "[" + n + "," + strconv.Itoa(i+1) + "]", `{"n":` + field + `}`}, row)
	}
}

func TestFloatsReadBackAsTheSameNumber(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := math.Float64frombits(rapid.Uint64().Draw(t, "bits"))
		if math.IsNaN(f) || math.IsInf(f, 0) {
			t.Skip()
		}
		text := string(appendFloat(nil, f, 64))
		back, err := strconv.ParseFloat(text, 64)
		require.NoError(t, err)
		require.Equal(t, math.Float64bits(f), math.Float64bits(back))
		require.True(t, strings.ContainsAny(text, ".e"), text)
		require.True(t, json.Valid([]byte(text)), text)
	})
}

func FuzzQuotedTextReadsBack(f *testing.F) {
	for _, seed := range []string{"", "plain", "\"\\/\b\n", "\x00\x7f", "世界\u2028", "\xff\xc3("} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var back string
		require.NoError(t, json.Unmarshal(AppendQuoted(nil, []byte(text)), &back))
		if utf8.ValidString(text) {
			require.Equal(t, text, back)
		}
	})
}

func BenchmarkRow(b *testing.B) {
	db, err := Open(Settings{Threads: 1})
	require.NoError(b, err)
	defer db.Close()
	b.ReportAllocs()
	sink := &benchSink{}
	for b.Loop() {
		sink.rows = 0
		require.NoError(b, db.Query(b.Context(), `
			select range, 'service-' || range % 12, range * 1.5, timestamp_ns '2026-11-21' as ts, [{'name': 'exception'}] as events
			from range(10000)`, sink))
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/10000, "ns/row")
}

type benchSink struct {
	rows, columns int
	buf           []byte
}

func (s *benchSink) Begin(columns []Column) error { s.columns = len(columns); return nil }

func (s *benchSink) Row(row Row) error {
	s.rows++
	s.buf = s.buf[:0]
	for i := range s.columns {
		s.buf = row.AppendJSON(s.buf, i)
	}
	return nil
}

func (s *benchSink) End() error { return nil }
