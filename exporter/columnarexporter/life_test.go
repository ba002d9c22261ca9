package columnarexporter

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"flag"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"pgregory.net/rapid"

	"github.com/spanlake/spanlake/internal/attr"
	"github.com/spanlake/spanlake/internal/fsys"
	"github.com/spanlake/spanlake/internal/fsys/fsystest"
	"github.com/spanlake/spanlake/internal/lake"
	"github.com/spanlake/spanlake/internal/parquetfile"
)

const lifeRemoveAfter = 30 * time.Minute

var errBroken = errors.New("broken")

// Requests, passes of the upkeep, time, faults of the disk, and ends of the process
// at any operation of the disk, while the store writes in a goroutine of its own.
// Every acknowledged row whose time is not over is in the lake once, what a
// reader saw stays until then, its files stay for as long as promised, and in
// the end nothing else is on disk. -rapid.checks runs more of it.
func TestLivesOfAStore(t *testing.T) {
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		require.NoError(t, f.Value.Set("10")) // each is many lives
	}
	rapid.Check(t, func(rt *rapid.T) {
		l := &life{outer: t, disk: fsystest.NewCrash(), now: noon, rows: map[string]lifeRow{}, seen: map[string]struct{}{}}
		l.open(rt)
		defer l.close()
		for range rapid.IntRange(3, 14).Draw(rt, "steps") {
			l.step(rt)
			l.settle(rt)
			if rapid.Bool().Draw(rt, "look") {
				l.look(rt)
			}
		}
		l.finish(rt)
	})
}

// lifeRow is a span or a log record, and what its sender knows.
type lifeRow struct {
	time      time.Time
	retention string
	acked     bool
}

func (x lifeRow) over(now time.Time) bool {
	p := parquetfile.Partition{Retention: x.retention, Hour: x.time.Unix() / 3600}
	return !p.End().Add(time.Duration(p.Days()) * 24 * time.Hour).After(now)
}

// life is a lake over the lives of its process.
type life struct {
	outer *testing.T
	disk  *fsystest.Crash
	rig   *rig
	now   time.Time
	rows  map[string]lifeRow // by ID
	next  uint64
	// seen are rows that a reader has seen.
	seen map[string]struct{}
	// after is the disk that the next life finds, once this one has ended, and
	// ctx with it.
	after atomic.Pointer[fsystest.Crash]
	ctx   context.Context
	end   context.CancelFunc
	// passing is closed when the pass under way is done; nil where there is none.
	passing chan struct{}
	// read is what a reader began with at readAt, and whose files have to stay.
	read   lake.Snapshot
	readAt time.Time
}

// open starts the store, and takes the upkeep over from its goroutine.
func (l *life) open(t *rapid.T) {
	l.rig = newRig(l.outer, l.disk, func(cfg *Config) {
		compacting(cfg)
		cfg.Parquet.Get().RemoveAfter = lifeRemoveAfter
	})
	l.rig.clock.Advance(l.now.Sub(l.rig.clock.Now()))
	l.ctx, l.end = context.WithCancel(context.Background())
	require.NoError(t, l.rig.start(noHost))
	l.rig.stopKeep()
	<-l.rig.kept
}

func (l *life) close() {
	l.end()
	l.join()
	l.rig.end()
}

func (l *life) step(t *rapid.T) {
	switch rapid.IntRange(0, 9).Draw(t, "step") {
	case 0, 1, 2:
		l.requests(t)
	case 3, 4, 5:
		l.pass()
		if rapid.Bool().Draw(t, "beside") {
			l.requests(t)
		}
		l.join()
	case 6:
		l.advance(rapid.SampledFrom([]time.Duration{10 * time.Second, time.Minute, 11 * time.Minute, 90 * time.Minute, 30 * time.Hour}).Draw(t, "advance"))
	case 7, 8:
		l.endAfter(t, rapid.Int64Range(1, 200).Draw(t, "operations"))
	case 9:
		op := rapid.SampledFrom([]fsystest.Op{
			fsystest.OpOpen, fsystest.OpWrite, fsystest.OpSync, fsystest.OpRename, fsystest.OpSyncDir, fsystest.OpRemove, fsystest.OpMkdir,
		}).Draw(t, "op")
		first := rapid.IntRange(1, 20).Draw(t, "nth")
		for n := range rapid.IntRange(1, 3).Draw(t, "times") {
			l.disk.Fail(op, first+n, errBroken)
		}
	}
}

// pass begins a pass of the upkeep, and join waits for it.
func (l *life) pass() {
	done, ctx, keeper := make(chan struct{}), l.ctx, l.rig.keeper
	l.passing = done
	go func() {
		defer close(done)
		_ = keeper.Pass(ctx) // it may fail as its disk does, and is repeated
	}()
}

func (l *life) join() {
	if l.passing == nil {
		return
	}
	for {
		select {
		case <-l.passing:
			l.passing = nil
			return
		case <-time.After(time.Millisecond):
			l.advance(time.Second) // it may wait to try again
		}
	}
}

func (l *life) advance(d time.Duration) {
	l.now = l.now.Add(d)
	l.rig.clock.Advance(d)
}

// endAfter lets the process end after so many operations of the disk.
func (l *life) endAfter(t *rapid.T, operations int64) {
	manner := rapid.SampledFrom([]string{"kill -9", "power cut", "torn"}).Draw(t, "how")
	disk, end := l.disk, l.end
	var n atomic.Int64
	disk.Hook(func(fsystest.Op, string) error {
		if n.Add(1) == operations {
			l.after.CompareAndSwap(nil, restarts[manner](disk)) // two may come at the same time
			end()
		}
		return nil
	})
}

