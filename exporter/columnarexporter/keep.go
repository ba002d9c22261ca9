package columnarexporter

import (
	"context"
	"path/filepath"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/spanlake/spanlake/internal/lake"
	"github.com/spanlake/spanlake/internal/upkeep"
)

// openKeeper judges the files that a crash left in the lake, and makes the
// keeper. It comes before any segment is written anew.
func (s *store) openKeeper(dir string) error {
	sealed := map[uint64]struct{}{}
	for _, seg := range s.log.Sealed() {
		sealed[seg.Segment] = struct{}{}
	}
	orphans, err := upkeep.Judge(s.lake, s.log.ID(), func(segment uint64) bool {
		_, ok := sealed[segment]
		return ok
	})
	if err != nil {
		return err
	}
	for _, path := range orphans.Rewritten {
		if err := s.fs.Remove(filepath.Join(dir, filepath.FromSlash(path))); err != nil {
			return err
		}
	}
	if missing := s.lake.Missing(); len(missing) > 0 {
		s.logger.Error("files that MANIFEST lists are missing, queries that need them fail: they were removed by hand, "+
			"or an older MANIFEST was put back; nothing that is not listed is removed",
			zap.String("directory", dir), zap.Int("files", len(missing)), zap.String("first", missing[0]))
	}
	if len(orphans.Foreign) > 0 {
		s.logger.Warn("data files in the directory are not of this lake and are left alone",
			zap.String("directory", dir), zap.Int("files", len(orphans.Foreign)), zap.String("first", orphans.Foreign[0]))
	}
	p := s.cfg.Parquet.Get()
	s.keeper = upkeep.New(upkeep.Options{
		Lake: s.lake, FS: s.fs, Dir: dir, Clock: s.clock, Log: s.logger,
		Compaction: upkeep.Compaction{
			Enabled:     p.Compaction.Enabled,
			TargetBytes: p.Compaction.TargetFileSizeMiB << 20,
			MemoryBytes: p.Compaction.MemoryLimitMiB << 20,
			CPUShare:    float64(p.Compaction.CPULimitPercentage) / 100,
		},
		RemoveAfter: p.RemoveAfter,
		Orphans:     orphans.Stale,
		Observe:     upkeepObserver{s},
	})
	return nil
}

func (s *store) keep(ctx context.Context) {
	defer close(s.kept)
	s.keeper.Run(ctx)
}

// upkeepObserver counts what the keeper does.
type upkeepObserver struct{ *store }

func (o upkeepObserver) Merged(signal string, inputs, outputs []lake.File) {
	ctx, of := context.Background(), signalAttribute(signal)
	rows, bytes := int64(0), int64(0)
	for _, f := range outputs {
		rows += f.Rows
		bytes += f.Bytes
	}
	o.telemetry.ExporterColumnarCompactions.Add(ctx, 1, of)
	o.telemetry.ExporterColumnarFilesCompacted.Add(ctx, int64(len(inputs)), of)
	o.telemetry.ExporterColumnarRowsCompacted.Add(ctx, rows, of)
	o.telemetry.ExporterColumnarBytesCompacted.Add(ctx, bytes, of)
}

func (o upkeepObserver) MergeFailed() {
	o.telemetry.ExporterColumnarCompactionFailures.Add(context.Background(), 1)
}

func (o upkeepObserver) Expired(signal string, files []lake.File) {
	rows := int64(0)
	for _, f := range files {
		rows += f.Rows
	}
	o.telemetry.ExporterColumnarRowsExpired.Add(context.Background(), rows, signalAttribute(signal))
}

func signalAttribute(signal string) metric.MeasurementOption {
	return metric.WithAttributes(attribute.String("signal", signal))
}
