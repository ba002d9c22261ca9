package tracesamplingprocessor

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/spanlake/spanlake/internal/attr"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/class"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/metadatatest"
)

// next is the component after the sampler; refuse, where set, decides what it
// answers.
type next struct {
	mu     sync.Mutex
	calls  int
	refuse func(ctx context.Context, call int) error
	spans  []ptrace.Span
	// offered and taken are the values of spanlake.batch, by call.
	offered, taken []string
}

func (*next) Capabilities() consumer.Capabilities { return consumer.Capabilities{MutatesData: true} }

func (n *next) ConsumeTraces(ctx context.Context, td ptrace.Traces) error {
	n.mu.Lock()
	n.calls++
	call, refuse := n.calls, n.refuse
	id := ""
	if batch, ok := td.ResourceSpans().At(0).Resource().Attributes().Get(attr.Batch); ok {
		id = batch.Str()
	}
	n.offered = append(n.offered, id)
	n.mu.Unlock()
	if refuse != nil {
		if err := refuse(ctx, call); err != nil {
			td.ResourceSpans().RemoveIf(func(ptrace.ResourceSpans) bool { return true }) // it may do that
			return err
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.taken = append(n.taken, id)
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, s := range ss.Spans().All() {
				n.spans = append(n.spans, s)
			}
		}
	}
	return nil
}

func (n *next) setRefuse(refuse func(context.Context, int) error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.refuse = refuse
}

func (n *next) got() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.spans)
}

type rig struct {
	*sampler
	next *next
	tel  *componenttest.Telemetry
}

// inBubble runs a test against a started sampler, in a bubble whose time passes
// only while everything waits.
func inBubble(t *testing.T, configure func(*Config), test func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, configure)
		require.NoError(t, r.Start(t.Context(), componenttest.NewNopHost()))
		test(t, r)
		require.NoError(t, r.Shutdown(t.Context()))
		require.NoError(t, r.tel.Shutdown(t.Context()))
	})
}

func newRig(t *testing.T, configure func(*Config)) *rig {
	t.Helper()
	cfg := createDefaultConfig().(*Config)
	if configure != nil {
		configure(cfg)
	}
	r := &rig{next: &next{}, tel: componenttest.NewTelemetry()}
	var err error
	r.sampler, err = newSampler(metadatatest.NewSettings(r.tel), cfg, r.next)
	require.NoError(t, err)
	return r
}

// traces makes n traces of one root span each, with names of the given size.
func traces(first, n, size int) ptrace.Traces {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", "shop")
	ss := rs.ScopeSpans().AppendEmpty()
	for i := first; i < first+n; i++ {
		s := ss.Spans().AppendEmpty()
		s.SetTraceID([16]byte{0: 1, 8: byte(i >> 16), 14: byte(i >> 8), 15: byte(i)})
		s.SetSpanID([8]byte{0: 1, 5: byte(i >> 16), 6: byte(i >> 8), 7: byte(i)})
		s.SetName(string(make([]byte, size)))
		s.SetStartTimestamp(1)
		s.SetEndTimestamp(2)
	}
	return td
}

func sum(n int64, attributes ...attribute.KeyValue) []metricdata.DataPoint[int64] {
	return []metricdata.DataPoint[int64]{{Value: n, Attributes: attribute.NewSet(attributes...)}}
}

var ignore = []metricdatatest.Option{metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars()}

func TestKeptTraceGoesOutStampedWhenItsWaitIsOver(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, r *rig) {
		t.Helper()
		require.NoError(t, r.ConsumeTraces(t.Context(), traces(0, 1, 1)))
		time.Sleep(6*time.Second - 1)
		synctest.Wait()
		require.Zero(t, r.next.got())
		time.Sleep(tick + 1)
		synctest.Wait()
		require.Equal(t, 1, r.next.got())
		require.Equal(t, map[string]any{attr.Class: "normal", attr.Retention: "7d", attr.AdjustedCount: 1.0}, r.next.spans[0].Attributes().AsRaw())
		require.Equal(t, "ot=th:0", r.next.spans[0].TraceState().AsRaw())
	})
}

