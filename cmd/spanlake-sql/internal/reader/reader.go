// Package reader answers SQL over a store: each query sees the views spans and
// logs as one snapshot of the store's manifest, taken when the query starts.
package reader

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spanlake/spanlake/cmd/spanlake-sql/internal/duck"
	"github.com/spanlake/spanlake/internal/lake"
)

// planFrom is the number of files from which on it pays to find out which of
// them a query needs.
const planFrom = 4

// Options of a reader.
type Options struct {
	Dir         string // of the store
	Threads     int    // 0: one for each core
	MemoryLimit string
	Window      Window // of what the views show
	Progress    *duck.Progress
}

// Reader is an open query engine on a store. One goroutine uses it at a time.
type Reader struct {
	dir    string // of the store, absolute
	temp   string // what the engine spills
	window Window
	db     *duck.DB

	manifest manifest
	snapshot lake.Snapshot // that the views know, where current
	current  bool
	index    *index
	views    []*view
	planner  planner
	indirect bool            // a user created what may use the views
	without  map[string]bool // paths of files that are left out
}

// Open prepares a reader. The store itself is looked for by each query, so
// that a prompt may be open before the first span arrives.
func Open(o Options) (*Reader, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	temp, err := os.MkdirTemp("", "spanlake-sql-")
	if err != nil {
		return nil, err
	}
	r := &Reader{
		dir: dir, temp: temp, window: o.Window,
		manifest: manifest{read: Snapshot}, index: newIndex(dir), views: newViews(),
	}
	if r.db, err = duck.Open(duck.Settings{
		Threads:     o.Threads,
		MemoryLimit: o.MemoryLimit,
		TempDir:     filepath.Join(temp, "spill"),
		Directories: []string{dir, temp},
		// Footers are half of what a query over a day costs. The cache counts
		// towards the memory limit and gives way to it.
		Set:      []string{"parquet_metadata_cache = true"},
		Progress: o.Progress,
	}); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// Close frees the engine and removes its temporary files.
func (r *Reader) Close() error {
	r.planner.close()
	if r.db != nil {
		r.db.Close()
		r.db = nil
	}
	return os.RemoveAll(r.temp)
}

// Query runs the statements of sql on a snapshot taken now. Where a file of the
// snapshot went away before the engine opened it (merged into another, or
// expired), the query runs once more on a new snapshot, provided that it was the
// first statement that failed and that no rows have been handed out.
func (r *Reader) Query(ctx context.Context, sql string, sink duck.Sink) error {
	statements, err := r.db.Statements(ctx, sql)
	if err != nil {
		return err
	}
	for _, s := range statements {
		if err := r.sparesViews(s); err != nil {
			return err
		}
	}
	watched := &watchedSink{Sink: sink}
	return r.answer(ctx, func() (bool, error) {
		for i, s := range statements {
			// Each just before it runs, because of what those before it created.
			err := r.define(ctx, s.Text())
			if err == nil {
				err = r.db.Run(ctx, s, watched)
			}
			if err != nil {
				return i == 0 && !watched.begun, err
			}
		}
		return false, nil
	})
}

// sparesViews refuses what would hide or change a view of the store.
func (r *Reader) sparesViews(s duck.Statement) error {
	for _, name := range s.Changes() {
		if slices.ContainsFunc(r.views, func(v *view) bool { return v.name == name }) {
			return fmt.Errorf("%s is a view of the store: it stays as it is, and nothing else may have its name", name)
		}
	}
	return nil
}

// WriteParquet writes the result of a query as a Parquet file. It is whole
// before its first byte is written, so that a failed query writes none.
func (r *Reader) WriteParquet(ctx context.Context, sql string, w io.Writer) error {
	path := filepath.Join(r.temp, "result.parquet")
	if err := r.answer(ctx, func() (bool, error) {
		if err := r.define(ctx, sql); err != nil {
			return true, err
		}
		return true, r.db.WriteParquet(ctx, sql, path)
	}); err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, f)
	return errors.Join(err, f.Close(), os.Remove(path))
}

