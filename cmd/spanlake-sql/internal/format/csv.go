package format

import (
	"bufio"
	"bytes"

	"github.com/spanlake/spanlake/cmd/spanlake-sql/internal/duck"
)

// csv quotes as RFC 4180 says and ends lines with LF. NULL is an empty field
// and the empty string is "", so that a reader can tell them apart.
type csv struct {
	out      *bufio.Writer
	terminal bool // values are escaped as in a table
	columns  int
	text     []byte
	line     []byte
}

func (c *csv) Begin(columns []duck.Column) error {
	c.columns = len(columns)
	c.line = c.line[:0]
	for i, column := range columns {
		c.separate(i)
		c.field([]byte(column.Name))
	}
	return c.endLine()
}

func (c *csv) Row(row duck.Row) error {
	c.line = c.line[:0]
	for i := range c.columns {
		c.separate(i)
		if row.IsNull(i) {
			continue
		}
		c.text = row.AppendText(c.text[:0], i)
		c.field(c.text)
	}
	return c.endLine()
}

func (c *csv) End() error { return c.out.Flush() }

func (c *csv) separate(i int) {
	if i > 0 {
		c.line = append(c.line, ',')
	}
}

func (c *csv) field(text []byte) {
	if c.terminal {
		text = []byte(Printable(text))
	}
	if len(text) > 0 && !bytes.ContainsAny(text, ",\"\r\n") && text[0] != ' ' && text[len(text)-1] != ' ' {
		c.line = append(c.line, text...)
		return
	}
	c.line = append(c.line, '"')
	c.line = append(c.line, bytes.ReplaceAll(text, []byte{'"'}, []byte{'"', '"'})...)
	c.line = append(c.line, '"')
}

func (c *csv) endLine() error {
	c.line = append(c.line, '\n')
	_, err := c.out.Write(c.line)
	return err
}
