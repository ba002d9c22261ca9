package columnarexporter

import (
	"context"
	"errors"

	"go.uber.org/zap"
)

// errStuck says that a call of the disk did not return. Its goroutine, and what
// waits for it, is left behind and holds both directories until it returns or
// the process ends.
var errStuck = errors.New("log::directory and parquet::directory: a call of the disk does not return; " +
	"what was acknowledged is in the log, and both directories stay locked until this process ends")

// shutdown stops taking data, writes what is left for at most shutdownTimeout,
// and gives the directories back. What is not written then stays in the log
// for the next start. Calls after the first do nothing.
func (s *store) shutdown(ctx context.Context) error {
	if s.ending.Swap(true) {
		return nil
	}
	ended := make(chan error, 1)
	go func() { ended <- s.stop() }()

	timeout := s.clock.NewTimer(shutdownTimeout)
	defer timeout.Stop()
	select {
	case err := <-ended:
		return err
	case <-timeout.Chan():
	case <-ctx.Done():
	}
	if s.stopDrain != nil {
		s.stopDrain()
	}
	stuck := s.clock.NewTimer(stuckTimeout)
	defer stuck.Stop()
	select {
	case err := <-ended:
		return err
	case <-stuck.Chan():
		s.telemetry.Shutdown()
		return errStuck
	}
}

// stop does what shutdown says, as long as it takes: mu may be held by a request
// that waits for the disk.
func (s *store) stop() error {
	s.mu.Lock()
	started := s.state == running
	s.state = closed
	if started {
		// A failure is not lost: the segment is sealed at the next start.
		if err := s.seal(); err != nil {
			s.logger.Warn("the last segment stays in the log until the next start", zap.Error(err))
		}
	}
	s.mu.Unlock()
	if started {
		s.stopFlush()
		s.stopKeep()
		s.wakeDrain()
		<-s.drained
		s.stopDrain()
		<-s.flushed
		<-s.kept
		if n := s.unwritten(); n > 0 {
			s.logger.Info("segments stay in the log until the next start", zap.Int("segments", n))
		}
	}
	return s.close()
}
