package columnarexporter

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.uber.org/zap"

	"github.com/spanlake/spanlake/internal/fsys"
	"github.com/spanlake/spanlake/internal/lake"
	"github.com/spanlake/spanlake/internal/parquetfile"
	v1 "github.com/spanlake/spanlake/internal/schema/v1"
)

// flush seals the active segment by time, so that no row waits longer than
// the interval.
func (s *store) flush(ctx context.Context) {
	defer close(s.flushed)
	ticker := s.clock.NewTicker(s.cfg.Flush.Interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.Chan():
			s.tick()
		}
	}
}

func (s *store) tick() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != running || s.active.rows() == 0 || len(s.pending) >= maxPending {
		return
	}
	if err := s.seal(); err != nil {
		s.failed("seal the active segment", err)
	}
}

// drain writes the segments found at start and then the sealed ones, oldest
// first, until ctx ends, or the store is closed and none is left.
func (s *store) drain(ctx context.Context) {
	defer close(s.drained)
	s.replayAll(ctx)
	for ctx.Err() == nil {
		next, last := s.next()
		switch {
		case next != nil:
			if s.persist(ctx, next) {
				s.done(next)
			}
		case last:
			return
		default:
			select {
			case <-ctx.Done():
			case <-s.wake:
			}
		}
	}
}

// next is the oldest sealed segment, or nil, and then whether none will come.
func (s *store) next() (*segment, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.pending) > 0 {
		return s.pending[0], false
	}
	return nil, s.state == closed
}

// done gives the buffers of a stored segment back, unless they are far too
// large for what it held.
func (s *store) done(stored *segment) {
	s.mu.Lock()
	s.pending = slices.Delete(s.pending, 0, 1) // and keeps no reference
	s.measure()
	s.mu.Unlock()
	if !stored.reset() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.spare == nil {
		s.spare = stored
	}
}

// persist writes a segment, commits it, and removes it from the log. It tries
// until it succeeds, and returns false only when ctx ended before.
func (s *store) persist(ctx context.Context, seg *segment) bool {
	start := s.clock.Now()
	var files []lake.File
	ok := s.untilDone(ctx, "write a segment", func() error {
		if s.lake.Committed(s.log.ID(), seg.number) {
			return nil // the attempt before did more than it knew
		}
		if files == nil && seg.rows() > 0 {
			written, err := s.writer.Write(ctx, parquetfile.Segment{
				Log: s.log.ID(), Number: seg.number, Arrived: cmp.Or(seg.arrived, start.UnixNano()),
				Batches: seg.batchIDs(), Rows: []*v1.Rows{seg.traces, seg.logs},
			})
			if err != nil {
				return err
			}
			files = written
		}
		err := s.lake.Commit(lake.Commit{Log: s.log.ID(), Segment: seg.number, Batches: seg.batchIDs(), Add: files})
		if err != nil {
			return fmt.Errorf("commit: %w", err)
		}
		return nil
	})
	if !ok {
		return false
	}
	s.countStored(seg, files, s.clock.Since(start))
	s.remove(seg.number)
	return true
}

// remove gives a committed segment's space back, and that of those before it
// for which this failed. A failure costs only space: the next segment, or the
// next start, tries again.
func (s *store) remove(number uint64) {
	s.stored = slices.DeleteFunc(append(s.stored, number), func(n uint64) bool {
		err := s.log.Remove(n)
		if err != nil {
			s.logger.Warn("a stored segment could not be removed from the log", zap.Uint64("segment", n), zap.Error(err))
		}
		return err == nil
	})
}

// untilDone repeats what until it succeeds or ctx ends.
func (s *store) untilDone(ctx context.Context, what string, do func() error) bool {
	delays := backoff.ExponentialBackOff{
		InitialInterval:     s.cfg.Retry.InitialInterval,
		RandomizationFactor: s.cfg.Retry.RandomizationFactor,
		Multiplier:          s.cfg.Retry.Multiplier,
		MaxInterval:         s.cfg.Retry.MaxInterval,
	}
	delays.Reset()
	failing := false
	for ctx.Err() == nil {
		err := do()
		if err == nil {
			if failing {
				componentstatus.ReportStatus(s.host, componentstatus.NewEvent(componentstatus.StatusOK))
			}
			return true
		}
		if ctx.Err() != nil {
			break
		}
		failing = true
		s.failed(what, err)
		componentstatus.ReportStatus(s.host, componentstatus.NewRecoverableErrorEvent(err))
		s.pause(ctx, delays.NextBackOff())
	}
	return false
}

func (s *store) failed(what string, err error) {
	s.telemetry.ExporterColumnarFlushFailures.Add(context.Background(), 1)
	if fsys.IsFull(err) {
		s.keeper.Relieve()
	}
	s.logger.Error("could not "+what+", will try again", zap.Error(err))
}

func (s *store) pause(ctx context.Context, d time.Duration) {
	timer := s.clock.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.Chan():
	}
}
