package parquetfile

import (
	"bytes"
	"maps"
	"slices"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanlake/spanlake/internal/fsys/fsystest"
	"github.com/spanlake/spanlake/internal/lake"
	"github.com/spanlake/spanlake/internal/schema/schematest"
	v1 "github.com/spanlake/spanlake/internal/schema/v1"
)

func extended(t require.TestingT, base *v1.Schema, lifts ...v1.Lift) *v1.Schema {
	s, err := v1.Extend(base, lifts)
	require.NoError(t, err)
	return s
}

// unordered are the rows as spans without an order of attributes: it depends on
// the columns.
func unordered(t require.TestingT, rows *v1.Rows) []string {
	var all []string
	for row := range rows.Len() {
		td, err := rows.Traces(row, row+1)
		require.NoError(t, err)
		m := td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).Attributes()
		sorted := pcommon.NewMap()
		for _, key := range slices.Sorted(maps.Keys(m.AsRaw())) {
			v, _ := m.Get(key)
			v.CopyTo(sorted.PutEmpty(key))
		}
		sorted.CopyTo(m)
		data, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
		require.NoError(t, err)
		all = append(all, string(data))
	}
	slices.Sort(all)
	return all
}

var shopLifts = []v1.Lift{
	{Name: "app.tenant", Type: v1.String},
	{Name: "cart.items", Type: v1.Int64},
	{Name: "cart.total", Type: v1.Double},
	{Name: "cache.hit", Type: v1.Bool},
	{Name: "nobody.has.it", Type: v1.String},
}

// Files with and without additional columns give the same spans, whichever
// schema knows the columns reads them.
func TestFilesOfOtherConfigurationsGiveTheSameSpans(t *testing.T) {
	td := schematest.New(1, day).Traces(500)
	plain, more := v1.New(v1.Traces), v1.New(extended(t, v1.Traces, shopLifts...))
	plain.AppendTraces(td, "7d")
	more.AppendTraces(td, "7d")
	want := unordered(t, plain)
	fs := fsystest.NewCrash()
	oldFile := write(t, fs, Segment{Log: logID, Number: 1, Rows: []*v1.Rows{plain}})
	newFile := write(t, fs, Segment{Log: logID, Number: 2, Rows: []*v1.Rows{more}})

	require.True(t, slices.Equal(want, unordered(t, readAll(t, fs, more.Schema(), newFile))))
	require.True(t, slices.Equal(want, unordered(t, readAll(t, fs, more.Schema(), oldFile))), "an old file, read with columns it does not have")
	both := readAll(t, fs, more.Schema(), []lake.File{oldFile[0], newFile[0]})
	require.Equal(t, 2*plain.Len(), both.Len())

	data := content(t, fs, newFile[0].Path)
	schema, err := Schema(bytes.NewReader(data), int64(len(data)))
	require.NoError(t, err)
	require.Equal(t, shopLifts, schema.Lifts())
	require.True(t, slices.Equal(want, unordered(t, readAll(t, fs, schema, newFile))))
	data = content(t, fs, oldFile[0].Path)
	schema, err = Schema(bytes.NewReader(data), int64(len(data)))
	require.NoError(t, err)
	require.Same(t, v1.Traces, schema)
}

func TestAdditionalColumnsInTheFile(t *testing.T) {
	rows := v1.New(extended(t, v1.Traces, shopLifts...))
	rows.AppendTraces(schematest.New(1, day).Traces(500), "7d")
	fs := fsystest.NewCrash()
	file := open(t, content(t, fs, write(t, fs, Segment{Log: logID, Number: 1, Rows: []*v1.Rows{rows}})[0].Path))
	ids := map[int]bool{}
	for _, f := range file.Schema().Fields() {
		require.False(t, ids[f.ID()], f.Name())
		ids[f.ID()] = true
		if v1.IsLiftID(f.ID()) {
			require.True(t, f.Optional(), f.Name())
		}
	}
	for name, kind := range map[string]parquet.Kind{
		"app.tenant": parquet.ByteArray, "cart.items": parquet.Int64, "cart.total": parquet.Double, "cache.hit": parquet.Boolean,
	} {
		leaf, ok := file.Schema().Lookup(name)
		require.True(t, ok, name)
		require.Equal(t, kind, leaf.Node.Type().Kind(), name)
	}
}

// A column of the same name and another type must not be taken for it.
func TestColumnOfAnotherTypeIsRefused(t *testing.T) {
	td := ptrace.NewTraces()
	span := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	span.SetStartTimestamp(pcommon.NewTimestampFromTime(day))
	span.Attributes().PutInt("x", 1)
	rows := v1.New(extended(t, v1.Traces, v1.Lift{Name: "x", Type: v1.Int64}))
	rows.AppendTraces(td, "7d")
	fs := fsystest.NewCrash()
	data := content(t, fs, write(t, fs, Segment{Log: logID, Number: 1, Rows: []*v1.Rows{rows}})[0].Path)
	other := v1.New(extended(t, v1.Traces, v1.Lift{Name: "x", Type: v1.String}))
	err := Read(bytes.NewReader(data), int64(len(data)), other)
	require.ErrorContains(t, err, "column x: it is of type INT64, where BYTE_ARRAY was expected")
	require.Zero(t, other.Len())
}
