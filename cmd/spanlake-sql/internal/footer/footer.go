// Package footer reads of Parquet files what decides whether a query needs
// them: the names of the columns and where the bloom filters of one column are.
// It skips the rest of a footer, which for most files of a store is the
// greater part of what a query engine does with them.
package footer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"os"

	"github.com/parquet-go/parquet-go/bloom"
)

const (
	magic    = "PAR1"
	tailSize = 8 // the footer's size and the magic
	// readAhead is read from the end of a file at once: most footers are smaller.
	readAhead = 64 << 10
	// maxFooter is more than any file of a store has.
	maxFooter = 256 << 20
)

// Info is what a footer says.
type Info struct {
	// Columns are the top-level columns in their order, shared by all files that
	// have the same: read only.
	Columns *Columns
	// filters of the row groups; nil where a row group has none, so that the
	// file may hold any value.
	filters []filter
}

// Columns are the top-level columns of a file.
type Columns struct{ Names []string }

// filter is where the blocks of a split-block bloom filter lie.
type filter struct {
	offset int64
	blocks int64
}

// Reader reads footers. It is used by one goroutine at a time.
type Reader struct {
	column  string // whose bloom filters are wanted
	buffer  []byte
	seed    maphash.Seed
	columns map[uint64]*Columns // by hash of the schema's bytes
}

// NewReader returns a reader that looks for the bloom filters of a top-level
// column.
func NewReader(column string) *Reader {
	return &Reader{column: column, seed: maphash.MakeSeed(), columns: map[uint64]*Columns{}}
}

// Read reads the footer of a file.
func (r *Reader) Read(path string) (Info, error) {
	f, err := os.Open(path)
	if err != nil {
		return Info{}, err
	}
	defer f.Close()
	info, err := r.read(f)
	if err != nil {
		return Info{}, fmt.Errorf("%s: %w", path, err)
	}
	return info, nil
}

func (r *Reader) read(f *os.File) (Info, error) {
	stat, err := f.Stat()
	if err != nil {
		return Info{}, err
	}
	footer, err := r.bytes(f, stat.Size())
	if err != nil {
		return Info{}, err
	}
	info, at, err := r.decode(footer)
	if err != nil {
		return Info{}, fmt.Errorf("footer %w", err)
	}
	info.filters = filters(f, at)
	return info, nil
}

// bytes are the footer's, valid until the next call.
func (r *Reader) bytes(f io.ReaderAt, size int64) ([]byte, error) {
	tail, err := r.last(f, size, min(size, readAhead))
	if err != nil {
		return nil, err
	}
	if len(tail) < tailSize || string(tail[len(tail)-len(magic):]) != magic {
		return nil, errors.New("is no Parquet file")
	}
	length := int64(binary.LittleEndian.Uint32(tail[len(tail)-tailSize:])) + tailSize
	if length > size || length > maxFooter {
		return nil, fmt.Errorf("has a footer of %d bytes, the file is %d long", length, size)
	}
	if length > int64(len(tail)) {
		if tail, err = r.last(f, size, length); err != nil {
			return nil, err
		}
	}
	return tail[int64(len(tail))-length : len(tail)-tailSize], nil
}

func (r *Reader) last(f io.ReaderAt, size, n int64) ([]byte, error) {
	if int64(cap(r.buffer)) < n {
		r.buffer = make([]byte, n)
	}
	b := r.buffer[:n]
	if _, err := f.ReadAt(b, size-n); err != nil {
		return nil, err
	}
	return b, nil
}

// decode reads a FileMetaData. The offsets are those of the bloom filters, one
// for each row group, 0 where there is none.
func (r *Reader) decode(footer []byte) (Info, []int64, error) {
	t := &thrift{data: footer}
	var info Info
	var offsets []int64
	t.structure(func(id int64, kind byte) bool {
		switch {
		case id == 2 && kind == typeList:
			info.Columns = r.schema(t)
		case id == 4 && kind == typeList:
			n, _ := t.list()
			for range n {
				offsets = append(offsets, r.rowGroup(t))
			}
		default:
			return false
		}
		return t.err == nil
	})
	if t.err == nil && info.Columns == nil {
		t.fail(errors.New("has no schema"))
	}
	return info, offsets, t.err
}

