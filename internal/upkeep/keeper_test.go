package upkeep

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"
	"pgregory.net/rapid"

	"github.com/spanlake/spanlake/internal/attr"
	"github.com/spanlake/spanlake/internal/fsys"
	"github.com/spanlake/spanlake/internal/fsys/fsystest"
	"github.com/spanlake/spanlake/internal/lake"
	"github.com/spanlake/spanlake/internal/parquetfile"
	v1 "github.com/spanlake/spanlake/internal/schema/v1"
)

const (
	logID       = "0123456789abcdef"
	removeAfter = 10 * time.Minute
)

// counts is an Observer.
type counts struct {
	merges, merged, failed, expired int
}

func (c *counts) Merged(_ string, inputs, _ []lake.File) { c.merges++; c.merged += len(inputs) }
func (c *counts) MergeFailed()                           { c.failed++ }
func (c *counts) Expired(_ string, files []lake.File)    { c.expired += len(files) }

// rig is a lake with its keeper on a disk that can crash.
type rig struct {
	*Keeper
	counts

	disk  fsys.FS
	clock *clockwork.FakeClock
	next  uint64 // segment
}

func openRig(t require.TestingT, disk fsys.FS, clock *clockwork.FakeClock, next uint64) (*rig, error) {
	l, err := lake.Open("lake", disk)
	if err != nil {
		return nil, err
	}
	r := &rig{disk: disk, clock: clock, next: next}
	orphans, err := Judge(l, logID, func(uint64) bool { return true })
	require.NoError(t, err)
	require.Empty(t, orphans.Foreign)
	for _, p := range orphans.Rewritten {
		if err := disk.Remove(path.Join("lake", p)); err != nil {
			return nil, errors.Join(err, l.Close())
		}
	}
	r.Keeper = New(Options{
		Lake: l, FS: disk, Dir: "lake", Clock: clock, Log: zap.NewNop(), Observe: &r.counts,
		Compaction: standard, RemoveAfter: removeAfter, Orphans: orphans.Stale,
	})
	return r, nil
}

func startRig(t require.TestingT, disk fsys.FS) *rig {
	r, err := openRig(t, disk, clockwork.NewFakeClockAt(noon), 1)
	require.NoError(t, err)
	return r
}

// row is a span by its ID, and when and how long it is to be kept.
type row struct {
	id        uint64
	time      time.Time
	retention string
}

func (x row) over(now time.Time) bool {
	p := hourOf(x.time)
	p.Retention = x.retention
	return !p.End().Add(time.Duration(p.Days()) * 24 * time.Hour).After(now)
}

// write stores rows as a segment.
func (r *rig) write(rows ...row) error {
	td := ptrace.NewTraces()
	spans := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	for _, x := range rows {
		s := spans.AppendEmpty()
		s.SetStartTimestamp(pcommon.NewTimestampFromTime(x.time))
		s.Attributes().PutStr(attr.Retention, x.retention)
		var id pcommon.SpanID
		binary.BigEndian.PutUint64(id[:], x.id)
		s.SetSpanID(id)
	}
	converted := v1.New(v1.Traces)
	converted.AppendTraces(td, "7d")
	segment := r.next
	r.next++
	files, err := parquetfile.NewWriter(r.disk, "lake").Write(context.Background(),
		parquetfile.Segment{Log: logID, Number: segment, Rows: []*v1.Rows{converted}})
	if err != nil {
		return err
	}
	return r.Lake.Commit(lake.Commit{Log: logID, Segment: segment, Add: files})
}

// readIDs lists the IDs of the rows in files.
func readIDs(t require.TestingT, disk fsys.FS, files []lake.File) map[uint64]int {
	ids := map[uint64]int{}
	for _, f := range files {
		data, err := fsystest.ReadFile(disk, path.Join("lake", f.Path))
		require.NoError(t, err)
		rows := v1.New(v1.Traces)
		require.NoError(t, parquetfile.Read(bytes.NewReader(data), int64(len(data)), rows))
		for i := range rows.Len() {
			id, _ := rows.IDValue(v1.Traces.Index(v1.ColSpanID), i)
			ids[binary.BigEndian.Uint64(id)]++
		}
	}
	return ids
}

// onDisk lists all files below one of the lake's data directories, as the
// manifest names them.
func onDisk(t require.TestingT, disk fsys.FS, dir string) []string {
	files, err := fsystest.Files(disk, path.Join("lake", dir))
	require.NoError(t, err)
	for i, name := range files {
		files[i] = strings.TrimPrefix(name, "lake/")
	}
	return files
}

