package format

import (
	"bytes"
	encodingcsv "encoding/csv"
	encodingjson "encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/cmd/spanlake-sql/internal/duck"
)

func write(t *testing.T, format, sql string) string {
	t.Helper()
	db, err := duck.Open(duck.Settings{Threads: 1})
	require.NoError(t, err)
	defer db.Close()
	var out bytes.Buffer
	sink, err := New(format, &out, false)
	require.NoError(t, err)
	require.NoError(t, db.Query(t.Context(), sql, sink))
	return out.String()
}

func TestTable(t *testing.T) {
	for name, tc := range map[string]struct{ sql, want string }{
		"alignment": {
			`select * from (values ('a', 1, true), ('long', 1000, null)) t("text", "number", "flag")`, `
text  number  flag
----  ------  ----
a          1  true
long    1000  NULL
(2 rows)
`,
		},
		"one row": {"select 1 as n", `
n
-
1
(1 row)
`},
		"no rows": {"select 1 as n where false", `
n
-
(0 rows)
`},
		"wide characters": {
			`select * from (values ('世界', 1), ('e' || chr(769), 2), ('🦆', 3)) t(text, n)`, "\n" +
				"text  n\n" +
				"----  -\n" +
				"世界  1\n" +
				"e\u0301     2\n" +
				"🦆    3\n" +
				"(3 rows)\n",
		},
		"control characters": {
			`select E'a\nb\tc\r\x1b[31m' || chr(8238) || chr(917505) || 'é' as "x` + "\n" + `y"`, `
x\ny
-----------------------------------------
a\nb\tc\r\u001b[31m\u202e\U000e0001é
(1 row)
`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			want := strings.TrimPrefix(tc.want, "\n")
			if name == "control characters" {
				want = strings.Replace(want, "-----------------------------------------", strings.Repeat("-", 36), 1)
			}
			require.Equal(t, want, write(t, "table", tc.sql))
		})
	}
}

func TestALongTableIsWrittenAsItComes(t *testing.T) {
	for _, rows := range []int{sampleRows - 1, sampleRows, sampleRows + 1} {
		sql := "select if(range = " + strconv.Itoa(sampleRows) + ", 'wider than those before', 'x') as a, range as b from range(" + strconv.Itoa(rows) + ")"
		lines := strings.Split(write(t, "table", sql), "\n")
		require.Len(t, lines, rows+4) // header, rule, footer, end
		require.Equal(t, "("+strconv.Itoa(rows)+" rows)", lines[rows+2])
		require.Equal(t, "x    0", lines[2])
		if rows > sampleRows {
			require.Equal(t, "wider than those before  1000", lines[sampleRows+2])
		}
	}
}

func TestCSVReadsBack(t *testing.T) {
	got := write(t, "csv", `select * from (values ('plain', 'a,b', E'q"uote'), (E'two\nlines', ' blank ', E'\r')) t("x,y", b, c)`)
	records, err := encodingcsv.NewReader(strings.NewReader(got)).ReadAll()
	require.NoError(t, err)
	require.Equal(t, [][]string{{"x,y", "b", "c"}, {"plain", "a,b", `q"uote`}, {"two\nlines", " blank ", "\r"}}, records)
}

func TestCSVTellsNullFromEmpty(t *testing.T) {
	require.Equal(t, "a,b,c\n,\"\",\n", write(t, "csv", "select null as a, '' as b, null as c"))
}

func TestJSONIsAnArrayWithALineForEachObject(t *testing.T) {
	got := write(t, "json", "select range as n, {'a': [1.5]} as s from range(3)")
	require.Equal(t, []string{
		`[{"n":0,"s":{"a":[1.5]}},`,
		`{"n":1,"s":{"a":[1.5]}},`,
		`{"n":2,"s":{"a":[1.5]}}]`,
		"",
	}, strings.Split(got, "\n"))
	require.True(t, encodingjson.Valid([]byte(got)))
	require.Equal(t, "[]\n", write(t, "json", "select 1 where false"))
}

