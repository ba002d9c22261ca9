package parquetfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"pgregory.net/rapid"

	"github.com/spanlake/spanlake/internal/fsys"
	"github.com/spanlake/spanlake/internal/fsys/fsystest"
	"github.com/spanlake/spanlake/internal/lake"
	"github.com/spanlake/spanlake/internal/schema/schematest"
	v1 "github.com/spanlake/spanlake/internal/schema/v1"
)

func noPace(context.Context) error { return nil }

func mergeFiles(fs fsys.FS, outputs int, inputs ...lake.File) ([]lake.File, error) {
	return NewWriter(fs, "lake").Merge(context.Background(), Merge{
		Signal: inputs[0].Signal, Inputs: inputs, Outputs: outputs, Version: 7, Pace: noPace,
	})
}

// Any rows of one hour, in any files: the outputs hold each once, are sorted,
// one behind the other, and of about the same size.
func TestMergeKeepsEveryRowOnceAndSorted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fs := fsystest.NewCrash()
		var inputs []lake.File
		want := v1.New(v1.Traces)
		for n := range rapid.IntRange(1, 5).Draw(t, "files") {
			td := ptrace.NewTraces()
			for range rapid.IntRange(1, 3).Draw(t, "resources") {
				rs := td.ResourceSpans().AppendEmpty()
				if s := rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(t, "service"); s != "" {
					rs.Resource().Attributes().PutStr("service.name", s)
				}
				ss := rs.ScopeSpans().AppendEmpty()
				for range rapid.IntRange(1, 20).Draw(t, "spans") {
					anySpan(t, ss.Spans().AppendEmpty())
				}
			}
			want.AppendTraces(td, "7d")
			inputs = append(inputs, write(t, fs, Segment{Log: logID, Number: uint64(n), Rows: []*v1.Rows{spanRows(td)}})...)
		}
		count := rapid.IntRange(1, 4).Draw(t, "outputs")
		outputs, err := mergeFiles(fs, count, inputs...)
		require.NoError(t, err)
		require.LessOrEqual(t, len(outputs), count)
		var all []string
		for i, f := range outputs {
			require.Equal(t, path.Join(path.Dir(inputs[0].Path), CompactName(7, i)), f.Path)
			back := readAll(t, fs, v1.Traces, []lake.File{f})
			requireSorted(t, f, back)
			require.InDelta(t, want.Len()/len(outputs), back.Len(), float64(len(outputs)))
			all = append(all, spans(t, back)...)
		}
		requireSortedAcross(t, readAll(t, fs, v1.Traces, outputs))
		slices.Sort(all)
		require.Equal(t, spans(t, want), all)
	})
}

// anySpan fills columns of every kind, or leaves them null.
func anySpan(t *rapid.T, s ptrace.Span) {
	s.SetStartTimestamp(pcommon.Timestamp(rapid.Uint64Range(0, 3).Draw(t, "ns")))
	s.SetEndTimestamp(s.StartTimestamp() + pcommon.Timestamp(rapid.Uint64Range(0, 9).Draw(t, "duration")))
	s.SetSpanID(pcommon.SpanID{byte(rapid.IntRange(0, 9).Draw(t, "id"))})
	s.SetName(rapid.SampledFrom([]string{"", "x", "y"}).Draw(t, "name"))
	if rapid.Bool().Draw(t, "child") {
		s.SetParentSpanID(pcommon.SpanID{1})
	}
	if rapid.Bool().Draw(t, "attributes") {
		s.Attributes().PutStr("http.route", rapid.SampledFrom([]string{"/a", "/b"}).Draw(t, "route"))
		s.Attributes().PutInt("http.response.status_code", 200)
		s.Attributes().PutDouble("other", 1.5)
	}
	for range rapid.IntRange(0, 2).Draw(t, "events") {
		e := s.Events().AppendEmpty()
		e.SetName("e")
		e.Attributes().PutBool("b", true)
	}
	for range rapid.IntRange(0, 1).Draw(t, "links") {
		s.Links().AppendEmpty().SetSpanID(pcommon.SpanID{2})
	}
}

