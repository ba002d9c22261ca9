package v1

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"pgregory.net/rapid"
)

func TestEventsAndLinksAreBounded(t *testing.T) {
	td := ptrace.NewTraces()
	span := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	span.SetDroppedLinksCount(math.MaxUint32 - 1)
	for range MaxElements + 3 {
		span.Links().AppendEmpty()
	}
	for range MaxElements + 2 {
		span.Events().AppendEmpty()
	}
	rows := New(Traces)
	stats := rows.AppendTraces(td, "7d")
	require.Equal(t, Stats{Rows: 1, ElementsDropped: 5}, stats)
	back, err := rows.Traces(0, 1)
	require.NoError(t, err)
	stored := back.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
	require.Equal(t, MaxElements, stored.Links().Len())
	require.Equal(t, MaxElements, stored.Events().Len())
	require.EqualValues(t, 2, stored.DroppedEventsCount())
	require.Equal(t, uint32(math.MaxUint32), stored.DroppedLinksCount())
}

// A byte of a request becomes at most six in a column: what fits a request
// fits a page.
func TestJSONIsAtMostSixTimesTheProtobuf(t *testing.T) {
	size := func(v pcommon.Value) int {
		ld := plog.NewLogs()
		v.CopyTo(ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().Body())
		return (&plog.ProtoMarshaler{}).LogsSize(ld)
	}
	check := func(t require.TestingT, v pcommon.Value) {
		require.LessOrEqual(t, len(appendValue(nil, v)), 6*size(v))
	}
	for _, s := range []string{"\x00", "\xffa", "\"", "\u2028"} {
		check(t, pcommon.NewValueStr(strings.Repeat(s, 10_000)))
	}
	fill := map[string]func(pcommon.Value){
		"empty": func(pcommon.Value) {}, "bool": func(v pcommon.Value) { v.SetBool(false) },
		"bytes": func(v pcommon.Value) { v.SetEmptyBytes() }, "NaN": func(v pcommon.Value) { v.SetDouble(math.NaN()) },
		"least": func(v pcommon.Value) { v.SetDouble(-math.SmallestNonzeroFloat64) }, "int": func(v pcommon.Value) { v.SetInt(math.MinInt64) },
		"map": func(v pcommon.Value) { v.SetEmptyMap() }, "like a tag": func(v pcommon.Value) { v.SetEmptyMap().PutEmpty(tagBytes) },
		"no key": func(v pcommon.Value) { v.SetEmptyMap().PutEmpty("") },
	}
	for _, f := range fill {
		v := pcommon.NewValueSlice()
		for range 10_000 {
			f(v.Slice().AppendEmpty())
		}
		check(t, v)
	}
	rapid.Check(t, func(t *rapid.T) {
		v := pcommon.NewValueEmpty()
		genValue(t, v, 2)
		check(t, v)
	})
}
