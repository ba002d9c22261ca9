package parquetfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
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

	"github.com/spanlake/spanlake/internal/attr"
	"github.com/spanlake/spanlake/internal/fsys"
	"github.com/spanlake/spanlake/internal/fsys/fsystest"
	"github.com/spanlake/spanlake/internal/lake"
	"github.com/spanlake/spanlake/internal/schema/schematest"
	v1 "github.com/spanlake/spanlake/internal/schema/v1"
)

const logID = "0123456789abcdef"

var day = time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC)

func spanRows(td ptrace.Traces) *v1.Rows {
	rows := v1.New(v1.Traces)
	rows.AppendTraces(td, "7d")
	return rows
}

func write(t require.TestingT, fs fsys.FS, s Segment) []lake.File {
	files, err := NewWriter(fs, "lake").Write(context.Background(), s)
	require.NoError(t, err)
	return files
}

func content(t require.TestingT, fs fsys.FS, name string) []byte {
	data, err := fsystest.ReadFile(fs, path.Join("lake", name))
	require.NoError(t, err)
	return data
}

// readAll reads files back in order.
func readAll(t require.TestingT, fs fsys.FS, schema *v1.Schema, files []lake.File) *v1.Rows {
	rows := v1.New(schema)
	for _, f := range files {
		data := content(t, fs, f.Path)
		require.Equal(t, f.Bytes, int64(len(data)))
		before := rows.Len()
		require.NoError(t, Read(bytes.NewReader(data), int64(len(data)), rows))
		require.Equal(t, f.Rows, int64(rows.Len()-before))
	}
	return rows
}

// spans are the rows as OTLP, a string each, sorted.
func spans(t require.TestingT, rows *v1.Rows) []string {
	var all []string
	for row := range rows.Len() {
		td, err := rows.Traces(row, row+1)
		require.NoError(t, err)
		data, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
		require.NoError(t, err)
		all = append(all, string(data))
	}
	slices.Sort(all)
	return all
}

func TestFilesGiveRowsBack(t *testing.T) {
	fs := fsystest.NewCrash()
	traces := spanRows(schematest.New(1, day).Traces(2_000))
	logs := v1.New(v1.Logs)
	logs.AppendLogs(schematest.New(2, day).Logs(1_000), "3d")
	files := write(t, fs, Segment{Log: logID, Number: 42, Rows: []*v1.Rows{traces, logs}})
	require.Len(t, files, 2)
	require.Equal(t, "traces/retention=7d/date=2026-11-21/hour=09/0123456789abcdef-0000000042-0.parquet", files[0].Path)
	require.Equal(t, "logs/retention=3d/date=2026-11-21/hour=09/0123456789abcdef-0000000042-1.parquet", files[1].Path)

	require.Equal(t, spans(t, traces), spans(t, readAll(t, fs, v1.Traces, files[:1])))
	back := readAll(t, fs, v1.Logs, files[1:])
	require.Equal(t, records(t, logs), records(t, back))
}

func records(t require.TestingT, rows *v1.Rows) []string {
	var all []string
	for row := range rows.Len() {
		ld, err := rows.Logs(row, row+1)
		require.NoError(t, err)
		data, err := (&plog.ProtoMarshaler{}).MarshalLogs(ld)
		require.NoError(t, err)
		all = append(all, string(data))
	}
	slices.Sort(all)
	return all
}

// Any spans: rows of every hour, retention and service end in the file of
// their partition, sorted, once.
func TestEveryRowIsInItsPartitionOnceAndSorted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		td := ptrace.NewTraces()
		for range rapid.IntRange(0, 4).Draw(t, "resources") {
			rs := td.ResourceSpans().AppendEmpty()
			if s := rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(t, "service"); s != "" {
				rs.Resource().Attributes().PutStr("service.name", s)
			}
			ss := rs.ScopeSpans().AppendEmpty()
			for range rapid.IntRange(0, 20).Draw(t, "spans") {
				span := ss.Spans().AppendEmpty()
				span.SetStartTimestamp(pcommon.Timestamp(rapid.Uint64Range(0, 1).Draw(t, "hour")*uint64(time.Hour) + rapid.Uint64Range(0, 3).Draw(t, "ns")))
				span.SetEndTimestamp(span.StartTimestamp() + pcommon.Timestamp(rapid.Uint64Range(0, 9).Draw(t, "duration")))
				if r := rapid.SampledFrom([]string{"", "30d"}).Draw(t, "retention"); r != "" {
					span.Attributes().PutStr(attr.Retention, r)
				}
				for range rapid.IntRange(0, 2).Draw(t, "events") {
					span.Events().AppendEmpty().SetName("e")
				}
			}
		}
		rows := spanRows(td)
		fs := fsystest.NewCrash()
		files := write(t, fs, Segment{Log: logID, Number: 1, Rows: []*v1.Rows{rows}})
		var all []string
		seen := map[string]bool{}
		for _, f := range files {
			dir := path.Dir(f.Path)
			require.False(t, seen[dir], "two files in %s", dir)
			seen[dir] = true
			back := readAll(t, fs, v1.Traces, []lake.File{f})
			requireSorted(t, f, back)
			all = append(all, spans(t, back)...)
		}
		slices.Sort(all)
		require.Equal(t, spans(t, rows), all)
	})
}