func TestInputIsLeftAsItWas(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, r *rig) {
		t.Helper()
		td := traces(0, 2, 1)
		span := td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
		span.SetParentSpanID(span.SpanID())
		span.SetEndTimestamp(0)
		before := ptrace.NewTraces()
		td.CopyTo(before)
		td.MarkReadOnly()
		require.NoError(t, r.ConsumeTraces(t.Context(), td))
		require.Equal(t, before.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).ParentSpanID(), span.ParentSpanID())
		require.Equal(t, before.SpanCount(), td.SpanCount())
	})
}

func TestRetryableRefusalIsTriedAgainWithLongerPauses(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, r *rig) {
		t.Helper()
		var at []time.Time
		r.next.setRefuse(func(_ context.Context, call int) error {
			at = append(at, time.Now())
			if call < 5 {
				return errors.New("full")
			}
			return nil
		})
		require.NoError(t, r.ConsumeTraces(t.Context(), traces(0, 3, 1)))
		time.Sleep(8 * time.Second)
		synctest.Wait()
		require.Equal(t, 3, r.next.got())
		pause := 100 * time.Millisecond
		for i := range at[1:] {
			require.Equal(t, pause, at[i+1].Sub(at[i]))
			pause *= 2
		}
		require.Len(t, at, 5)
		require.Zero(t, r.engine.Held())
		metadatatest.AssertEqualProcessorTraceSamplingHandOverRetries(t, r.tel, sum(4), ignore...)
		metadatatest.AssertEqualProcessorTraceSamplingHandedOnSpans(t, r.tel, sum(3), ignore...)
	})
}

func TestPermanentRefusalDropsTheBatchAndCountsIt(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, r *rig) {
		t.Helper()
		r.next.setRefuse(func(_ context.Context, call int) error {
			if call == 1 {
				return consumererror.NewPermanent(errors.New("no"))
			}
			return nil
		})
		require.NoError(t, r.ConsumeTraces(t.Context(), traces(0, 3, 1)))
		time.Sleep(7 * time.Second)
		require.NoError(t, r.ConsumeTraces(t.Context(), traces(10, 2, 1)))
		time.Sleep(7 * time.Second)
		synctest.Wait()
		require.Equal(t, 2, r.next.got())
		require.Zero(t, r.engine.Held())
		metadatatest.AssertEqualProcessorTraceSamplingDroppedSpans(t, r.tel, sum(3, attribute.String("reason", "downstream")), ignore...)
	})
}

func TestWhatDownstreamRefusesPushesBackToTheSender(t *testing.T) {
	inBubble(t, func(cfg *Config) { cfg.MemoryLimitMiB, cfg.MaxTraceSizeMiB = minMemoryMiB, minMemoryMiB }, func(t *testing.T, r *rig) {
		t.Helper()
		r.next.setRefuse(func(context.Context, int) error { return errors.New("full") })
		accepted := 0
		var err error
		for err == nil {
			if err = r.ConsumeTraces(t.Context(), traces(accepted, 100, 1000)); err == nil {
				accepted += 100
			}
			time.Sleep(time.Second)
			require.LessOrEqual(t, r.engine.Held(), int64(minMemoryMiB<<20))
		}
		require.False(t, consumererror.IsPermanent(err), "the receiver answers 503")
		require.Greater(t, accepted, 5000)
		metadatatest.AssertEqualProcessorTraceSamplingReceivedSpans(t, r.tel, sum(int64(accepted)), ignore...)
		metadatatest.AssertEqualProcessorTraceSamplingRefusedBatches(t, r.tel, sum(1, attribute.String("reason", "memory")), ignore...)

		r.next.setRefuse(nil)
		time.Sleep(20 * time.Second)
		synctest.Wait()
		require.Equal(t, accepted, r.next.got())
		require.NoError(t, r.ConsumeTraces(t.Context(), traces(1<<20, 100, 1000)))
	})
}

func TestBatchBeyondTheLimitIsRefusedForGood(t *testing.T) {
	inBubble(t, func(cfg *Config) { cfg.MemoryLimitMiB, cfg.MaxTraceSizeMiB = minMemoryMiB, minMemoryMiB }, func(t *testing.T, r *rig) {
		t.Helper()
		err := r.ConsumeTraces(t.Context(), traces(0, 1, minMemoryMiB<<20))
		require.True(t, consumererror.IsPermanent(err))
	})
}

