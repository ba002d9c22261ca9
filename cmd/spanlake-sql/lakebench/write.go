package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"runtime/metrics"
	"syscall"
	"time"

	"github.com/jonboulle/clockwork"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"

	"github.com/spanlake/spanlake/internal/fsys"
	"github.com/spanlake/spanlake/internal/lake"
	"github.com/spanlake/spanlake/internal/parquetfile"
	"github.com/spanlake/spanlake/internal/schema/schematest"
	v1 "github.com/spanlake/spanlake/internal/schema/v1"
	"github.com/spanlake/spanlake/internal/upkeep"
)

const (
	hours = 24
	logID = "0123456789abcdef"
	// openFiles is the most small files that the hour under way has at 5,000 spans a
	// second flushed every five seconds (TestDaySimulated of upkeep), each of 25,000
	// spans: a 400th of ten million.
	openFiles = 10
	openShare = 400
)

// bench is a lake under measurement.
type bench struct {
	*options

	out, log io.Writer
	start    time.Time // of the data
	lake     *lake.Store
	writer   *parquetfile.Writer
	segment  uint64
	traces   []string // some of the trace IDs
	decode   float64  // CPU seconds a million spans
}

func (b *bench) open() error {
	var err error
	b.lake, err = lake.Open(b.dir, nil)
	b.writer = parquetfile.NewWriter(fsys.OS, b.dir)
	return err
}

// cpu is user and system time of this process.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // the arguments are right
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// write fills the lake, as the exporter does: rows from pdata, sorted, encoded,
// synced and committed. Making the spans and decoding them is measured apart.
func (b *bench) write(ctx context.Context) error {
	fmt.Fprintf(b.log, "write %d spans\n", b.spans)
	var write, decode time.Duration
	spans := 0
	rows := v1.New(v1.Traces)
	for hour := range hours {
		inHour := b.spans / hours
		flushes := max(1, (inHour+b.perFile/2)/b.perFile)
		for n := range flushes {
			at := b.start.Add(time.Duration(hour)*time.Hour + time.Duration(n)*time.Hour/time.Duration(flushes))
			took, decoded, made, err := b.flush(ctx, rows, at, inHour/flushes, time.Hour/time.Duration(flushes))
			if err != nil {
				return err
			}
			write, decode, spans = write+took, decode+decoded, spans+made
		}
	}
	b.decode = decode.Seconds() / float64(spans) * 1e6
	fmt.Fprintf(b.out, "decoding OTLP (the yardstick: 1.2 where the bars were set): %.2f CPU s a million spans\n", b.decode)
	b.report("written and sorted", write, spans, 3.8)
	b.size("before compaction")
	return nil
}

// flush stores about so many spans of a stretch of time as one segment.
func (b *bench) flush(ctx context.Context, rows *v1.Rows, at time.Time, spans int, stretch time.Duration) (write, decode time.Duration, made int, err error) {
	b.segment++
	g := schematest.New(b.seed<<32+b.segment, at)
	g.Gap = 2 * stretch * 24 / time.Duration(spans) * 95 / 100 // traces of 24 spans on average, within the stretch
	td := g.Traces(spans)
	id := td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).TraceID()
	b.traces = append(b.traces, id.String())
	data, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
	if err != nil {
		return 0, 0, 0, err
	}
	runtime.GC() // what making the spans left
	begin := cpu()
	td, err = (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(data)
	decode = cpu() - begin
	if err != nil {
		return 0, 0, 0, err
	}
	begin = cpu()
	rows.Reset()
	rows.AppendTraces(td, "7d")
	files, err := b.writer.Write(ctx, parquetfile.Segment{Log: logID, Number: b.segment, Rows: []*v1.Rows{rows}})
	if err == nil {
		err = b.lake.Commit(lake.Commit{Log: logID, Segment: b.segment, Add: files})
	}
	return cpu() - begin, decode, rows.Len(), err
}

func (b *bench) report(what string, took time.Duration, spans int, bar float64) {
	per := took.Seconds() / float64(spans) * 1e6
	fmt.Fprintf(b.out, "%s: %.2f CPU s a million spans, %.2f times decoding (bar %.1f, %.2f times)\n",
		what, per, per/b.decode, bar, bar/1.2)
}

func (b *bench) size(when string) {
	files, bytes, rows := 0, int64(0), int64(0)
	for _, f := range b.lake.Snapshot().Files {
		files++
		bytes += f.Bytes
		rows += f.Rows
	}
	fmt.Fprintf(b.out, "%s: %d files, %.1f bytes a span\n", when, files, float64(bytes)/float64(rows))
}

// compact merges the closed hours.
func (b *bench) compact(ctx context.Context) error {
	fmt.Fprintln(b.log, "compact")
	count := &counter{}
	k := upkeep.New(upkeep.Options{
		Lake: b.lake, FS: fsys.OS, Dir: b.dir, Log: zap.NewNop(), Observe: count,
		Clock:      clockwork.NewFakeClockAt(b.start.Add((hours + 1) * time.Hour)),
		Compaction: upkeep.Compaction{Enabled: true, TargetBytes: 10 << 20, MemoryBytes: 128 << 20, CPUShare: 1},
	})
	runtime.GC()
	peak, stop := watchHeap()
	begin := cpu()
	// The second pass is for hours of few files: they are left until they are quiet.
	err := k.Pass(ctx)
	if err == nil {
		k.Clock.(*clockwork.FakeClock).Advance(time.Hour)
		err = k.Pass(ctx)
	}
	took := cpu() - begin
	stop()
	if err != nil {
		return err
	}
	b.report("compaction", took, b.spans, 3)
	fmt.Fprintf(b.out, "compaction: each row written %.2f times again; heap at most %d MiB\n", float64(count.rows)/float64(b.spans), *peak>>20)
	b.size("after compaction (bar 55 bytes)")
	return nil
}

// openHour adds the hour under way at its worst.
func (b *bench) openHour(ctx context.Context) error {
	fmt.Fprintln(b.log, "an open hour")
	rows := v1.New(v1.Traces)
	at := b.start.Add(hours * time.Hour)
	for n := range openFiles {
		if _, _, _, err := b.flush(ctx, rows, at.Add(time.Duration(n)*5*time.Second), b.spans/openShare, 5*time.Second); err != nil {
			return err
		}
	}
	b.size(fmt.Sprintf("with %d files of an open hour", openFiles))
	return nil
}

// counter is an upkeep.Observer.
type counter struct{ rows int64 }

func (c *counter) Merged(_ string, _, outputs []lake.File) {
	for _, f := range outputs {
		c.rows += f.Rows
	}
}
func (*counter) MergeFailed()                {}
func (*counter) Expired(string, []lake.File) {}

// watchHeap samples the heap in use until stop.
func watchHeap() (peak *uint64, stop func()) {
	peak = new(uint64)
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		ticker := time.NewTicker(10 * time.Millisecond)
		defer ticker.Stop()
		for {
			metrics.Read(sample)
			*peak = max(*peak, sample[0].Value.Uint64())
			select {
			case <-end:
				return
			case <-ticker.C:
			}
		}
	}()
	return peak, func() { close(end); <-ended }
}
