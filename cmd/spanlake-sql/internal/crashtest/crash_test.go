package crashtest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/fsys"
	"github.com/spanlake/spanlake/internal/lake"
)

const (
	defaultRounds = 4
	readers       = 2
	// removeAfter is longer than a query takes, and shorter than the pause between
	// two passes of the upkeep.
	removeAfter = 4 * time.Second
	// A run under load lasts a random time between these, the shorter of which
	// leaves enough files for a merge.
	minRun, maxRun = time.Second, 3 * time.Second
	// passes is for upkeep to come round, for what has expired on arrival to stay
	// its while, and for what it merged to go.
	passes = 2 * time.Minute
)

// The collector is killed again and again while it writes, merges and expires.
// Readers that stay open find every row that was ever seen, once, and what was
// acknowledged is there once in the end, but for what has expired. CRASH_ROUNDS
// says how often, CRASH_SEED where a failure is to come again.
func TestStoreIsWholeForReadersWhileTheCollectorIsKilled(t *testing.T) {
	rounds, seed := int(fromEnvironment(t, "CRASH_ROUNDS", defaultRounds)), fromEnvironment(t, "CRASH_SEED", uint64(time.Now().UnixNano()))
	t.Logf("CRASH_SEED=%d", seed)
	random := rand.New(rand.NewPCG(seed, 1<<32))
	data := t.TempDir()
	books := newLedger()
	sending := &load{ledger: books}
	empty, err := lake.Open(lakeOf(data), nil) // readers ask before the first start
	require.NoError(t, err)
	require.NoError(t, empty.Close())

	ctx, cancel := context.WithCancel(t.Context())
	sent, stopSending := context.WithCancel(ctx)
	senders := sending.run(sent, seed)
	var running sync.WaitGroup
	defer func() {
		stopSending()
		senders.Wait()
		cancel()
		running.Wait()
	}()
	askers := make([]*asker, readers)
	for i := range askers {
		askers[i] = openAsker(t, books, lakeOf(data))
		running.Go(func() { askers[i].hammer(ctx, rand.New(rand.NewPCG(seed, 1<<33+uint64(i)))) })
	}
	manifest := &watcher{dir: lakeOf(data), ledger: books}
	running.Go(func() { manifest.watch(ctx) })

	r := &rounder{data: data, ledger: books, load: sending, manifest: manifest, auditor: openAsker(t, books, lakeOf(data)), random: random}
	for round := range rounds {
		r.round(t, round)
	}
	stopSending()
	senders.Wait()
	r.finish(t)
	cancel()
	running.Wait()
	queries := r.auditor.queries.Load()
	for _, a := range askers {
		queries += a.queries.Load()
	}
	t.Logf("rounds %d, rows sent %d, acknowledged %d, requests refused %d, queries %d, files of merges %d, files expired %d, version %d",
		rounds, len(books.entries), books.acked, books.refused, queries, manifest.merges.Load(), manifest.expired.Load(), manifest.snapshot.Load().Version)
	require.Empty(t, books.explain(), "CRASH_SEED=%d", seed)
	require.Positive(t, books.acked)
	require.Positive(t, manifest.expired.Load())
}

func fromEnvironment(t *testing.T, name string, byDefault uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return byDefault
	}
	n, err := strconv.ParseUint(text, 10, 64)
	require.NoError(t, err, name)
	return n
}

// rounder starts the collector and ends it.
type rounder struct {
	data     string
	ledger   *ledger
	load     *load
	manifest *watcher
	auditor  *asker
	random   *rand.Rand
}

// moments are when a life of the collector ends.
var moments = []struct {
	name string
	wait func(*rounder, *testing.T, *collector)
}{
	{"under load", (*rounder).underLoad},
	{"in a merge", (*rounder).inMerge},
	{"after a change of the manifest", (*rounder).afterChange},
	{"by SIGINT", (*rounder).bySIGINT},
	{"at the start", func(r *rounder, _ *testing.T, _ *collector) { r.sleep(time.Second) }},
	{"under load", (*rounder).underLoad},
}

func (r *rounder) underLoad(t *testing.T, c *collector) {
	t.Helper()
	r.verify(t, c)
	time.Sleep(minRun)
	r.sleep(maxRun - minRun)
}

func (r *rounder) inMerge(_ *testing.T, c *collector) {
	r.await(c, func() bool { return len(r.files(isMergeUnderWay)) > 0 })
	r.sleep(20 * time.Millisecond)
}

func (r *rounder) afterChange(_ *testing.T, c *collector) {
	before := r.manifest.snapshot.Load().Version
	r.await(c, func() bool { return r.manifest.snapshot.Load().Version != before })
	r.sleep(40 * time.Millisecond)
}

func (r *rounder) bySIGINT(t *testing.T, c *collector) {
	t.Helper()
	r.verify(t, c)
	r.sleep(minRun)
	require.NoError(t, c.Stop(os.Interrupt, stopDeadline))
}

// round is one life of the collector.
func (r *rounder) round(t *testing.T, n int) {
	t.Helper()
	moment := moments[n%len(moments)]
	c := launch(t, r.data)
	r.load.endpoint.Store(&c.otlp)
	moment.wait(r, t, c)
	select {
	case <-c.Done:
		require.NoError(t, c.Err, "the collector ended by itself")
	default:
		c.Kill()
	}
	r.load.endpoint.Store(nil)
	lived := time.Since(c.launched)
	c.Forget() // so that a failure is not told under the logs of a hundred rounds
	r.readAll(t)
	require.Empty(t, r.ledger.explain(), "round %d", n+1)
	t.Logf("round %d: ended %s after %s, %d files of merges, %d files expired", n+1, moment.name,
		lived.Round(time.Millisecond), r.manifest.merges.Load(), r.manifest.expired.Load())
}