func TestMergesAndUnlinksLater(t *testing.T) {
	disk := fsystest.NewCrash()
	r := startRig(t, disk)
	defer r.Lake.Close()
	for i := range 10 {
		require.NoError(t, r.write(row{uint64(i), noon.Add(-3 * time.Hour), "7d"}))
	}
	before := r.Lake.Snapshot()
	require.NoError(t, r.Pass(t.Context()))
	after := r.Lake.Snapshot()
	require.Len(t, after.Files, 1)
	require.Equal(t, int64(10), after.Files[0].Rows)
	require.Equal(t, counts{merges: 1, merged: 10}, r.counts)
	require.Equal(t, readIDs(t, disk, before.Files), readIDs(t, disk, after.Files))
	require.Len(t, onDisk(t, disk, "traces"), 11)

	r.clock.Advance(removeAfter - time.Second)
	require.NoError(t, r.Pass(t.Context()))
	require.Len(t, onDisk(t, disk, "traces"), 11)
	r.clock.Advance(time.Second)
	require.NoError(t, r.Pass(t.Context()))
	require.Equal(t, paths(after.Files), onDisk(t, disk, "traces"))
}

func TestExpiresByTimeAndRemovesDirectories(t *testing.T) {
	disk := fsystest.NewCrash()
	r := startRig(t, disk)
	defer r.Lake.Close()
	require.NoError(t, r.write(
		row{1, noon.Add(-25 * time.Hour), "1d"},           // its hour ended a day ago
		row{2, noon.Add(-25*time.Hour + time.Hour), "1d"}, // not yet
		row{3, noon.Add(-25 * time.Hour), "2d"},
		row{4, noon.Add(-400 * 24 * time.Hour), "7d"}, // arrived late
	))
	require.NoError(t, r.Pass(t.Context()))
	require.Equal(t, map[uint64]int{2: 1, 3: 1}, readIDs(t, disk, r.Lake.Snapshot().Files))
	require.Equal(t, 2, r.expired)
	r.clock.Advance(removeAfter)
	require.NoError(t, r.Pass(t.Context()))
	require.ElementsMatch(t, paths(r.Lake.Snapshot().Files), onDisk(t, disk, "traces"))
	_, err := disk.Stat("lake/traces/retention=7d")
	require.ErrorIs(t, err, fs.ErrNotExist)

	r.clock.Advance(time.Hour)
	require.NoError(t, r.Pass(t.Context()))
	require.Equal(t, map[uint64]int{3: 1}, readIDs(t, disk, r.Lake.Snapshot().Files))
	// A directory that went is made again.
	require.NoError(t, r.write(row{5, noon, "7d"}))
}

// Rows whose sender's clock is wrong by years go by the age of their file.
func TestFarFutureExpiresByAge(t *testing.T) {
	t.Chdir(t.TempDir())
	r, err := openRig(t, fsys.OS, clockwork.NewFakeClockAt(time.Now()), 1)
	require.NoError(t, err)
	defer r.Lake.Close()
	now := r.clock.Now()
	require.NoError(t, r.write(row{1, now.AddDate(100, 0, 0), "1d"}, row{2, now.Add(12 * time.Hour), "1d"}))
	r.clock.Advance(23 * time.Hour)
	require.NoError(t, r.Pass(t.Context()))
	require.Len(t, r.Lake.Snapshot().Files, 2)
	r.clock.Advance(2 * time.Hour)
	require.NoError(t, r.Pass(t.Context()))
	require.Equal(t, map[uint64]int{2: 1}, readIDs(t, fsys.OS, r.Lake.Snapshot().Files))
}

func TestFullDiskUnlinksAtOnce(t *testing.T) {
	disk := fsystest.NewCrash()
	r := startRig(t, disk)
	defer r.Lake.Close()
	for i := range 10 {
		require.NoError(t, r.write(row{uint64(i), noon.Add(-3 * time.Hour), "7d"}))
	}
	require.NoError(t, r.Pass(t.Context()))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); r.Run(ctx) }()
	r.Relieve()
	require.Eventually(t, func() bool { return len(onDisk(t, disk, "traces")) == 1 }, 10*time.Second, time.Millisecond)
	cancel()
	<-done
}

