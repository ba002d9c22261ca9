package parquetfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/parquet-go/parquet-go"

	"github.com/spanlake/spanlake/internal/lake"
	v1 "github.com/spanlake/spanlake/internal/schema/v1"
)

// Merge is files of one partition that become others with the same rows, sorted
// again by service and time.
type Merge struct {
	Signal string
	// Inputs are sorted as files of this package are.
	Inputs []lake.File
	// Outputs is how many files to make, of about the same number of rows.
	Outputs int
	// Version of the manifest that the merge was planned at, for the names of the
	// outputs. They lie in the directory of the first input.
	Version uint64
	// Pace is called after each row group, and may wait.
	Pace func(context.Context) error
}

// InputError says that a file cannot be merged: it is damaged, or has a column
// of another type than the files before it.
type InputError struct {
	Path string // relative to the lake
	Err  error
}

// inputError says what is wrong with an input, or that the system could not read
// it now, which says nothing about it.
func inputError(path string, err error) error {
	if _, system := errors.AsType[syscall.Errno](err); system && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("merge %s: %w", path, err)
	}
	return &InputError{path, err}
}

func (e *InputError) Error() string { return fmt.Sprintf("merge %s: %v", e.Path, e.Err) }
func (e *InputError) Unwrap() error { return e.Err }

// Merge writes the outputs and returns them. All are whole and durable when it
// returns nil; after an error those written are removed. It holds one page a
// column of each input in memory, and 12 bytes a row.
//
// Columns are matched by name. Those of the schema are written as it says;
// others, of a later version or of another configuration, as the first input
// that has them describes them. A column that an input lacks is null.
func (w *Writer) Merge(ctx context.Context, m Merge) (_ []lake.File, err error) {
	defer recovered(&err)
	job := &merge{Merge: m, values: make([]parquet.Value, 0, chunkRows)}
	defer job.close()
	err = job.open(w)
	if err == nil {
		err = job.order()
	}
	var outputs []lake.File
	for n := min(m.Outputs, job.left()); err == nil && n > 0; n-- {
		job.end = job.cut(job.left() / n)
		var file lake.File
		file, err = w.writeMerged(ctx, job, CompactName(m.Version, len(outputs)))
		if err == nil {
			outputs = append(outputs, file)
		}
	}
	if err != nil {
		for _, f := range outputs {
			// What stays behind is in no manifest, and is removed at the next start.
			_ = w.fs.Remove(filepath.Join(w.dir, filepath.FromSlash(f.Path)))
		}
		return nil, err
	}
	return outputs, nil
}

func (w *Writer) writeMerged(ctx context.Context, job *merge, name string) (lake.File, error) {
	runs := job.runs[job.next:job.end]
	job.next = job.end
	file := lake.File{
		Path:   path.Join(path.Dir(job.Inputs[0].Path), name),
		Signal: job.Signal,
		Schema: v1.Version,
		Rows:   int64(countRows(runs)),
	}
	file.MinTime, file.MaxTime = job.bounds(runs)
	var err error
	file.Bytes, err = w.writeFile(filepath.Join(w.dir, filepath.FromSlash(file.Path)), func(out io.Writer) error {
		return job.write(ctx, out, runs, []keyValue{
			{v1.KeyRows, strconv.FormatInt(file.Rows, 10)},
			{v1.KeyMinTime, strconv.FormatInt(file.MinTime, 10)},
			{v1.KeyMaxTime, strconv.FormatInt(file.MaxTime, 10)},
			{v1.KeyMerged, strconv.Itoa(len(job.Inputs))},
		})
	})
	return file, err
}

// merge is a Merge under way.
type merge struct {
	Merge

	schema  *parquet.Schema
	options []parquet.WriterOption
	leaves  []unionLeaf
	sources []*source
	runs    []run // the rows of all outputs in order
	next    int   // of runs: the first that is not written
	end     int   // of runs: where the output under way ends

	// values wait for the column's writer; retired are the pages they point into.
	values  []parquet.Value
	bytes   int // of values
	retired []retired
}

// run is rows of one source that follow each other in the output too.
type run struct{ source, rows uint32 }

func countRows(runs []run) int {
	n := 0
	for _, r := range runs {
		n += int(r.rows)
	}
	return n
}

func (m *merge) open(w *Writer) error {
	for _, input := range m.Inputs {
		s, err := openSource(w.fs, w.dir, input, v1.ForSignal(m.Signal))
		if s != nil {
			m.sources = append(m.sources, s)
		}
		if err != nil {
			return inputError(input.Path, err)
		}
	}
	return m.unite(v1.ForSignal(m.Signal))
}

func (m *merge) close() {
	m.release()
	for _, s := range m.sources {
		s.close()
	}
}

func (m *merge) left() int { return countRows(m.runs[m.next:]) }

// cut divides a run where needed, so that one ends n rows behind next, and
// returns the index behind it.
func (m *merge) cut(n int) int {
	for i := m.next; ; i++ {
		r := &m.runs[i]
		switch {
		case n > int(r.rows):
			n -= int(r.rows)
		case n == int(r.rows):
			return i + 1
		default:
			rest := run{r.source, r.rows - uint32(n)}
			r.rows = uint32(n)
			m.runs = append(m.runs[:i+1], append([]run{rest}, m.runs[i+1:]...)...)
			return i + 1
		}
	}
}

// write encodes the rows of runs as one file.
func (m *merge) write(ctx context.Context, out io.Writer, runs []run, metadata []keyValue) error {
	w := parquet.NewGenericWriter[any](out, m.options...)
	for _, kv := range metadata {
		w.SetKeyValueMetadata(kv.key, kv.value)
	}
	rows := countRows(runs)
	var group []run
	for groups := (rows + rowGroupRows - 1) / rowGroupRows; groups > 0; groups-- {
		if err := ctx.Err(); err != nil {
			return err
		}
		size := (rows + groups - 1) / groups
		rows -= size
		group, runs = take(group[:0], runs, size)
		for i, column := range w.ColumnWriters() {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := m.column(column, i, group); err != nil {
				return err
			}
		}
		if err := w.Flush(); err != nil {
			return err
		}
		if err := m.Pace(ctx); err != nil {
			return err
		}
	}
	return w.Close()
}

// take moves n rows from the front of runs to dst.
func take(dst, runs []run, n int) (taken, rest []run) {
	for n > 0 {
		r := runs[0]
		if int(r.rows) > n {
			dst = append(dst, run{r.source, uint32(n)})
			runs[0].rows -= uint32(n)
			return dst, runs
		}
		dst = append(dst, r)
		n -= int(r.rows)
		runs = runs[1:]
	}
	return dst, runs
}

// column writes a leaf column of a row group.
func (m *merge) column(w *parquet.ColumnWriter, leaf int, runs []run) error {
	l := &m.leaves[leaf]
	out := gather{merge: m, writer: w, dict: l.dict}
	for _, r := range runs {
		s := m.sources[r.source]
		c := &s.cursors[leaf]
		err := guard(func() error {
			if l.repeated {
				return c.lists(&out, int(r.rows))
			}
			return c.flat(&out, int(r.rows))
		})
		if err != nil {
			if failed, ok := errors.AsType[*writeError](err); ok {
				return fmt.Errorf("column %s: %w", l.name, failed.err)
			}
			return inputError(s.entry.Path, fmt.Errorf("column %s: %w", l.name, err))
		}
	}
	return out.write()
}

// release gives the pages back whose values are written.
func (m *merge) release() {
	for _, r := range m.retired {
		r.release()
	}
	clear(m.retired)
	m.retired = m.retired[:0]
}
