package v1

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"pgregory.net/rapid"
)

func TestLiftFaultsNameTheRule(t *testing.T) {
	for name, tc := range map[string]struct {
		schema *Schema
		lifts  []Lift
		want   string // part of the rule; empty: none is broken
	}{
		"attribute":             {Traces, []Lift{{"tenant.id", String}, {"cart.items", Int64}}, ""},
		"column of spans, logs": {Logs, []Lift{{"http.route", String}}, ""},
		"column of the version": {Traces, []Lift{{"http.route", String}}, "must not be a column that there is: http.route"},
		"column in other case":  {Logs, []Lift{{"Host.Name", String}}, "must not be a column that there is: host.name, in whatever case"},
		"list":                  {Traces, []Lift{{"Events", String}}, "something else"},
		"partition":             {Traces, []Lift{{"hour", Int64}}, "something else"},
		"older name":            {Traces, []Lift{{"http.method", String}}, "its values are in the column http.request.method"},
		"reserved":              {Traces, []Lift{{"spanlake.batch", String}}, "must not begin with spanlake."},
		"empty":                 {Traces, []Lift{{"", String}}, "must be 1 to 128"},
		"quote":                 {Traces, []Lift{{`a"b`, String}}, "must be 1 to 128"},
		"long":                  {Traces, []Lift{{strings.Repeat("x", 129), String}}, "must be 1 to 128"},
		"twice":                 {Traces, []Lift{{"tenant", String}, {"Tenant", Int64}}, `must not be there twice, in whatever case: "tenant" is`},
		"type":                  {Traces, []Lift{{"tenant", Time}}, "must be of type string, int, double or bool"},
		"too many":              {Traces, manyLifts(MaxLifts + 1), "must be one of at most 128"},
	} {
		t.Run(name, func(t *testing.T) {
			faults := tc.schema.LiftFaults(tc.lifts)
			s, err := Extend(tc.schema, tc.lifts)
			if tc.want == "" {
				require.Empty(t, faults)
				require.NoError(t, err)
				require.Equal(t, tc.lifts, s.Lifts())
				return
			}
			require.Len(t, faults, 1)
			require.Equal(t, len(tc.lifts)-1, faults[0].Index)
			require.Contains(t, faults[0].Rule, tc.want)
			require.ErrorContains(t, err, tc.want)
		})
	}
}

func manyLifts(n int) []Lift {
	lifts := make([]Lift, n)
	for i := range lifts {
		lifts[i] = Lift{fmt.Sprintf("attribute.%d", i), String}
	}
	return lifts
}

func TestExtendedSchemaHasRoomForAllItsColumns(t *testing.T) {
	var set columnSet
	for _, s := range []*Schema{Traces, Logs} {
		extended, err := Extend(s, manyLifts(MaxLifts))
		require.NoError(t, err)
		require.LessOrEqual(t, len(extended.Columns), 64*len(set))
		require.Equal(t, s.Columns, extended.Columns[:len(s.Columns)], "the version's columns keep their places")
		same, err := Extend(s, nil)
		require.NoError(t, err)
		require.Same(t, s, same)
	}
}

// The rule is written down in FORMAT.md: files of every release agree on it.
func TestFieldIDsOfAdditionalColumns(t *testing.T) {
	for name, want := range map[string]int{"tenant.id": 163_229_540, "cart.items": 1_697_502_021, "a": 1_827_002_220} {
		require.Equal(t, want, liftID(name), name)
		require.True(t, IsLiftID(liftID(name)))
	}
	for _, s := range []*Schema{Traces, Logs} {
		for _, c := range s.Columns {
			require.False(t, IsLiftID(c.ID))
		}
	}
	require.LessOrEqual(t, firstLiftID+liftIDs-1, math.MaxInt32)
}

var everyLift = []Lift{{"x.string", String}, {"x.int", Int64}, {"x.double", Double}, {"x.bool", Bool}}