func TestFileThatCannotBeReadIsLeftOut(t *testing.T) {
	disk := fsystest.NewCrash()
	r := startRig(t, disk)
	defer r.Lake.Close()
	for i := range 10 {
		require.NoError(t, r.write(row{uint64(i), noon.Add(-3 * time.Hour), "7d"}))
	}
	damaged := r.Lake.Snapshot().Files[4]
	require.NoError(t, fsys.WriteFile(disk, path.Join("lake", damaged.Path), make([]byte, damaged.Bytes)))
	require.NoError(t, r.Pass(t.Context()))
	require.Equal(t, counts{merges: 1, merged: 9, failed: 1}, r.counts)
	require.Len(t, r.Lake.Snapshot().Files, 2)
	require.Contains(t, r.Lake.Snapshot().Files, damaged)
}

func TestFailedMergeWaits(t *testing.T) {
	disk := fsystest.NewCrash()
	r := startRig(t, disk)
	defer r.Lake.Close()
	for i := range 10 {
		require.NoError(t, r.write(row{uint64(i), noon.Add(-3 * time.Hour), "7d"}))
	}
	broken := true
	disk.Hook(func(op fsystest.Op, name string) error {
		if broken && op == fsystest.OpSync && strings.Contains(name, "compact-") {
			return errors.New("broken")
		}
		return nil
	})
	require.ErrorContains(t, r.Pass(t.Context()), "broken")
	broken = false
	require.NoError(t, r.Pass(t.Context()))
	require.Zero(t, r.merges)
	r.clock.Advance(retryAfter)
	require.NoError(t, r.Pass(t.Context()))
	require.Equal(t, counts{merges: 1, merged: 10, failed: 1}, r.counts)
}

func TestPacedMerge(t *testing.T) {
	clock := clockwork.NewFakeClock()
	k := New(Options{Clock: clock, Compaction: Compaction{CPUShare: 0.25}})
	pace := k.pacer()
	clock.Advance(time.Second)
	done := make(chan error, 1)
	go func() { done <- pace(t.Context()) }()
	require.NoError(t, clock.BlockUntilContext(t.Context(), 1))
	clock.Advance(3*time.Second - 1)
	require.Empty(t, done)
	clock.Advance(1)
	require.NoError(t, <-done)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	clock.Advance(time.Second)
	require.ErrorIs(t, pace(ctx), context.Canceled)
}

func TestJudge(t *testing.T) {
	disk := fsystest.NewCrash()
	r := startRig(t, disk)
	for i := range 3 {
		require.NoError(t, r.write(row{uint64(i), noon, "7d"}))
	}
	version := r.Lake.Snapshot().Version
	dir := hourOf(noon).Directory()
	put := func(name string) string {
		require.NoError(t, fsys.WriteFile(disk, path.Join("lake", dir, name), []byte("x")))
		return path.Join(dir, name)
	}
	judge := func(inLog bool) (Orphans, error) {
		require.NoError(t, r.Lake.Close())
		l, err := lake.Open("lake", disk)
		require.NoError(t, err)
		r.Lake = l
		return Judge(l, logID, func(uint64) bool { return inLog })
	}
	want := Orphans{
		Stale:     []string{put(parquetfile.SegmentName(logID, 2, 7)), put(parquetfile.CompactName(version, 0))},
		Rewritten: []string{put(parquetfile.SegmentName(logID, 4, 0))},
		Foreign:   []string{put(parquetfile.SegmentName("fedcba9876543210", 1, 0)), put("mine.parquet")},
	}
	put("notes.txt")
	got, err := judge(true)
	require.NoError(t, err)
	require.ElementsMatch(t, want.Stale, got.Stale)
	require.Equal(t, want.Rewritten, got.Rewritten)
	require.ElementsMatch(t, want.Foreign, got.Foreign)

	_, err = judge(false)
	require.ErrorContains(t, err, "newer than the file MANIFEST")
	require.NoError(t, disk.Remove(path.Join("lake", want.Rewritten[0])))
	_, err = judge(false)
	require.NoError(t, err)
	put(parquetfile.CompactName(version+1, 0))
	_, err = judge(true)
	require.ErrorContains(t, err, "newer than the file MANIFEST")
	require.NoError(t, r.Lake.Close())
}

