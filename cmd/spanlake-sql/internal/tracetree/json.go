package tracetree

import (
	"bytes"
	"encoding/json"
	"io"
	"strconv"
	"time"
)

// document is a trace as JSON. Spans are flat, in the order of the tree, with
// their depth: a chain of thousands would break readers if it were nested.
type document struct {
	TraceID    string    `json:"trace_id"`
	Start      string    `json:"start"`
	DurationNS int64     `json:"duration_ns"`
	SpansLeft  int       `json:"spans_left_out"`
	LogsLeft   int       `json:"logs_left_out"`
	Spans      []spanDoc `json:"spans"`
	Logs       []logDoc  `json:"logs"`
}

type spanDoc struct {
	SpanID        string `json:"span_id"`
	Parent        string `json:"parent_span_id,omitempty"`
	ParentMissing bool   `json:"parent_missing,omitempty"`
	Depth         int    `json:"depth"`
	Service       string `json:"service_name"`
	Name          string `json:"name"`
	Kind          int64  `json:"kind"`
	Timestamp     string `json:"timestamp"`
	DurationNS    *int64 `json:"duration_ns"`
	StatusCode    int64  `json:"status_code"`
	StatusMessage string `json:"status_message,omitempty"`
	Trimmed       bool   `json:"trimmed,omitempty"`
}

type logDoc struct {
	SpanID         string `json:"span_id,omitempty"`
	Service        string `json:"service_name"`
	Timestamp      string `json:"timestamp"`
	SeverityNumber int64  `json:"severity_number"`
	SeverityText   string `json:"severity_text,omitempty"`
	Body           string `json:"body"`
}

// WriteJSON writes the trace as one JSON object, a line for each span and log
// record.
func WriteJSON(w io.Writer, t *Trace) error {
	start, end := t.bounds()
	doc := document{
		TraceID: t.ID, Start: rfc3339(start), DurationNS: end - start, SpansLeft: t.SpansLeft, LogsLeft: t.LogsLeft,
		Spans: []spanDoc{}, Logs: []logDoc{},
	}
	for _, n := range t.build() {
		doc.add(n, nil, 0)
	}
	for i := range t.Logs {
		l := &t.Logs[i]
		doc.Logs = append(doc.Logs, logDoc{l.SpanID, l.Service, rfc3339(l.Time), l.Severity, l.SeverityText, l.Body})
	}
	return doc.write(w)
}

func (d *document) add(n, parent *node, depth int) {
	if s := n.span; s != nil {
		doc := spanDoc{
			SpanID: s.ID, Parent: s.Parent, ParentMissing: parent != nil && parent.span == nil, Depth: depth,
			Service: s.Service, Name: s.Name, Kind: s.Kind, Timestamp: rfc3339(s.Start),
			StatusCode: s.Status, StatusMessage: s.StatusMessage, Trimmed: s.Trimmed,
		}
		if s.Duration >= 0 {
			doc.DurationNS = &s.Duration
		}
		d.Spans = append(d.Spans, doc)
		depth++
	}
	for _, c := range n.children {
		d.add(c, n, depth)
	}
}

func (d *document) write(w io.Writer) error {
	out := &bytes.Buffer{}
	field := func(before, name string, v any) {
		text, err := json.Marshal(v)
		if err != nil {
			panic(err) // strings and numbers
		}
		out.WriteString(before + strconv.Quote(name) + ":")
		out.Write(text)
	}
	field("{", "trace_id", d.TraceID)
	field(",", "start", d.Start)
	field(",", "duration_ns", d.DurationNS)
	field(",", "spans_left_out", d.SpansLeft)
	field(",", "logs_left_out", d.LogsLeft)
	lines(out, "spans", d.Spans)
	lines(out, "logs", d.Logs)
	out.WriteString("}\n")
	_, err := w.Write(out.Bytes())
	return err
}

func lines[T any](out *bytes.Buffer, name string, list []T) {
	out.WriteString(",\n" + strconv.Quote(name) + ":[")
	for i := range list {
		text, err := json.Marshal(list[i])
		if err != nil {
			panic(err) // strings and numbers
		}
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteByte('\n')
		out.Write(text)
	}
	out.WriteByte(']')
}

func rfc3339(nanos int64) string {
	return time.Unix(0, nanos).UTC().Format("2006-01-02T15:04:05.000000000Z")
}