func (r *Reader) schema(t *thrift) *Columns {
	from := t.at
	n, _ := t.list()
	for range n {
		t.skip(typeStruct, 0)
	}
	if t.err != nil {
		return nil
	}
	bytes := t.data[from:t.at]
	key := maphash.Bytes(r.seed, bytes)
	if known := r.columns[key]; known != nil {
		return known
	}
	c, err := columns(bytes)
	if err != nil {
		t.fail(err)
		return nil
	}
	r.columns[key] = c
	return c
}

// columns takes the list of SchemaElements apart: the tree in depth-first
// order, the root first.
func columns(list []byte) (*Columns, error) {
	t := &thrift{data: list}
	n, _ := t.list()
	c := &Columns{}
	pending := int64(0) // elements still to come of the column that was begun
	for i := range n {
		var name string
		children := int64(0)
		t.structure(func(id int64, kind byte) bool {
			switch {
			case id == 4 && kind == typeBinary:
				name = string(t.binary())
			case id == 5 && kind == typeI32:
				children = t.integer()
			default:
				return false
			}
			return true
		})
		if children < 0 || children > int64(n) {
			return nil, fmt.Errorf("has a column of %d children", children)
		}
		switch {
		case i == 0:
		case pending > 0:
			pending += children - 1
		default:
			c.Names = append(c.Names, name)
			pending = children
		}
	}
	return c, t.err
}

// rowGroup finds the offset of the column's bloom filter.
func (r *Reader) rowGroup(t *thrift) int64 {
	offset := int64(0)
	t.structure(func(id int64, kind byte) bool {
		if id != 1 || kind != typeList {
			return false
		}
		n, _ := t.list()
		for range n {
			if at := r.columnChunk(t); at > 0 {
				offset = at
			}
		}
		return true
	})
	return offset
}

func (r *Reader) columnChunk(t *thrift) int64 {
	offset := int64(0)
	t.structure(func(id int64, kind byte) bool {
		if id != 3 || kind != typeStruct {
			return false
		}
		wanted := false
		t.structure(func(id int64, kind byte) bool {
			switch {
			case id == 3 && kind == typeList:
				n, _ := t.list()
				for i := range n {
					name := t.binary()
					wanted = n == 1 && i == 0 && string(name) == r.column
				}
			case id == 14 && kind == typeI64:
				at := t.integer()
				if wanted {
					offset = at
				}
			default:
				return false
			}
			return true
		})
		return true
	})
	return offset
}

// filters reads the headers of bloom filters. Where one is missing or of a kind
// that is not known there are none: the file has to be read.
func filters(f io.ReaderAt, offsets []int64) []filter {
	list := make([]filter, 0, len(offsets))
	for _, at := range offsets {
		found, ok := filterAt(f, at)
		if !ok {
			return nil
		}
		list = append(list, found)
	}
	return list
}

// filterAt reads a BloomFilterHeader: the size in bytes, and three unions whose
// one known member has ID 1: split-block, xxHash, not compressed.
func filterAt(f io.ReaderAt, at int64) (filter, bool) {
	if at <= 0 {
		return filter{}, false
	}
	var header [64]byte
	n, err := f.ReadAt(header[:], at)
	if err != nil && !errors.Is(err, io.EOF) {
		return filter{}, false
	}
	t := &thrift{data: header[:n]}
	size, known := int64(0), 0
	t.structure(func(id int64, kind byte) bool {
		switch {
		case id == 1 && kind == typeI32:
			size = t.integer()
		case id >= 2 && id <= 4 && kind == typeStruct:
			t.structure(func(id int64, _ byte) bool {
				if id == 1 {
					known++
				}
				return false
			})
		default:
			return false
		}
		return true
	})
	ok := t.err == nil && known == 3 && size >= bloom.BlockSize && size%bloom.BlockSize == 0
	return filter{offset: at + int64(t.at), blocks: size / bloom.BlockSize}, ok
}

// Filtered reports whether MayHold can say no.
func (i Info) Filtered() bool { return i.filters != nil }

// MayHold reports whether a file may hold one of the values in the column whose
// bloom filters were looked for. A file that cannot be read may.
func (i Info) MayHold(path string, values []string) bool {
	if i.filters == nil {
		return true
	}
	f, err := os.Open(path)
	if err != nil {
		return true
	}
	defer f.Close()
	for _, group := range i.filters {
		blocks := io.NewSectionReader(f, group.offset, group.blocks*bloom.BlockSize)
		for _, v := range values {
			found, err := bloom.CheckSplitBlock(blocks, group.blocks*bloom.BlockSize, bloom.XXH64{}.Sum64([]byte(v)))
			if found || err != nil {
				return true
			}
		}
	}
	return false
}
