package format

import (
	"bufio"
	"strconv"

	"github.com/spanlake/spanlake/cmd/spanlake-sql/internal/duck"
)

// json writes one array of objects with one object a line, so that it is both
// valid JSON and readable by tools that work on lines.
type json struct {
	out  *bufio.Writer
	keys [][]byte // "name": with quotes and colon
	rows int
	line []byte
}

func (j *json) Begin(columns []duck.Column) error {
	j.rows = 0
	j.keys = j.keys[:0]
	for _, name := range distinct(columns) {
		j.keys = append(j.keys, append(duck.AppendQuoted(nil, []byte(name)), ':'))
	}
	return j.out.WriteByte('[')
}

func (j *json) Row(row duck.Row) error {
	j.line = j.line[:0]
	if j.rows > 0 {
		j.line = append(j.line, ",\n"...)
	}
	j.rows++
	for i, key := range j.keys {
		if i == 0 {
			j.line = append(j.line, '{')
		} else {
			j.line = append(j.line, ',')
		}
		j.line = append(j.line, key...)
		j.line = row.AppendJSON(j.line, i)
	}
	j.line = append(j.line, '}')
	_, err := j.out.Write(j.line)
	return err
}

func (j *json) End() error {
	if _, err := j.out.WriteString("]\n"); err != nil {
		return err
	}
	return j.out.Flush()
}

// distinct names the columns so that no key of an object comes twice: a second
// id becomes id_1, as in a subquery.
func distinct(columns []duck.Column) []string {
	names := make([]string, len(columns))
	used := make(map[string]bool, len(columns))
	for _, c := range columns {
		used[c.Name] = false
	}
	for i, c := range columns {
		name := c.Name
		if used[name] {
			for n := 1; ; n++ {
				name = c.Name + "_" + strconv.Itoa(n)
				if _, taken := used[name]; !taken {
					break
				}
			}
		}
		used[name] = true
		names[i] = name
	}
	return names
}