// answer takes a snapshot and calls run, and does so again with another where a
// file was gone and run says that it may be repeated.
func (r *Reader) answer(ctx context.Context, run func() (repeatable bool, err error)) error {
	repeatable, err := r.try(ctx, run)
	if r.lost(err) == "" || !repeatable {
		return err
	}
	r.current, r.manifest.seen = false, nil
	_, err = r.try(ctx, run)
	if path := r.lost(err); path != "" {
		return fmt.Errorf("the store names a file that is not there: %s: %w", path, err)
	}
	return err
}

func (r *Reader) try(ctx context.Context, run func() (bool, error)) (bool, error) {
	snapshot, err := r.manifest.next(r.dir)
	if err != nil {
		return true, err
	}
	if !r.current || r.snapshot.Version != snapshot.Version {
		if err := r.update(ctx, snapshot); err != nil {
			return true, err
		}
	}
	return run()
}

// update makes the snapshot the one that the views know.
func (r *Reader) update(ctx context.Context, snapshot lake.Snapshot) error {
	r.snapshot, r.current = snapshot, false
	r.index.update(r.window.Files(snapshot.Files))
	for _, v := range r.views {
		if v.update(ctx, r.db, r.index, snapshot) {
			r.planner.close() // its tables lack columns
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	r.current = true
	return nil
}

// define points the views at the files of the snapshot that the statement needs.
// A view that it does not use opens no file, so that one which is damaged fails
// only the queries that need it.
func (r *Reader) define(ctx context.Context, sql string) error {
	r.indirect = r.indirect || createsIndirect.MatchString(sql)
	needs, known := r.needs(ctx, sql)
	for _, v := range r.views {
		need, used := needs[v.name]
		var files []lake.File
		switch {
		case known && used:
			files = r.narrow(r.files(v.files), need)
		case !known && (r.indirect || mentions(sql, v.name)):
			files = r.files(v.files)
		case v.defined:
			continue
		}
		if err := v.show(ctx, r.db, r.index, r.window, files); err != nil {
			return fmt.Errorf("define the view %s: %w", v.name, err)
		}
	}
	return nil
}

// createsIndirect finds what may later stand for a view without its name.
var createsIndirect = regexp.MustCompile(`(?is)\bcreate\b.*\b(view|macro|function)\b`)

// mentions is false of texts that do not use the view, unless by something that
// was created. query_table takes the name from an expression.
func mentions(sql, name string) bool {
	sql = strings.ToLower(sql)
	return strings.Contains(sql, name) || strings.Contains(sql, "query_table")
}

// needs returns which rows of which views the query needs, where that is known.
func (r *Reader) needs(ctx context.Context, sql string) (map[string]needed, bool) {
	if !r.planner.plans(sql) || len(r.snapshot.Files) < planFrom {
		return nil, false
	}
	if r.planner.db == nil {
		if err := r.planner.open(ctx, r.views); err != nil {
			return nil, false
		}
	}
	return r.planner.needs(ctx, sql)
}

// narrow leaves out the files that hold none of the rows needed.
func (r *Reader) narrow(files []lake.File, need needed) []lake.File {
	files = within(files, need.from, need.to)
	if need.anyTrace {
		return files
	}
	slices.Sort(need.traces)
	traces := slices.Compact(need.traces)
	return slices.DeleteFunc(slices.Clone(files), func(f lake.File) bool { return !r.index.mayHold(f, traces) })
}

// lost names the first file shown that is gone, where err may come
// from that.
func (r *Reader) lost(err error) string {
	if !errors.Is(err, duck.ErrIO) {
		return ""
	}
	for _, v := range r.views {
		for _, f := range v.shown {
			path := r.index.path(f)
			if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) {
				return path
			}
		}
	}
	return ""
}

// watchedSink notes whether any result has begun.
type watchedSink struct {
	duck.Sink
	begun bool
}

func (w *watchedSink) Begin(columns []duck.Column) error {
	w.begun = true
	return w.Sink.Begin(columns)
}
