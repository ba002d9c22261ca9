package tracesamplingprocessor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/spanlake/spanlake/internal/attr"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/class"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/engine"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/journal"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/metadatatest"
)

// withJournal is a small journal in a directory.
func withJournal(dir string) func(*Config) {
	return func(cfg *Config) {
		cfg.Journal = configoptional.Some(JournalConfig{Directory: dir, MaxSizeMiB: minJournalMiB})
	}
}

// startRig starts a sampler that end stops.
func startRig(t *testing.T, configure ...func(*Config)) *rig {
	t.Helper()
	r := newRig(t, func(cfg *Config) {
		for _, c := range configure {
			c(cfg)
		}
	})
	require.NoError(t, r.Start(t.Context(), componenttest.NewNopHost()))
	return r
}

func (r *rig) end(t *testing.T) {
	t.Helper()
	require.NoError(t, r.Shutdown(t.Context()))
	require.NoError(t, r.tel.Shutdown(t.Context()))
}

func (r *rig) settle(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func refuseAll(context.Context, int) error { return errors.New("full") }

func TestUndecidedTracesWaitInTheJournalForTheNextInstance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		r := startRig(t, withJournal(dir))
		require.NoError(t, r.ConsumeTraces(t.Context(), traces(0, 5, 1)))
		start := time.Now()
		r.end(t)
		require.Zero(t, time.Since(start))
		require.Zero(t, r.next.got())

		r = startRig(t, withJournal(dir))
		metadatatest.AssertEqualProcessorTraceSamplingRecoveredSpans(t, r.tel, append(
			sum(5, attribute.String("state", "undecided")), sum(0, attribute.String("state", "kept"))...), ignore...)
		metadatatest.AssertEqualProcessorTraceSamplingUndecidedTraces(t, r.tel, sum(5), ignore...)
		metadatatest.AssertEqualProcessorTraceSamplingJournalBytes(t, r.tel, sum(r.journal.Bytes()), ignore...)
		metadatatest.AssertEqualProcessorTraceSamplingJournalUnwritten(t, r.tel, sum(0), ignore...)
		require.Positive(t, r.journal.Bytes())
		require.Zero(t, r.next.got())
		r.settle(7 * time.Second)
		require.Equal(t, 5, r.next.got())
		require.Equal(t, map[string]any{attr.Class: "normal", attr.Retention: "7d", attr.AdjustedCount: 1.0}, r.next.spans[0].Attributes().AsRaw())
		require.Zero(t, r.engine.Held())

		require.NoError(t, r.ConsumeTraces(t.Context(), traces(0, 6, 1))) // sent again, with one more
		metadatatest.AssertEqualProcessorTraceSamplingDroppedSpans(t, r.tel, sum(5, attribute.String("reason", "duplicate")), ignore...)
		r.end(t)

		r = startRig(t, withJournal(dir))
		require.NoError(t, r.ConsumeTraces(t.Context(), traces(0, 6, 1)))
		metadatatest.AssertEqualProcessorTraceSamplingDroppedSpans(t, r.tel, sum(6, attribute.String("reason", "duplicate")), ignore...)
		r.settle(7 * time.Second)
		require.Equal(t, 1, r.next.got())
		r.end(t)
	})
}

// What is refused until the end goes out by the next instance, each batch under
// the ID that it was offered under before.
func TestRefusedBatchesGoOutByTheNextInstanceUnderTheSameID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		r := startRig(t, withJournal(dir))
		r.next.setRefuse(refuseAll)
		const spans = 6 * batchSpans // more batches than senders
		for i := range 6 {
			require.NoError(t, r.ConsumeTraces(t.Context(), traces(i*batchSpans, batchSpans, 1)))
		}
		r.settle(8 * time.Second)
		require.NoError(t, r.ConsumeTraces(t.Context(), traces(spans, 10, 1)))
		start := time.Now()
		r.end(t)
		require.LessOrEqual(t, time.Since(start), 4*time.Second)
		offered := slices.Compact(slices.Sorted(slices.Values(r.next.offered)))
		require.Len(t, offered, senders)
		require.NotContains(t, offered, "")
		require.Zero(t, r.next.got())

		r = startRig(t, withJournal(dir))
		metadatatest.AssertEqualProcessorTraceSamplingRecoveredSpans(t, r.tel, append(
			sum(10, attribute.String("state", "undecided")), sum(spans, attribute.String("state", "kept"))...), ignore...)
		r.settle(8 * time.Second)
		require.Equal(t, spans+10, r.next.got())
		require.Subset(t, r.next.taken, offered)
		ids := map[[8]byte]bool{}
		for _, s := range r.next.spans {
			ids[s.SpanID()] = true
		}
		require.Len(t, ids, spans+10)
		require.Zero(t, r.engine.Held())
		r.end(t)

		r = startRig(t, withJournal(dir))
		r.settle(8 * time.Second)
		require.Zero(t, r.next.got(), "nothing is left")
		r.end(t)
	})
}