// requests sends some, all to one partition, and seals a segment behind each.
func (l *life) requests(t *rapid.T) {
	written, logs := rapid.Bool().Draw(t, "written"), rapid.Bool().Draw(t, "logs")
	x := lifeRow{
		time:      noon.Add(-time.Duration(rapid.SampledFrom([]int{2, 2, 2, 0, 24, 25, 47}).Draw(t, "age")) * time.Hour),
		retention: rapid.SampledFrom([]string{"1d", "2d"}).Draw(t, "retention"),
	}
	for range rapid.IntRange(3, 12).Draw(t, "requests") {
		var sent []string
		for range rapid.IntRange(1, 3).Draw(t, "rows") {
			l.next++
			sent = append(sent, hex.EncodeToString(binary.BigEndian.AppendUint64(nil, l.next)))
		}
		var err error
		if logs {
			err = l.rig.consumeLogs(t.Context(), x.logs(sent))
		} else {
			err = l.rig.consumeTraces(t.Context(), x.traces(sent))
		}
		x.acked = err == nil
		for _, id := range sent {
			l.rows[id] = x
		}
		l.rig.tick()
		for wait := 0; written && wait < 20 && l.rig.unwritten() > 0; wait++ {
			<-time.After(time.Millisecond / 4)
			l.advance(time.Second) // it may wait to try again
		}
	}
}

func (x lifeRow) traces(ids []string) ptrace.Traces {
	td := ptrace.NewTraces()
	spans := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	for _, id := range ids {
		s := spans.AppendEmpty()
		s.SetSpanID(spanID(id))
		s.SetStartTimestamp(pcommon.NewTimestampFromTime(x.time))
		s.Attributes().PutStr(attr.Retention, x.retention)
	}
	return td
}

func (x lifeRow) logs(ids []string) plog.Logs {
	ld := plog.NewLogs()
	records := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for _, id := range ids {
		r := records.AppendEmpty()
		r.SetSpanID(spanID(id))
		r.SetTimestamp(pcommon.NewTimestampFromTime(x.time))
		r.Attributes().PutStr(attr.Retention, x.retention)
	}
	return ld
}

func spanID(text string) (id pcommon.SpanID) {
	_, _ = hex.Decode(id[:], []byte(text))
	return id
}

// settle begins the next life where this one has ended.
func (l *life) settle(t *rapid.T) {
	if next := l.after.Load(); next != nil {
		l.close()
		l.after.Store(nil)
		l.disk = next
		l.open(t)
	}
}

// look reads the lake as a reader would, while the store goes on: as it is, and
// as it was when a slow reader began.
func (l *life) look(t *rapid.T) {
	l.lookAt(t, l.rig.lake.Snapshot())
	if l.now.Sub(l.readAt) >= lifeRemoveAfter || l.read.Files == nil {
		l.read, l.readAt = l.rig.lake.Snapshot(), l.now
	}
	l.readFiles(t, l.read.Files)
}

func (l *life) lookAt(t *rapid.T, s lake.Snapshot) map[string]int {
	stored, ok := l.readFiles(t, s.Files)
	if !ok {
		return nil
	}
	for id, n := range stored {
		require.Equal(t, 1, n, "row %s", id)
		require.Contains(t, l.rows, id)
		l.seen[id] = struct{}{}
	}
	for id := range l.seen {
		if !l.rows[id].over(l.now) {
			require.Contains(t, stored, id, "a row that was there: %+v", l.rows[id])
		}
	}
	return stored
}

// finish ends the store once more, waits until all is written and nothing is left
// to do, and compares.
func (l *life) finish(t *rapid.T) {
	l.after.CompareAndSwap(nil, l.disk.Kill()) // and with it its faults
	l.settle(t)
	require.Eventually(t, func() bool {
		l.rig.tick()
		l.advance(time.Second)
		l.rig.mu.Lock()
		defer l.rig.mu.Unlock()
		return len(l.rig.pending) == 0 && l.rig.behind == 0 && l.rig.active.rows() == 0
	}, 10*time.Second, time.Millisecond)
	stored := l.lookAt(t, l.rig.lake.Snapshot())
	for id, x := range l.rows {
		if x.acked && !x.over(l.now) {
			require.Contains(t, stored, id, "%+v", x)
		}
	}
	require.Eventually(t, func() bool {
		l.advance(10 * time.Minute)
		l.pass()
		l.join()
		var list []string
		for _, f := range l.rig.lake.Snapshot().Files {
			p, _ := parquetfile.PartitionOf(f.Path)
			if (lifeRow{time: p.Begin(), retention: p.Retention}).over(l.now) {
				return false
			}
			list = append(list, path.Join("data/lake", f.Path))
		}
		found, err := fsystest.Files(l.disk, "data")
		require.NoError(t, err)
		found = slices.DeleteFunc(found, func(name string) bool {
			return !strings.HasSuffix(name, ".parquet") && !strings.HasSuffix(name, fsys.TempSuffix)
		})
		slices.Sort(list)
		slices.Sort(found)
		return slices.Equal(list, found)
	}, 10*time.Second, time.Millisecond)
	l.lookAt(t, l.rig.lake.Snapshot())
}

// readFiles counts rows by ID. It reports false where the process ended, or the
// fault of the disk hit the reader instead.
func (l *life) readFiles(t *rapid.T, files []lake.File) (map[string]int, bool) {
	ids, err := readLake(l.disk, files)
	if errors.Is(err, fsystest.ErrDead) || errors.Is(err, errBroken) {
		return nil, false
	}
	require.NoError(t, err)
	return ids, true
}
