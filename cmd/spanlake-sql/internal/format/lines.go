package format

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spanlake/spanlake/cmd/spanlake-sql/internal/duck"
)

// lines writes spans and log records for reading as they come, one a line. The
// columns are timestamp in nanoseconds, kind ("span" or "log"), service, text,
// duration, status or severity, its text, and trace ID.
type lines struct {
	out   *bufio.Writer
	color bool
	text  []byte
}

// NewLines returns a sink of rows of those columns.
func NewLines(w io.Writer, color bool) duck.Sink {
	return &lines{out: bufio.NewWriter(w), color: color}
}

func (*lines) Begin([]duck.Column) error { return nil }
func (l *lines) End() error              { return l.out.Flush() }

func (l *lines) Row(row duck.Row) error {
	get := func(column int) string {
		l.text = row.AppendText(l.text[:0], column)
		return Printable(l.text)
	}
	number := func(column int) int64 {
		n, err := strconv.ParseInt(get(column), 10, 64)
		if err != nil {
			return -1
		}
		return n
	}
	line := time.Unix(0, number(0)).UTC().Format("2006-01-02T15:04:05.000Z")
	var failed bool
	if get(1) == "span" {
		failed = number(5) == 2
		line += " span  " + get(2) + ": " + get(3)
		if took := number(4); took >= 0 {
			line += " " + time.Duration(took).String()
		}
		if failed {
			line += " ERROR " + get(6)
		}
	} else {
		failed = number(5) >= 17
		severity := get(6)
		if severity == "" {
			severity = SeverityName(number(5))
		}
		line += fmt.Sprintf(" %-5s %s: %s", severity, get(2), get(3))
	}
	if failed && l.color {
		line = "\x1b[31m" + line + "\x1b[0m"
	}
	if trace := get(7); trace != "" {
		line += "  " + trace
	}
	_, err := l.out.WriteString(line + "\n")
	return err
}

// SeverityName names a severity number of OpenTelemetry's.
func SeverityName(number int64) string {
	if number < 1 || number > 24 {
		return "LOG"
	}
	return [...]string{"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"}[(number-1)/4]
}

// jsonLines writes an object a line, without columns that are null.
type jsonLines struct {
	out  *bufio.Writer
	keys [][]byte
	line []byte
}

// NewJSONLines returns a sink of rows of any columns.
func NewJSONLines(w io.Writer) duck.Sink { return &jsonLines{out: bufio.NewWriter(w)} }

func (j *jsonLines) Begin(columns []duck.Column) error {
	j.keys = j.keys[:0]
	for _, name := range distinct(columns) {
		j.keys = append(j.keys, append(duck.AppendQuoted(nil, []byte(name)), ':'))
	}
	return nil
}

func (j *jsonLines) Row(row duck.Row) error {
	j.line = append(j.line[:0], '{')
	for i, key := range j.keys {
		if row.IsNull(i) {
			continue
		}
		if len(j.line) > 1 {
			j.line = append(j.line, ',')
		}
		j.line = append(j.line, key...)
		j.line = row.AppendJSON(j.line, i)
	}
	j.line = append(j.line, "}\n"...)
	_, err := j.out.Write(j.line)
	return err
}

func (j *jsonLines) End() error { return j.out.Flush() }