// A batch that is offered again and again within one life has one ID.
func TestBatchIsRetriedUnderOneID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startRig(t, withJournal(t.TempDir()))
		r.next.setRefuse(func(_ context.Context, call int) error {
			if call < 4 {
				return errors.New("full")
			}
			return nil
		})
		require.NoError(t, r.ConsumeTraces(t.Context(), traces(0, 3, 1)))
		r.settle(8 * time.Second)
		require.Len(t, r.next.offered, 4)
		require.Len(t, slices.Compact(r.next.offered), 1)
		require.Equal(t, r.next.taken, r.next.offered[:1])
		r.end(t)
	})
}

// What is refused for good is gone: the next instance does not try it again.
func TestPermanentRefusalIsFinalForTheJournalToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		r := startRig(t, withJournal(dir))
		r.next.setRefuse(func(context.Context, int) error { return consumererror.NewPermanent(errors.New("no")) })
		require.NoError(t, r.ConsumeTraces(t.Context(), traces(0, 3, 1)))
		r.settle(7 * time.Second)
		metadatatest.AssertEqualProcessorTraceSamplingDroppedSpans(t, r.tel, sum(3, attribute.String("reason", "downstream")), ignore...)
		r.end(t)
		r = startRig(t, withJournal(dir))
		metadatatest.AssertEqualProcessorTraceSamplingRecoveredSpans(t, r.tel, append(
			sum(0, attribute.String("state", "undecided")), sum(0, attribute.String("state", "kept"))...), ignore...)
		r.settle(7 * time.Second)
		require.Empty(t, r.next.offered)
		r.end(t)
	})
}

// Without a journal no batch is known by an ID, as it never comes twice.
func TestBatchHasNoIDWithoutAJournal(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, r *rig) {
		t.Helper()
		require.NoError(t, r.ConsumeTraces(t.Context(), traces(0, 3, 1)))
		r.settle(7 * time.Second)
		require.Equal(t, []string{""}, r.next.taken)
	})
}

func TestHangingDownstreamDoesNotHoldShutdownAndLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		r := startRig(t, withJournal(dir))
		release := make(chan struct{})
		r.next.setRefuse(func(context.Context, int) error { <-release; return nil }) // ignores its context
		require.NoError(t, r.ConsumeTraces(t.Context(), traces(0, 6*batchSpans, 1)))
		require.NoError(t, r.ConsumeTraces(t.Context(), traces(1<<20, 10, 1)))
		r.settle(7 * time.Second)
		start := time.Now()
		require.ErrorContains(t, r.Shutdown(t.Context()), "shutdown_timeout: the next component still holds a batch")
		require.Equal(t, 4*time.Second, time.Since(start))
		close(release)
		synctest.Wait()
		first := r.next
		require.Len(t, first.taken, senders)
		require.NoError(t, r.journal.Close()) // as the end of the process does
		require.NoError(t, r.tel.Shutdown(t.Context()))

		r = startRig(t, withJournal(dir))
		r.settle(8 * time.Second)
		taken := map[string]int{}
		for _, id := range slices.Concat(first.taken, r.next.taken) {
			taken[id]++
		}
		for _, id := range first.taken {
			require.Equal(t, 1, taken[id], "it was taken, which the journal knows")
		}
		require.Equal(t, 6*batchSpans+10, first.got()+r.next.got())
		r.end(t)
	})
}

// A downstream that heeds its context is left in time, too.
func TestShutdownCancelsWhatDownstreamWorksOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		r := startRig(t, withJournal(dir))
		r.next.setRefuse(func(ctx context.Context, _ int) error { <-ctx.Done(); return ctx.Err() })
		require.NoError(t, r.ConsumeTraces(t.Context(), traces(0, 3, 1)))
		r.settle(7 * time.Second)
		start := time.Now()
		r.end(t)
		require.Equal(t, 3600*time.Millisecond, time.Since(start))
		id := r.next.offered[0]
		r = startRig(t, withJournal(dir))
		r.settle(time.Second)
		require.Equal(t, []string{id}, r.next.taken)
		r.end(t)
	})
}

func TestJournalHasOneOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		first := startRig(t, withJournal(dir))
		second := newRig(t, withJournal(dir))
		err := second.Start(t.Context(), componenttest.NewNopHost())
		require.ErrorContains(t, err, "journal.directory: ")
		require.ErrorContains(t, err, dir)
		require.ErrorContains(t, err, "in use")
		require.ErrorIs(t, second.ConsumeTraces(t.Context(), traces(0, 1, 1)), errNotRunning)
		require.NoError(t, second.Shutdown(t.Context()))
		require.NoError(t, second.tel.Shutdown(t.Context()))

		require.NoError(t, first.ConsumeTraces(t.Context(), traces(0, 1, 1)), "the first is undisturbed")
		first.end(t)
		third := startRig(t, withJournal(dir))
		third.end(t)
	})
}

func TestForeignJournalStopsTheStart(t *testing.T) {
	line := func(format string, version int, id string) []byte {
		text, err := json.Marshal(map[string]any{"format": format, "version": version, "id": id})
		require.NoError(t, err)
		return fmt.Appendf(nil, "%08x %s\n", crc32.Checksum(text, crc32.MakeTable(crc32.Castagnoli)), text)
	}
	for name, tc := range map[string]struct {
		damage func(identity []byte) []byte
		want   string
	}{
		"another version": {func(b []byte) []byte {
			format, id := identityOf(t, b)
			return line(format, 2, id)
		}, "has format version 2, this program reads version 1"},
		"another format": {func(b []byte) []byte {
			_, id := identityOf(t, b)
			return line("other", 1, id)
		}, `has format "other"`},
		"a flipped bit": {func(b []byte) []byte { b[20] ^= 1; return b }, "is damaged"},
		"cut":           {func(b []byte) []byte { return b[:10] }, "is damaged"},
		"empty":         {func([]byte) []byte { return nil }, "is damaged"},
		"missing":       {want: "the file WAL is missing"},
	} {
		for _, log := range []string{"spans", "rulings"} {
			t.Run(name+", "+log, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					dir := t.TempDir()
					r := startRig(t, withJournal(dir))
					require.NoError(t, r.ConsumeTraces(t.Context(), traces(0, 5, 1)))
					r.settle(7 * time.Second)
					require.NoError(t, r.ConsumeTraces(t.Context(), traces(9, 1, 1)))
					r.end(t)
					file := filepath.Join(dir, log, "WAL")
					whole, err := os.ReadFile(file)
					require.NoError(t, err)
					if tc.damage == nil {
						require.NoError(t, os.Remove(file))
					} else {
						require.NoError(t, os.WriteFile(file, tc.damage(bytes.Clone(whole)), 0o600))
					}

					r = newRig(t, withJournal(dir))
					err = r.Start(t.Context(), componenttest.NewNopHost())
					require.ErrorContains(t, err, "journal.directory: ")
					require.ErrorContains(t, err, filepath.Join(dir, log))
					require.ErrorContains(t, err, tc.want)
					require.NoError(t, r.Shutdown(t.Context()))
					require.NoError(t, r.tel.Shutdown(t.Context()))

					require.NoError(t, os.WriteFile(file, whole, 0o600)) // put right, nothing is lost
					r = startRig(t, withJournal(dir))
					r.settle(7 * time.Second)
					require.Equal(t, 1, r.next.got())
					r.end(t)
				})
			})
		}
	}
}

// What damage leaves of a journal is taken up, and what it took is counted.
func TestDamagedRecordsAreSkippedAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		r := startRig(t, withJournal(dir))
		require.NoError(t, r.ConsumeTraces(t.Context(), traces(0, 5, 100)))
		require.NoError(t, r.ConsumeTraces(t.Context(), traces(5, 3, 100)))
		r.end(t)
		segments, err := filepath.Glob(filepath.Join(dir, "spans", "*.wal"))
		require.NoError(t, err)
		whole, err := os.ReadFile(segments[0])
		require.NoError(t, err)
		whole[200] ^= 1
		require.NoError(t, os.WriteFile(segments[0], whole, 0o600))

		r = startRig(t, withJournal(dir))
		metadatatest.AssertEqualProcessorTraceSamplingJournalDamagedRecords(t, r.tel, sum(1), ignore...)
		metadatatest.AssertEqualProcessorTraceSamplingRecoveredSpans(t, r.tel, append(
			sum(3, attribute.String("state", "undecided")), sum(0, attribute.String("state", "kept"))...), ignore...)
		r.settle(7 * time.Second)
		require.Equal(t, 3, r.next.got())
		r.end(t)
	})
}

