package reader

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spanlake/spanlake/internal/lake"
)

// noStoreError says that there is no store in a directory, yet.
type noStoreError struct{ dir string }

func (e noStoreError) Error() string {
	return fmt.Sprintf("no store in %s: start the collector that writes there (make run), or name another directory with --data", e.dir)
}

func (noStoreError) Is(target error) bool { return target == fs.ErrNotExist }

// Snapshot reads which files make up the store in dir at this moment. Its error
// wraps fs.ErrNotExist where there is no store.
func Snapshot(dir string) (lake.Snapshot, error) {
	snapshot, err := lake.ReadSnapshot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return snapshot, noStoreError{dir}
	}
	if err != nil {
		return snapshot, fmt.Errorf("read the store in %s: %w", dir, err)
	}
	return snapshot, nil
}

// manifest reads snapshots of one store, and reads the file again only where it
// is another or has grown.
type manifest struct {
	read     func(dir string) (lake.Snapshot, error)
	seen     fs.FileInfo // of the file when snapshot was read; nil: never
	snapshot lake.Snapshot
}

func (m *manifest) next(dir string) (lake.Snapshot, error) {
	// Before the file is read: what is appended meanwhile makes it look old.
	info, err := os.Stat(filepath.Join(dir, "MANIFEST"))
	if err != nil {
		info = nil
	}
	if info != nil && m.seen != nil && os.SameFile(info, m.seen) && info.Size() == m.seen.Size() && info.ModTime().Equal(m.seen.ModTime()) {
		return m.snapshot, nil
	}
	snapshot, err := m.read(dir)
	if err != nil {
		return snapshot, err
	}
	m.seen, m.snapshot = info, snapshot
	return snapshot, nil
}
