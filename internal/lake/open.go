package lake

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spanlake/spanlake/internal/fsys"
)

// Open opens the lake in a directory, or makes an empty one, and becomes its
// one owner. Temporary files that a crash left are removed; data files that the
// manifest does not have are in Orphans. A nil fsy is fsys.OS.
func Open(dir string, fsy fsys.FS) (*Store, error) {
	if fsy == nil {
		fsy = fsys.OS
	}
	if err := fsy.MkdirAll(dir); err != nil {
		return nil, fmt.Errorf("open lake: %w", err)
	}
	lock, err := fsy.Lock(dir)
	if err != nil {
		return nil, fmt.Errorf("open lake: %w", err)
	}
	s := &Store{fs: fsy, dir: dir, lock: lock}
	if err := s.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("open lake %s: %w", dir, err), s.Close())
	}
	return s, nil
}

func (s *Store) load() error {
	found, err := s.readOwn()
	if err != nil {
		return err
	}
	there := make(map[string]struct{}, len(s.state.index))
	for _, signal := range signals {
		if err := s.sweep(signal, found, there); err != nil {
			return err
		}
	}
	for _, f := range s.state.files {
		if _, ok := there[f.Path]; !ok {
			s.missing = append(s.missing, f.Path)
		}
	}
	// A new file: it has no torn last line, and does not share the fate of one
	// whose last sync may have failed in the process before. On a full disk the
	// old one, which is synced, serves until there is room: what frees space
	// needs an open lake.
	err = s.rewrite(nil)
	if found && (errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)) {
		return nil
	}
	return err
}

// readOwn reads the manifest, and syncs it: the process before may have died
// between write and sync, and what is read here will be relied on.
func (s *Store) readOwn() (bool, error) {
	f, err := s.fs.OpenFile(s.path(), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		s.state = newState()
		return false, nil
	}
	if err != nil {
		return false, err
	}
	s.state, err = readManifest(f)
	switch {
	case errors.Is(err, errVersion):
		err = fmt.Errorf("%s: %w: a newer release wrote it, start that one", manifestName, err)
	case err != nil:
		err = fmt.Errorf("%s: %w; put it back from a copy, or begin a new lake in another directory: "+
			"the data files here stay readable without it", manifestName, err)
	default:
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return false, err
	}
	return true, s.fs.SyncDir(s.dir)
}

// sweep removes temporary files and empty directories below dir, a path in the
// lake, and notes which data files are there. A lake without manifest must have
// none: they would be lost to it.
func (s *Store) sweep(dir string, manifest bool, there map[string]struct{}) error {
	entries, err := s.fs.ReadDir(s.local(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		_, counts := s.state.index[name]
		switch {
		case e.IsDir():
			if err = s.sweep(name, manifest, there); err == nil {
				_ = s.fs.Remove(s.local(name)) // where it is empty
			}
		case strings.HasSuffix(name, fsys.TempSuffix):
			err = s.fs.Remove(s.local(name))
		case !strings.HasSuffix(name, fileSuffix):
		case counts:
			there[name] = struct{}{}
		case !manifest:
			err = fmt.Errorf("there are data files, %s for one, but the file %s is missing: put it back, or move them away", s.local(name), manifestName)
		default:
			s.orphans = append(s.orphans, name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// local is the name of a path of the lake in the file system.
func (s *Store) local(name string) string {
	return filepath.Join(s.dir, filepath.FromSlash(name))
}