func TestAdditionalColumnsTakeTheirTypeOnly(t *testing.T) {
	s, err := Extend(Traces, everyLift)
	require.NoError(t, err)
	rows := New(s)
	td := ptrace.NewTraces()
	spans := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	m := spans.AppendEmpty().Attributes()
	m.PutStr("x.string", "")
	m.PutInt("x.int", math.MinInt64)
	m.PutDouble("x.double", math.Inf(-1))
	m.PutBool("x.bool", false)
	m.PutStr("X.String", "another key")
	m = spans.AppendEmpty().Attributes()
	m.PutInt("x.string", 1)
	m.PutDouble("x.int", 1)
	m.PutDouble("x.double", math.NaN())
	m.PutStr("x.bool", "true")
	rows.AppendTraces(td, "7d")

	requireAttributes := func(row int, want string) {
		b, _ := rows.String(s.Index(ColAttributes), row)
		require.Equal(t, want, string(b), "numbers have their types")
	}
	requireAttributes(0, `{"X.String":"another key"}`)
	v, ok := rows.String(s.Index("x.string"), 0)
	require.True(t, ok)
	require.Empty(t, v)
	for name, want := range map[string]int64{"x.int": math.MinInt64, "x.double": int64(math.Float64bits(math.Inf(-1))), "x.bool": 0} {
		n, ok := rows.Num(s.Index(name), 0)
		require.True(t, ok, name)
		require.Equal(t, want, n, name)
		_, ok = rows.Num(s.Index(name), 1)
		require.False(t, ok, name)
	}
	requireAttributes(1, `{"x.string":1,"x.int":1.0,"x.double":{"@double":"NaN"},"x.bool":"true"}`)
}

// Whatever the columns, what comes back is the same.
func TestAdditionalColumnsComeBackExactly(t *testing.T) {
	spanSchema, err := Extend(Traces, everyLift)
	require.NoError(t, err)
	logSchema, err := Extend(Logs, everyLift)
	require.NoError(t, err)
	spanRows, logRows := New(spanSchema), New(logSchema)
	put := func(t *rapid.T, m pcommon.Map) {
		for _, l := range everyLift {
			if rapid.Bool().Draw(t, "has") {
				genValue(t, m.PutEmpty(l.Name), 0)
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		spanRows.Reset()
		td := genTraces(t)
		for _, rs := range td.ResourceSpans().All() {
			for _, ss := range rs.ScopeSpans().All() {
				for _, span := range ss.Spans().All() {
					put(t, span.Attributes())
				}
			}
		}
		spanRows.AppendTraces(td, "7d")
		back, err := spanRows.Traces(0, spanRows.Len())
		require.NoError(t, err)
		require.Equal(t, spanLines(normalise(td)), spanLines(back))

		logRows.Reset()
		ld := genLogs(t)
		for _, rl := range ld.ResourceLogs().All() {
			for _, sl := range rl.ScopeLogs().All() {
				for _, record := range sl.LogRecords().All() {
					put(t, record.Attributes())
				}
			}
		}
		logRows.AppendLogs(ld, "3d")
		logsBack, err := logRows.Logs(0, logRows.Len())
		require.NoError(t, err)
		require.Equal(t, recordLines(normaliseLogs(ld)), recordLines(logsBack))
	})
}

// Of a repeated key the first value is stored in the column, and comes back.
func TestRepeatedKeyOfAnAdditionalColumn(t *testing.T) {
	s, err := Extend(Logs, everyLift)
	require.NoError(t, err)
	ld := plog.NewLogs()
	m := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().Attributes()
	m.PutStr("x.string", "first")
	m.PutStr("x.strinG", "second")
	data, err := (&plog.ProtoMarshaler{}).MarshalLogs(ld)
	require.NoError(t, err)
	data = slices.Clone(data)
	data[strings.Index(string(data), "x.strinG")+7] = 'g'
	ld, err = (&plog.ProtoUnmarshaler{}).UnmarshalLogs(data)
	require.NoError(t, err)
	rows := New(s)
	rows.AppendLogs(ld, "3d")
	back, err := rows.Logs(0, 1)
	require.NoError(t, err)
	v, ok := back.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).Attributes().Get("x.string")
	require.True(t, ok)
	require.Equal(t, "first", v.Str())
}
