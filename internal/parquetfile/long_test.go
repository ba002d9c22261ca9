package parquetfile

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanlake/spanlake/internal/fsys/fsystest"
	"github.com/spanlake/spanlake/internal/schema/schematest"
	v1 "github.com/spanlake/spanlake/internal/schema/v1"
)

// Two large resources, whose spans alternate, are in the file once or a few
// times, not with each row.
func TestLargeResourceIsNotWrittenWithEachRow(t *testing.T) {
	td := ptrace.NewTraces()
	const size, n = 700 << 10, 15
	for i := range 2 {
		rs := td.ResourceSpans().AppendEmpty()
		rs.Resource().Attributes().PutStr("large", strings.Repeat(fmt.Sprint(i), size))
		spans := rs.ScopeSpans().AppendEmpty().Spans()
		for j := range n {
			spans.AppendEmpty().SetStartTimestamp(pcommon.Timestamp(day.UnixNano() + int64(2*j+i)))
		}
	}
	rows := spanRows(td)
	fs := fsystest.NewCrash()
	files := write(t, fs, Segment{Log: logID, Number: 1, Rows: []*v1.Rows{rows}})
	require.Len(t, files, 1)
	file := open(t, content(t, fs, files[0].Path))
	leaf, _ := file.Schema().Lookup(v1.ColResourceAttributes)
	chunk := file.Metadata().RowGroups[0].Columns[leaf.ColumnIndex].MetaData
	require.Less(t, chunk.TotalUncompressedSize, int64(4*size), "two values, %d rows", 2*n)
	back := readAll(t, fs, v1.Traces, files)
	require.Less(t, back.Bytes(), int64(3*size), "nor held in memory with each")
	column := v1.Traces.Index(v1.ColResourceAttributes)
	for row := range back.Len() {
		require.Equal(t, text(rows, column, row%2*n), text(back, column, row))
	}
}

// Long values are no min or max, in any column; short ones of the next file
// are.
func TestLongValuesAreNoBounds(t *testing.T) {
	long := strings.Repeat("x", longValue+1)
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", long)
	ss := rs.ScopeSpans().AppendEmpty()
	ss.Scope().SetVersion(long)
	span := ss.Spans().AppendEmpty()
	span.SetStartTimestamp(pcommon.NewTimestampFromTime(day))
	span.SetName(long)
	span.Events().AppendEmpty().SetName(long)
	fs := fsystest.NewCrash()
	w := NewWriter(fs, "lake")
	files, err := w.Write(t.Context(), Segment{Log: logID, Number: 1, Rows: []*v1.Rows{spanRows(td)}})
	require.NoError(t, err)
	span.SetName("short")
	more, err := w.Write(t.Context(), Segment{Log: logID, Number: 2, Rows: []*v1.Rows{spanRows(td)}})
	require.NoError(t, err)

	bounds := func(name string, path ...string) int {
		file := open(t, content(t, fs, name))
		leaf, ok := file.Schema().Lookup(path...)
		require.True(t, ok)
		s := file.Metadata().RowGroups[0].Columns[leaf.ColumnIndex].MetaData.Statistics
		return len(s.MinValue) + len(s.MaxValue)
	}
	for _, path := range [][]string{{v1.ColServiceName}, {v1.ColScopeVersion}, {v1.ColName}, {v1.ColEvents, "list", "element", v1.ColName}} {
		require.Zero(t, bounds(files[0].Path, path...), path)
	}
	require.Equal(t, 2*len("short"), bounds(more[0].Path, v1.ColName))
	require.Positive(t, bounds(files[0].Path, v1.ColTraceID))
}

// After a restart the rows of refused requests are not there: they must not
// show in the file.
func TestRefusedLongValuesLeaveNoTrace(t *testing.T) {
	td := schematest.New(1, day).Traces(50)
	rows := spanRows(td)
	n := rows.Len()
	refused := ptrace.NewTraces()
	rs := refused.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", strings.Repeat("x", longValue+1))
	rs.ScopeSpans().AppendEmpty().Spans().AppendEmpty().SetName(strings.Repeat("y", longValue+1))
	rows.AppendTraces(refused, "7d")
	rows.Truncate(n)
	one, two := fsystest.NewCrash(), fsystest.NewCrash()
	files := write(t, one, Segment{Log: logID, Number: 1, Rows: []*v1.Rows{rows}})
	require.Equal(t, files, write(t, two, Segment{Log: logID, Number: 1, Rows: []*v1.Rows{spanRows(td)}}))
	require.True(t, bytes.Equal(content(t, one, files[0].Path), content(t, two, files[0].Path)))
}

// What one row can hold, behind what is in the page already, fits the 32-bit
// size of a page: the exporter takes requests of 256 MiB, and a byte of them
// becomes at most six here (internal/schema/v1 tests that).
func TestLargestRowFitsAPage(t *testing.T) {
	const request = 256 << 20
	elements := v1.MaxElements * (4 + 32 + 2) // length, digits, levels
	require.Less(t, 6*request+elements+4*chunkBytes, math.MaxInt32)
}

func TestPanicOfTheWriterIsAnError(t *testing.T) {
	_, err := NewWriter(fsystest.NewCrash(), "lake").Write(t.Context(), Segment{Log: logID, Number: 1, Rows: []*v1.Rows{nil}})
	require.ErrorContains(t, err, "too large")
}
