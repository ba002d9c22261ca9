package columnarexporter

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/spanlake/spanlake/internal/lake"
	v1 "github.com/spanlake/spanlake/internal/schema/v1"
)

func (k kind) signal() string {
	if k == kindLogs {
		return v1.SignalLogs
	}
	return v1.SignalTraces
}

func (k kind) attributes() metric.MeasurementOption {
	return metric.WithAttributes(attribute.String("signal", k.signal()))
}

func (k kind) refusal(reason string) metric.MeasurementOption {
	return metric.WithAttributes(attribute.String("signal", k.signal()), attribute.String("reason", reason))
}

// observe registers the gauges.
func (s *store) observe() error {
	return errors.Join(
		s.telemetry.RegisterExporterColumnarSegmentsPendingCallback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(s.gauges.pending.Load())
			return nil
		}),
		s.telemetry.RegisterExporterColumnarLogSizeCallback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(s.log.Bytes())
			return nil
		}),
		s.telemetry.RegisterExporterColumnarBufferedSizeCallback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(s.gauges.buffered.Load())
			return nil
		}),
		s.telemetry.RegisterExporterColumnarLakeFilesCallback(func(_ context.Context, o metric.Int64Observer) error {
			s.eachSignal(func(files, _ int64, of metric.ObserveOption) { o.Observe(files, of) })
			return nil
		}),
		s.telemetry.RegisterExporterColumnarLakeSizeCallback(func(_ context.Context, o metric.Int64Observer) error {
			s.eachSignal(func(_, bytes int64, of metric.ObserveOption) { o.Observe(bytes, of) })
			return nil
		}),
	)
}

// eachSignal adds up the files of the lake.
func (s *store) eachSignal(fn func(files, bytes int64, of metric.ObserveOption)) {
	files, bytes := map[string]int64{}, map[string]int64{}
	for _, f := range s.lake.Snapshot().Files {
		files[f.Signal]++
		bytes[f.Signal] += f.Bytes
	}
	for _, signal := range []string{v1.SignalTraces, v1.SignalLogs} {
		fn(files[signal], bytes[signal], metric.WithAttributes(attribute.String("signal", signal)))
	}
}

// gauges are sizes as of the last change. They are read without mu, which a
// request may hold while it waits for the disk.
type gauges struct{ pending, buffered atomic.Int64 }

// measure is called after each change, with mu held.
func (s *store) measure() {
	s.gauges.pending.Store(int64(len(s.pending) + s.behind))
	n := s.active.bytes()
	for _, p := range s.pending {
		n += p.bytes()
	}
	s.gauges.buffered.Store(n)
}

func (s *store) countStored(seg *segment, files []lake.File, took time.Duration) {
	ctx := context.Background()
	s.telemetry.ExporterColumnarRowsWritten.Add(ctx, int64(seg.traces.Len()), kindTraces.attributes())
	s.telemetry.ExporterColumnarRowsWritten.Add(ctx, int64(seg.logs.Len()), kindLogs.attributes())
	s.telemetry.ExporterColumnarFilesWritten.Add(ctx, int64(len(files)))
	for _, f := range files {
		s.telemetry.ExporterColumnarBytesWritten.Add(ctx, f.Bytes)
	}
	s.telemetry.ExporterColumnarFlushDuration.Record(ctx, took.Seconds())
}

func (s *store) countReplayed(seg *segment) {
	ctx := context.Background()
	s.telemetry.ExporterColumnarRowsReplayed.Add(ctx, int64(seg.traces.Len()), kindTraces.attributes())
	s.telemetry.ExporterColumnarRowsReplayed.Add(ctx, int64(seg.logs.Len()), kindLogs.attributes())
}
