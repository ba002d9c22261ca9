package parquetfile

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanlake/spanlake/internal/fsys"
	"github.com/spanlake/spanlake/internal/fsys/fsystest"
	"github.com/spanlake/spanlake/internal/schema/schematest"
	v1 "github.com/spanlake/spanlake/internal/schema/v1"
)

// BenchmarkWrite turns pdata into rows, sorts them and writes them, fsync
// included. The bar: 3.8 CPU seconds a million spans, 55 bytes a span.
func BenchmarkWrite(b *testing.B) {
	const spans = 100_000
	td := schematest.New(1, time.Unix(1_800_000_000, 0)).Traces(spans)
	rows := v1.New(v1.Traces)
	w := NewWriter(fsys.OS, b.TempDir())
	var bytes, n int64
	cpu := cpuTime(b)
	b.ReportAllocs()
	for b.Loop() {
		rows.Reset()
		rows.AppendTraces(td, "7d")
		files, err := w.Write(b.Context(), Segment{Log: "0123456789abcdef", Number: uint64(n), Rows: []*v1.Rows{rows}})
		require.NoError(b, err)
		for _, f := range files {
			bytes += f.Bytes
			n += f.Rows
		}
	}
	b.ReportMetric((cpuTime(b)-cpu).Seconds()/float64(n)*1e6, "CPU-s/Mspans")
	b.ReportMetric(float64(bytes)/float64(n), "B/span")
}

// BenchmarkRead reads a file into rows.
func BenchmarkRead(b *testing.B) {
	rows := v1.New(v1.Traces)
	rows.AppendTraces(schematest.New(1, time.Unix(1_800_000_000, 0)).Traces(30_000), "7d")
	fs := fsystest.NewCrash()
	data := content(b, fs, write(b, fs, Segment{Log: logID, Number: 1, Rows: []*v1.Rows{rows}})[0].Path)
	n := 0
	cpu := cpuTime(b)
	b.ReportAllocs()
	for b.Loop() {
		rows.Reset()
		require.NoError(b, Read(bytes.NewReader(data), int64(len(data)), rows))
		n += rows.Len()
	}
	b.ReportMetric((cpuTime(b)-cpu).Seconds()/float64(n)*1e6, "CPU-s/Mspans")
	b.ReportMetric(float64(rows.Bytes())/float64(rows.Len()), "B/row")
}

// BenchmarkAppend turns pdata into rows.
func BenchmarkAppend(b *testing.B) {
	td := schematest.New(1, time.Unix(1_800_000_000, 0)).Traces(10_000)
	rows := v1.New(v1.Traces)
	b.ReportAllocs()
	for b.Loop() {
		rows.Reset()
		rows.AppendTraces(td, "7d")
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(rows.Len()), "ns/span")
	b.ReportMetric(float64(rows.Bytes())/float64(rows.Len()), "B/row")
}

// BenchmarkDecode is a yardstick for how fast the machine is right now: 1.2
// CPU seconds a million spans where the bars were set.
func BenchmarkDecode(b *testing.B) {
	td := schematest.New(1, time.Unix(1_800_000_000, 0)).Traces(20_000)
	data, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
	require.NoError(b, err)
	n := 0
	cpu := cpuTime(b)
	for b.Loop() {
		_, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(data)
		require.NoError(b, err)
		n += td.SpanCount()
	}
	b.ReportMetric((cpuTime(b)-cpu).Seconds()/float64(n)*1e6, "CPU-s/Mspans")
}
