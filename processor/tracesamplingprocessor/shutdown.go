package tracesamplingprocessor

import (
	"context"
	"fmt"
)

// Shutdown implements component.Component. What is kept is handed on within
// shutdown_timeout. What is undecided, or cannot be handed on by then, stays in
// the journal; without one it is decided by what is known of it, and what cannot
// be handed on is dropped and counted.
func (s *sampler) Shutdown(ctx context.Context) error {
	s.gate.Lock()
	running := s.open
	s.open = false
	s.gate.Unlock()
	if !running {
		return nil
	}
	defer s.telemetry.shutdown()
	// A tenth is left for goroutines to end once the time for sending is over.
	ctx, cancel := context.WithTimeout(ctx, s.cfg.ShutdownTimeout)
	defer cancel()

	defer s.sender.stop()
	close(s.stop)
	idle := within(ctx, ended(s.calling.Wait)) && within(ctx, ended(s.working.Wait))
	switch {
	case s.journal == nil:
		s.engine.DecideAll(s.now())
	case !idle:
		return fmt.Errorf("shutdown_timeout: the disk of journal.directory does not answer: %w", ctx.Err())
	}
	s.engine.Close()
	sending := ended(s.sending.Wait)
	sendingTime, cancelSending := context.WithTimeout(ctx, s.cfg.ShutdownTimeout*9/10)
	defer cancelSending()
	within(sendingTime, sending)
	s.sender.stop()
	if s.journal == nil {
		for b := s.engine.TryNext(); b != nil; b = s.engine.TryNext() {
			s.sender.drop(b, reasonShutdown)
		}
	}
	if !within(ctx, sending) {
		return fmt.Errorf("shutdown_timeout: the next component still holds a batch: %w", ctx.Err())
	}
	return s.closeJournal(ctx)
}

func (s *sampler) closeJournal(ctx context.Context) error {
	if s.journal == nil {
		return nil
	}
	closed := make(chan error, 1)
	if !within(ctx, ended(func() { closed <- s.journal.Close() })) {
		return fmt.Errorf("shutdown_timeout: the disk of journal.directory does not answer: %w", ctx.Err())
	}
	return <-closed
}

// ended is closed when wait returns.
func ended(wait func()) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		wait()
	}()
	return done
}

// within reports whether something ended before ctx.
func within(ctx context.Context, ended <-chan struct{}) bool {
	select {
	case <-ended:
		return true
	case <-ctx.Done():
	}
	select { // of two that are ready select takes any
	case <-ended:
		return true
	default:
		return false
	}
}
