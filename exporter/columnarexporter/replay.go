package columnarexporter

import (
	"context"
	"errors"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"

	"github.com/spanlake/spanlake/internal/wal"
)

// takeUp finds the segments that an earlier process did not commit, and the
// identities of the batches in them: they are refused from the first request
// on. Committed ones are removed.
func (s *store) takeUp() error {
	for _, sealed := range s.log.Sealed() {
		if s.lake.Committed(s.log.ID(), sealed.Segment) {
			s.remove(sealed.Segment)
			continue
		}
		_, err := s.log.Read(sealed.Segment, func(b []byte) error {
			if r, err := splitRecord(b); err == nil && len(r.batch) > 0 {
				s.replayed[string(r.batch)] = struct{}{}
			}
			return nil
		})
		if err != nil {
			return err
		}
		s.replay = append(s.replay, sealed)
	}
	s.behind = len(s.replay)
	s.measure()
	if s.behind > 0 {
		s.logger.Info("segments of an earlier run are written now", zap.Int("segments", s.behind))
	}
	return nil
}

// replayAll stores the segments that takeUp found, one in memory at a time.
func (s *store) replayAll(ctx context.Context) {
	var seg *segment
	for _, sealed := range s.replay {
		if seg == nil {
			seg = newSegment(s.schemas)
		}
		if !s.replayOne(ctx, sealed, seg) {
			return
		}
		s.mu.Lock()
		s.behind--
		s.measure()
		s.mu.Unlock()
	}
	s.mu.Lock()
	s.replayed = nil
	s.mu.Unlock()
}

func (s *store) replayOne(ctx context.Context, sealed wal.Sealed, seg *segment) bool {
	var damaged int64
	read := s.untilDone(ctx, "read a segment of the log", func() error {
		seg.reset()
		seg.number = sealed.Segment
		damaged = 0
		stats, err := s.log.Read(sealed.Segment, func(b []byte) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := s.replayRecord(seg, b); err != nil {
				damaged++
			}
			return nil
		})
		damaged += stats.DamagedRecords
		return err
	})
	if !read {
		return false
	}
	if damaged > 0 {
		s.telemetry.ExporterColumnarRecordsDamaged.Add(ctx, damaged)
		s.logger.Error("records of the log are damaged, their rows are lost",
			zap.Uint64("segment", sealed.Segment), zap.Int64("records", damaged))
	}
	s.countReplayed(seg)
	return s.persist(ctx, seg)
}

// replayRecord appends the rows of a record.
func (s *store) replayRecord(seg *segment, b []byte) error {
	r, err := splitRecord(b)
	if err != nil {
		return err
	}
	switch r.kind {
	case kindTraces:
		td, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(r.request)
		if err != nil {
			return errors.Join(errRecord, err)
		}
		seg.appendTraces(td, s.retention)
	case kindLogs:
		ld, err := (&plog.ProtoUnmarshaler{}).UnmarshalLogs(r.request)
		if err != nil {
			return errors.Join(errRecord, err)
		}
		seg.appendLogs(ld, s.retention)
	}
	seg.mark(wal.Position{Segment: seg.number}, r.arrived, string(r.batch))
	return nil
}
