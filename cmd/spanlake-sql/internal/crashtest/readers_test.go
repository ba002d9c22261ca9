package crashtest

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/cmd/spanlake-sql/internal/duck"
	"github.com/spanlake/spanlake/cmd/spanlake-sql/internal/reader"
	"github.com/spanlake/spanlake/internal/lake"
	"github.com/spanlake/spanlake/internal/parquetfile"
)

// queryPause leaves the collector some of the machine.
const queryPause = 20 * time.Millisecond

const everything = "select span_id from spans union all select span_id from logs"

// asker is an open reader, and how often it was asked.
type asker struct {
	*reader.Reader

	ledger  *ledger
	queries atomic.Int64
}

func openAsker(t *testing.T, l *ledger, lake string) *asker {
	t.Helper()
	r, err := reader.Open(reader.Options{Dir: lake, Threads: 1, MemoryLimit: "512MB"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return &asker{Reader: r, ledger: l}
}

// cells collects the first column of a result.
type cells []string

func (c *cells) Begin([]duck.Column) error { return nil }
func (c *cells) Row(row duck.Row) error    { *c = append(*c, string(row.AppendText(nil, 0))); return nil }
func (c *cells) End() error                { return nil }

// numbers asks for the numbers of rows. A failure is a fault, but for the end of ctx.
func (a *asker) numbers(ctx context.Context, sql string) ([]int, bool) {
	var ids cells
	err := a.Query(ctx, sql, &ids)
	if ctx.Err() != nil {
		return nil, false
	}
	a.queries.Add(1)
	list := make([]int, len(ids))
	for i, text := range ids {
		id, bad := strconv.ParseInt(text, 16, 64)
		err = errors.Join(err, bad)
		list[i] = int(id) - 1
	}
	if err != nil {
		a.ledger.fault("failed query", "%s: %v", sql, err)
	}
	return list, err == nil
}

// check asks, and holds the answer to what is due.
func (a *asker) check(ctx context.Context, sql string, due []int) {
	if answer, ok := a.numbers(ctx, sql); ok {
		a.ledger.settle(sql, due, answer)
	}
}

// hammer asks until ctx ends: a row that any reader has seen before a query begins
// has to be in its answer, once, and none may be twice in any.
func (a *asker) hammer(ctx context.Context, random *rand.Rand) {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-time.After(queryPause):
		}
		switch random.IntN(4) {
		case 0:
			a.check(ctx, everything, a.ledger.due(func(e entry) bool { return e.seen }))
		case 1, 2:
			a.one(ctx, random)
		case 3:
			p := partitions[random.IntN(len(partitions))]
			from := time.Now().UTC().Truncate(time.Hour).Add(-time.Duration(p.hours) * time.Hour)
			to := from.Add(time.Hour)
			logs, view := random.IntN(2) == 0, "spans"
			if logs {
				view = "logs"
			}
			const form = "2006-01-02 15:04:05"
			a.check(ctx, fmt.Sprintf("select span_id from %s where timestamp >= timestamp_ns '%s' and timestamp < timestamp_ns '%s'",
				view, from.Format(form), to.Format(form)),
				a.ledger.due(func(e entry) bool {
					return e.seen && e.logs == logs && !e.time.Before(from) && e.time.Before(to)
				}))
		}
	}
}

// one asks for one row that was seen.
func (a *asker) one(ctx context.Context, random *rand.Rand) {
	seen := a.ledger.due(func(e entry) bool { return e.seen })
	if len(seen) == 0 {
		return
	}
	number := seen[random.IntN(len(seen))]
	a.check(ctx, fmt.Sprintf("select span_id from %s where trace_id = '%s'", a.ledger.view(number), traceID(number)), []int{number})
}

// watcher reads the manifest as it changes.
type watcher struct {
	dir    string
	ledger *ledger

	snapshot        atomic.Pointer[lake.Snapshot]
	merges, expired atomic.Int64 // files that came and that went
	print           uint64       // of the files of snapshot; of the goroutine watch
}

// watch compares what it reads until ctx ends: a version never goes back, and has
// the same files whenever it is read.
func (w *watcher) watch(ctx context.Context) {
	seed := maphash.MakeSeed()
	for ctx.Err() == nil {
		s, err := lake.ReadSnapshot(w.dir)
		if err != nil {
			w.ledger.fault("manifest", "%v", err)
			return
		}
		var hash maphash.Hash
		hash.SetSeed(seed)
		for _, f := range s.Files {
			_, _ = hash.WriteString(f.Path)
		}
		if before := w.snapshot.Load(); before != nil {
			if s.Version < before.Version || s.Version == before.Version && hash.Sum64() != w.print {
				w.ledger.fault("manifest", "version %d with %d files after version %d with %d", s.Version, len(s.Files), before.Version, len(before.Files))
			}
			w.count(before.Files, s.Files)
		}
		w.print = hash.Sum64()
		w.snapshot.Store(&s)
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// count counts merges and expired files between two versions.
func (w *watcher) count(before, after []lake.File) {
	came, went := map[string]struct{}{}, map[string]struct{}{}
	for _, f := range after {
		came[f.Path] = struct{}{}
	}
	for _, f := range before {
		if _, ok := came[f.Path]; ok {
			delete(came, f.Path)
		} else {
			went[f.Path] = struct{}{}
		}
	}
	for name := range came {
		if _, ok := parquetfile.CompactVersion(name); ok {
			w.merges.Add(1)
		}
	}
	for name := range went {
		p, _ := parquetfile.PartitionOf(name)
		if p.End().Add(time.Duration(p.Days()) * 24 * time.Hour).Before(time.Now()) {
			w.expired.Add(1)
		}
	}
}
