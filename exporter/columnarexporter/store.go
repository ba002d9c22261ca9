package columnarexporter

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jonboulle/clockwork"
	"go.opentelemetry.io/collector/component"
	"go.uber.org/zap"

	"github.com/spanlake/spanlake/exporter/columnarexporter/internal/metadata"
	"github.com/spanlake/spanlake/internal/fsys"
	"github.com/spanlake/spanlake/internal/lake"
	"github.com/spanlake/spanlake/internal/parquetfile"
	"github.com/spanlake/spanlake/internal/upkeep"
	"github.com/spanlake/spanlake/internal/wal"
)

const (
	// segmentBytes of rows end a segment: about 180,000 spans.
	segmentBytes = 96 << 20
	// segmentBatches end a segment: the lake remembers many segments of them.
	segmentBatches = lake.MaxBatches / 16
	// maxPending bounds the sealed segments held in memory. With them and the
	// active one full, data is refused.
	maxPending = 2
	// shutdownTimeout bounds the writing at shutdown; the rest stays in the log.
	shutdownTimeout = 2 * time.Second
	// stuckTimeout bounds the wait for a call of the disk to end after that.
	stuckTimeout = 5 * time.Second
)

// store takes rows into the log and writes its segments to the lake.
//
// Three goroutines serve it: flush seals the active segment by time; drain is
// the only one that writes the files of segments, commits them, and removes
// segments, in ascending order; keep merges, expires and unlinks files.
type store struct {
	cfg       *Config
	retention retention
	schemas   schemas
	fs        fsys.FS
	clock     clockwork.Clock
	logger    *zap.Logger
	telemetry *metadata.TelemetryBuilder
	host      component.Host

	log    *wal.Log
	lake   *lake.Store
	writer *parquetfile.Writer // of drain
	keeper *upkeep.Keeper      // of the goroutine keep
	replay []wal.Sealed        // of drain: segments found at start
	stored []uint64            // of drain: committed segments that the log still has

	// wake tells drain that there may be something to do.
	wake chan struct{}
	// stopFlush ends flush; stopDrain ends drain whatever is left to write.
	stopFlush, stopDrain, stopKeep context.CancelFunc
	flushed, drained, kept         chan struct{}

	mu      sync.Mutex // guards everything below
	state   state
	active  *segment
	pending []*segment // sealed, oldest first; drain owns their rows
	spare   *segment   // empty, with grown buffers; may be nil
	// replayed are the identities of batches in segments found at start, until
	// drain has written them all.
	replayed map[string]struct{}
	// behind is the number of segments in replay that are not committed.
	behind int

	ending atomic.Bool // shutdown was called
	gauges gauges
}

type state uint8

const (
	created state = iota
	running
	closed
)

func newStore(cfg *Config, set component.TelemetrySettings, fs fsys.FS, clock clockwork.Clock) (*store, error) {
	telemetry, err := metadata.NewTelemetryBuilder(set)
	if err != nil {
		return nil, err
	}
	p := cfg.Parquet.Get()
	schemas, err := newSchemas(p.Columns)
	if err != nil {
		return nil, err
	}
	s := &store{
		cfg:       cfg,
		retention: retention{traces: p.Retention.Default, logs: p.Retention.Logs},
		schemas:   schemas,
		fs:        fs,
		clock:     clock,
		logger:    set.Logger,
		telemetry: telemetry,
		wake:      make(chan struct{}, 1),
		active:    newSegment(schemas),
		replayed:  map[string]struct{}{},
	}
	if s.retention.logs == "" {
		s.retention.logs = s.retention.traces
	}
	return s, nil
}

// start opens the log and the lake, and takes up what a crash left.
func (s *store) start(host component.Host) error {
	err := s.open()
	if err == nil {
		err = s.observe()
	}
	if err != nil {
		return errors.Join(err, s.close())
	}
	s.host = host
	flushing, stopFlush := context.WithCancel(context.Background())
	draining, stopDrain := context.WithCancel(context.Background())
	keeping, stopKeep := context.WithCancel(context.Background())
	s.stopFlush, s.stopDrain, s.stopKeep = stopFlush, stopDrain, stopKeep
	s.flushed, s.drained, s.kept = make(chan struct{}), make(chan struct{}), make(chan struct{})

	s.mu.Lock()
	s.state = running
	s.mu.Unlock()
	go s.flush(flushing)
	go s.drain(draining)
	go s.keep(keeping)
	return nil
}

func (s *store) open() error {
	var err error
	s.log, err = wal.Open(wal.Options{Dir: s.cfg.Log.Directory, MaxBytes: s.cfg.Log.MaxSizeMiB << 20, FS: s.fs})
	if err != nil {
		return fmt.Errorf("log::directory: %w%s", err, advice(err))
	}
	dir := s.cfg.Parquet.Get().Directory
	s.lake, err = lake.Open(dir, s.fs)
	if err != nil {
		return fmt.Errorf("parquet::directory: %w%s", err, advice(err))
	}
	// Numbers that the lake has seen would be taken for stored and dropped.
	if active := s.log.Active(); s.lake.Committed(s.log.ID(), active) {
		return fmt.Errorf("log::directory: %s: the lake holds segment %d of this log, which has not begun it: "+
			"segments were deleted, or an older copy was put back; move the directory away to begin a new log",
			s.cfg.Log.Directory, active)
	}
	if err := s.schemas.declare(s.lake); err != nil {
		return err
	}
	s.writer = parquetfile.NewWriter(s.fs, dir)
	if err := s.openKeeper(dir); err != nil {
		return fmt.Errorf("parquet::directory: %w", err)
	}
	return s.takeUp()
}

// close gives everything back that open took, whatever came of it.
func (s *store) close() error {
	s.telemetry.Shutdown()
	var errs []error
	if s.lake != nil {
		errs = append(errs, s.lake.Close())
	}
	if s.log != nil {
		errs = append(errs, s.log.Close())
	}
	return errors.Join(errs...)
}

func (s *store) unwritten() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.pending) + s.behind
}

func (s *store) wakeDrain() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}
