package columnarexporter

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanlake/spanlake/internal/fsys"
	v1 "github.com/spanlake/spanlake/internal/schema/v1"
	"github.com/spanlake/spanlake/internal/wal"
)

// maxRequest bounds a request as protobuf. A byte may become six in JSON, and
// a row's value has to fit a page of a file, whose size is a 32-bit number.
const maxRequest = 256 << 20

var (
	errBehind     = errors.New("segments wait to be written: try again")
	errNotRunning = errors.New("the exporter is not running")
	errTooLarge   = fmt.Errorf("a request of more than %d MiB", maxRequest>>20)
)

// request is one call of the exporter.
type request struct {
	kind   kind
	batch  string
	data   []byte
	rows   int
	append func(*segment) v1.Stats
}

func (s *store) consumeTraces(ctx context.Context, td ptrace.Traces) error {
	data, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
	if err != nil {
		return consumererror.NewPermanent(err)
	}
	return s.consume(ctx, request{
		kind: kindTraces, batch: batchOf(td), data: data, rows: td.SpanCount(),
		append: func(to *segment) v1.Stats { return to.appendTraces(td, s.retention) },
	})
}

func (s *store) consumeLogs(ctx context.Context, ld plog.Logs) error {
	data, err := (&plog.ProtoMarshaler{}).MarshalLogs(ld)
	if err != nil {
		return consumererror.NewPermanent(err)
	}
	return s.consume(ctx, request{
		kind: kindLogs, data: data, rows: ld.LogRecordCount(),
		append: func(to *segment) v1.Stats { return to.appendLogs(ld, s.retention) },
	})
}

// consume returns nil once the request is durable: in the log, or as a batch
// that is stored already.
func (s *store) consume(ctx context.Context, r request) error {
	if r.rows == 0 {
		return nil
	}
	position, repeated, err := s.admit(ctx, r)
	if err == nil && position != (wal.Position{}) {
		// A record in the log is stored; to refuse it, because the sender has lost
		// its patience, would have it sent and stored again.
		err = s.log.Sync(context.WithoutCancel(ctx), position)
	}
	switch {
	case err != nil:
		return s.refuse(r, err)
	case repeated:
		s.telemetry.ExporterColumnarBatchesRepeated.Add(context.Background(), 1, r.kind.attributes())
	default:
		s.telemetry.ExporterColumnarRowsAccepted.Add(context.Background(), int64(r.rows), r.kind.attributes())
	}
	return nil
}

// admit appends the request to the log and its rows to the active segment. It
// returns the position to sync, or none where a repeated batch is on disk.
func (s *store) admit(ctx context.Context, r request) (wal.Position, bool, error) {
	if len(r.data) > maxRequest {
		return wal.Position{}, false, errTooLarge
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != running {
		return wal.Position{}, false, errNotRunning
	}
	if err := ctx.Err(); err != nil {
		return wal.Position{}, false, err // while it waited for its turn
	}
	if r.batch != "" {
		if position, ok := s.seen(r.batch); ok {
			return position, true, nil
		}
	}
	if s.full() {
		if err := s.seal(); err != nil {
			return wal.Position{}, false, err
		}
	}
	arrived := s.clock.Now().UnixNano()
	head := appendRecordHead(make([]byte, 0, 32), r.kind, arrived, r.batch)
	position, err := s.log.Append(head, r.data)
	if errors.Is(err, wal.ErrFailed) || errors.Is(err, wal.ErrFull) && len(s.pending) == 0 {
		// A failed segment takes records again once it is sealed; a full log
		// once its segments are written.
		if err := s.seal(); err != nil {
			return wal.Position{}, false, err
		}
		position, err = s.log.Append(head, r.data)
	}
	if err != nil {
		return wal.Position{}, false, err
	}
	stats := r.append(s.active)
	s.active.mark(position, arrived, r.batch)
	s.measure()
	if stats.ElementsDropped > 0 {
		s.telemetry.ExporterColumnarElementsDropped.Add(ctx, int64(stats.ElementsDropped))
	}
	if stats.InvalidRetention > 0 {
		s.telemetry.ExporterColumnarRetentionReplaced.Add(ctx, int64(stats.InvalidRetention), r.kind.attributes())
	}
	return position, false, nil
}

// seen reports whether a batch was admitted before, and the position to sync
// where it is not known to be durable. mu is held.
func (s *store) seen(batch string) (wal.Position, bool) {
	if position, ok := s.active.batches[batch]; ok {
		return position, true
	}
	for _, p := range s.pending {
		if _, ok := p.batches[batch]; ok {
			return wal.Position{}, true
		}
	}
	_, replayed := s.replayed[batch]
	return wal.Position{}, replayed || s.lake.SeenBatch(batch)
}

// full reports whether the active segment takes no more rows. mu is held.
func (s *store) full() bool {
	return s.active.rows() >= s.cfg.Flush.MaxRows || s.active.bytes() >= segmentBytes ||
		len(s.active.batches) >= segmentBatches
}

// seal hands the active segment to drain and begins the next. mu is held.
func (s *store) seal() error {
	if len(s.pending) >= maxPending && s.state == running {
		return errBehind
	}
	sealed, ok, err := s.log.Seal()
	if err != nil {
		return err
	}
	if !ok {
		s.active.reset() // what it held was refused
		s.measure()
		return nil
	}
	s.active.number = sealed.Segment
	s.active.cut(sealed.End)
	s.pending = append(s.pending, s.active)
	s.active, s.spare = s.spare, nil
	if s.active == nil {
		s.active = newSegment(s.schemas)
	}
	s.measure()
	s.wakeDrain()
	return nil
}

// refuse counts a request that was not taken, and decides whether the sender
// may try again.
func (s *store) refuse(r request, err error) error {
	reason := "log_failed"
	if fsys.IsFull(err) {
		s.keeper.Relieve()
	}
	switch {
	case errors.Is(err, errTooLarge), errors.Is(err, wal.ErrTooLarge):
		reason = "too_large"
		err = consumererror.NewPermanent(err)
	case errors.Is(err, wal.ErrFull):
		reason = "log_full"
	case errors.Is(err, errBehind):
		reason = "behind"
	case errors.Is(err, errNotRunning), errors.Is(err, wal.ErrClosed):
		reason = "not_running"
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		reason = "canceled"
	}
	s.telemetry.ExporterColumnarRowsRefused.Add(context.Background(), int64(r.rows), r.kind.refusal(reason))
	return err
}
