package lake

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spanlake/spanlake/internal/fsys"
)

// columnsName is the file that lists the columns which files of the lake have
// beyond those of their schema version.
const columnsName = "COLUMNS"

// MaxColumns is how many such columns a signal can have in a lake.
const MaxColumns = 128

// ErrColumns is wrapped by the error of DeclareColumns where the lake has
// another column of the name.
var ErrColumns = errors.New("files of the lake may have another column of this name")

// Column is a column that files of a signal may have beyond those of their
// schema version.
type Column struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// columnsFile is the content of COLUMNS.
type columnsFile struct {
	Format  string              `json:"format"`
	Version int                 `json:"version"`
	Columns map[string][]Column `json:"columns"` // by signal
}

const (
	columnsFormat  = "spanlake-columns"
	columnsVersion = 1
)

// DeclareColumns makes sure that the lake lists the columns before a file has
// them. A name keeps its type, and its case, for the life of the lake: engines
// that read many files as one table take them for one column. What was listed
// before stays.
func (s *Store) DeclareColumns(signal string, columns []Column) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.isClosed() {
		return ErrClosed
	}
	name := filepath.Join(s.dir, columnsName)
	all, err := readColumns(func() (io.ReadCloser, error) { return s.fs.OpenFile(name, os.O_RDONLY, 0) })
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	merged, err := mergeColumns(all[signal], columns)
	if err != nil {
		return fmt.Errorf("%s: %s: %w", name, signal, err)
	}
	if len(merged) == len(all[signal]) {
		return s.removeTemp(name)
	}
	all[signal] = merged
	data, err := json.MarshalIndent(columnsFile{columnsFormat, columnsVersion, all}, "", "  ")
	if err != nil {
		return err
	}
	return fsys.WriteFile(s.fs, name, append(data, '\n'))
}

// removeTemp removes what a crash left of an earlier write.
func (s *Store) removeTemp(name string) error {
	err := s.fs.Remove(name + fsys.TempSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func mergeColumns(have, more []Column) ([]Column, error) {
	var errs []error
	for _, c := range more {
		known := false
		for _, h := range have {
			if !strings.EqualFold(h.Name, c.Name) {
				continue
			}
			known = true
			if h != c {
				errs = append(errs, fmt.Errorf("%s of type %s: %w: %s of type %s", c.Name, c.Type, ErrColumns, h.Name, h.Type))
			}
		}
		if !known {
			have = append(have, c)
		}
	}
	if len(have) > MaxColumns {
		errs = append(errs, fmt.Errorf("%d columns, those of earlier configurations included: a lake has at most %d", len(have), MaxColumns))
	}
	return have, errors.Join(errs...)
}

// ReadColumns lists, by signal, the columns that files of the lake in dir may
// have beyond those of their schema version, for those who only read.
func ReadColumns(dir string) (map[string][]Column, error) {
	name := filepath.Join(dir, columnsName)
	columns, err := readColumns(func() (io.ReadCloser, error) { return os.Open(name) })
	if err != nil {
		return nil, fmt.Errorf("read lake: %s: %w", name, err)
	}
	return columns, nil
}

func readColumns(open func() (io.ReadCloser, error)) (map[string][]Column, error) {
	f, err := open()
	if errors.Is(err, fs.ErrNotExist) {
		return map[string][]Column{}, nil
	}
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	return decodeColumns(data)
}

func decodeColumns(data []byte) (map[string][]Column, error) {
	var file columnsFile
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, fmt.Errorf("damaged: %w; put it back from a copy", err)
	}
	if file.Format != columnsFormat || file.Version != columnsVersion {
		return nil, fmt.Errorf("format %q version %d, where %q version %d was expected: a newer release wrote it",
			file.Format, file.Version, columnsFormat, columnsVersion)
	}
	if file.Columns == nil {
		file.Columns = map[string][]Column{}
	}
	return file.Columns, nil
}
