package lake

import (
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/fsys"
	"github.com/spanlake/spanlake/internal/fsys/fsystest"
)

func sumLine(text string) string {
	return fmt.Sprintf("%08x %s\n", crc32.Checksum([]byte(text), crc32.MakeTable(crc32.Castagnoli)), text)
}

// The lines of version 1, from MANIFEST.md alone. A change that fails this test
// needs a new version.
func TestLinesOfVersion1(t *testing.T) {
	const path = "traces/retention=30d/date=2026-11-21/hour=09/0123456789abcdef-0000000017-0.parquet"
	const text = `{"path":"` + path + `","signal":"traces","schema":1,"rows":1000,"bytes":48213,"min_time":1795251600000000000,"max_time":1795255199999999999}`
	want := File{Path: path, Signal: "traces", Schema: 1, Rows: 1000, Bytes: 48213, MinTime: 1795251600000000000, MaxTime: 1795255199999999999}
	snapshot := sumLine(`{"format":"spanlake-lake","version":1}`) +
		sumLine(`{"snapshot":{"version":41,"files":1,"batches":1,"logs":{"0123456789abcdef":17}}}`) +
		sumLine(`{"batches":["b"]}`) +
		sumLine(`{"file":`+text+`}`)
	second := strings.ReplaceAll(text, "-0.parquet", "-1.parquet")
	commit := sumLine(`{"commit":{"version":42,"log":"0123456789abcdef","segment":18,"batches":["c"],"add":[` + second + `],"remove":["` + path + `"]}}`)

	s, err := decode([]byte(snapshot))
	require.NoError(t, err)
	require.Equal(t, Snapshot{Version: 41, Files: []File{want}}, s.snapshot())
	require.Equal(t, map[string]uint64{"0123456789abcdef": 17}, s.logs)
	require.Equal(t, snapshot, string(s.encode()))

	s, err = decode([]byte(snapshot + commit))
	require.NoError(t, err)
	want.Path = strings.ReplaceAll(path, "-0.parquet", "-1.parquet")
	require.Equal(t, Snapshot{Version: 42, Files: []File{want}}, s.snapshot())
	require.EqualValues(t, 18, s.logs["0123456789abcdef"])
	require.True(t, s.batches.has("b") && s.batches.has("c"))

	disk := fsystest.NewCrash()
	require.NoError(t, disk.MkdirAll("/lake"))
	require.NoError(t, fsys.WriteFile(disk, "/lake/MANIFEST", []byte(snapshot)))
	require.NoError(t, open(t, "/lake", disk).Commit(Commit{
		Log: "0123456789abcdef", Segment: 18, Batches: []string{"c"}, Add: []File{want}, Remove: []string{path},
	}))
	data, err := fsystest.ReadFile(disk, "/lake/MANIFEST")
	require.NoError(t, err)
	require.Equal(t, snapshot+commit, string(data))
}

// sample is a manifest of a header, a snapshot of 5 lines and 3 commits.
func sample(tb testing.TB) []string {
	tb.Helper()
	disk := fsystest.NewCrash()
	s := open(tb, "/lake", disk)
	require.NoError(tb, s.Commit(Commit{Log: logA, Segment: 1, Batches: []string{"one"}, Add: files(1, 2, 3)}))
	require.NoError(tb, s.Close())
	s = open(tb, "/lake", disk)
	for n := 4; n < 7; n++ {
		require.NoError(tb, s.Commit(Commit{Log: logA, Segment: uint64(n), Add: files(n), Remove: paths(n - 3)}))
	}
	data, err := fsystest.ReadFile(disk, "/lake/MANIFEST")
	require.NoError(tb, err)
	lines := strings.SplitAfter(strings.TrimSuffix(string(data), "\n"), "\n")
	lines[len(lines)-1] += "\n"
	require.Len(tb, lines, 9)
	return lines
}

func TestTornLastLineIsIgnoredAtEveryByte(t *testing.T) {
	lines := sample(t)
	before, last := strings.Join(lines[:8], ""), lines[8]
	want, err := decode([]byte(before))
	require.NoError(t, err)
	for size := range last {
		for name, tail := range map[string]string{"short": "", "zeros": strings.Repeat("\x00", 100), "hole": "\x00\x00" + last[min(size+2, len(last)-1):]} {
			if name == "hole" && size+2 >= len(last) {
				continue
			}
			got, err := decode([]byte(before + last[:size] + tail))
			require.NoError(t, err, "%s at %d", name, size)
			require.Equal(t, want.snapshot(), got.snapshot())
		}
	}
	// The owner drops it for good.
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, manifestName), []byte(before+last[:len(last)/2]), 0o600))
	s := open(t, dir, nil)
	require.Equal(t, want.snapshot(), s.Snapshot())
	require.NoError(t, s.Commit(Commit{Log: logA, Segment: 6, Add: files(6)}))
	got, err := ReadSnapshot(dir)
	require.NoError(t, err)
	require.Equal(t, s.Snapshot(), got)
}

