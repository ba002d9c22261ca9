package reader

import (
	"path/filepath"

	"github.com/spanlake/spanlake/cmd/spanlake-sql/internal/footer"
	"github.com/spanlake/spanlake/internal/lake"
	schema "github.com/spanlake/spanlake/internal/schema/v1"
)

// index remembers of each file of the store what its footer said. Files never
// change, so what is known of one holds until it leaves the store: about 150
// bytes a file, and 16 more a row group.
type index struct {
	dir     string
	footers *footer.Reader
	files   map[string]footer.Info // by path in the manifest
}

func newIndex(dir string) *index {
	return &index{dir: dir, footers: footer.NewReader(schema.ColTraceID), files: map[string]footer.Info{}}
}

// update reads the footers of files that are new and forgets those of files
// that are gone. A file that cannot be read is left out: a query that needs it
// will say why.
func (x *index) update(files []lake.File) {
	old := x.files
	x.files = make(map[string]footer.Info, len(files))
	for _, f := range files {
		info, known := old[f.Path]
		if !known {
			var err error
			if info, err = x.footers.Read(x.path(f)); err != nil {
				continue
			}
		}
		x.files[f.Path] = info
	}
}

func (x *index) path(f lake.File) string {
	return filepath.Join(x.dir, filepath.FromSlash(f.Path))
}

// mayHold is true of files that may have rows of one of the traces.
func (x *index) mayHold(f lake.File, traces []string) bool {
	info, known := x.files[f.Path]
	return !known || info.MayHold(x.path(f), traces)
}

// strange finds among files one for each set of columns that has more than
// those known.
func (x *index) strange(files []lake.File, known map[string]bool) []lake.File {
	var found []lake.File
	seen := map[*footer.Columns]bool{}
	for _, f := range files {
		columns := x.files[f.Path].Columns
		if columns == nil || seen[columns] {
			continue
		}
		seen[columns] = true
		for _, name := range columns.Names {
			if !known[name] {
				found = append(found, f)
				break
			}
		}
	}
	return found
}

// alike is true where the files are known to have the same columns.
func (x *index) alike(files []lake.File) bool {
	for _, f := range files {
		if c := x.files[f.Path].Columns; c == nil || c != x.files[files[0].Path].Columns {
			return false
		}
	}
	return true
}

// names are those of the columns of a file that is known.
func (x *index) names(f lake.File) []string { return x.files[f.Path].Columns.Names }
