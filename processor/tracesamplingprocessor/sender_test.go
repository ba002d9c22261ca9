package tracesamplingprocessor

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"

	"github.com/spanlake/spanlake/internal/fsys/fsystest"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/engine"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/journal"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/metadatatest"
)

// A batch that waits for the journal was not offered to the next component, so
// it is not sent again.
func TestPausesOfAFailingJournalAreNoRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		disk := fsystest.NewCrash()
		j, err := journal.Open(journal.Options{Directory: "/journal", MaxBytes: 64 << 20, VerdictBytes: 1 << 20, FS: disk})
		require.NoError(t, err)
		e := engine.New(engine.Options{
			Table: r.table, DecisionWait: r.cfg.DecisionWait, RootWait: r.cfg.RootWait,
			MemoryLimit: 64 << 20, MaxTraceSize: 1 << 20, VerdictMemory: 1 << 20,
			BatchSpans: batchSpans, BatchBytes: batchBytes,
			Origin: time.Now(), Observer: r.telemetry, Journal: j,
		})
		_, err = e.Recover()
		require.NoError(t, err)
		otlp, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(traces(0, 3, 1))
		require.NoError(t, err)
		require.NoError(t, e.Ingest(0, otlp))
		e.DecideAll(0)
		b := e.TryNext()
		require.NotNil(t, b)

		disk.Fail(fsystest.OpWrite, 1, errors.New("disk"))
		mended := firstPause + firstPause/2
		time.AfterFunc(mended, j.Maintain)
		r.next.setRefuse(func(_ context.Context, call int) error {
			if call == 1 {
				return errors.New("full")
			}
			return nil
		})
		s := newSender(r.next, r.telemetry, zap.NewNop(), true)
		defer s.stop()
		start := time.Now()
		s.send(e.NewEncoder(), b)
		require.Greater(t, time.Since(start), mended, "the journal failed")
		require.Equal(t, 3, r.next.got())
		metadatatest.AssertEqualProcessorTraceSamplingHandOverRetries(t, r.tel, sum(1), ignore...)
		require.Zero(t, e.Held())
		require.NoError(t, j.Close())
		require.NoError(t, r.tel.Shutdown(t.Context()))
	})
}
