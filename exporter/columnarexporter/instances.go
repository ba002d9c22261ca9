package columnarexporter

import (
	"context"
	"sync"

	"github.com/jonboulle/clockwork"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanlake/spanlake/internal/fsys"
)

// instances holds the stores by their config: the Collector makes an exporter
// for each signal, and both share a log and a lake.
type instances struct {
	fs    fsys.FS
	clock clockwork.Clock

	mu       sync.Mutex // guards everything below, and the use of each instance
	byConfig map[*Config]*instance
}

type instance struct {
	store *store
	// started counts the handles that were started and not shut down.
	started int
}

// handle is the exporter of one signal.
type handle struct {
	instances *instances
	instance  *instance
	cfg       *Config

	state state // guarded by instances.mu
}

func (i *instances) handle(set exporter.Settings, cfg *Config) (*handle, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	shared := i.byConfig[cfg]
	if shared == nil {
		s, err := newStore(cfg, set.TelemetrySettings, i.fs, i.clock)
		if err != nil {
			return nil, err
		}
		shared = &instance{store: s}
		if i.byConfig == nil {
			i.byConfig = map[*Config]*instance{}
		}
		i.byConfig[cfg] = shared
	}
	return &handle{instances: i, instance: shared, cfg: cfg}, nil
}

// start starts the store with the first handle.
func (h *handle) start(_ context.Context, host component.Host) error {
	h.instances.mu.Lock()
	defer h.instances.mu.Unlock()
	if h.state != created {
		return nil
	}
	if h.instance.started == 0 {
		if err := h.instance.store.start(host); err != nil {
			return err
		}
	}
	h.state = running
	h.instance.started++
	return nil
}

// shutdown shuts the store down with the last handle.
func (h *handle) shutdown(ctx context.Context) error {
	h.instances.mu.Lock()
	defer h.instances.mu.Unlock()
	was := h.state
	h.state = closed
	if was != running {
		if was == created && h.instance.started == 0 {
			delete(h.instances.byConfig, h.cfg)
		}
		return nil
	}
	h.instance.started--
	if h.instance.started > 0 {
		return nil
	}
	delete(h.instances.byConfig, h.cfg)
	return h.instance.store.shutdown(ctx)
}

func (h *handle) consumeTraces(ctx context.Context, td ptrace.Traces) error {
	return h.instance.store.consumeTraces(ctx, td)
}

func (h *handle) consumeLogs(ctx context.Context, ld plog.Logs) error {
	return h.instance.store.consumeLogs(ctx, ld)
}
