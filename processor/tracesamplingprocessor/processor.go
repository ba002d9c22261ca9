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
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/journal"
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
	batchBytes = 1 << 20
	// verdictShare of memory_limit_mib, on top of it, remembers decided traces, but
	// no less than minVerdictMemory.
	verdictShare     = 16
	minVerdictMemory = 8 << 20
)

var errNotRunning = errors.New("trace_sampling is not running")

// sampler is the life cycle around the engine: a goroutine for time, one for the
// journal, a few for handing on.
type sampler struct {
	cfg       *Config
	table     *class.Table
	next      consumer.Traces
	logger    *zap.Logger
	telemetry *telemetry
	encoders  encoders
	origin    time.Time

	// Made by Start.
	engine  *engine.Engine
	journal *journal.Journal // nil: none
	sender  *sender

	stop    chan struct{}
	working sync.WaitGroup // time and journal
	sending sync.WaitGroup

	gate    sync.RWMutex // guards open, and that no call comes in once it is false
	open    bool
	calling sync.WaitGroup // ConsumeTraces
}

var _ processor.Traces = (*sampler)(nil)

func newSampler(set processor.Settings, cfg *Config, next consumer.Traces) (*sampler, error) {
	table, err := class.NewTable(cfg.Classes)
	if err != nil {
		return nil, err
	}
	tel, err := newTelemetry(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	return &sampler{
		cfg:       cfg,
		table:     table,
		next:      next,
		logger:    set.Logger,
		telemetry: tel,
		stop:      make(chan struct{}),
	}, nil
}

// Capabilities implements consumer.Traces. What arrives is encoded as it is and
// put right in that form.
func (*sampler) Capabilities() consumer.Capabilities {
	return consumer.Capabilities{MutatesData: false}
}

// Start implements component.Component. It takes up what the journal holds.
func (s *sampler) Start(context.Context, component.Host) error {
	s.origin = time.Now()
	for _, shadow := range s.table.Unreachable() {
		s.logger.Warn("No trace can reach a class: an earlier one matches all that it would match",
			zap.String("class", shadow.Class), zap.String("earlier", shadow.By))
	}
	if err := s.openJournal(); err != nil {
		return err
	}
	memory := s.cfg.MemoryLimitMiB << 20
	s.engine = engine.New(engine.Options{
		Table:         s.table,
		DecisionWait:  s.cfg.DecisionWait,
		RootWait:      s.cfg.RootWait,
		MemoryLimit:   memory,
		MaxTraceSize:  s.cfg.MaxTraceSizeMiB << 20,
		VerdictMemory: s.verdictMemory(),
		BatchSpans:    batchSpans,
		BatchBytes:    batchBytes,
		Origin:        s.origin,
		Observer:      s.telemetry,
		Journal:       s.journal,
	})
	s.sender = newSender(s.next, s.telemetry, s.logger, s.journal != nil)
	err := s.recover()
	if err == nil {
		err = s.telemetry.observe(s.engine, s.journal)
	}
	if err != nil {
		return errors.Join(err, s.abandonJournal())
	}
	s.every(tick, func() { s.engine.Tick(s.now()) })
	if s.journal != nil {
		s.every(tick, s.journal.Maintain)
	}
	for range senders {
		s.sending.Go(func() { s.sender.run(s.engine) })
	}
	s.gate.Lock()
	defer s.gate.Unlock()
	s.open = true
	return nil
}

func (s *sampler) abandonJournal() error {
	if s.journal == nil {
		return nil
	}
	return s.journal.Close()
}

func (s *sampler) verdictMemory() int64 {
	return max(s.cfg.MemoryLimitMiB<<20/verdictShare, minVerdictMemory)
}

func (s *sampler) openJournal() error {
	cfg := s.cfg.Journal.Get()
	if cfg == nil {
		return nil
	}
	var err error
	s.journal, err = journal.Open(journal.Options{
		Directory:    cfg.Directory,
		MaxBytes:     cfg.MaxSizeMiB << 20,
		VerdictBytes: s.verdictMemory(),
	})
	if err != nil {
		return fmt.Errorf("journal.directory: %w", err)
	}
	return nil
}

func (s *sampler) recover() error {
	if s.journal == nil {
		return nil
	}
	r, err := s.engine.Recover()
	if err != nil {
		return fmt.Errorf("journal.directory: %s: %w", s.cfg.Journal.Get().Directory, err)
	}
	s.telemetry.recovered(&r)
	if r.Chunks > 0 {
		s.logger.Info("Took up what the journal holds",
			zap.Int("undecided_spans", r.UndecidedSpans), zap.Int("kept_spans", r.KeptSpans),
			zap.Int64("batches", r.Batches), zap.Duration("took", s.now()))
	}
	if r.DamagedRecords > 0 || r.LostPieces > 0 {
		s.logger.Error("The journal is damaged; what could be read of it is taken up",
			zap.Int64("records", r.DamagedRecords), zap.Int64("bytes", r.DamagedBytes), zap.Int64("lost_chunks", r.LostPieces))
	}
	return nil
}

// every calls fn until the sampler stops.
func (s *sampler) every(period time.Duration, fn func()) {
	s.working.Go(func() {
		ticker := time.NewTicker(period)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				fn()
			case <-s.stop:
				return
			}
		}
	})
}

// now is monotonic, so that a step of the wall clock decides nothing.
func (s *sampler) now() time.Duration { return time.Since(s.origin) }

// enter reports whether a call may go on, which is then waited for.
func (s *sampler) enter() bool {
	s.gate.RLock()
	defer s.gate.RUnlock()
	if s.open {
		s.calling.Add(1)
	}
	return s.open
}

// ConsumeTraces implements consumer.Traces. It takes all of td or nothing. With a
// journal, td is on disk when it returns nil.
func (s *sampler) ConsumeTraces(_ context.Context, td ptrace.Traces) error {
	if !s.enter() {
		return errNotRunning
	}
	defer s.calling.Done()
	encoder := s.encoders.take()
	otlp := encoder.Encode(td)
	err := s.engine.Ingest(s.now(), otlp)
	s.encoders.give(encoder)
	if err == nil {
		return nil
	}
	r := refusalOf(err)
	s.telemetry.refused(r.reason)
	if r.permanent {
		return consumererror.NewPermanent(err)
	}
	return err
}

type refusal struct {
	reason    string
	permanent bool
}

// refusalOf decides what a sender may expect of sending a batch again.
func refusalOf(err error) refusal {
	switch {
	case errors.Is(err, engine.ErrFull):
		return refusal{reason: "memory"}
	case errors.Is(err, journal.ErrFull):
		return refusal{reason: "journal_full"}
	case errors.Is(err, journal.ErrFailed):
		return refusal{reason: "journal_failed"}
	case errors.Is(err, engine.ErrTooLarge), errors.Is(err, journal.ErrTooLarge):
		return refusal{reason: "too_large", permanent: true}
	default:
		return refusal{reason: "malformed", permanent: true}
	}
}