func requireSorted(t require.TestingT, f lake.File, rows *v1.Rows) {
	timeAt, serviceAt, retentionAt := v1.Traces.Index(v1.ColTimestamp), v1.Traces.Index(v1.ColServiceName), v1.Traces.Index(v1.ColRetention)
	least, greatest := int64(1<<62), int64(0)
	previous := ""
	for row := range rows.Len() {
		at, _ := rows.Num(timeAt, row)
		least, greatest = min(least, at), max(greatest, at)
		require.Equal(t, fmt.Sprintf("traces/retention=%s/date=1970-01-01/hour=%02d", text(rows, retentionAt, row), at/hourNanos), path.Dir(f.Path))
		key := fmt.Sprintf("%s %020d", text(rows, serviceAt, row), at)
		require.LessOrEqual(t, previous, key)
		previous = key
	}
	require.Equal(t, least, f.MinTime)
	require.Equal(t, greatest, f.MaxTime)
}

func TestSameSegmentGivesSameBytes(t *testing.T) {
	segment := func() Segment {
		return Segment{Log: logID, Number: 7, Batches: []string{"b1", "b2"}, Rows: []*v1.Rows{spanRows(schematest.New(1, day.Add(30*time.Minute-100*time.Millisecond)).Traces(6_000))}}
	}
	one, two := fsystest.NewCrash(), fsystest.NewCrash()
	w := NewWriter(one, "lake")
	// A writer that wrote something else before writes the same.
	_, err := w.Write(t.Context(), Segment{Log: logID, Number: 6, Rows: []*v1.Rows{spanRows(schematest.New(9, day).Traces(500))}})
	require.NoError(t, err)
	files, err := w.Write(t.Context(), segment())
	require.NoError(t, err)
	require.Equal(t, files, write(t, two, segment()))
	require.Greater(t, len(files), 1)
	for _, f := range files {
		require.True(t, bytes.Equal(content(t, one, f.Path), content(t, two, f.Path)), f.Path)
	}
}

func TestFooterSaysWhatTheFileIs(t *testing.T) {
	fs := fsystest.NewCrash()
	rows := spanRows(schematest.New(1, day).Traces(100))
	f := write(t, fs, Segment{Log: logID, Number: 7, Batches: []string{"b1", "b2"}, Rows: []*v1.Rows{rows}})[0]
	file := open(t, content(t, fs, f.Path))
	for key, want := range map[string]string{
		v1.KeySchema: "1", v1.KeySignal: "traces", v1.KeyLog: logID, v1.KeySegment: "7", v1.KeyBatches: "b1,b2",
		v1.KeyRows: fmt.Sprint(f.Rows), v1.KeyMinTime: fmt.Sprint(f.MinTime), v1.KeyMaxTime: fmt.Sprint(f.MaxTime),
	} {
		got, ok := file.Lookup(key)
		require.True(t, ok, key)
		require.Equal(t, want, got, key)
	}
}

func open(t require.TestingT, data []byte) *parquet.File {
	file, err := parquet.OpenFile(bytes.NewReader(data), int64(len(data)))
	require.NoError(t, err)
	return file
}

