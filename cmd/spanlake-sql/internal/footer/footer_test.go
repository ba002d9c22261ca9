package footer

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanlake/spanlake/internal/fsys"
	"github.com/spanlake/spanlake/internal/parquetfile"
	"github.com/spanlake/spanlake/internal/schema/schematest"
	v1 "github.com/spanlake/spanlake/internal/schema/v1"
)

// write makes a file of spans of several row groups.
func write(t testing.TB, n int) (string, ptrace.Traces) {
	t.Helper()
	td := schematest.New(1, time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)).Traces(n)
	rows := v1.New(v1.Traces)
	rows.AppendTraces(td, "7d")
	dir := t.TempDir()
	files, err := parquetfile.NewWriter(fsys.OS, dir).Write(t.Context(), parquetfile.Segment{Log: "0123456789abcdef", Number: 1, Rows: []*v1.Rows{rows}})
	require.NoError(t, err)
	return filepath.Join(dir, filepath.FromSlash(files[0].Path)), td
}

func TestColumnsAndBloomFilters(t *testing.T) {
	path, td := write(t, 31_000)
	r := NewReader(v1.ColTraceID)
	info, err := r.Read(path)
	require.NoError(t, err)

	var want []string
	for _, c := range v1.Traces.Columns {
		want = append(want, c.Name)
	}
	for _, l := range v1.Traces.Lists {
		want = append(want, l.Name)
	}
	require.Equal(t, want, info.Columns.Names)
	require.Len(t, info.filters, 2)

	for _, rs := range td.ResourceSpans().All() {
		for _, span := range rs.ScopeSpans().At(0).Spans().All() {
			if span.ParentSpanID().IsEmpty() {
				require.True(t, info.MayHold(path, []string{span.TraceID().String()}))
			}
		}
	}
	hits := 0
	for i := range 1000 {
		if info.MayHold(path, []string{fmt.Sprintf("%032x", i)}) {
			hits++
		}
	}
	require.Less(t, hits, 60, "of 1000 traces that are not there")

	again, err := r.Read(path)
	require.NoError(t, err)
	require.Same(t, info.Columns, again.Columns)
}

func TestAColumnWithoutBloomFilterMayHoldAnything(t *testing.T) {
	path, _ := write(t, 100)
	info, err := NewReader(v1.ColServiceName).Read(path)
	require.NoError(t, err)
	require.True(t, info.MayHold(path, []string{"nothing"}))
}

func TestAFileThatIsGoneMayHoldAnything(t *testing.T) {
	path, _ := write(t, 100)
	info, err := NewReader(v1.ColTraceID).Read(path)
	require.NoError(t, err)
	require.False(t, info.MayHold(path, []string{"nothing"}))
	require.NoError(t, os.Remove(path))
	require.True(t, info.MayHold(path, []string{"nothing"}))
}

func TestDamagedFiles(t *testing.T) {
	path, _ := write(t, 100)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	for name, data := range map[string][]byte{
		"empty":         {},
		"short":         whole[len(whole)-6:],
		"cut":           whole[:len(whole)-100],
		"no file":       append([]byte("PAR1\xff\xff\xff\x7f"), "PAR1"...),
		"empty footer":  append([]byte("PAR1\x00\x00\x00\x00"), "PAR1"...),
		"only the tail": whole[len(whole)-100:],
	} {
		t.Run(name, func(t *testing.T) {
			damaged := filepath.Join(t.TempDir(), "x.parquet")
			require.NoError(t, os.WriteFile(damaged, data, 0o600))
			_, err := NewReader(v1.ColTraceID).Read(damaged)
			require.ErrorContains(t, err, damaged)
		})
	}
}

func FuzzFooter(f *testing.F) {
	path, _ := write(f, 10)
	whole, err := os.ReadFile(path)
	require.NoError(f, err)
	r := NewReader(v1.ColTraceID)
	footer, err := r.bytes(bytesAt(whole), int64(len(whole)))
	require.NoError(f, err)
	f.Add(footer)
	f.Add([]byte{0x19, 0x0c, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		info, offsets, err := NewReader(v1.ColTraceID).decode(data)
		if err == nil {
			require.NotNil(t, info.Columns)
		}
		require.LessOrEqual(t, len(offsets), len(data))
		filters(bytesAt(data), offsets)
	})
}

func BenchmarkRead(b *testing.B) {
	path, _ := write(b, 100_000)
	r := NewReader(v1.ColTraceID)
	for b.Loop() {
		if _, err := r.Read(path); err != nil {
			b.Fatal(err)
		}
	}
}

// bytesAt is a file in memory.
type bytesAt []byte

func (b bytesAt) ReadAt(p []byte, at int64) (int, error) {
	if at < 0 || at >= int64(len(b)) {
		return 0, os.ErrInvalid
	}
	n := copy(p, b[at:])
	if n < len(p) {
		return n, os.ErrInvalid
	}
	return n, nil
}
