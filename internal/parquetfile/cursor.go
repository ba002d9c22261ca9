package parquetfile

import (
	"errors"
	"io"

	"github.com/parquet-go/parquet-go"
)

// cursor reads a leaf column of a source from front to back.
type cursor struct {
	merge *merge
	// chunks are the column's, one a row group; one is nil where all of its
	// values are null. All are where the source has no such column.
	chunks []parquet.ColumnChunk
	sizes  []int // rows of the row groups
	group  int   // of chunks: the one being read
	nulls  int   // rows left of a group without values

	pages  parquet.Pages
	page   parquet.Page
	values parquet.ValueReader

	// Of a column with lists: values read ahead.
	ahead  []parquet.Value
	buffer []parquet.Value
}

// retired is a page, or the pages of a chunk with their dictionary, into which
// gathered values may still point.
type retired struct {
	page  parquet.Page
	pages parquet.Pages
}

func (r retired) release() {
	if r.page != nil {
		parquet.Release(r.page)
	}
	if r.pages != nil {
		_ = r.pages.Close() // read to its end, or given up
	}
}

func (c *cursor) close() {
	retired{c.page, c.pages}.release()
	c.page, c.pages, c.values, c.ahead = nil, nil, nil, nil
}

// flat gathers n rows of a column without lists.
func (c *cursor) flat(out *gather, n int) error {
	for n > 0 {
		dst, err := out.room(n)
		if err != nil {
			return err
		}
		got, err := c.read(dst)
		if err != nil {
			return err
		}
		out.took(got)
		n -= got
	}
	return nil
}

// lists gathers n rows of a column with lists.
func (c *cursor) lists(out *gather, n int) error {
	m := out.merge
	for first := true; ; first = false {
		if len(c.ahead) == 0 {
			if c.buffer == nil {
				c.buffer = make([]parquet.Value, 64)
			}
			got, err := c.read(c.buffer)
			if errors.Is(err, io.ErrUnexpectedEOF) && n == 0 && !first {
				return nil // the last row
			}
			if err != nil {
				return err
			}
			c.ahead = c.buffer[:got]
		}
		v := c.ahead[0]
		if v.RepetitionLevel() == 0 {
			if n == 0 {
				return nil
			}
			n--
			if len(m.values) >= chunkRows || m.bytes >= chunkBytes {
				if err := out.write(); err != nil {
					return err
				}
			}
		}
		m.values = append(m.values, v)
		m.bytes += size(&v)
		c.ahead = c.ahead[1:]
	}
}

// read fills a part of dst, one value at least. It fails with
// io.ErrUnexpectedEOF behind the last value.
func (c *cursor) read(dst []parquet.Value) (int, error) {
	for {
		if c.nulls > 0 {
			n := min(c.nulls, len(dst))
			clear(dst[:n])
			c.nulls -= n
			return n, nil
		}
		if c.values != nil {
			n, err := c.values.ReadValues(dst)
			if err != nil && !errors.Is(err, io.EOF) {
				return 0, err
			}
			if n > 0 {
				return n, nil
			}
		}
		if err := c.turn(); err != nil {
			return 0, err
		}
	}
}

// turn moves on to the next page.
func (c *cursor) turn() error {
	if c.page != nil {
		c.merge.retired = append(c.merge.retired, retired{page: c.page})
		c.page, c.values = nil, nil
	}
	if c.pages != nil {
		page, err := c.pages.ReadPage()
		if err == nil {
			c.page, c.values = page, page.Values()
			return nil
		}
		if !errors.Is(err, io.EOF) {
			return err
		}
		c.merge.retired = append(c.merge.retired, retired{pages: c.pages})
		c.pages = nil
	}
	if c.group == len(c.chunks) {
		return io.ErrUnexpectedEOF
	}
	chunk := c.chunks[c.group]
	if chunk == nil {
		c.nulls = c.sizes[c.group]
	} else {
		c.pages = chunk.Pages()
	}
	c.group++
	return nil
}
