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
	// ctx is that of every call and pause, which stop ends at once.
	ctx  context.Context
	stop context.CancelFunc
}

func newSender(next consumer.Traces, tel *telemetry, logger *zap.Logger) *sender {
	ctx, cancel := context.WithCancel(context.Background())
	return &sender{next: next, telemetry: tel, logger: logger, ctx: ctx, stop: cancel}
}

// run hands on batches until the engine is closed and empty.
func (s *sender) run(e *engine.Engine) {
	encoder := e.NewEncoder()
	for b := e.Next(); b != nil; b = e.Next() {
		s.send(encoder, b)
	}
}

// send ends when the batch was taken or dropped.
func (s *sender) send(encoder *engine.Encoder, b *engine.Batch) {
	otlp, err := encoder.Encode(b)
	if err != nil {
		s.fail(b, err)
		return
	}
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		err := s.attempt(otlp)
		switch {
		case err == nil:
			if pause > firstPause {
				s.logger.Info("The next component takes spans again")
			}
			s.telemetry.handedOn(b.Spans())
			b.Done()
			return
		case s.ctx.Err() != nil:
			s.drop(b, reasonShutdown)
			return
		case consumererror.IsPermanent(err):
			s.fail(b, err)
			return
		}
		if pause == firstPause {
			s.logger.Warn("The next component refuses spans for the time being; they are kept and sent again", zap.Error(err))
		}
		select {
		case <-time.After(pause):
			s.telemetry.retried()
		case <-s.ctx.Done():
		}
	}
}

// attempt decodes the batch anew each time, as the next component may have
// changed what it refused.
func (s *sender) attempt(otlp []byte) error {
	if err := s.ctx.Err(); err != nil {
		return err
	}
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

func (s *sender) drop(b *engine.Batch, reason engine.Reason) {
	s.telemetry.Dropped(reason, b.Spans())
	b.Done()
}
