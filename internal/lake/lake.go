// Package lake is the Parquet store as a set of files: the manifest that says
// which files count, and snapshots of it. MANIFEST.md is its layout on disk;
// what is in the files is for others.
package lake

import (
	"errors"
	"io"
	"path/filepath"
	"sync"

	"github.com/spanlake/spanlake/internal/fsys"
)

var (
	// ErrClosed says that the store was closed.
	ErrClosed = errors.New("lake is closed")
	// ErrUnsettled says that the manifest could not be written, and that a
	// restart may find the commit or not. Its files, those to remove too, have to
	// stay. Once a later Commit succeeds, the fate of this one is settled: it is
	// in only where it was that later commit.
	ErrUnsettled = errors.New("manifest could not be written, the commit may or may not be in it")
)

// Limits of what a store remembers of batches.
const (
	// MaxBatches is how many batch identities are remembered.
	MaxBatches = 65_536
	// MaxBatchID is how long one may be, in bytes.
	MaxBatchID = 256
)

// File is a Parquet file of the lake.
type File struct {
	// Path is relative to the lake, with slashes.
	Path string `json:"path"`
	// Signal is "traces" or "logs", and the first element of Path.
	Signal string `json:"signal"`
	// Schema is the version of the columns, from 1.
	Schema int   `json:"schema"`
	Rows   int64 `json:"rows"`
	Bytes  int64 `json:"bytes"`
	// MinTime and MaxTime bound the times of the rows, in Unix nanoseconds.
	MinTime int64 `json:"min_time"`
	MaxTime int64 `json:"max_time"`
}

// Commit is one step from one version of the lake to the next: all of it
// happens or nothing.
type Commit struct {
	// Log and Segment name the segment of a log whose records the files hold.
	// Segments of one log ascend. Empty and 0 where no log moves on.
	Log     string
	Segment uint64
	// Batches are the identities of the batches in the segment.
	Batches []string
	// Add are new files, durable under their names; Remove are paths that stop
	// to count. Their files are for the caller to unlink later.
	Add    []File
	Remove []string
}

// Snapshot is the lake at one version. Files are in the order of their commits.
type Snapshot struct {
	Version uint64
	Files   []File
}

// Store is the one owner of a lake. Its methods may be called concurrently.
type Store struct {
	fs   fsys.FS
	dir  string
	lock io.Closer
	// orphans are the data files found by Open that are not in the manifest.
	orphans []string
	// missing are the files of the manifest that Open did not find.
	missing []string

	// writing serialises commits and guards the manifest file; taken before mu.
	writing sync.Mutex
	// file takes commits at its end. Nil after a failure: what the file holds is
	// not known then, and it is written anew before anything is appended.
	file       fsys.File
	size, base int64 // bytes now and after the last rewrite

	mu     sync.Mutex // guards everything below; state changes with both held
	state  *state
	closed bool
}

// Committed reports whether the records of a segment are in the lake.
func (s *Store) Committed(log string, segment uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return segment <= s.state.logs[log]
}

// SeenBatch reports whether a batch is among the last MaxBatches committed.
func (s *Store) SeenBatch(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.batches.has(id)
}

// Snapshot returns the present version. Its Files are shared: read only.
func (s *Store) Snapshot() Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.snapshot()
}

// Orphans are the paths of data files that Open found and that are not in the
// manifest: a crash left them before their commit or after their removal. They
// are for the caller to judge.
func (s *Store) Orphans() []string { return s.orphans }

// Missing are the paths of files of the manifest that Open did not find on disk:
// they were removed by hand, or the manifest is an older copy that was put back.
func (s *Store) Missing() []string { return s.missing }

// Close gives the directory back. Calls after the first do nothing.
func (s *Store) Close() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	err := s.lock.Close()
	if s.file != nil {
		err = errors.Join(s.file.Close(), err)
	}
	return err
}

func (s *Store) path() string { return filepath.Join(s.dir, manifestName) }
