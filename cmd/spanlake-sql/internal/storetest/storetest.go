// Package storetest makes stores for tests, file by file.
package storetest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/cmd/spanlake-sql/internal/duck"
	"github.com/spanlake/spanlake/internal/fsys"
	"github.com/spanlake/spanlake/internal/lake"
)

// Store is a store that a test fills as the collector would.
type Store struct {
	t     *testing.T
	dir   string
	store *lake.Store
	// next and merged number the files of segments and of merges.
	next, merged uint64
}

// New opens an empty store in dir until the test ends.
func New(t *testing.T, dir string) *Store {
	t.Helper()
	store, err := lake.Open(dir, fsys.OS)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return &Store{t: t, dir: dir, store: store}
}

// File writes what a select yields as a file of the signal, not yet committed.
func (s *Store) File(signal, query string) lake.File {
	s.t.Helper()
	s.next++
	return s.file(signal, fmt.Sprintf("0123456789abcdef-%010d-0", s.next), query)
}

// Merged is File for one that takes the place of others.
func (s *Store) Merged(signal, query string) lake.File {
	s.t.Helper()
	s.merged++
	return s.file(signal, fmt.Sprintf("compact-%010d-0", s.merged), query)
}

func (s *Store) file(signal, name, query string) lake.File {
	s.t.Helper()
	file := lake.File{
		Signal: signal, Schema: 1, Rows: 1, Bytes: 1,
		Path: signal + "/retention=30d/date=2026-11-21/hour=09/" + name + ".parquet",
	}
	full := s.path(file)
	require.NoError(s.t, os.MkdirAll(filepath.Dir(full), 0o750))
	db, err := duck.Open(duck.Settings{Directories: []string{s.dir}})
	require.NoError(s.t, err)
	defer db.Close()
	require.NoError(s.t, db.Exec(s.t.Context(), "copy ("+query+") to "+duck.Quote(full)+" (format parquet)"))
	var times bounds
	if err := db.Query(s.t.Context(), "select epoch_ns(min(timestamp)), epoch_ns(max(timestamp)) from read_parquet("+duck.Quote(full)+")", &times); err == nil {
		file.MinTime, file.MaxTime = times.first, times.last
	}
	return file
}

// bounds takes the first and last time from a result.
type bounds struct{ first, last int64 }

func (*bounds) Begin([]duck.Column) error { return nil }

func (b *bounds) Row(row duck.Row) error {
	_, err := fmt.Sscan(string(row.AppendText(nil, 0))+" "+string(row.AppendText(nil, 1)), &b.first, &b.last)
	return err
}

func (*bounds) End() error { return nil }

// Commit adds files to the store and removes others.
func (s *Store) Commit(add []lake.File, remove ...string) {
	s.t.Helper()
	require.NoError(s.t, s.store.Commit(lake.Commit{Add: add, Remove: remove}))
}

// Unlink removes a file from the disk.
func (s *Store) Unlink(file lake.File) {
	s.t.Helper()
	require.NoError(s.t, os.Remove(s.path(file)))
}

func (s *Store) path(file lake.File) string {
	return filepath.Join(s.dir, filepath.FromSlash(file.Path))
}