func requireSortedAcross(t require.TestingT, rows *v1.Rows) {
	previous := ""
	for row := range rows.Len() {
		at, _ := rows.Num(v1.Traces.Index(v1.ColTimestamp), row)
		key := fmt.Sprintf("%s %020d", text(rows, v1.Traces.Index(v1.ColServiceName), row), at)
		require.LessOrEqual(t, previous, key)
		previous = key
	}
}

// Several row groups in and out, pages that end in between, large values, logs.
func TestMergeAcrossRowGroups(t *testing.T) {
	fs := fsystest.NewCrash()
	var inputs []lake.File
	for n := range 2 {
		td := ptrace.NewTraces()
		rs := td.ResourceSpans().AppendEmpty()
		spanSlice := rs.ScopeSpans().AppendEmpty().Spans()
		for i := range 35_000 {
			s := spanSlice.AppendEmpty()
			s.SetSpanID(pcommon.SpanID{byte(n), byte(i >> 16), byte(i >> 8), byte(i)})
			s.SetTraceID(pcommon.TraceID{1: byte(i >> 16), 2: byte(i >> 8), 3: byte(i)})
			s.SetStartTimestamp(pcommon.Timestamp(day.UnixNano() + int64(i)))
			if i%1000 == 0 {
				s.Attributes().PutStr("large", strings.Repeat("y", 100_000))
				s.Events().AppendEmpty().SetName("e")
			}
		}
		inputs = append(inputs, write(t, fs, Segment{Log: logID, Number: uint64(n), Rows: []*v1.Rows{spanRows(td)}})...)
	}
	outputs, err := mergeFiles(fs, 2, inputs...)
	require.NoError(t, err)
	require.Len(t, outputs, 2)
	rows := readAll(t, fs, v1.Traces, outputs)
	require.Equal(t, 70_000, rows.Len())
	for row := range rows.Len() {
		id, _ := rows.IDValue(v1.Traces.Index(v1.ColSpanID), row)
		i := row / 2
		require.Equal(t, []byte{byte(row % 2), byte(i >> 16), byte(i >> 8), byte(i)}, id[:4])
		text, _ := rows.String(v1.Traces.Index(v1.ColAttributes), row)
		require.Equal(t, i%1000 == 0, len(text) > 100_000, row)
		from, to := rows.Lists()[0].Range(row)
		require.Equal(t, i%1000 == 0, to-from == 1, row)
	}
	file := open(t, content(t, fs, outputs[0].Path))
	require.Len(t, file.RowGroups(), 2)
	leaf, _ := file.Schema().Lookup(v1.ColTraceID)
	found, err := file.RowGroups()[1].ColumnChunks()[leaf.ColumnIndex].BloomFilter().Check(parquet.ValueOf(fmt.Sprintf("00%06x%024x", 17_400, 0)))
	require.NoError(t, err)
	require.True(t, found)
	merged, _ := file.Lookup(v1.KeyMerged)
	require.Equal(t, "2", merged)
	_, ok := file.Lookup(v1.KeySegment)
	require.False(t, ok)
}

// What is done for long values when rows are written is done again.
func TestMergeLongValues(t *testing.T) {
	fs := fsystest.NewCrash()
	var inputs []lake.File
	for n := range 2 {
		td := ptrace.NewTraces()
		rs := td.ResourceSpans().AppendEmpty()
		rs.Resource().Attributes().PutStr("large", strings.Repeat("x", 60_000)+fmt.Sprint(n))
		spanSlice := rs.ScopeSpans().AppendEmpty().Spans()
		for i := range 400 {
			spanSlice.AppendEmpty().SetStartTimestamp(pcommon.Timestamp(i))
		}
		inputs = append(inputs, write(t, fs, Segment{Log: logID, Number: uint64(n), Rows: []*v1.Rows{spanRows(td)}})...)
	}
	outputs, err := mergeFiles(fs, 1, inputs...)
	require.NoError(t, err)
	require.Less(t, outputs[0].Bytes, int64(200_000))
	file := open(t, content(t, fs, outputs[0].Path))
	leaf, _ := file.Schema().Lookup(v1.ColResourceAttributes)
	require.Empty(t, file.Metadata().RowGroups[0].Columns[leaf.ColumnIndex].MetaData.Statistics.MaxValue)
	require.Less(t, file.Metadata().RowGroups[0].Columns[leaf.ColumnIndex].MetaData.TotalUncompressedSize, int64(1<<20))
}

