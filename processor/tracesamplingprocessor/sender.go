package tracesamplingprocessor

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"

	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/engine"
)

// A batch that is refused for the time being is sent again after a pause, twice
// as long each time.
const (
	firstPause   = 100 * time.Millisecond
	longestPause = 5 * time.Second
)

// sender hands batches on to the next component. It is the only place that
// calls it.
type sender struct {
	next        consumer.Traces
	telemetry   *telemetry
	logger      *zap.Logger
	unmarshaler ptrace.ProtoUnmarshaler
	// durable is set where what is not handed on stays in the journal.
	durable bool
	// ctx is that of every call and pause, which stop ends at once.
	ctx  context.Context
	stop context.CancelFunc
}

func newSender(next consumer.Traces, tel *telemetry, logger *zap.Logger, durable bool) *sender {
	ctx, cancel := context.WithCancel(context.Background())
	return &sender{next: next, telemetry: tel, logger: logger, durable: durable, ctx: ctx, stop: cancel}
}

// run hands on batches until the engine is closed and empty. Once stop was called
// it leaves the rest to the journal, or drops it.
func (s *sender) run(e *engine.Engine) {
	encoder := e.NewEncoder()
	for b := e.Next(); b != nil; b = e.Next() {
		s.send(encoder, b)
	}
}

// send ends when the batch was taken or dropped, or stays in the journal.
func (s *sender) send(encoder *engine.Encoder, b *engine.Batch) {
	if s.insist(b.Prepare, "The journal fails; kept spans wait", "The journal works again") != nil {
		s.stay(b)
		return
	}
	if b.Spans() == 0 { // all of it was lost
		b.Done()
		return
	}
	otlp, err := encoder.Encode(b)
	if err != nil {
		s.fail(b, err)
		return
	}
	offered := false
	err = s.insist(func() error {
		if offered {
			s.telemetry.retried()
		}
		offered = true
		return s.attempt(otlp)
	},
		"The next component refuses spans for the time being; they are kept and sent again",
		"The next component takes spans again")
	switch {
	case err == nil:
		s.telemetry.handedOn(b.Spans())
		b.Done()
	case s.ctx.Err() != nil:
		s.stay(b)
	default:
		s.fail(b, err)
	}
}

// insist calls fn until it succeeds, fails for good, or stop is called.
func (s *sender) insist(fn func() error, trouble, relief string) error {
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		err := s.ctx.Err()
		if err == nil {
			err = fn()
		}
		switch {
		case err == nil:
			if pause > firstPause {
				s.logger.Info(relief)
			}
			return nil
		case s.ctx.Err() != nil, consumererror.IsPermanent(err):
			return err
		}
		if pause == firstPause {
			s.logger.Warn(trouble, zap.Error(err))
		}
		select {
		case <-time.After(pause):
		case <-s.ctx.Done():
		}
	}
}

// attempt decodes the batch anew each time, as the next component may have
// changed what it refused.
func (s *sender) attempt(otlp []byte) error {
	td, err := s.unmarshaler.UnmarshalTraces(otlp)
	if err != nil {
		return consumererror.NewPermanent(err)
	}
	return s.next.ConsumeTraces(s.ctx, td)
}

func (s *sender) fail(b *engine.Batch, err error) {
	s.logger.Error("Kept spans are dropped: they can never be handed on", zap.Int("spans", b.Spans()), zap.Error(err))
	s.drop(b, reasonDownstream)
}

// stay leaves a batch to the journal; without one it is lost.
func (s *sender) stay(b *engine.Batch) {
	if !s.durable {
		s.drop(b, reasonShutdown)
	}
}

func (s *sender) drop(b *engine.Batch, reason engine.Reason) {
	s.telemetry.Dropped(reason, b.Spans())
	b.Done()
}
