package columnarexporter

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanlake/spanlake/internal/fsys/fsystest"
	"github.com/spanlake/spanlake/internal/lake"
	v1 "github.com/spanlake/spanlake/internal/schema/v1"
)

func withColumns(columns ...ColumnConfig) func(*Config) {
	return func(c *Config) { c.Parquet.Get().Columns.Spans = columns }
}

func tenantBatch(number byte) ptrace.Traces {
	td := batch(number, 1, "")
	td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).Attributes().PutStr("tenant.id", fmt.Sprint("tenant", number))
	return td
}

// A lake holds files of several configurations, and a segment of the log that
// one left is written by the next.
func TestColumnsComeAndGoInALake(t *testing.T) {
	disk := fsystest.NewCrash()
	tenant := ColumnConfig{Name: "tenant.id", Type: "string"}
	var all []any
	for i, change := range []func(*Config){withColumns(), withColumns(tenant), withColumns(tenant, ColumnConfig{Name: "x", Type: "int"}), withColumns()} {
		r := startRig(t, disk, change)
		stored, left := tenantBatch(byte(2*i)), tenantBatch(byte(2*i+1))
		all = append(all, stored, left)
		require.NoError(t, r.consumeTraces(t.Context(), stored))
		r.tick()
		r.written(t)
		require.NoError(t, r.consumeTraces(t.Context(), left))
		disk = disk.Crash()
		r.end()
	}
	r := startRig(t, disk)
	r.written(t)
	require.NoError(t, r.shutdown(t.Context()))
	require.Equal(t, ids(all...), storedIn(t, disk))
}

func TestColumnKeepsItsTypeInALake(t *testing.T) {
	disk := fsystest.NewCrash()
	r := startRig(t, disk, withColumns(ColumnConfig{Name: "tenant.id", Type: "string"}))
	require.NoError(t, r.shutdown(t.Context()))
	r = newRig(t, disk, withColumns(ColumnConfig{Name: "tenant.id", Type: "int"}))
	err := r.start(componenttest.NewNopHost())
	r.end()
	require.ErrorIs(t, err, lake.ErrColumns)
	require.ErrorContains(t, err, "parquet::columns::spans: data/lake/COLUMNS: traces: tenant.id of type int")
	require.ErrorContains(t, err, "tenant.id of type string; give it back its type and spelling, or take another name")
	r = startRig(t, disk, withColumns())
	require.NoError(t, r.shutdown(t.Context()))
}

func TestTooManyColumnsAreRefused(t *testing.T) {
	columns := make([]ColumnConfig, maxColumns+1)
	for i := range columns {
		columns[i] = ColumnConfig{Name: fmt.Sprint("x", i), Type: "bool"}
	}
	require.EqualError(t, validateColumns("spans", v1.Traces, columns), "parquet::columns::spans: 33 columns: must be at most 32")
	require.NoError(t, validateColumns("spans", v1.Traces, columns[:maxColumns]))
}
