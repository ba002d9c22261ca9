package columnarexporter

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io/fs"
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

// Requests, time, faults of the disk, and ends of the process at any operation
// of the disk, while the store writes, merges and expires in its own goroutines.
// Every acknowledged row whose time is not over is in the lake once, what a
// reader saw stays until then, its files stay for as long as promised, and in
// the end nothing else is on disk. -rapid.checks runs more of it.
func TestLivesOfAStore(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		l := &life{outer: t, disk: fsystest.NewCrash(), now: noon, rows: map[string]lifeRow{}, seen: map[string]struct{}{}}
		l.open(rt)
		defer func() { l.rig.end() }()
		for range rapid.IntRange(3, 14).Draw(rt, "steps") {
			l.step(rt)
			l.settle(rt)
			l.look(rt)
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
	// after is the disk that the next life finds, once this one has ended.
	after atomic.Pointer[fsystest.Crash]
	// read is what a reader began with at readAt, and whose files have to stay.
	read   lake.Snapshot
	readAt time.Time
}

func (l *life) open(t *rapid.T) {
	l.rig = newRig(l.outer, l.disk, func(cfg *Config) {
		compacting(cfg)
		cfg.Parquet.Get().RemoveAfter = lifeRemoveAfter
	})
	l.rig.clock.Advance(l.now.Sub(l.rig.clock.Now()))
	before := temporary(t, l.disk)
	err := l.rig.start(noHost)
	if l.after.Load() == nil {
		require.NoError(t, err)
		for _, name := range before {
			_, err := l.disk.Stat(name)
			require.True(t, err != nil || strings.HasSuffix(name, ".parquet.tmp"), "%s is left over", name)
		}
	}
}

func (l *life) step(t *rapid.T) {
	switch rapid.IntRange(0, 9).Draw(t, "step") {
	case 0, 1, 2, 3, 4:
		l.requests(t)
	case 5, 6:
		l.advance(rapid.SampledFrom([]time.Duration{10 * time.Second, time.Minute, 11 * time.Minute, 90 * time.Minute, 30 * time.Hour}).Draw(t, "advance"))
	case 7, 8:
		l.endAfter(t, rapid.Int64Range(1, 120).Draw(t, "operations"))
	case 9:
		op := rapid.SampledFrom([]fsystest.Op{
			fsystest.OpOpen, fsystest.OpWrite, fsystest.OpSync, fsystest.OpRename, fsystest.OpSyncDir, fsystest.OpRemove, fsystest.OpMkdir,
		}).Draw(t, "op")
		first := rapid.IntRange(1, 8).Draw(t, "nth")
		for n := range rapid.IntRange(1, 3).Draw(t, "times") {
			l.disk.Fail(op, first+n, errBroken)
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
	disk := l.disk
	var n atomic.Int64
	disk.Hook(func(fsystest.Op, string) error {
		if n.Add(1) == operations {
			l.after.Store(restarts[manner](disk))
		}
		return nil
	})
	if manner != "kill -9" {
		l.read = lake.Snapshot{} // its reader ends too
	}
}

// requests sends some, each to one partition, and seals a segment behind each.
func (l *life) requests(t *rapid.T) {
	for range rapid.IntRange(1, 10).Draw(t, "requests") {
		x := lifeRow{
			time:      noon.Add(-time.Duration(rapid.SampledFrom([]int{0, 2, 2, 2, 24, 25, 26, 47}).Draw(t, "age")) * time.Hour),
			retention: rapid.SampledFrom([]string{"1d", "2d"}).Draw(t, "retention"),
		}
		var sent []string
		for range rapid.IntRange(1, 3).Draw(t, "rows") {
			l.next++
			sent = append(sent, hex.EncodeToString(binary.BigEndian.AppendUint64(nil, l.next)))
		}
		var err error
		if rapid.Bool().Draw(t, "logs") {
			err = l.rig.consumeLogs(t.Context(), x.logs(sent))
		} else {
			err = l.rig.consumeTraces(t.Context(), x.traces(sent))
		}
		x.acked = err == nil
		for _, id := range sent {
			l.rows[id] = x
		}
		l.rig.tick()
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

// settle begins the next life where this one has ended, if need be again.
func (l *life) settle(t *rapid.T) {
	for next := l.after.Swap(nil); next != nil; next = l.after.Swap(nil) {
		l.rig.end()
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

// finish waits until all is written and nothing is left to do.
func (l *life) finish(t *rapid.T) {
	l.disk.ClearFaults()
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
		var list []string
		for _, f := range l.rig.lake.Snapshot().Files {
			p, _ := parquetfile.PartitionOf(f.Path)
			if (lifeRow{time: p.Begin(), retention: p.Retention}).over(l.now) {
				return false
			}
			list = append(list, path.Join("data/lake", f.Path))
		}
		found := append(below(t, l.disk, "data/lake/traces"), below(t, l.disk, "data/lake/logs")...)
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

// below lists the files below a directory.
func below(t require.TestingT, disk *fsystest.Crash, dir string) []string {
	entries, err := disk.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	require.NoError(t, err)
	var all []string
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		if e.IsDir() {
			all = append(all, below(t, disk, name)...)
		} else {
			all = append(all, name)
		}
	}
	return all
}

func temporary(t require.TestingT, disk *fsystest.Crash) []string {
	return slices.DeleteFunc(below(t, disk, "data"), func(name string) bool { return !strings.HasSuffix(name, fsys.TempSuffix) })
}
