// Package reader answers SQL over a store: each query sees the views spans and
// logs as one snapshot of the store's manifest, taken when the query starts.
package reader

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spanlake/spanlake/cmd/spanlake-sql/internal/duck"
	"github.com/spanlake/spanlake/internal/lake"
)

// Options of a reader.
type Options struct {
	Dir         string // of the store
	Threads     int    // 0: one for each core
	MemoryLimit string
}

// Reader is an open query engine on a store. One goroutine uses it at a time.
type Reader struct {
	dir  string // of the store, absolute
	temp string // empty files of each signal, and what the engine spills
	db   *duck.DB

	snapshot lake.Snapshot // what the views show, where defined
	defined  bool

	read func(dir string) (lake.Snapshot, error)
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
	r := &Reader{dir: dir, temp: temp, read: Snapshot}
	if err := r.open(o); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

func (r *Reader) open(o Options) error {
	if err := writeEmptyFiles(r.temp); err != nil {
		return err
	}
	db, err := duck.Open(duck.Settings{
		Threads:     o.Threads,
		MemoryLimit: o.MemoryLimit,
		TempDir:     filepath.Join(r.temp, "spill"),
		Directories: []string{r.dir, r.temp},
	})
	r.db = db
	return err
}

// Close frees the engine and removes its temporary files.
func (r *Reader) Close() error {
	if r.db != nil {
		r.db.Close()
		r.db = nil
	}
	return os.RemoveAll(r.temp)
}

// Query runs the statements of sql on a snapshot taken now. Where a file of the
// snapshot went away before the engine opened it (merged into another, or
// expired), the query runs once more on a new snapshot, provided that no rows
// have been handed out.
func (r *Reader) Query(ctx context.Context, sql string, sink duck.Sink) error {
	watched := &watchedSink{Sink: sink}
	err := r.query(ctx, sql, watched)
	if r.lost(err) == "" || watched.begun {
		return err
	}
	r.defined = false
	err = r.query(ctx, sql, watched)
	if path := r.lost(err); path != "" {
		return fmt.Errorf("the store names a file that is not there: %s: %w", path, err)
	}
	return err
}

func (r *Reader) query(ctx context.Context, sql string, sink duck.Sink) error {
	snapshot, err := r.read(r.dir)
	if err != nil {
		return err
	}
	var undefined error
	if !r.defined || r.snapshot.Version != snapshot.Version {
		r.snapshot = snapshot
		undefined = r.define(ctx)
		r.defined = undefined == nil
		if ctx.Err() != nil {
			return undefined
		}
	}
	if err := r.db.Query(ctx, sql, sink); err != nil {
		return errors.Join(undefined, err)
	}
	return nil
}

// define points the views at the files of the snapshot. A view whose files
// cannot be read is left out, and is an error only for a query that needs it.
func (r *Reader) define(ctx context.Context) error {
	var errs []error
	for _, v := range views {
		err := r.db.Exec(ctx, v.definition(r.dir, r.temp, r.snapshot))
		if ctx.Err() != nil {
			return err
		}
		if err != nil {
			err = fmt.Errorf("%s cannot be read: %w", v.name, err)
			errs = append(errs, err, r.db.Exec(ctx, "drop view if exists "+v.name))
		}
	}
	return errors.Join(errs...)
}

// lost names the first file of the snapshot that is gone, where err may come
// from that.
func (r *Reader) lost(err error) string {
	if !errors.Is(err, duck.ErrIO) {
		return ""
	}
	for _, f := range r.snapshot.Files {
		path := filepath.Join(r.dir, filepath.FromSlash(f.Path))
		if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) {
			return path
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