func identityOf(t *testing.T, file []byte) (format, id string) {
	t.Helper()
	var line struct{ Format, ID string }
	require.NoError(t, json.Unmarshal(file[9:], &line))
	return line.Format, line.ID
}

func TestSpansThatMemoryHasNoRoomForAreInTheJournal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startRig(t, withJournal(t.TempDir()), func(cfg *Config) { cfg.MemoryLimitMiB, cfg.MaxTraceSizeMiB = minMemoryMiB, minMemoryMiB })
		const spans, size = 1000, 20_000
		for i := range spans / 50 {
			require.NoError(t, r.ConsumeTraces(t.Context(), traces(i*50, 50, size)))
		}
		_, memory, spilled := r.engine.Undecided()
		require.Greater(t, memory+spilled, int64(spans*size))
		require.Greater(t, spilled, int64(spans*size/2))
		metadatatest.AssertEqualProcessorTraceSamplingSpilledBytes(t, r.tel, sum(spilled), ignore...)
		_, err := r.tel.GetMetric("otelcol_processor_trace_sampling_early_decisions")
		require.Error(t, err, "nothing was decided early")
		r.settle(8 * time.Second)
		require.Equal(t, spans, r.next.got())
		metadatatest.AssertEqualProcessorTraceSamplingSpilledBytes(t, r.tel, sum(0), ignore...)
		require.Zero(t, r.engine.Held())
		r.end(t)
	})
}

func TestFullJournalRefusesUntilThereIsRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		r := startRig(t, withJournal(dir))
		r.next.setRefuse(refuseAll)
		accepted := 0
		var err error
		for err == nil {
			if err = r.ConsumeTraces(t.Context(), traces(accepted, 10, 100_000)); err == nil {
				accepted += 10
			}
			r.settle(time.Second)
			require.LessOrEqual(t, r.journal.Bytes(), int64(minJournalMiB<<20))
		}
		require.ErrorIs(t, err, journal.ErrFull)
		require.False(t, consumererror.IsPermanent(err), "the receiver answers 503")
		require.Greater(t, accepted, 500)
		metadatatest.AssertEqualProcessorTraceSamplingRefusedBatches(t, r.tel, sum(1, attribute.String("reason", "journal_full")), ignore...)
		require.LessOrEqual(t, sizeOf(t, dir), int64(minJournalMiB<<20))

		r.next.setRefuse(nil)
		r.settle(20 * time.Second)
		require.Equal(t, accepted, r.next.got())
		require.Less(t, r.journal.Bytes(), int64(minJournalMiB<<20/4), "what was handed on is given back")
		require.NoError(t, r.ConsumeTraces(t.Context(), traces(accepted, 10, 100_000)))
		r.settle(8 * time.Second)
		require.Equal(t, accepted+10, r.next.got())
		r.end(t)
	})
}

// Where the next component takes spans, a journal that fills up makes room for
// itself, by early decisions, and refuses nobody.
func TestNearlyFullJournalDecidesEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startRig(t, withJournal(t.TempDir()))
		for i := range 150 {
			require.NoError(t, r.ConsumeTraces(t.Context(), traces(i*10, 10, 100_000)), "request %d", i)
			r.settle(tick / 4)
		}
		early, err := r.tel.GetMetric("otelcol_processor_trace_sampling_early_decisions")
		require.NoError(t, err)
		require.Positive(t, early.Data.(metricdata.Sum[int64]).DataPoints[0].Value)
		metadatatest.AssertEqualProcessorTraceSamplingReceivedSpans(t, r.tel, sum(1500), ignore...)
		r.settle(8 * time.Second)
		require.Equal(t, 1500, r.next.got())
		r.end(t)
	})
}

func sizeOf(t *testing.T, dir string) int64 {
	t.Helper()
	size := int64(0)
	require.NoError(t, filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		size += info.Size()
		return err
	}))
	return size
}