// verify waits until the collector takes requests, and until all that was
// acknowledged to those before it can be read. It has removed what they left.
func (r *rounder) verify(t *testing.T, c *collector) {
	t.Helper()
	acked := r.ledger.due(func(e entry) bool { return e.acked })
	require.NoError(t, c.WaitHealthy(t.Context(), c.health))
	for _, name := range r.files(isTemporary) {
		info, err := os.Stat(name)
		require.True(t, err != nil || info.ModTime().After(c.launched), "%s is left over", name)
	}
	c.poll(t, "store what was acknowledged", startDeadline, func() error {
		answer, ok := r.auditor.numbers(t.Context(), everything)
		if !ok {
			return errors.New("the query failed")
		}
		r.ledger.settle(everything, nil, answer)
		missing := r.ledger.lasting(absent(acked, answer))
		if len(missing) > 0 {
			return fmt.Errorf("%d rows are missing, number %d for one", len(missing), missing[0])
		}
		return nil
	})
}

// readAll reads every column of every file in the manifest, while nothing writes.
func (r *rounder) readAll(t *testing.T) {
	t.Helper()
	snapshot, err := lake.ReadSnapshot(lakeOf(r.data))
	require.NoError(t, err)
	rows := map[string]int64{"traces": 0, "logs": 0}
	for _, f := range snapshot.Files {
		rows[f.Signal] += f.Rows
	}
	for view, signal := range map[string]string{"spans": "traces", "logs": "logs"} {
		var got cells
		require.NoError(t, r.auditor.Query(t.Context(), "select count(*) || ' ' || (count(hash(v)) = count(*)) from "+view+" v", &got))
		require.Equal(t, cells{strconv.FormatInt(rows[signal], 10) + " true"}, got)
	}
}

// finish starts the collector once more and waits for all that is to come: every
// row is stored or has expired, and what the manifest does not have is unlinked.
func (r *rounder) finish(t *testing.T) {
	t.Helper()
	c := launch(t, r.data)
	r.verify(t, c)
	c.poll(t, "tidy the lake", passes, func() error {
		now := time.Now()
		due := r.ledger.due(func(e entry) bool { return !e.over.After(now) })
		answer, ok := r.auditor.numbers(t.Context(), everything)
		if !ok {
			return errors.New("the query failed")
		}
		if left := len(due) - len(absent(due, answer)); left > 0 {
			return fmt.Errorf("%d rows are to expire", left)
		}
		return r.compareFiles()
	})
	require.NoError(t, c.Stop(os.Interrupt, stopDeadline))
	require.NoError(t, r.compareFiles())
	require.Empty(t, r.files(isTemporary))
	r.readAll(t)
	r.auditor.check(t.Context(), everything, r.ledger.due(func(e entry) bool { return e.acked }))
}

// absent are the rows that an answer lacks.
func absent(due, answer []int) []int {
	there := make(map[int]struct{}, len(answer))
	for _, i := range answer {
		there[i] = struct{}{}
	}
	return slices.DeleteFunc(slices.Clone(due), func(i int) bool { _, ok := there[i]; return ok })
}

// compareFiles reports what is on disk and not in the manifest, or the reverse.
func (r *rounder) compareFiles() error {
	snapshot, err := lake.ReadSnapshot(lakeOf(r.data))
	if err != nil {
		return err
	}
	var listed []string
	for _, f := range snapshot.Files {
		listed = append(listed, filepath.Join(lakeOf(r.data), filepath.FromSlash(f.Path)))
	}
	slices.Sort(listed)
	found := append(r.below("logs"), r.below("traces")...)
	slices.Sort(found)
	if !slices.Equal(listed, found) {
		return fmt.Errorf("%d files are in the manifest and %d on disk", len(listed), len(found))
	}
	return nil
}

// await waits until something happens, or until a pass of the upkeep must have
// come round.
func (r *rounder) await(c *collector, happened func() bool) {
	const longest = 7 * time.Second
	for !happened() && time.Since(c.launched) < longest {
		time.Sleep(2 * time.Millisecond)
	}
}

func (r *rounder) sleep(longest time.Duration) {
	time.Sleep(time.Duration(r.random.Int64N(int64(longest))))
}

func isTemporary(name string) bool { return strings.HasSuffix(name, fsys.TempSuffix) }

func isMergeUnderWay(name string) bool {
	return isTemporary(name) && strings.HasPrefix(filepath.Base(name), "compact-")
}

// files are those of the log and the lake whose path is as wanted.
func (r *rounder) files(want func(string) bool) []string {
	var list []string
	_ = filepath.WalkDir(r.data, func(name string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && want(name) {
			list = append(list, name)
		}
		return nil // what goes away meanwhile is not there
	})
	return list
}

func (r *rounder) below(dir string) []string {
	root := filepath.Join(lakeOf(r.data), dir) + string(filepath.Separator)
	return r.files(func(name string) bool { return strings.HasPrefix(name, root) })
}
