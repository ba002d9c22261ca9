package fsystest

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"sync/atomic"

	"github.com/spanlake/spanlake/internal/fsys"
)

// ReadFile returns the content of a file.
func ReadFile(disk fsys.FS, name string) ([]byte, error) {
	f, err := disk.OpenFile(name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(f)
	return data, errors.Join(err, f.Close())
}

// Files lists the files below a directory, which need not be there.
func Files(disk fsys.FS, dir string) ([]string, error) {
	entries, err := disk.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []string
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		if !e.IsDir() {
			all = append(all, name)
			continue
		}
		below, err := Files(disk, name)
		if err != nil {
			return nil, err
		}
		all = append(all, below...)
	}
	return all, nil
}

// CountSyncs is a file system that counts the syncs of its files.
type CountSyncs struct {
	fsys.FS
	Syncs atomic.Int64
}

// OpenFile opens a file whose syncs count.
func (c *CountSyncs) OpenFile(name string, flag int, perm fs.FileMode) (fsys.File, error) {
	f, err := c.FS.OpenFile(name, flag, perm)
	return countedFile{f, &c.Syncs}, err
}

type countedFile struct {
	fsys.File
	syncs *atomic.Int64
}

func (f countedFile) Sync() error {
	f.syncs.Add(1)
	return f.File.Sync()
}