func TestDamagedLineIsAnErrorThatNamesIt(t *testing.T) {
	lines := sample(t)
	for number := 1; number < len(lines); number++ { // the last is torn instead
		damaged := append([]string(nil), lines...)
		b := []byte(damaged[number-1])
		b[len(b)/2] ^= 1
		damaged[number-1] = string(b)
		_, err := decode([]byte(strings.Join(damaged, "")))
		require.ErrorContains(t, err, fmt.Sprintf("line %d is cut short or damaged", number))

		missing := append(append([]string(nil), lines[:number-1]...), lines[number:]...)
		_, err = decode([]byte(strings.Join(missing, "")))
		require.Error(t, err, "without line %d", number)
	}
	for number := range 6 { // a snapshot that is not whole was not torn by a crash
		_, err := decode([]byte(strings.Join(lines[:number], "") + lines[number][:9]))
		require.ErrorContains(t, err, fmt.Sprintf("line %d", number+1))
		_, err = decode([]byte(strings.Join(lines[:number], "")))
		require.Error(t, err, number)
	}
}

func TestManifestRefusesWhatIsNotItsOwn(t *testing.T) {
	lines := sample(t)
	replace := func(number int, text string) string {
		changed := append([]string(nil), lines...)
		changed[number-1] = sumLine(text)
		return strings.Join(changed, "")
	}
	for name, tc := range map[string]struct{ data, want string }{
		"newer version": {replace(1, `{"format":"spanlake-lake","version":2,"more":[]}`), "line 1 has format version 2, this program reads version 1"},
		"other format":  {replace(1, `{"format":"spanlake-wal","version":1}`), `line 1 has format "spanlake-wal", not "spanlake-lake"`},
		"no header":     {strings.Join(lines[1:], ""), "line 1 has format"},
		"not JSON":      {replace(7, `hello`), "line 7 is not JSON"},
		"unknown kind":  {replace(7, `{"merge":{}}`), "line 7 is not of a kind"},
		"version gap":   {replace(7, `{"commit":{"version":9}}`), "line 7 cannot be: version 9 does not follow 1"},
		"path climbs": {
			replace(7, `{"commit":{"version":2,"add":[{"path":"traces/../../x.parquet","signal":"traces","schema":1}]}}`),
			"line 7 cannot be: file \"traces/../../x.parquet\": path is not a clean relative one",
		},
		"snapshot path climbs": {
			replace(4, `{"file":{"path":"traces/../../x.parquet","signal":"traces","schema":1}}`),
			"line 4 cannot be",
		},
		"file twice": {replace(5, `{"file":`+strings.TrimSuffix(lines[3][len("01234567 {\"file\":"):], "\n")), "line 5 cannot be"},
		"files before batches": {
			strings.Join([]string{lines[0], lines[1], lines[3], lines[2], lines[4], lines[5]}, ""),
			"line 3 is not of a kind",
		},
		"negative counts":  {replace(2, `{"snapshot":{"version":1,"files":-3,"batches":1}}`), "line 2 has -3 files"},
		"too many batches": {replace(2, `{"snapshot":{"version":1,"files":3,"batches":65537}}`), "65537 batches"},
		"empty":            {"", "ends before its snapshot is complete"},
		"not text":         {"PAR1\x00\x00\n\n\n", "line 1 is cut short or damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, manifestName), []byte(tc.data), 0o600))
			_, err := ReadSnapshot(dir)
			require.ErrorContains(t, err, tc.want)
			require.ErrorContains(t, err, filepath.Join(dir, manifestName))
			_, err = Open(dir, nil)
			require.ErrorContains(t, err, tc.want)
			data, err := os.ReadFile(filepath.Join(dir, manifestName))
			require.NoError(t, err)
			require.Equal(t, tc.data, string(data), "a refused manifest is left as it is")
			_, err = Open(dir, nil)
			require.NotErrorIs(t, err, fsys.ErrInUse, "a refused open gives the lock back")
		})
	}
}

func FuzzManifestTakesAnyBytes(f *testing.F) {
	lines := sample(f)
	f.Add([]byte(strings.Join(lines, "")), false)
	f.Add([]byte(strings.Join(lines[:4], "")), false)
	// The fuzzer does not find checksums: let it write the JSON.
	var texts []string
	for _, l := range lines {
		texts = append(texts, l[sumSize+1:])
	}
	f.Add([]byte(strings.Join(texts, "")), true)
	f.Fuzz(func(t *testing.T, data []byte, sums bool) {
		if sums {
			var b strings.Builder
			for text := range strings.SplitSeq(strings.TrimSuffix(string(data), "\n"), "\n") {
				b.WriteString(sumLine(text))
			}
			data = []byte(b.String())
		}
		s, err := decode(data)
		if err != nil {
			return
		}
		require.Len(t, s.index, len(s.files))
		for i, file := range s.files {
			require.NoError(t, file.check())
			require.Equal(t, i, s.index[file.Path])
		}
		again, err := decode(s.encode())
		require.NoError(t, err, "what was read can be written")
		require.Equal(t, s.snapshot(), again.snapshot())
		require.Equal(t, s.batches.list(), again.batches.list())
	})
}
