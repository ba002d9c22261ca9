package tracesamplingprocessor

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/spanlake/spanlake/internal/fsys/fsystest"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/engine"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/journal"
)

// hangingDisk is a disk whose syncs do not answer from hang to answer.
type hangingDisk struct {
	*fsystest.Crash
	hangs atomic.Bool
	back  chan struct{}
}

func newHangingDisk() *hangingDisk {
	d := &hangingDisk{Crash: fsystest.NewCrash(), back: make(chan struct{})}
	d.Hook(func(op fsystest.Op, _ string) error {
		if op == fsystest.OpSync && d.hangs.Load() {
			<-d.back
		}
		return nil
	})
	return d
}

func (d *hangingDisk) hang()   { d.hangs.Store(true) }
func (d *hangingDisk) answer() { close(d.back) }

// startOn starts a sampler with a journal on a disk of the test's. It has none of
// Start's goroutines, so that nothing but calls and Shutdown use the disk.
func startOn(t *testing.T, disk *hangingDisk) *rig {
	t.Helper()
	r := newRig(t, nil)
	j, err := journal.Open(journal.Options{
		Directory: "/journal", MaxBytes: minJournalMiB << 20, VerdictBytes: minVerdictMemory, FS: disk,
	})
	require.NoError(t, err)
	r.origin, r.journal = time.Now(), j
	r.engine = engine.New(engine.Options{
		Table: r.table, DecisionWait: r.cfg.DecisionWait, RootWait: r.cfg.RootWait,
		MemoryLimit: minMemoryMiB << 20, MaxTraceSize: 1 << 20, VerdictMemory: minVerdictMemory,
		BatchSpans: batchSpans, BatchBytes: batchBytes, Origin: r.origin, Observer: r.telemetry, Journal: j,
	})
	r.sender = newSender(r.next, r.telemetry, r.logger, true)
	_, err = r.engine.Recover()
	require.NoError(t, err)
	r.open = true
	return r
}

func TestShutdownEndsThoughTheDiskOfTheJournalHangs(t *testing.T) {
	for name, inCall := range map[string]bool{"under a call": true, "as the journal is closed": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				disk := newHangingDisk()
				r := startOn(t, disk)
				require.NoError(t, r.ConsumeTraces(t.Context(), traces(0, 5, 1)))
				called := make(chan error, 1)
				if inCall {
					disk.hang()
					go func() { called <- r.ConsumeTraces(context.Background(), traces(5, 5, 1)) }()
					synctest.Wait()
				} else {
					r.engine.DecideAll(r.now()) // rulings that only a close syncs
					disk.hang()
				}
				start := time.Now()
				require.ErrorContains(t, r.Shutdown(t.Context()), "shutdown_timeout: the disk of journal.directory does not answer")
				require.Equal(t, r.cfg.ShutdownTimeout, time.Since(start))
				require.ErrorIs(t, r.ConsumeTraces(t.Context(), traces(10, 1, 1)), errNotRunning)

				disk.answer()
				if inCall {
					require.NoError(t, <-called)
					require.NoError(t, r.journal.Close())
				}
				synctest.Wait()
				require.NoError(t, r.tel.Shutdown(t.Context()))
			})
		})
	}
}

// The collector's own time for a shutdown may be less than shutdown_timeout.
func TestShutdownHeedsItsContextThoughTheDiskHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := newHangingDisk()
		r := startOn(t, disk)
		disk.hang()
		called := make(chan error, 1)
		go func() { called <- r.ConsumeTraces(context.Background(), traces(0, 5, 1)) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		require.ErrorIs(t, r.Shutdown(ctx), context.DeadlineExceeded)
		require.Equal(t, time.Second, time.Since(start))
		disk.answer()
		require.NoError(t, <-called)
		require.NoError(t, r.journal.Close())
		require.NoError(t, r.tel.Shutdown(t.Context()))
	})
}

// Without a journal a call that does not end costs nobody else's spans: all are
// decided, and handed on or counted.
func TestShutdownDecidesAndCountsThoughACallDoesNotEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startRig(t)
		const spans = 6 * batchSpans
		require.NoError(t, r.ConsumeTraces(t.Context(), traces(0, spans, 1)))
		require.True(t, r.enter()) // a call that goes on
		start := time.Now()
		_ = r.Shutdown(t.Context()) // it may find a batch under way
		require.LessOrEqual(t, time.Since(start), r.cfg.ShutdownTimeout)
		synctest.Wait()
		undecided, _, _ := r.engine.Undecided()
		require.Zero(t, undecided)
		require.Zero(t, r.engine.Held())
		require.Equal(t, spans, r.next.got()+r.droppedAtShutdown(t))
		r.calling.Done()
		require.NoError(t, r.tel.Shutdown(t.Context()))
	})
}

func (r *rig) droppedAtShutdown(t *testing.T) int {
	t.Helper()
	m, err := r.tel.GetMetric("otelcol_processor_trace_sampling_dropped_spans")
	if err != nil {
		return 0 // none, so that there is no such metric
	}
	for _, p := range m.Data.(metricdata.Sum[int64]).DataPoints {
		if reason, _ := p.Attributes.Value(attribute.Key("reason")); reason.AsString() == string(reasonShutdown) {
			return int(p.Value)
		}
	}
	return 0
}