func TestJSONKeysComeOnce(t *testing.T) {
	require.Equal(t, "[{\"id\":1,\"id_2\":2,\"id_1\":3,\"id_3\":4}]\n", write(t, "json", "select 1 as id, 2 as id, 3 as id_1, 4 as id"))
}

func TestEachResultStartsAnew(t *testing.T) {
	const sql = "select 1 as a; select 'x' as b, 2 as c"
	require.Equal(t, "a\n1\nb,c\nx,2\n", write(t, "csv", sql))
	require.Equal(t, []string{`[{"a":1}]`, `[{"b":"x","c":2}]`, ""}, strings.Split(write(t, "json", sql), "\n"))
	require.Equal(t, "a\n-\n1\n(1 row)\nb  c\n-  -\nx  2\n(1 row)\n", write(t, "table", sql))
}

type failing struct{ error }

func (f failing) Write([]byte) (int, error) { return 0, f.error }

func TestWriteErrorsEndTheQuery(t *testing.T) {
	db, err := duck.Open(duck.Settings{Threads: 1})
	require.NoError(t, err)
	defer db.Close()
	full := errors.New("disk full")
	for _, name := range []string{"table", "csv", "json"} {
		for _, sql := range []string{"select 1", "from range(1000000000000)"} {
			sink, err := New(name, failing{full}, false)
			require.NoError(t, err)
			require.ErrorIs(t, db.Query(t.Context(), sql, sink), full)
		}
	}
}

func TestUnknownFormat(t *testing.T) {
	_, err := New("xml", nil, false)
	require.EqualError(t, err, `"xml" is not one of table, csv, json, parquet`)
	require.False(t, Known("xml"))
}

func FuzzPrintableHasNoControlCharacters(f *testing.F) {
	for _, seed := range []string{"", "plain", "\x1b[2J", "a\u202eb", "\xff", "世界"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got := Printable(text)
		require.NotContains(t, got, "\x1b")
		require.Equal(t, got, Printable([]byte(got)), "escaping once is enough")
		require.GreaterOrEqual(t, DisplayWidth(got), 0)
	})
}

func TestNothingOnATerminalControlsIt(t *testing.T) {
	db, err := duck.Open(duck.Settings{Threads: 1})
	require.NoError(t, err)
	defer db.Close()
	for _, name := range []string{"table", "csv", "json"} {
		var out bytes.Buffer
		sink, err := New(name, &out, true)
		require.NoError(t, err)
		require.NoError(t, db.Query(t.Context(), `select chr(27) || '[2J' || chr(155) || '31m' || chr(127) as "a`+"\u009b"+`"`, sink))
		require.NotRegexp(t, `[\x00-\x09\x0b-\x1f\x7f\x{80}-\x{9f}]`, out.String(), name)
		require.Contains(t, out.String(), `\u001b[2J\u009b31m\u007f`, name)
	}
	require.Equal(t, "a\n\\u001b\\u009b", PrintableLines("a\n\x1b\u009b"))
}

func TestTheSampleOfATableIsBounded(t *testing.T) {
	db, err := duck.Open(duck.Settings{Threads: 1})
	require.NoError(t, err)
	defer db.Close()
	var out bytes.Buffer
	sink, err := New("table", &out, false)
	require.NoError(t, err)
	require.NoError(t, db.Query(t.Context(), "select repeat('x', 1 << 20) as a from range(3)", &watched{sink, func() { require.Zero(t, out.Len()) }}))
	out.Reset()
	most := 0
	require.NoError(t, db.Query(t.Context(), "select repeat('x', 1 << 20) as a from range(20)", &watched{sink, func() { most = max(most, sink.(*table).held) }}))
	require.Equal(t, sampleBytes, most)
	require.Equal(t, 20<<20, strings.Count(out.String(), "x"))
}

// watched looks at each row that was taken.
type watched struct {
	duck.Sink
	look func()
}

func (w *watched) Row(row duck.Row) error {
	defer w.look()
	return w.Sink.Row(row)
}