func TestStuckDownstreamDelaysNeitherSendersNorDecisions(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, r *rig) {
		t.Helper()
		release := make(chan struct{})
		r.next.setRefuse(func(context.Context, int) error { <-release; return nil })
		for i := range 100 {
			require.NoError(t, r.ConsumeTraces(t.Context(), traces(i*10, 10, 1)))
			time.Sleep(tick)
		}
		time.Sleep(7 * time.Second)
		synctest.Wait()
		require.Equal(t, senders, r.next.calls)
		undecided, _, _ := r.engine.Undecided()
		require.Zero(t, undecided)
		metadatatest.AssertEqualProcessorTraceSamplingDecidedTraces(t, r.tel,
			sum(1000, attribute.String("class", "normal"), attribute.String("verdict", "kept")), ignore...)
		close(release)
	})
}

func TestShutdownDecidesAndHandsOnEverything(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, r *rig) {
		t.Helper()
		require.NoError(t, r.ConsumeTraces(t.Context(), traces(0, 5000, 1)))
		start := time.Now()
		require.NoError(t, r.Shutdown(t.Context()))
		require.Zero(t, time.Since(start))
		require.Equal(t, 5000, r.next.got())
		require.ErrorIs(t, r.ConsumeTraces(t.Context(), traces(0, 1, 1)), errNotRunning)
		require.NoError(t, r.Shutdown(t.Context()), "twice")
	})
}

func TestShutdownDropsAndCountsWhatIsRefusedUntilItsTimeout(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, r *rig) {
		t.Helper()
		r.next.setRefuse(func(context.Context, int) error { return errors.New("full") })
		for i := range 5 {
			require.NoError(t, r.ConsumeTraces(t.Context(), traces(i*batchSpans, batchSpans, 1)))
		}
		start := time.Now()
		require.NoError(t, r.Shutdown(t.Context()))
		require.LessOrEqual(t, time.Since(start), 4*time.Second)
		require.Zero(t, r.engine.Held())
		metadatatest.AssertEqualProcessorTraceSamplingDroppedSpans(t, r.tel, sum(5*batchSpans, attribute.String("reason", "shutdown")), ignore...)
	})
}

func TestShutdownEndsThoughDownstreamIgnoresItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		require.NoError(t, r.Start(t.Context(), componenttest.NewNopHost()))
		release := make(chan struct{})
		r.next.setRefuse(func(context.Context, int) error { <-release; return nil })
		require.NoError(t, r.ConsumeTraces(t.Context(), traces(0, 6*batchSpans, 1)))
		start := time.Now()
		require.ErrorContains(t, r.Shutdown(t.Context()), "shutdown_timeout: the next component still holds a batch")
		require.Equal(t, 4*time.Second, time.Since(start))
		close(release)
		synctest.Wait()
		require.Equal(t, senders*batchSpans, r.next.got())
		metadatatest.AssertEqualProcessorTraceSamplingDroppedSpans(t, r.tel, sum(2*batchSpans, attribute.String("reason", "shutdown")), ignore...)
		require.Zero(t, r.engine.Held())
		require.NoError(t, r.tel.Shutdown(t.Context()))
	})
}

func TestShutdownWithoutStart(t *testing.T) {
	r := newRig(t, nil)
	require.ErrorIs(t, r.ConsumeTraces(t.Context(), traces(0, 2, 1)), errNotRunning)
	require.NoError(t, r.Shutdown(t.Context()))
	require.Zero(t, r.next.got())
	require.NoError(t, r.tel.Shutdown(t.Context()))
}

func TestConcurrentSendersLoseNothing(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, r *rig) {
		t.Helper()
		var group sync.WaitGroup
		for g := range 8 {
			group.Go(func() {
				for i := range 50 {
					if err := r.ConsumeTraces(t.Context(), traces((g*50+i)*20, 20, 10)); err != nil {
						t.Error(err)
					}
					time.Sleep(time.Duration(g+1) * 10 * time.Millisecond)
				}
			})
		}
		group.Wait()
		require.NoError(t, r.Shutdown(t.Context()))
		require.Equal(t, 8*50*20, r.next.got())
		require.Zero(t, r.engine.Held())
	})
}

