// Package tracetree shows a trace: its spans as a tree with bars for time, and
// its logs in place.
package tracetree

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spanlake/spanlake/cmd/spanlake-sql/internal/duck"
)

// Limit bounds the spans of a trace that are shown, and its log records: about
// 1 kB of memory each, and 16 at most.
const Limit = 10_000

// maxText bounds names and bodies, in characters.
const maxText = 4096

// Trace is what the store has of a trace, each in order of time.
type Trace struct {
	ID    string
	Spans []Span
	Logs  []Log
	// SpansLeft and LogsLeft are how many more the store has.
	SpansLeft, LogsLeft int
}

// Span is a span, its times in nanoseconds.
type Span struct {
	ID, Parent    string // Parent is "" for a root
	Service, Name string
	Start         int64
	Duration      int64 // -1: the span has no end
	Kind, Status  int64
	StatusMessage string
	Trimmed       bool
}

func (s *Span) end() int64  { return s.Start + max(s.Duration, 0) }
func (s *Span) error() bool { return s.Status == 2 }

// Log is a log record.
type Log struct {
	Time         int64
	SpanID       string // "": of no span
	Service      string
	Severity     int64
	SeverityText string
	Body         string
}

// Querier answers SQL over one snapshot of the store.
type Querier interface {
	Query(ctx context.Context, sql string, sink duck.Sink) error
}

// Read reads the trace of an ID as ParseID returns it.
func Read(ctx context.Context, q Querier, id string) (*Trace, error) {
	c := &collector{trace: &Trace{ID: id}}
	where := " where trace_id = " + duck.Quote(id)
	last := " order by timestamp, span_id limit " + strconv.Itoa(Limit+1)
	text := func(column string) string { return fmt.Sprintf("left(%s, %d)", column, maxText) }
	// One query, so that spans and logs are of one snapshot.
	err := q.Query(ctx, "select 'span', epoch_ns(timestamp), span_id, parent_span_id, "+text("service_name")+", "+text("name")+
		", duration_ns, kind, status_code, "+text("status_message")+", trimmed from spans"+where+last+
		"; select 'log', epoch_ns(timestamp), span_id, "+text("service_name")+", severity_number, "+text("severity_text")+", "+text("body")+
		" from logs"+where+last, c)
	if err != nil {
		return nil, err
	}
	t := c.trace
	if len(t.Spans) > Limit || len(t.Logs) > Limit {
		t.Spans, t.Logs = t.Spans[:min(len(t.Spans), Limit)], t.Logs[:min(len(t.Logs), Limit)]
		err = q.Query(ctx, "select 'left', (select count(*) from spans"+where+"), (select count(*) from logs"+where+")", c)
	}
	return t, err
}

// collector takes the rows of the queries, whose first column says of what they
// are.
type collector struct {
	trace *Trace
	row   duck.Row
	text  []byte
}

func (*collector) Begin([]duck.Column) error { return nil }
func (*collector) End() error                { return nil }

func (c *collector) Row(row duck.Row) error {
	c.row = row
	t := c.trace
	switch c.string(0) {
	case "span":
		t.Spans = append(t.Spans, Span{
			Start: c.number(1), ID: c.string(2), Parent: c.string(3), Service: c.string(4), Name: c.string(5),
			Duration: c.number(6), Kind: c.number(7), Status: c.number(8), StatusMessage: c.string(9), Trimmed: c.string(10) == "true",
		})
	case "log":
		t.Logs = append(t.Logs, Log{
			Time: c.number(1), SpanID: c.string(2), Service: c.string(3), Severity: c.number(4), SeverityText: c.string(5), Body: c.string(6),
		})
	default:
		t.SpansLeft = int(c.number(1)) - len(t.Spans)
		t.LogsLeft = int(c.number(2)) - len(t.Logs)
	}
	return nil
}

func (c *collector) string(column int) string {
	c.text = c.row.AppendText(c.text[:0], column)
	return string(c.text)
}

// number is -1 for NULL.
func (c *collector) number(column int) int64 {
	if n, err := strconv.ParseInt(c.string(column), 10, 64); err == nil {
		return n
	}
	return -1
}