func TestMergeLogs(t *testing.T) {
	fs := fsystest.NewCrash()
	want := v1.New(v1.Logs)
	var inputs []lake.File
	for n := range 3 {
		rows := v1.New(v1.Logs)
		rows.AppendLogs(schematest.New(uint64(n), day).Logs(500), "3d")
		want.AppendLogs(schematest.New(uint64(n), day).Logs(500), "3d")
		inputs = append(inputs, write(t, fs, Segment{Log: logID, Number: uint64(n), Rows: []*v1.Rows{rows}})...)
	}
	outputs, err := mergeFiles(fs, 1, inputs...)
	require.NoError(t, err)
	require.Len(t, outputs, 1)
	require.Equal(t, records(t, want), records(t, readAll(t, fs, v1.Logs, outputs)))
}

// with rewrites a file as one of a later version would be: with a column more.
func with(t *testing.T, fs fsys.FS, f lake.File, name string, node parquet.Node, value func(row int) parquet.Value) lake.File {
	t.Helper()
	rows := readAll(t, fs, v1.Traces, []lake.File{f})
	added := parquet.NewSchema("", parquet.Group{name: node}).Fields()[0]
	fields := append(v1.Traces.Parquet().Fields(), added)
	var out bytes.Buffer
	w := parquet.NewGenericWriter[any](&out, append(v1.Traces.WriterOptions(), v1.NewParquet(fields))...)
	e := newEncoder(v1.Traces)
	order := make([]uint32, rows.Len())
	for i := range order {
		order[i] = uint32(i)
	}
	leaves := w.ColumnWriters()
	for i := range rows.Columns() {
		require.NoError(t, e.column(leaves[i], &rows.Table, i, order))
	}
	leaves = leaves[len(rows.Columns()):]
	for i := range rows.Lists() {
		for j := range rows.Lists()[i].Columns() {
			require.NoError(t, e.list(leaves[j], &rows.Lists()[i], j, order))
		}
		leaves = leaves[len(rows.Lists()[i].Columns()):]
	}
	for row := range order {
		v := value(row)
		_, err := leaves[0].WriteRowValues([]parquet.Value{v.Level(0, 1, 0)})
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	f.Bytes = int64(out.Len())
	require.NoError(t, fsys.WriteFile(fs, path.Join("lake", f.Path), out.Bytes()))
	return f
}

func twoFiles(t *testing.T, fs fsys.FS) (a, b lake.File) {
	t.Helper()
	files := make([]lake.File, 2)
	for n := range files {
		files[n] = write(t, fs, Segment{Log: logID, Number: uint64(n), Rows: []*v1.Rows{spanRows(schematest.New(uint64(n), day).Traces(50))}})[0]
	}
	return files[0], files[1]
}

// A column that this version does not know is carried over.
func TestMergeCarriesUnknownColumnsOver(t *testing.T) {
	fs := fsystest.NewCrash()
	a, b := twoFiles(t, fs)
	node := parquet.FieldID(parquet.Optional(parquet.Encoded(parquet.String(), &parquet.RLEDictionary)), 999)
	b = with(t, fs, b, "tenant.id", node, func(row int) parquet.Value { return parquet.ValueOf(fmt.Sprint("t", row%3)) })
	outputs, err := mergeFiles(fs, 1, a, b)
	require.NoError(t, err)
	require.Equal(t, a.Rows+b.Rows, outputs[0].Rows)

	file := open(t, content(t, fs, outputs[0].Path))
	leaf, ok := file.Schema().Lookup("tenant.id")
	require.True(t, ok)
	require.Equal(t, 999, file.Root().Column("tenant.id").ID())
	got := map[string]int{}
	nulls := 0
	for _, g := range file.RowGroups() {
		require.NoError(t, eachValue(g.ColumnChunks()[leaf.ColumnIndex], func(v parquet.Value, _ bool) error {
			if v.IsNull() {
				nulls++
			} else {
				got[v.String()]++
			}
			return nil
		}))
	}
	require.Equal(t, int(a.Rows), nulls)
	require.Equal(t, int(b.Rows), got["t0"]+got["t1"]+got["t2"])
	readAll(t, fs, v1.Traces, outputs)
}

func TestMergeNamesTheInputItCannotUse(t *testing.T) {
	for name, tc := range map[string]struct {
		spoil func(t *testing.T, fs fsys.FS, f lake.File) lake.File
		rule  string
	}{
		"missing": {func(t *testing.T, fs fsys.FS, f lake.File) lake.File {
			t.Helper()
			require.NoError(t, fs.Remove(path.Join("lake", f.Path)))
			return f
		}, "not exist"},
		"cut": {func(t *testing.T, fs fsys.FS, f lake.File) lake.File {
			t.Helper()
			require.NoError(t, fsys.WriteFile(fs, path.Join("lake", f.Path), content(t, fs, f.Path)[:100]))
			return f
		}, "100 bytes"},
		"flipped": {func(t *testing.T, fs fsys.FS, f lake.File) lake.File {
			t.Helper()
			data := content(t, fs, f.Path)
			for i := 200; i < len(data)/2; i += 50 {
				data[i] ^= 0x55
			}
			require.NoError(t, fsys.WriteFile(fs, path.Join("lake", f.Path), data))
			return f
		}, ""},
		"fewer rows than the manifest says": {func(_ *testing.T, _ fsys.FS, f lake.File) lake.File {
			f.Rows++
			return f
		}, "rows"},
		"of the other signal": {func(t *testing.T, fs fsys.FS, _ lake.File) lake.File {
			t.Helper()
			rows := v1.New(v1.Logs)
			rows.AppendLogs(schematest.New(9, day).Logs(10), "3d")
			return write(t, fs, Segment{Log: logID, Number: 9, Rows: []*v1.Rows{rows}})[0]
		}, `"logs"`},
		"column of another type": {func(t *testing.T, fs fsys.FS, f lake.File) lake.File {
			t.Helper()
			return with(t, fs, f, "tenant.id", parquet.Optional(parquet.Leaf(parquet.Int64Type)), func(int) parquet.Value { return parquet.ValueOf(int64(1)) })
		}, "tenant.id"},
		"required column": {func(t *testing.T, fs fsys.FS, f lake.File) lake.File {
			t.Helper()
			return with(t, fs, f, "later", parquet.Leaf(parquet.Int64Type), func(int) parquet.Value { return parquet.ValueOf(int64(1)) })
		}, "later"},
	} {
		t.Run(name, func(t *testing.T) {
			fs := fsystest.NewCrash()
			a, b := twoFiles(t, fs)
			a = with(t, fs, a, "tenant.id", parquet.Optional(parquet.String()), func(int) parquet.Value { return parquet.ValueOf("t") })
			b = tc.spoil(t, fs, b)
			_, err := mergeFiles(fs, 1, a, b)
			var input *InputError
			require.ErrorAs(t, err, &input)
			require.Equal(t, b.Path, input.Path)
			require.ErrorContains(t, err, tc.rule)
			_, err = fs.Stat(path.Join("lake", path.Dir(a.Path), CompactName(7, 0)))
			require.ErrorIs(t, err, os.ErrNotExist)
		})
	}
}

// Where an output fails, those before it go, and the error is none of an input.
func TestFailedMergeLeavesNothing(t *testing.T) {
	fs := fsystest.NewCrash()
	a, b := twoFiles(t, fs)
	full := errors.New("no room")
	fs.Hook(func(op fsystest.Op, name string) error {
		if op == fsystest.OpWrite && strings.HasSuffix(name, CompactName(7, 1)+fsys.TempSuffix) {
			return full
		}
		return nil
	})
	_, err := mergeFiles(fs, 2, a, b)
	require.ErrorIs(t, err, full)
	var input *InputError
	require.NotErrorAs(t, err, &input)
	entries, err := fs.ReadDir(path.Join("lake", path.Dir(a.Path)))
	require.NoError(t, err)
	require.Len(t, entries, 2)
}

// A damaged input is an error or other values, never a crash.
func FuzzMerge(f *testing.F) {
	fs := fsystest.NewCrash()
	file := write(f, fs, Segment{Log: logID, Number: 7, Rows: []*v1.Rows{spanRows(schematest.New(1, day).Traces(20))}})[0]
	whole := content(f, fs, file.Path)
	f.Add(uint16(100), byte(1), uint16(len(whole)-50), byte(255))
	f.Fuzz(func(t *testing.T, at1 uint16, flip1 byte, at2 uint16, flip2 byte) {
		data := slices.Clone(whole)
		data[int(at1)%len(data)] ^= flip1
		data[int(at2)%len(data)] ^= flip2
		fs := fsystest.NewCrash()
		require.NoError(t, fs.MkdirAll(path.Join("lake", path.Dir(file.Path))))
		require.NoError(t, fsys.WriteFile(fs, path.Join("lake", file.Path), data))
		outputs, err := mergeFiles(fs, 1, file)
		if err == nil {
			require.Equal(t, file.Rows, outputs[0].Rows)
		}
	})
}

// BenchmarkMerge merges 16 files of an hour to one. The bar of all compaction:
// 3 CPU seconds a million spans where BenchmarkDecode is 1.2.
func BenchmarkMerge(b *testing.B) {
	const files, count = 16, 25_000
	dir := b.TempDir()
	w := NewWriter(fsys.OS, dir)
	var inputs []lake.File
	for i := range files {
		rows := spanRows(schematest.New(uint64(i), day.Add(time.Duration(i)*5*time.Second)).Traces(count))
		written, err := w.Write(b.Context(), Segment{Log: logID, Number: uint64(i), Rows: []*v1.Rows{rows}})
		require.NoError(b, err)
		inputs = append(inputs, written...)
	}
	b.ReportAllocs()
	n, size := int64(0), int64(0)
	cpu := cpuTime(b)
	for b.Loop() {
		outputs, err := w.Merge(b.Context(), Merge{Signal: v1.SignalTraces, Inputs: inputs, Outputs: 1, Version: 7, Pace: noPace})
		require.NoError(b, err)
		n += outputs[0].Rows
		size += outputs[0].Bytes
	}
	b.ReportMetric((cpuTime(b)-cpu).Seconds()/float64(n)*1e6, "CPU-s/Mspans")
	b.ReportMetric(float64(size)/float64(n), "B/span")
}

// Large values are written, and their pages given back, as they come.
func TestMergeHoldsFewLargeValues(t *testing.T) {
	fs := fsystest.NewCrash()
	var inputs []lake.File
	for n := range 4 {
		rows := v1.New(v1.Logs)
		ld := plog.NewLogs()
		records := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
		for range 32 {
			records.AppendEmpty().Body().SetStr(strings.Repeat("at com.example.Frame\n", 25_000) + fmt.Sprint(n))
		}
		rows.AppendLogs(ld, "7d")
		inputs = append(inputs, write(t, fs, Segment{Log: logID, Number: uint64(n), Rows: []*v1.Rows{rows}})...)
	}
	job := &merge{Merge: Merge{Signal: v1.SignalLogs, Inputs: inputs, Outputs: 1, Pace: noPace}, values: make([]parquet.Value, 0, chunkRows)}
	defer job.close()
	require.NoError(t, job.open(NewWriter(fs, "lake")))
	require.NoError(t, job.order())
	body := slices.IndexFunc(job.leaves, func(l unionLeaf) bool { return l.name == v1.ColBody })
	out := gather{merge: job, writer: parquet.NewGenericWriter[any](io.Discard, job.options...).ColumnWriters()[body]}
	for range 32 {
		require.NoError(t, job.sources[0].cursors[body].flat(&out, 1))
		require.LessOrEqual(t, len(job.values), 2)
	}
	require.LessOrEqual(t, len(job.retired), 2)
}
