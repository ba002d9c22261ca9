package lake

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFileLinesAreParsedAsTheyAreWritten(t *testing.T) {
	for _, f := range []File{
		file(1),
		{Path: "logs/x.parquet", Signal: "logs", Schema: 12, MinTime: math.MinInt64 + 1, MaxTime: math.MaxInt64},
		{Path: "p", Signal: "s", Rows: math.MaxInt64, MinTime: -1},
	} {
		text, err := json.Marshal(line{File: &f})
		require.NoError(t, err)
		got, ok := parseFile(text)
		require.True(t, ok, "%s", text)
		require.Equal(t, f, got)
	}
}

// The short way must never read what the long way reads otherwise or refuses.
func FuzzParseFileAgreesWithJSON(f *testing.F) {
	for _, text := range []string{
		`{"file":{"path":"traces/x.parquet","signal":"traces","schema":1,"rows":2,"bytes":3,"min_time":-4,"max_time":5}}`,
		`{"file":{"path":"a\u003cb","signal":"","schema":0,"rows":-0,"bytes":00,"min_time":-,"max_time":5}}`,
		`{"file":{"path":"\xff","signal":"\x00","schema":1,"rows":9223372036854775807,"bytes":9223372036854775808,"min_time":18446744073709551616,"max_time":1e3}}`,
		`{"file":{"path":"p","signal":"logs","schema":1,"rows":1,"bytes":1,"min_time":99999999999999999999,"max_time":1}} `,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, ok := parseFile(text)
		if !ok {
			return
		}
		var want line
		require.NoError(t, json.Unmarshal(text, &want))
		require.Equal(t, want, line{File: &got})
	})
}
