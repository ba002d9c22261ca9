package reader

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spanlake/spanlake/cmd/spanlake-sql/internal/duck"
	"github.com/spanlake/spanlake/internal/lake"
	schema "github.com/spanlake/spanlake/internal/schema/v1"
)

// view is a name in SQL and the signal behind it.
type view struct{ name, signal string }

var views = []view{
	{"spans", "traces"},
	{"logs", "logs"},
}

// Snapshot reads which files make up the store in dir at this moment.
func Snapshot(dir string) (lake.Snapshot, error) {
	snapshot, err := lake.ReadSnapshot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return snapshot, fmt.Errorf("no store in %s: start the collector that writes there (make run), or name another directory with --data", dir)
	}
	if err != nil {
		return snapshot, fmt.Errorf("read the store in %s: %w", dir, err)
	}
	return snapshot, nil
}

// writeEmptyFiles puts a file without rows for each signal into dir.
func writeEmptyFiles(dir string) error {
	for _, v := range views {
		data, err := schema.EmptyFile(v.signal)
		if err != nil {
			return fmt.Errorf("schema of %s: %w", v.name, err)
		}
		if err := os.WriteFile(emptyFile(dir, v.signal), data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func emptyFile(dir, signal string) string {
	return filepath.Join(dir, signal+".parquet")
}

// definition is the SQL that points a view at the files of a snapshot. The file
// without rows, in the directory empty, comes first: the columns of the current
// schema are there in its order, whatever the files of the store have or lack.
// Partitions in the path are not read, because their values are columns too.
func (v view) definition(dir, empty string, snapshot lake.Snapshot) string {
	var sql strings.Builder
	sql.WriteString("create or replace view " + v.name + " as select * from read_parquet([")
	sql.WriteString(duck.Quote(emptyFile(empty, v.signal)))
	for _, f := range snapshot.Files {
		if f.Signal == v.signal {
			sql.WriteString(",\n" + duck.Quote(filepath.Join(dir, filepath.FromSlash(f.Path))))
		}
	}
	sql.WriteString("], union_by_name = true, hive_partitioning = false)")
	return sql.String()
}
