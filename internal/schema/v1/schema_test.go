package v1

import (
	"bytes"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/require"
)

func TestFieldIDsAreUnique(t *testing.T) {
	for _, s := range []*Schema{Traces, Logs} {
		seen := map[int]string{}
		add := func(id int, name string) {
			require.Positive(t, id, name)
			require.Empty(t, seen[id], "%s and %s in %s", name, seen[id], s.Signal)
			seen[id] = name
		}
		for _, c := range s.Columns {
			add(c.ID, c.Name)
		}
		for _, l := range s.Lists {
			add(l.ID, l.Name)
			add(l.ElementID, l.Name+".element")
			for _, c := range l.Columns {
				add(c.ID, l.Name+"."+c.Name)
			}
		}
	}
}

// A column of both signals has the same ID, type and encoding in both.
func TestSharedColumnsAgree(t *testing.T) {
	for _, c := range Logs.Columns {
		i := Traces.Index(c.Name)
		if i < 0 {
			continue
		}
		spans := Traces.Columns[i]
		if c.Name == ColTraceID || c.Name == ColSpanID {
			c.Optional = false // a log record may be of no trace
		}
		require.Equal(t, spans, c)
	}
}

func TestOlderNamesLeadToColumns(t *testing.T) {
	for _, n := range olderNames {
		require.GreaterOrEqual(t, Traces.Index(n.current), 0, n.current)
		require.Negative(t, Traces.Index(n.older), n.older)
	}
	for key, l := range Traces.lifts {
		require.LessOrEqual(t, l.rank, uint8(maxRank), key)
	}
}

// FORMAT.md names every column with its ID and whether it may be null.
func TestFormatDocumentMatchesSchema(t *testing.T) {
	text, err := os.ReadFile("../../../exporter/columnarexporter/FORMAT.md")
	require.NoError(t, err)
	documented := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^\| (\d+) \| ([^|]+?) \| ([^|]+?) \| ([^|]*?) \|`).FindAllStringSubmatch(string(text), -1) {
		documented[m[1]+" "+m[2]] = m[3] + "|" + m[4]
	}
	used := map[string]bool{}
	check := func(c Column, prefix string) {
		key := strconv.Itoa(c.ID) + " " + prefix + c.Name
		rest, ok := documented[key]
		require.True(t, ok, "FORMAT.md lacks %s", key)
		used[key] = true
		typ, encoding, _ := strings.Cut(rest, "|")
		optional := strings.Contains(typ, "?")
		if c.Name != ColTraceID && c.Name != ColSpanID {
			require.Equal(t, c.Optional, optional, key)
		}
		letter := map[Encoding]string{Plain: "P", Dict: "D", Delta: "Δ", Length: "L"}[c.Encoding]
		require.Contains(t, encoding, letter, key)
		require.Equal(t, c.NoBounds, strings.Contains(encoding, "–"), key)
		require.Equal(t, c.Bloom, strings.Contains(encoding, "B"), key)
	}
	for _, s := range []*Schema{Traces, Logs} {
		for _, c := range s.Columns {
			check(c, "")
		}
		for _, l := range s.Lists {
			used[strconv.Itoa(l.ID)+" "+l.Name] = true
			for _, c := range l.Columns {
				check(c, l.Name+"[].")
			}
		}
	}
	for key := range documented {
		require.True(t, used[key], "FORMAT.md has %s, the schema does not", key)
	}
}

// The dictionary of trace_id must not end early: values behind its end would
// be missing in the bloom filter.
func TestDictionaryHoldsAllTraceIDsOfARowGroup(t *testing.T) {
	require.LessOrEqual(t, MaxRowGroup*2*TraceID.Width(), maxDictionary)
}

func TestEmptyFileHasAllColumns(t *testing.T) {
	for _, s := range []*Schema{Traces, Logs} {
		data, err := EmptyFile(s.Signal)
		require.NoError(t, err)
		file, err := parquet.OpenFile(bytes.NewReader(data), int64(len(data)))
		require.NoError(t, err)
		require.Zero(t, file.NumRows())
		var names []string
		for _, f := range file.Schema().Fields() {
			names = append(names, f.Name())
		}
		want := namesOf(s.Columns)
		for _, l := range s.Lists {
			want = append(want, l.Name)
		}
		require.Equal(t, want, names)
		version, ok := file.Lookup(KeySchema)
		require.True(t, ok)
		require.Equal(t, "1", version)
	}
	_, err := EmptyFile("metrics")
	require.ErrorContains(t, err, `"metrics"`)
}

func TestValidRetention(t *testing.T) {
	for s, want := range map[string]bool{
		"1d": true, "7d": true, "30d": true, "9999d": true,
		"": false, "d": false, "0d": false, "07d": false, "7": false, "10000d": false, "7h": false,
		"-7d": false, "7d/../../x": false, "../7d": false, " 7d": false, "7 d": false, "7d\n": false, "٧d": false,
	} {
		require.Equal(t, want, ValidRetention(s), "%q", s)
	}
}
