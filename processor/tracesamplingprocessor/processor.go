package tracesamplingprocessor

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
	"go.uber.org/zap"

	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/class"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/engine"
)

const (
	// tick is how often due traces are looked for, and so the most that a decision
	// is late.
	tick = 200 * time.Millisecond
	// senders hand batches on at the same time, so that one fsync of the next
	// component may serve several.
	senders = 4
	// A batch handed on is about as large as one request of a busy client.
	batchSpans = 4096
	batchBytes = 2 << 20
	// verdictShare of memory_limit_mib, on top of it, remembers decided traces.
	verdictShare = 16
)

var errShutdown = errors.New("trace_sampling has been shut down")

// sampler is the life cycle around the engine: one goroutine for time, a few
// for handing on.
type sampler struct {
	cfg       *Config
	engine    *engine.Engine
	telemetry *telemetry
	sender    *sender
	logger    *zap.Logger
	shadows   []class.Shadow
	marshaler ptrace.ProtoMarshaler
	origin    time.Time
	stopTick  chan struct{}
	ticking   sync.WaitGroup
	sending   sync.WaitGroup

	// gate is held for reading by every ConsumeTraces; it guards started and closed.
	gate            sync.RWMutex
	started, closed bool
}

var _ processor.Traces = (*sampler)(nil)

func newSampler(set processor.Settings, cfg *Config, next consumer.Traces) (*sampler, error) {
	table, err := class.NewTable(cfg.Classes)
	if err != nil {
		return nil, err
	}
	tel, err := newTelemetry(set.TelemetrySettings, table)
	if err != nil {
		return nil, err
	}
	memory := cfg.MemoryLimitMiB << 20
	s := &sampler{
		cfg: cfg,
		engine: engine.New(engine.Options{
			Table:         table,
			DecisionWait:  cfg.DecisionWait,
			RootWait:      cfg.RootWait,
			MemoryLimit:   memory,
			VerdictMemory: memory / verdictShare,
			BatchSpans:    batchSpans,
			BatchBytes:    batchBytes,
			Observer:      tel,
		}),
		telemetry: tel,
		sender:    newSender(next, tel, set.Logger),
		logger:    set.Logger,
		shadows:   table.Unreachable(),
		origin:    time.Now(),
		stopTick:  make(chan struct{}),
	}
	if err := tel.observe(s.engine); err != nil {
		return nil, err
	}
	return s, nil
}

// Capabilities implements consumer.Traces. What arrives is encoded as it is and
// put right in that form.
func (*sampler) Capabilities() consumer.Capabilities {
	return consumer.Capabilities{MutatesData: false}
}

// Start implements component.Component.
func (s *sampler) Start(context.Context, component.Host) error {
	s.gate.Lock()
	defer s.gate.Unlock()
	s.started = true
	for _, shadow := range s.shadows {
		s.logger.Warn("no trace can reach a class: an earlier one matches all that it would match",
			zap.String("class", shadow.Class), zap.String("earlier", shadow.By))
	}
	s.ticking.Go(s.keepTime)
	for range senders {
		s.sending.Go(func() { s.sender.run(s.engine) })
	}
	return nil
}

func (s *sampler) keepTime() {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			s.engine.Tick(s.now())
		case <-s.stopTick:
			return
		}
	}
}

// now is monotonic, so that a step of the wall clock decides nothing.
func (s *sampler) now() time.Duration { return time.Since(s.origin) }

// ConsumeTraces implements consumer.Traces. It takes all of td or nothing.
func (s *sampler) ConsumeTraces(_ context.Context, td ptrace.Traces) error {
	s.gate.RLock()
	defer s.gate.RUnlock()
	if s.closed {
		return errShutdown
	}
	otlp, err := s.marshaler.MarshalTraces(td)
	if err != nil {
		return consumererror.NewPermanent(err)
	}
	err = s.engine.Ingest(s.now(), otlp)
	if err == nil {
		return nil
	}
	s.telemetry.refused()
	if errors.Is(err, engine.ErrFull) {
		return err
	}
	return consumererror.NewPermanent(err)
}

// Shutdown implements component.Component. It decides every trace by what is
// known of it and hands on what is kept, within shutdown_timeout; what cannot be
// handed on by then is dropped and counted.
func (s *sampler) Shutdown(ctx context.Context) error {
	s.gate.Lock()
	closed, started := s.closed, s.started
	s.closed = true
	s.gate.Unlock()
	if closed {
		return nil
	}
	defer s.telemetry.shutdown()
	// A tenth is left for goroutines to end once the time for sending is over.
	ctx, cancel := context.WithTimeout(ctx, s.cfg.ShutdownTimeout)
	defer cancel()
	sending, cancelSending := context.WithTimeout(ctx, s.cfg.ShutdownTimeout*9/10)
	defer cancelSending()

	close(s.stopTick)
	s.ticking.Wait() // what a tick has decided must be in the outbox before it closes
	s.engine.DecideAll(s.now())
	s.engine.Close()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.sending.Wait()
	}()
	if started {
		select {
		case <-ended:
		case <-sending.Done():
		}
	}
	s.sender.stop()
	for b := s.engine.TryNext(); b != nil; b = s.engine.TryNext() {
		s.sender.drop(b, reasonShutdown)
	}
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("shutdown_timeout: the next component still holds a batch: %w", ctx.Err())
	}
}
