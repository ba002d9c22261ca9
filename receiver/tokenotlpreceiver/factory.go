package tokenotlpreceiver

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"

	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/metadata"
)

// NewFactory returns the factory of the token_otlp receiver.
func NewFactory() receiver.Factory {
	s := &sharedReceivers{now: time.Now, receivers: make(map[*Config]*tokenReceiver)}
	return receiver.NewFactory(
		metadata.Type,
		createDefaultConfig,
		receiver.WithTraces(s.createTraces, metadata.TracesStability),
		receiver.WithLogs(s.createLogs, metadata.LogsStability),
		receiver.WithMetrics(s.createMetrics, metadata.MetricsStability),
	)
}

// sharedReceivers makes one receiver for each configuration. The Collector asks
// for one for each signal, with the same pointer.
type sharedReceivers struct {
	now func() time.Time

	mu        sync.Mutex // guards receivers
	receivers map[*Config]*tokenReceiver
}

// of returns the receiver of cfg, made when it is asked for first and forgotten
// when it is shut down.
func (s *sharedReceivers) of(cfg component.Config, set receiver.Settings) (*tokenReceiver, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := cfg.(*Config) // the factory made it
	if r, ok := s.receivers[c]; ok {
		return r, nil
	}
	r, err := newTokenReceiver(c, set, s.now, func() { s.forget(c) })
	if err != nil {
		return nil, err
	}
	s.receivers[c] = r
	return r, nil
}

func (s *sharedReceivers) forget(cfg *Config) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.receivers, cfg)
}

func (s *sharedReceivers) createTraces(_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Traces) (receiver.Traces, error) {
	r, err := s.of(cfg, set)
	if err != nil {
		return nil, err
	}
	r.next.traces = next
	return r, nil
}

func (s *sharedReceivers) createLogs(_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Logs) (receiver.Logs, error) {
	r, err := s.of(cfg, set)
	if err != nil {
		return nil, err
	}
	r.next.logs = next
	return r, nil
}

func (s *sharedReceivers) createMetrics(_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Metrics) (receiver.Metrics, error) {
	r, err := s.of(cfg, set)
	if err != nil {
		return nil, err
	}
	r.next.metrics = next
	return r, nil
}
