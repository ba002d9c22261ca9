package parquetfile

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"pgregory.net/rapid"

	"github.com/spanlake/spanlake/internal/attr"
	"github.com/spanlake/spanlake/internal/fsys/fsystest"
	v1 "github.com/spanlake/spanlake/internal/schema/v1"
)

// rowsAt are spans at hours since 1970, with a retention of so many days each.
func rowsAt(hours []uint64, days []int) *v1.Rows {
	td := ptrace.NewTraces()
	spans := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	for i, h := range hours {
		s := spans.AppendEmpty()
		s.SetStartTimestamp(pcommon.Timestamp(h*uint64(time.Hour) + uint64(i)))
		s.Attributes().PutStr(attr.Retention, fmt.Sprintf("%dd", days[i]))
	}
	return spanRows(td)
}

func TestSmallestPartitionsJoinTheLargestOfTheirRetention(t *testing.T) {
	//        hour: 5 has three rows of 7d, 9 two; 1 and 2 one; of 30d 3 two, 4 one
	rows := rowsAt([]uint64{5, 1, 5, 9, 2, 5, 9, 3, 4, 3}, []int{7, 7, 7, 7, 7, 7, 7, 30, 30, 30})
	show := func(most int) []string {
		var all []string
		for _, p := range plan(rows, most, 0) {
			all = append(all, fmt.Sprint(p.retention, " ", p.hour, " ", p.order))
		}
		return all
	}
	require.Equal(t, []string{"30d 3 [7 9]", "30d 4 [8]", "7d 1 [1]", "7d 2 [4]", "7d 5 [0 2 5]", "7d 9 [3 6]"}, show(6))
	require.Equal(t, []string{"30d 3 [7 9]", "30d 4 [8]", "7d 1 [1]", "7d 5 [4 0 2 5]", "7d 9 [3 6]"}, show(5), "sorted by time")
	require.Equal(t, []string{"30d 3 [7 9 8]", "7d 5 [1 4 0 2 5]", "7d 9 [3 6]"}, show(3))
	require.Equal(t, []string{"30d 3 [7 9 8]", "7d 5 [1 4 0 2 5 3 6]"}, show(2))
	require.Equal(t, show(2), show(1), "a row never changes its retention")
}

func TestPartitionsAreBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 60).Draw(t, "rows")
		hours := rapid.SliceOfN(rapid.Uint64Range(0, 30), n, n).Draw(t, "hours")
		days := rapid.SliceOfN(rapid.IntRange(1, 3), n, n).Draw(t, "days")
		most := rapid.IntRange(1, 40).Draw(t, "most")
		rows := rowsAt(hours, days)
		partitions := plan(rows, most, 0)
		require.LessOrEqual(t, len(partitions), max(most, 3))
		seen := map[uint32]bool{}
		for _, p := range partitions {
			for _, row := range p.order {
				require.False(t, seen[row])
				seen[row] = true
				require.Equal(t, p.retention, fmt.Sprintf("%dd", days[row]))
			}
		}
		require.Len(t, seen, n)
		require.Equal(t, partitions, plan(rows, most, 0), "the same rows go the same ways")
	})
}

// A segment of wild timestamps makes a bounded number of files, and what is
// said of their times is true.
func TestWildTimestampsMakeFewFiles(t *testing.T) {
	const most = 8
	hours := make([]uint64, 300)
	days := make([]int, len(hours))
	for i := range hours {
		hours[i], days[i] = uint64(i)*1_000, 7
	}
	rows := rowsAt(hours, days)
	fs := fsystest.NewCrash()
	w := NewWriter(fs, "lake")
	w.partitions = most
	files, err := w.Write(t.Context(), Segment{Log: logID, Number: 1, Rows: []*v1.Rows{rows}})
	require.NoError(t, err)
	require.Len(t, files, most)
	total := int64(0)
	for _, f := range files {
		total += f.Rows
	}
	require.EqualValues(t, len(hours), total)
	require.Equal(t, "traces/retention=7d/date=1970-01-01/hour=00/0123456789abcdef-0000000001-0.parquet", files[0].Path)
	require.Zero(t, files[0].MinTime)
	require.Equal(t, int64(299_000)*hourNanos+299, files[0].MaxTime)
	require.Equal(t, spans(t, rows), spans(t, readAll(t, fs, v1.Traces, files)))
}

// Where rows go by their time and that of their arrival.
func TestFiling(t *testing.T) {
	arrived := day.UnixNano()
	hour := func(t time.Time) int64 { return t.Unix() / 3600 }
	f := newFiling("2d", arrived)
	for name, tc := range map[string]struct {
		at   time.Time
		want time.Time
	}{
		"now":                         {day, day},
		"late":                        {day.Add(-30 * time.Hour), day.Add(-30 * time.Hour)},
		"the last hour that is kept":  {day.Add(-48 * time.Hour), day.Add(-48 * time.Hour)},
		"over":                        {day.Add(-49 * time.Hour), day.Add(-49 * time.Hour)},
		"over for long":               {day.AddDate(-8, 0, 0), day.Add(-49 * time.Hour)},
		"none":                        {time.Unix(0, 0), day},
		"since the start of a device": {time.Unix(300, 0), day},
		"a little ahead":              {day.Add(24 * time.Hour), day.Add(24 * time.Hour)},
		"too far ahead":               {day.Add(24*time.Hour + 1), day},
		"a hundred years ahead":       {day.AddDate(100, 0, 0), day},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, hour(tc.want), f.hour(tc.at.UnixNano())) })
	}
	require.Equal(t, int64(0), newFiling("2d", 0).hour(5), "without an arrival all times are believed")
}