func TestTrimmedAndIdenticalSpansAreCounted(t *testing.T) {
	for name, configure := range map[string]func(t *testing.T) func(*Config){
		"in memory":      func(*testing.T) func(*Config) { return func(*Config) {} },
		"with a journal": func(t *testing.T) func(*Config) { t.Helper(); return withJournal(t.TempDir()) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := startRig(t, configure(t), func(cfg *Config) { cfg.MaxTraceSizeMiB = 1 })
				td := traces(0, 20, 100_000)
				spans := td.ResourceSpans().At(0).ScopeSpans().At(0).Spans()
				for i, s := range spans.All() {
					s.SetTraceID([16]byte{9})
					if i > 0 {
						s.SetParentSpanID(spans.At(0).SpanID())
					}
				}
				require.NoError(t, r.ConsumeTraces(t.Context(), td))
				once := ptrace.NewTraces()
				td.CopyTo(once)
				once.ResourceSpans().At(0).ScopeSpans().At(0).Spans().RemoveIf(func(s ptrace.Span) bool { return s.SpanID() != spans.At(0).SpanID() })
				require.NoError(t, r.ConsumeTraces(t.Context(), once))
				r.settle(7 * time.Second)
				require.Equal(t, 7, r.next.got(), "three quarters of 1 MiB")
				trimmed, ok := r.next.spans[0].Attributes().Get(attr.Trimmed)
				require.True(t, ok && trimmed.Bool())
				metadatatest.AssertEqualProcessorTraceSamplingDroppedSpans(t, r.tel, append(
					sum(1, attribute.String("reason", "duplicate")), sum(13, attribute.String("reason", "trimmed"))...), ignore...)
				metadatatest.AssertEqualProcessorTraceSamplingTrimmedTraces(t, r.tel, sum(1), ignore...)
				r.end(t)
			})
		})
	}
}

func TestLimitedTracesAreCounted(t *testing.T) {
	classes := []class.Config{{Name: "all", Keep: "100%", MaxTracesPerSecond: 3}}
	inBubble(t, func(cfg *Config) { cfg.Classes = classes }, func(t *testing.T, r *rig) {
		t.Helper()
		require.NoError(t, r.ConsumeTraces(t.Context(), traces(0, 10, 1)))
		r.settle(8 * time.Second)
		require.Equal(t, 3, r.next.got())
		metadatatest.AssertEqualProcessorTraceSamplingDecidedTraces(t, r.tel, append(
			sum(3, attribute.String("class", "all"), attribute.String("verdict", "kept")),
			sum(7, attribute.String("class", "all"), attribute.String("verdict", "limited"))...), ignore...)
		require.NoError(t, r.ConsumeTraces(t.Context(), traces(100, 10, 1)))
		require.NoError(t, r.Shutdown(t.Context()))
		require.Equal(t, 6, r.next.got(), "Shutdown does not wait for the window")
		require.Zero(t, r.engine.Held())
	})
}

func TestRefusals(t *testing.T) {
	for err, want := range map[error]refusal{
		engine.ErrFull:        {reason: "memory"},
		engine.ErrTooLarge:    {reason: "too_large", permanent: true},
		journal.ErrFull:       {reason: "journal_full"},
		journal.ErrFailed:     {reason: "journal_failed"},
		journal.ErrTooLarge:   {reason: "too_large", permanent: true},
		errors.New("garbage"): {reason: "malformed", permanent: true},
	} {
		require.Equal(t, want, refusalOf(fmt.Errorf("wrapped: %w", err)), "%v", err)
	}
}

func TestRequestTooLargeForTheJournalIsRefusedForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startRig(t, withJournal(t.TempDir()))
		err := r.ConsumeTraces(t.Context(), traces(0, 1, minJournalMiB<<20/4))
		require.ErrorIs(t, err, journal.ErrTooLarge)
		require.True(t, consumererror.IsPermanent(err))
		metadatatest.AssertEqualProcessorTraceSamplingRefusedBatches(t, r.tel, sum(1, attribute.String("reason", "too_large")), ignore...)
		require.Zero(t, r.engine.Held())
		r.end(t)
	})
}

func TestConcurrentSendersWithAJournalLoseNothingOverRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		got := map[[8]byte]int{}
		const lives, sendersOfALife, requests, spans = 3, 4, 20, 20
		for life := range lives {
			r := startRig(t, withJournal(dir))
			var group sync.WaitGroup
			for g := range sendersOfALife {
				group.Go(func() {
					for i := range requests {
						first := ((life*sendersOfALife+g)*requests + i) * spans
						if err := r.ConsumeTraces(t.Context(), traces(first, spans, 10)); err != nil {
							t.Error(err)
						}
						time.Sleep(time.Duration(g+1) * 300 * time.Millisecond)
					}
				})
			}
			group.Wait()
			if life == lives-1 {
				r.settle(time.Minute)
			}
			r.end(t)
			for _, s := range r.next.spans {
				got[s.SpanID()]++
			}
		}
		require.Len(t, got, lives*sendersOfALife*requests*spans)
		for id, n := range got {
			require.Equal(t, 1, n, "%x", id)
		}
	})
}
