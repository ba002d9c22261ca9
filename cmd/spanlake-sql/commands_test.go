package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/cmd/spanlake-sql/internal/reader"
)

func TestCommands(t *testing.T) {
	dir := newShop(t)
	r, err := reader.Open(reader.Options{Dir: dir})
	require.NoError(t, err)
	defer func() { require.NoError(t, r.Close()) }()
	var out bytes.Buffer
	s := &session{reader: r, options: options{data: dir, format: "table"}, std: streams{out: &out}}
	for _, step := range []struct{ line, want, err string }{
		{line: `\?`, want: `\timing`},
		{line: `\d`, want: "spans  VIEW"},
		{line: `\d spans`, want: "duration_ns"},
		{line: `\d no"such`, err: `table with name no"such does not exist`},
		{line: `\files`, want: "/traces/retention=30d/"},
		{line: `\trace 5B8EFFF798038103D269B633813FC60C`, want: "2 spans of 1 service"},
		{line: `\trace x`, err: "is no trace ID"},
		{line: `\format`, want: "table\n"},
		{line: `\format csv`},
		{line: `\format`, want: "csv\n"},
		{line: `\format xml`, err: `"xml" is not one of table, csv, json`},
		{line: `\format parquet`, err: "parquet is not for a terminal"},
		{line: `\timing`, want: "timing is on"},
		{line: `\nonsense`, err: `\nonsense is no command: \? lists them`},
	} {
		out.Reset()
		err := s.command(step.line)
		if step.err != "" {
			require.ErrorContains(t, err, step.err, step.line)
			continue
		}
		require.NoError(t, err, step.line)
		require.Contains(t, out.String(), step.want, step.line)
	}
	out.Reset()
	require.NoError(t, s.query("select 7 as n;"))
	require.Regexp(t, "^n\n7\n[0-9.]+(µs|ms|s)\n$", out.String())
}