// Writes, passes, time, and ends of the process at any operation of the disk:
// every row that was committed and whose time is not over is in the lake once, a
// reader of a snapshot can finish on it, and in the end nothing else is on disk.
func TestKeeperModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &model{disk: fsystest.NewCrash(), clock: clockwork.NewFakeClockAt(noon), rows: map[uint64]row{}, maybe: map[uint64]row{}}
		m.open(t)
		for range rapid.IntRange(3, 15).Draw(t, "steps") {
			if rapid.IntRange(0, 4).Draw(t, "end") == 0 {
				m.endAfter(t, rapid.Int64Range(1, 60).Draw(t, "operations"))
			}
			switch rapid.IntRange(0, 4).Draw(t, "step") {
			case 0, 1, 2:
				m.write(t)
			case 3:
				m.pass(t)
			case 4:
				m.clock.Advance(rapid.SampledFrom([]time.Duration{time.Minute, 11 * time.Minute, 90 * time.Minute, 30 * time.Hour}).Draw(t, "advance"))
			}
			m.settle(t)
		}
		m.disk.Hook(nil)
		m.check(t)
		for before := (counts{merges: -1}); before != m.rig.counts; {
			before = m.rig.counts
			m.clock.Advance(removeAfter)
			require.NoError(t, m.rig.Pass(context.Background()))
		}
		require.ElementsMatch(t, paths(m.rig.Lake.Snapshot().Files), onDisk(t, m.disk, "traces"))
		require.NoError(t, m.rig.Lake.Close())
	})
}

type model struct {
	disk  *fsystest.Crash
	clock *clockwork.FakeClock
	rig   *rig
	next  uint64 // row
	rows  map[uint64]row
	maybe map[uint64]row // their commit failed or was cut off
	after atomic.Pointer[fsystest.Crash]
	ctx   context.Context // of the process
	end   context.CancelFunc

	read   lake.Snapshot // of a reader
	readAt time.Time
}

func (m *model) open(t *rapid.T) {
	next := uint64(1)
	if m.rig != nil {
		next = m.rig.next
	}
	r, err := openRig(t, m.disk, m.clock, next)
	require.NoError(t, err)
	m.rig = r
	m.ctx, m.end = context.WithCancel(context.Background())
	m.check(t)
	m.read, m.readAt = r.Lake.Snapshot(), m.clock.Now()
}

// endAfter lets the process end after so many operations of the disk.
func (m *model) endAfter(t *rapid.T, operations int64) {
	end := rapid.SampledFrom([]func(*fsystest.Crash) *fsystest.Crash{
		(*fsystest.Crash).Crash, (*fsystest.Crash).Kill,
		func(c *fsystest.Crash) *fsystest.Crash { return c.CrashTorn(1) },
	}).Draw(t, "how")
	disk := m.disk
	var n atomic.Int64
	disk.Hook(func(fsystest.Op, string) error {
		if n.Add(1) == operations {
			m.after.Store(end(disk))
			m.end()
		}
		return nil
	})
}

// settle opens the lake again where the process has ended.
func (m *model) settle(t *rapid.T) {
	if next := m.after.Swap(nil); next != nil {
		_ = m.rig.Lake.Close()
		m.disk = next
		m.open(t)
	}
}

func (m *model) write(t *rapid.T) {
	for range rapid.IntRange(1, 4).Draw(t, "segments") {
		var rows []row
		for range rapid.IntRange(1, 3).Draw(t, "rows") {
			m.next++
			rows = append(rows, row{
				m.next, noon.Add(-time.Duration(rapid.IntRange(0, 30).Draw(t, "age")) * time.Hour),
				rapid.SampledFrom([]string{"1d", "2d"}).Draw(t, "retention"),
			})
		}
		to := m.rows
		if m.rig.write(rows...) != nil {
			to = m.maybe
		}
		for _, x := range rows {
			to[x.id] = x
		}
	}
}

func (m *model) pass(t *rapid.T) {
	err := m.rig.Pass(m.ctx)
	if m.after.Load() != nil {
		return
	}
	require.NoError(t, err)
	m.disk.Hook(nil)
	if m.clock.Now().Sub(m.readAt) < removeAfter {
		readIDs(t, m.disk, m.read.Files)
	} else {
		m.read, m.readAt = m.rig.Lake.Snapshot(), m.clock.Now()
	}
}

func (m *model) check(t *rapid.T) {
	ids := readIDs(t, m.disk, m.rig.Lake.Snapshot().Files)
	for id, n := range ids {
		require.Equal(t, 1, n, "row %d", id)
		_, known := m.rows[id]
		_, maybe := m.maybe[id]
		require.True(t, known || maybe, "row %d", id)
	}
	for id, x := range m.rows {
		if !x.over(m.clock.Now()) {
			require.Contains(t, ids, id, fmt.Sprint(x))
		}
	}
}
