package parquetfile

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"

	"github.com/spanlake/spanlake/internal/fsys"
	"github.com/spanlake/spanlake/internal/lake"
	v1 "github.com/spanlake/spanlake/internal/schema/v1"
)

// source is an input of a merge.
type source struct {
	entry   lake.File
	file    fsys.File
	parquet *parquet.File
	cursors []cursor // by leaf of the union

	// The keys of its rows. services are ranks once all sources are read.
	services []uint32
	times    []int64
	at       int // the first row that is in no run yet
}

// readBuffer is the memory for reading ahead of each open column: about its share
// of the file, so that many small files take little.
func readBuffer(size int64) int { return int(min(max(size/64, 512), 8<<10)) }

// openSource opens a file of the lake. It returns a source to close, where there
// is one, with an error too.
func openSource(fsy fsys.FS, dir string, entry lake.File, schema *v1.Schema) (*source, error) {
	name := filepath.Join(dir, filepath.FromSlash(entry.Path))
	f, err := fsy.OpenFile(name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	s := &source{entry: entry, file: f}
	info, err := f.Stat()
	if err != nil {
		return s, err
	}
	if info.Size() != entry.Bytes {
		return s, fmt.Errorf("has %d bytes, in the manifest %d", info.Size(), entry.Bytes)
	}
	return s, guard(func() error {
		s.parquet, err = openFile(f, entry.Bytes, parquet.ReadBufferSize(readBuffer(entry.Bytes)))
		if err != nil {
			return err
		}
		if s.parquet.NumRows() != entry.Rows {
			return fmt.Errorf("has %d rows, in the manifest %d", s.parquet.NumRows(), entry.Rows)
		}
		return checkFile(s.parquet, schema)
	})
}

// guard makes a panic of parquet-go in read an error.
func guard(read func() error) (err error) {
	defer recovered(&err)
	return read()
}

func (s *source) close() {
	for i := range s.cursors {
		s.cursors[i].close()
	}
	_ = s.file.Close() // only read
}

// cursor is a new one at the front of a leaf column, or of nulls where the
// source does not have it.
func (s *source) cursor(m *merge, l *unionLeaf) (cursor, error) {
	c := cursor{merge: m}
	leaf, ok := s.parquet.Schema().Lookup(l.path...)
	if ok {
		if err := l.accepts(leaf); err != nil {
			return c, err
		}
	} else if l.maxDefinition == 0 {
		return c, fmt.Errorf("column %s is missing", l.name)
	}
	for _, group := range s.parquet.RowGroups() {
		var chunk parquet.ColumnChunk
		if ok {
			chunk = group.ColumnChunks()[leaf.ColumnIndex]
			if file, ok := chunk.(*parquet.FileColumnChunk); ok && !l.repeated && l.maxDefinition > 0 &&
				file.NullCount() == group.NumRows() {
				chunk = nil
			}
		}
		c.chunks = append(c.chunks, chunk)
		c.sizes = append(c.sizes, int(group.NumRows()))
	}
	return c, nil
}

// order reads the keys of all sources and lays the runs of the output down.
func (m *merge) order() error {
	names := newRanks(strings.Compare)
	for _, s := range m.sources {
		if err := guard(func() error { return m.readKeys(s, names) }); err != nil {
			return inputError(s.entry.Path, err)
		}
	}
	ranks := names.ranks()
	for _, s := range m.sources {
		for i, n := range s.services {
			s.services[i] = ranks[n]
		}
		for i := 1; i < len(s.times); i++ {
			if s.before(i, s, i-1) {
				return &InputError{s.entry.Path, errors.New("is not sorted by service and time")}
			}
		}
	}
	m.interleave()
	return nil
}

func (m *merge) readKeys(s *source, names *ranks[string]) error {
	s.services = make([]uint32, 0, s.entry.Rows)
	s.times = make([]int64, 0, s.entry.Rows)
	var last string
	var number uint32
	err := m.eachKey(s, v1.ColServiceName, func(v parquet.Value) {
		if len(s.services) == 0 || string(v.ByteArray()) != last {
			last = string(v.ByteArray())
			number = names.number(last)
		}
		s.services = append(s.services, number)
	})
	if err != nil {
		return err
	}
	return m.eachKey(s, v1.ColTimestamp, func(v parquet.Value) { s.times = append(s.times, v.Int64()) })
}

func (m *merge) eachKey(s *source, column string, fn func(parquet.Value)) error {
	at := slices.IndexFunc(m.leaves, func(l unionLeaf) bool { return len(l.path) == 1 && l.name == column })
	c, err := s.cursor(m, &m.leaves[at])
	if err != nil {
		return err
	}
	defer c.close()
	var buffer [256]parquet.Value
	for left := int(s.entry.Rows); left > 0; {
		n, err := c.read(buffer[:min(left, len(buffer))])
		if err != nil {
			return fmt.Errorf("column %s: %w", column, err)
		}
		for _, v := range buffer[:n] {
			fn(v)
		}
		m.release() // but for the page being read, which n values came from
		left -= n
	}
	return nil
}

// before reports whether row i of s comes before row j of o in the output, as
// far as their keys tell.
func (s *source) before(i int, o *source, j int) bool {
	return s.services[i] < o.services[j] || s.services[i] == o.services[j] && s.times[i] < o.times[j]
}

// interleave merges the sources by their keys; where keys are equal the earlier
// source comes first.
func (m *merge) interleave() {
	var heads []uint32 // sources with rows left, by their first
	for i, s := range m.sources {
		if len(s.times) > 0 {
			heads = m.insert(heads, uint32(i))
		}
	}
	for len(heads) > 0 {
		first := heads[0]
		heads = heads[1:]
		s := m.sources[first]
		from := s.at
		s.at++
		if len(heads) == 0 {
			s.at = len(s.times)
		} else {
			next := heads[0]
			o := m.sources[next]
			for s.at < len(s.times) && (s.before(s.at, o, o.at) || first < next && !o.before(o.at, s, s.at)) {
				s.at++
			}
		}
		m.runs = append(m.runs, run{first, uint32(s.at - from)})
		if s.at < len(s.times) {
			heads = m.insert(heads, first)
		}
	}
	for _, s := range m.sources {
		s.at = 0
	}
}

// insert puts a source where its first row belongs.
func (m *merge) insert(heads []uint32, source uint32) []uint32 {
	s := m.sources[source]
	i := 0
	for ; i < len(heads); i++ {
		o := m.sources[heads[i]]
		if s.before(s.at, o, o.at) || source < heads[i] && !o.before(o.at, s, s.at) {
			break
		}
	}
	return slices.Insert(heads, i, source)
}

// bounds are the least and the greatest time in runs, which are the next rows of
// their sources.
func (m *merge) bounds(runs []run) (least, greatest int64) {
	least, greatest = math.MaxInt64, math.MinInt64
	for _, r := range runs {
		s := m.sources[r.source]
		for _, t := range s.times[s.at : s.at+int(r.rows)] {
			least, greatest = min(least, t), max(greatest, t)
		}
		s.at += int(r.rows)
	}
	return least, greatest
}