func TestTelemetry(t *testing.T) {
	classes := []class.Config{
		{Name: "errors", Keep: "100%", Match: &class.Match{Status: "error"}},
		{Name: "rest", Keep: "0%"},
	}
	inBubble(t, func(cfg *Config) { cfg.Classes = classes }, func(t *testing.T, r *rig) {
		t.Helper()
		td := traces(1, 6, 1)
		spans := td.ResourceSpans().At(0).ScopeSpans().At(0).Spans()
		spans.At(0).Status().SetCode(ptrace.StatusCodeError)
		spans.At(1).SetEndTimestamp(0)
		spans.At(2).SetSpanID([8]byte{})
		spans.At(3).SetParentSpanID(spans.At(3).SpanID())
		spans.At(4).Links().AppendEmpty()
		spans.At(5).SetStartTimestamp(9)
		require.NoError(t, r.ConsumeTraces(t.Context(), td))
		metadatatest.AssertEqualProcessorTraceSamplingUndecidedTraces(t, r.tel, sum(4), ignore...)
		_, bytes, _ := r.engine.Undecided()
		require.Positive(t, bytes)
		metadatatest.AssertEqualProcessorTraceSamplingUndecidedBytes(t, r.tel, sum(bytes), ignore...)
		time.Sleep(7*time.Second + tick/2) // between two ticks, so that the late span stays queued
		synctest.Wait()
		late := traces(4, 1, 1)
		late.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).Status().SetCode(ptrace.StatusCodeError)
		require.NoError(t, r.ConsumeTraces(t.Context(), late))
		require.Positive(t, r.engine.Released())
		metadatatest.AssertEqualProcessorTraceSamplingQueuedBytes(t, r.tel, sum(r.engine.Released()), ignore...)
		synctest.Wait()

		errKept := []attribute.KeyValue{attribute.String("class", "errors"), attribute.String("verdict", "kept")}
		restDropped := []attribute.KeyValue{attribute.String("class", "rest"), attribute.String("verdict", "dropped")}
		metadatatest.AssertEqualProcessorTraceSamplingReceivedSpans(t, r.tel, sum(7), ignore...)
		metadatatest.AssertEqualProcessorTraceSamplingDecidedTraces(t, r.tel, append(sum(1, errKept...), sum(3, restDropped...)...), ignore...)
		metadatatest.AssertEqualProcessorTraceSamplingDecidedSpans(t, r.tel, append(sum(2, errKept...), sum(3, restDropped...)...), ignore...)
		metadatatest.AssertEqualProcessorTraceSamplingDroppedSpans(t, r.tel, append(
			sum(1, attribute.String("reason", "in_progress")), sum(1, attribute.String("reason", "invalid_id"))...), ignore...)
		metadatatest.AssertEqualProcessorTraceSamplingLateSpans(t, r.tel, append(
			sum(1, attribute.String("verdict", "kept")), sum(1, attribute.String("verdict", "overruled"))...), ignore...)
		metadatatest.AssertEqualProcessorTraceSamplingMendedSpans(t, r.tel, append(append(
			sum(1, attribute.String("fault", "self_parent")), sum(1, attribute.String("fault", "empty_link"))...),
			sum(1, attribute.String("fault", "end_before_start"))...), ignore...)
	})
}

func TestEarlyDecisionsAreCounted(t *testing.T) {
	classes := []class.Config{{Name: "rest", Keep: "0%"}}
	inBubble(t, func(cfg *Config) {
		cfg.MemoryLimitMiB, cfg.MaxTraceSizeMiB, cfg.Classes = minMemoryMiB, minMemoryMiB, classes
	}, func(t *testing.T, r *rig) {
		t.Helper()
		for i := range 100 {
			require.NoError(t, r.ConsumeTraces(t.Context(), traces(i*100, 100, 1000)))
		}
		undecided, _, _ := r.engine.Undecided()
		metadatatest.AssertEqualProcessorTraceSamplingEarlyDecisions(t, r.tel, sum(10_000-undecided), ignore...)
	})
}