// Row groups are of even size and sorted, and their bloom filters know every
// trace ID, also where each span has one of its own.
func TestRowGroupsAndBloomFilters(t *testing.T) {
	td := ptrace.NewTraces()
	span := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	const n = 70_000
	for i := range n {
		s := span.AppendEmpty()
		s.SetTraceID(pcommon.TraceID{0: 1, 13: byte(i >> 16), 14: byte(i >> 8), 15: byte(i)})
		s.SetStartTimestamp(pcommon.Timestamp(day.UnixNano()))
	}
	fs := fsystest.NewCrash()
	f := write(t, fs, Segment{Log: logID, Number: 7, Rows: []*v1.Rows{spanRows(td)}})[0]
	file := open(t, content(t, fs, f.Path))
	groups := file.RowGroups()
	require.Len(t, groups, 3)
	leaf, ok := file.Schema().Lookup(v1.ColTraceID)
	require.True(t, ok)
	row := 0
	for _, g := range groups {
		require.LessOrEqual(t, g.NumRows(), int64(v1.MaxRowGroup))
		require.GreaterOrEqual(t, g.NumRows(), int64(n/3-1))
		sorting := g.SortingColumns()
		require.Len(t, sorting, 2)
		require.Equal(t, []string{v1.ColServiceName}, sorting[0].Path())
		require.Equal(t, []string{v1.ColTimestamp}, sorting[1].Path())
		bloom := g.ColumnChunks()[leaf.ColumnIndex].BloomFilter()
		require.NotNil(t, bloom)
		for range g.NumRows() {
			id := fmt.Sprintf("01%024x%06x", 0, row)
			found, err := bloom.Check(parquet.ValueOf(id))
			require.NoError(t, err)
			require.True(t, found, id)
			row++
		}
	}
	require.Equal(t, n, row)
}

// A column whose dictionary would be large goes on without one, and long
// values do not pile up in one page.
func TestLargeValues(t *testing.T) {
	td := ptrace.NewTraces()
	spanSlice := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	for i := range 300 {
		s := spanSlice.AppendEmpty()
		s.Attributes().PutStr("db.query.text", fmt.Sprintf("%d %s", i, strings.Repeat("x", 20_000)))
		s.Attributes().PutStr("other", fmt.Sprintf("%d %s", i, strings.Repeat("y", 20_000)))
	}
	rows := spanRows(td)
	fs := fsystest.NewCrash()
	files := write(t, fs, Segment{Log: logID, Number: 7, Rows: []*v1.Rows{rows}})
	require.Equal(t, spans(t, rows), spans(t, readAll(t, fs, v1.Traces, files)))

	file := open(t, content(t, fs, files[0].Path))
	for _, name := range []string{"db.query.text", v1.ColAttributes} {
		leaf, _ := file.Schema().Lookup(name)
		index, err := file.RowGroups()[0].ColumnChunks()[leaf.ColumnIndex].OffsetIndex()
		require.NoError(t, err)
		require.Greater(t, index.NumPages(), 2, name)
	}
}

func TestManyPartitions(t *testing.T) {
	td := ptrace.NewTraces()
	spanSlice := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	for i := range 60 {
		spanSlice.AppendEmpty().SetStartTimestamp(pcommon.Timestamp(uint64(i) * uint64(time.Hour)))
	}
	fs := fsystest.NewCrash()
	files := write(t, fs, Segment{Log: logID, Number: 7, Rows: []*v1.Rows{spanRows(td)}})
	require.Len(t, files, 60)
	require.Equal(t, "traces/retention=7d/date=1970-01-03/hour=11/0123456789abcdef-0000000007-59.parquet", files[59].Path)
}

func TestCanceledWriteLeavesNoWholeFileBehind(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := NewWriter(fsystest.NewCrash(), "lake").Write(ctx, Segment{Log: logID, Rows: []*v1.Rows{spanRows(schematest.New(1, day).Traces(10))}})
	require.ErrorIs(t, err, context.Canceled)
}

func TestReadRefusesOtherFiles(t *testing.T) {
	fs := fsystest.NewCrash()
	f := write(t, fs, Segment{Log: logID, Number: 7, Rows: []*v1.Rows{spanRows(schematest.New(1, day).Traces(100))}})[0]
	data := content(t, fs, f.Path)

	logs := v1.New(v1.Logs)
	require.ErrorContains(t, Read(bytes.NewReader(data), int64(len(data)), logs), `"traces"`)
	require.Error(t, Read(bytes.NewReader(data[:len(data)/2]), int64(len(data)/2), v1.New(v1.Traces)))
	require.Zero(t, logs.Len())
}

// The end of a file says how long its footer is: not more may be believed than
// there is.
func TestDamagedLengthOfTheFooterIsRefused(t *testing.T) {
	fs := fsystest.NewCrash()
	data := content(t, fs, write(t, fs, Segment{Log: logID, Number: 7, Rows: []*v1.Rows{spanRows(schematest.New(1, day).Traces(20))}})[0].Path)
	for _, cut := range []int{0, 4, 11, len(data) - 1} {
		require.ErrorContains(t, Read(bytes.NewReader(data), int64(cut), v1.New(v1.Traces)), "damaged file")
	}
	copy(data[len(data)-8:], "\xf0\xff\xff\xff")
	require.ErrorContains(t, Read(bytes.NewReader(data), int64(len(data)), v1.New(v1.Traces)), "does not end as Parquet files do")
}

