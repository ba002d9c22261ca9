package reader

import (
	"context"
	"slices"
	"strings"

	"github.com/spanlake/spanlake/cmd/spanlake-sql/internal/duck"
	"github.com/spanlake/spanlake/internal/lake"
	schema "github.com/spanlake/spanlake/internal/schema/v1"
)

// view is a name in SQL, the signal behind it, and what it shows at present.
type view struct {
	name, signal string

	fixed   int             // number of columns that the schema has
	known   map[string]bool // names of the schema's columns
	columns []column        // of all files of the store
	files   []lake.File     // of the store; read only
	alike   bool            // all files have the same columns

	defined bool
	shown   []lake.File // by the definition in the engine, or by one that failed
}

func newViews() []*view {
	views := []*view{{name: "spans", signal: schema.SignalTraces}, {name: "logs", signal: schema.SignalLogs}}
	for _, v := range views {
		v.columns = schemaColumns(v.signal)
		v.fixed = len(v.columns)
		v.known = make(map[string]bool, v.fixed)
		for _, c := range v.columns {
			v.known[c.name] = true
		}
	}
	return views
}

// update takes the files of a new snapshot, learns the columns that some of them
// have beyond the schema, and reports whether they are others than before. The
// columns of a file that cannot be read are left out: a query that needs it
// will say why.
func (v *view) update(ctx context.Context, db *duck.DB, x *index, snapshot lake.Snapshot) bool {
	v.files = v.files[:0:0]
	for _, f := range snapshot.Files {
		if f.Signal == v.signal {
			v.files = append(v.files, f)
		}
	}
	v.alike = x.alike(v.files)
	columns := slices.Clone(v.columns[:v.fixed])
	for _, f := range x.strange(v.files, v.known) {
		if more, err := describe(ctx, db, x.path(f)); err == nil {
			columns = merge(columns, v.fixed, more)
		}
	}
	if slices.Equal(columns, v.columns) {
		return false
	}
	v.columns, v.defined = columns, false
	return true
}

// describe asks the engine for the columns of a file.
func describe(ctx context.Context, db *duck.DB, path string) ([]column, error) {
	var names, types texts
	err := db.Query(ctx, "select column_name from (describe select * from "+source(path)+")", &names)
	if err == nil {
		err = db.Query(ctx, "select column_type from (describe select * from "+source(path)+")", &types)
	}
	if err != nil {
		return nil, err
	}
	columns := make([]column, len(names))
	for i := range columns {
		columns[i] = column{names[i], types[i]}
	}
	return columns, nil
}

func source(path string) string {
	return "read_parquet([" + duck.Quote(path) + "], hive_partitioning = false)"
}

// show points the view at files, which are some of those it knows.
func (v *view) show(ctx context.Context, db *duck.DB, x *index, w Window, files []lake.File) error {
	if v.defined && slices.EqualFunc(files, v.shown, func(a, b lake.File) bool { return a.Path == b.Path }) {
		return nil
	}
	v.defined, v.shown = false, files
	if err := db.Exec(ctx, v.definition(x, w, files)); err != nil {
		return err
	}
	v.defined = true
	return nil
}

// definition is the SQL of the view. Where a file may lack columns they are all
// given by name, so that the engine opens no file to learn them, and a column
// that a file lacks is null in its rows. (With union_by_name instead, which does
// the same for the rows, the engine reads the footers of all files for each
// query: 2 s of CPU for 3,000.) Without the list a query is planned 3 ms earlier.
// Partitions in the path are not read, because their values are columns too.
func (v *view) definition(x *index, w Window, files []lake.File) string {
	var sql strings.Builder
	sql.WriteString("create or replace view memory.main." + v.name + " as select * from ")
	if len(files) == 0 {
		sql.WriteString("(select ")
		for i, c := range v.columns {
			if i > 0 {
				sql.WriteString(", ")
			}
			sql.WriteString("null::" + c.typ + " as " + duck.QuoteName(c.name))
		}
		sql.WriteString(") where false")
		return sql.String()
	}
	sql.WriteString("read_parquet([")
	for i, f := range files {
		if i > 0 {
			sql.WriteString(",\n")
		}
		sql.WriteString(duck.Quote(x.path(f)))
	}
	sql.WriteString("], hive_partitioning = false")
	if !v.whole(x, files) {
		sql.WriteString(", schema = map {")
		for i, c := range v.columns {
			if i > 0 {
				sql.WriteString(", ")
			}
			sql.WriteString(duck.Quote(c.name) + ": {name: " + duck.Quote(c.name) + ", type: " + duck.Quote(c.typ) + ", default_value: null}")
		}
		sql.WriteString("}")
	}
	sql.WriteString(")" + w.condition())
	return sql.String()
}

// whole is true where each of the files has the view's columns, in its order
// and with its types.
func (v *view) whole(x *index, files []lake.File) bool {
	if len(v.columns) > v.fixed && !v.alike || !x.alike(files) {
		return false
	}
	return slices.EqualFunc(v.columns, x.names(files[0]), func(c column, name string) bool { return c.name == name })
}

// table is the SQL of a table with the columns of the view.
func (v *view) table() string {
	var sql strings.Builder
	sql.WriteString("create or replace table " + v.name + " (")
	for i, c := range v.columns {
		if i > 0 {
			sql.WriteString(", ")
		}
		sql.WriteString(duck.QuoteName(c.name) + " " + c.typ)
	}
	sql.WriteString(")")
	return sql.String()
}

// texts collects the one column of a result.
type texts []string

func (*texts) Begin([]duck.Column) error { return nil }

func (t *texts) Row(row duck.Row) error {
	*t = append(*t, string(row.AppendText(nil, 0)))
	return nil
}

func (*texts) End() error { return nil }
