package parquetfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spanlake/spanlake/internal/fsys"
	"github.com/spanlake/spanlake/internal/lake"
	v1 "github.com/spanlake/spanlake/internal/schema/v1"
)

// Segment is a sealed segment of a write-ahead log, the unit of writing.
type Segment struct {
	Log     string // ID of the log
	Number  uint64
	Batches []string // identities of the hand-overs in it
	Rows    []*v1.Rows
	// Arrived is when its first record came, in Unix nanoseconds: times that
	// cannot be are told by it. 0: all times are believed.
	Arrived int64
}

// Writer writes segments as files below a directory. It is used by one
// goroutine at a time.
type Writer struct {
	fs       fsys.FS
	dir      string
	encoders map[*v1.Schema]*encoder
	// partitions is maxPartitions, less in tests.
	partitions int
}

// NewWriter returns a writer of files below dir.
func NewWriter(fs fsys.FS, dir string) *Writer {
	return &Writer{fs: fs, dir: dir, encoders: map[*v1.Schema]*encoder{}, partitions: maxPartitions}
}

// Write writes the segment, a file for each partition of each of its rows, and
// returns the files. All are whole and durable when it returns nil; after an
// error some may be there under their final names. Writing the same segment
// again, in this process or another, gives the same names and bytes, and
// replaces what is there. Files are written one after the other, so that the
// memory needed does not grow with their number.
func (w *Writer) Write(ctx context.Context, s Segment) (files []lake.File, err error) {
	// A panic would come again with every start, while the segment is in the log.
	defer recovered(&err)
	for _, rows := range s.Rows {
		for _, p := range plan(rows, w.partitions, s.Arrived) {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			name := SegmentName(s.Log, s.Number, len(files))
			file, err := w.writePartition(ctx, s, rows, p, name)
			if err != nil {
				return nil, fmt.Errorf("write %s: %w", file.Path, err)
			}
			files = append(files, file)
		}
	}
	return files, nil
}

func (w *Writer) writePartition(ctx context.Context, s Segment, rows *v1.Rows, p partition, name string) (lake.File, error) {
	signal := rows.Schema().Signal
	file := lake.File{
		Path:   path.Join(Partition{signal, p.retention, p.hour}.Directory(), name),
		Signal: signal,
		Schema: v1.Version,
		Rows:   int64(len(p.order)),
	}
	file.MinTime, file.MaxTime = bounds(rows, p.order)
	encode := func(out io.Writer) error {
		return w.encoder(rows.Schema()).encode(ctx, out, rows, p.order, metadata(s, file))
	}
	var err error
	file.Bytes, err = w.writeFile(filepath.Join(w.dir, filepath.FromSlash(file.Path)), encode)
	return file, err
}

func (w *Writer) encoder(schema *v1.Schema) *encoder {
	e := w.encoders[schema]
	if e == nil {
		e = newEncoder(schema)
		w.encoders[schema] = e
	}
	return e
}

// writeFile makes a file appear whole and durable under its name.
func (w *Writer) writeFile(name string, encode func(io.Writer) error) (int64, error) {
	dir := filepath.Dir(name)
	tmp := name + fsys.TempSuffix
	f, err := w.create(tmp)
	if err != nil {
		return 0, err
	}
	size, err := writeSynced(f, encode)
	if err == nil {
		err = w.fs.Rename(tmp, name)
	}
	if err != nil {
		// A leftover is removed at the next start; this only gives space back
		// early.
		_ = w.fs.Remove(tmp)
		return 0, err
	}
	if err := w.fs.SyncDir(dir); err != nil {
		_ = w.fs.Remove(name) // else it would be found by a glob, beside what is written next
		return 0, err
	}
	return size, nil
}

// create makes a file and its directory. The upkeep of the lake may remove that,
// empty as it is, before the file is in it.
func (w *Writer) create(name string) (fsys.File, error) {
	for again := true; ; again = false {
		err := w.fs.MkdirAll(filepath.Dir(name))
		if err == nil {
			var f fsys.File
			if f, err = w.fs.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, fsys.FileMode); err == nil {
				return f, nil
			}
		}
		if !again || !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
}

func writeSynced(f fsys.File, encode func(io.Writer) error) (int64, error) {
	out := &counter{to: f}
	err := encode(out)
	if err == nil {
		err = f.Sync()
	}
	return out.n, errors.Join(err, f.Close())
}

type counter struct {
	to io.Writer
	n  int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.to.Write(b)
	c.n += int64(n)
	return n, err
}

func bounds(rows *v1.Rows, order []uint32) (int64, int64) {
	column := rows.Schema().Index(v1.ColTimestamp)
	first, _ := rows.Num(column, int(order[0]))
	least, greatest := first, first
	for _, row := range order {
		t, _ := rows.Num(column, int(row))
		least, greatest = min(least, t), max(greatest, t)
	}
	return least, greatest
}

type keyValue struct{ key, value string }

// metadata is what the footers of files differ in.
func metadata(s Segment, f lake.File) []keyValue {
	return []keyValue{
		{v1.KeyLog, s.Log},
		{v1.KeySegment, strconv.FormatUint(s.Number, 10)},
		{v1.KeyRows, strconv.FormatInt(f.Rows, 10)},
		{v1.KeyMinTime, strconv.FormatInt(f.MinTime, 10)},
		{v1.KeyMaxTime, strconv.FormatInt(f.MaxTime, 10)},
		{v1.KeyBatches, strings.Join(s.Batches, ",")},
	}
}