// A damaged file is an error or other rows, never a crash, and leaves no
// half-read rows.
func FuzzRead(f *testing.F) {
	fs := fsystest.NewCrash()
	file := write(f, fs, Segment{Log: logID, Number: 7, Rows: []*v1.Rows{spanRows(schematest.New(1, day).Traces(20))}})[0]
	whole := content(f, fs, file.Path)
	f.Add(uint16(100), byte(1), uint16(len(whole)-50), byte(255), uint16(0))
	f.Add(uint16(5), byte(7), uint16(9), byte(1), uint16(12))
	f.Fuzz(func(t *testing.T, at1 uint16, flip1 byte, at2 uint16, flip2 byte, cut uint16) {
		data := slices.Clone(whole)
		data[int(at1)%len(data)] ^= flip1
		data[int(at2)%len(data)] ^= flip2
		data = data[:len(data)-int(cut)%len(data)]
		_, _ = Schema(bytes.NewReader(data), int64(len(data)))
		rows := v1.New(v1.Traces)
		if err := Read(bytes.NewReader(data), int64(len(data)), rows); err != nil {
			require.Zero(t, rows.Len())
		}
	})
}

// Any spans that OTLP can carry are in the files as they are in the rows.
func FuzzOTLPThroughFiles(f *testing.F) {
	data, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(schematest.New(1, day).Traces(2))
	require.NoError(f, err)
	f.Add(data)
	f.Add([]byte("\n\x08\x12\x06\x12\x04j\x00j\x00\n\x00"))
	schema := extended(f, v1.Traces, shopLifts...)
	f.Fuzz(func(t *testing.T, data []byte) {
		td, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(data)
		if err != nil || len(data) > 100_000 || td.SpanCount() == 0 {
			return
		}
		rows := v1.New(schema)
		rows.AppendTraces(td, "7d")
		fs := fsystest.NewCrash()
		files := write(t, fs, Segment{Log: logID, Number: 1, Rows: []*v1.Rows{rows}})
		require.True(t, slices.Equal(spans(t, rows), spans(t, readAll(t, fs, schema, files))))
	})
}

// A page says its checksum: a file that the disk has changed is refused, never
// read as other rows.
func TestChangedPageIsRefused(t *testing.T) {
	fs := fsystest.NewCrash()
	rows := spanRows(schematest.New(1, day).Traces(20))
	data := content(t, fs, write(t, fs, Segment{Log: logID, Number: 7, Rows: []*v1.Rows{rows}})[0].Path)
	for _, c := range open(t, data).Metadata().RowGroups[0].Columns {
		first, length := c.MetaData.DataPageOffset, c.MetaData.TotalCompressedSize
		if dictionary := c.MetaData.DictionaryPageOffset; dictionary > 0 {
			first = dictionary
		}
		changed := slices.Clone(data)
		changed[first+length-1] ^= 0x10 // the last byte of the last page
		back := v1.New(v1.Traces)
		require.Error(t, Read(bytes.NewReader(changed), int64(len(changed)), back), c.MetaData.PathInSchema)
		require.Zero(t, back.Len())
	}
}

// The directory of an hour whose files have all expired goes, while a late file
// for it is about to be made.
func TestWriteMakesADirectoryThatWentAgain(t *testing.T) {
	for _, at := range []fsystest.Op{fsystest.OpOpen, fsystest.OpSyncDir} {
		t.Run(at.String(), func(t *testing.T) {
			disk := fsystest.NewCrash()
			hour := path.Join("lake", Partition{"traces", "7d", day.Unix() / 3600}.Directory())
			require.NoError(t, disk.MkdirAll(hour))
			went := false
			disk.Hook(func(op fsystest.Op, _ string) error {
				if op == at && !went {
					went = true
					return errors.Join(disk.Remove(hour), disk.Remove(path.Dir(hour)))
				}
				return nil
			})
			rows := spanRows(schematest.New(1, day).Traces(1))
			files, err := NewWriter(disk, "lake").Write(t.Context(), Segment{Log: logID, Number: 1, Rows: []*v1.Rows{rows}})
			require.NoError(t, err)
			require.Equal(t, rows.Len(), readAll(t, disk, v1.Traces, files).Len())
		})
	}
}
