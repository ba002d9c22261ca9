package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spanlake/spanlake/cmd/spanlake-sql/internal/duck"
	"github.com/spanlake/spanlake/cmd/spanlake-sql/internal/format"
	"github.com/spanlake/spanlake/cmd/spanlake-sql/internal/reader"
	"github.com/spanlake/spanlake/cmd/spanlake-sql/internal/tracetree"
)

const promptHelp = `A query ends with ";" and may take several lines. Ctrl-C cancels it.
  \d [NAME]        lists the views and tables, or the columns of one
  \trace ID        prints a trace as a tree
  \format [NAME]   writes table, csv or json
  \timing          shows how long queries take, or no longer
  \files           lists the files of the store
  \q               leaves, as does Ctrl-D
`

// session is what commands at the prompt change.
type session struct {
	reader  *reader.Reader
	options options
	timing  bool
	std     streams
}

// command runs a line that begins with a backslash.
func (s *session) command(line string) error {
	words := strings.Fields(line)
	name, argument := words[0], strings.Join(words[1:], " ")
	switch name {
	case `\?`, `\h`, `\help`:
		_, err := fmt.Fprint(s.std.out, promptHelp)
		return err
	case `\d`:
		if argument == "" {
			return query(s.reader, "select table_name as name, table_type as kind from information_schema.tables order by all", s.options.format, s.std)
		}
		return query(s.reader, "select column_name, column_type from (describe from "+duck.QuoteName(argument)+")", s.options.format, s.std)
	case `\trace`:
		id, err := tracetree.ParseID(argument)
		if err != nil {
			return err
		}
		o := s.options
		o.trace = id
		return showTrace(s.reader, o, s.std)
	case `\format`:
		return s.setFormat(argument)
	case `\timing`:
		s.timing = !s.timing
		_, err := fmt.Fprintln(s.std.out, map[bool]string{true: "timing is on", false: "timing is off"}[s.timing])
		return err
	case `\files`:
		return listFiles(s.options.data, s.options.window, s.std.out)
	}
	return fmt.Errorf(`%s is no command: \? lists them`, format.Printable([]byte(name)))
}

func (s *session) setFormat(name string) error {
	switch {
	case name == format.Parquet:
		return errors.New("parquet is not for a terminal: start spanlake-sql with --format parquet and redirect its output")
	case name == "":
		_, err := fmt.Fprintln(s.std.out, s.options.format)
		return err
	case !format.Known(name):
		return fmt.Errorf("%q is not one of table, csv, json", name)
	}
	s.options.format = name
	return nil
}

// query answers one, and tells how long it took.
func (s *session) query(sql string) error {
	start := time.Now()
	err := query(s.reader, sql, s.options.format, s.std)
	if s.timing {
		fmt.Fprintf(s.std.out, "%s\n", time.Since(start).Round(100*time.Microsecond))
	}
	return err
}
