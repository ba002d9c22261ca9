// Package logevent reads JSON log events, as shell scripts and log shippers
// send them, into log records: one object, an array of objects, or one object a
// line. Each event becomes a record whose body is a map.
//
// What JSON leaves open is settled so: the last of equal keys counts. A number
// without point and exponent is an integer where 64 bits hold it, any other a
// double; a number that neither holds is kept as its text, so that no digit is
// lost. Invalid UTF-8 becomes U+FFFD.
package logevent

import (
	"bytes"
	"errors"
	"fmt"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

// ErrTooLarge is for events that would take too much memory as log records.
var ErrTooLarge = errors.New("the decoded events would take too much memory")

// maxFaults is how many faults are described; all are counted.
const maxFaults = 20

// Estimated memory in bytes, as in the wire package. Keys and strings come on top.
const (
	recordCost = 200
	objectCost = 384 // with room for the usual number of members
	valueCost  = 72
)

// Limits bound what events may ask for.
type Limits struct {
	// Depth is how deep an event may nest: 1 is an object of plain values.
	Depth int
	// Decoded is the estimated memory in bytes of the records.
	Decoded int64
	// Hold is asked for this memory bit by bit before it is taken; its error ends
	// the reading. Nil: it is there.
	Hold func(bytes int64) error
}

// Fault is an event that could not be read.
type Fault struct {
	Line    int    `json:"line"` // on which it begins, from 1
	Message string `json:"message"`
}

// Report says what became of the events.
type Report struct {
	Accepted int     `json:"accepted"`
	Rejected int     `json:"rejected"`
	Faults   []Fault `json:"errors"` // the first of them
}

// Read appends a record for each event of data to records. An event that cannot
// be read is reported and left out. The error is ErrTooLarge or that of Hold;
// records is not to be used then.
//
// After a fault reading goes on at the next line that is not indented and does
// not close a bracket: a bad line costs one event, and a bad event over several
// lines does not make events of its parts. An array is one JSON text. A fault in
// it costs all of it, and the rest of the body where it spans lines; but an
// element that is no object costs itself alone.
func Read(data []byte, records plog.LogRecordSlice, observed pcommon.Timestamp, l Limits) (Report, error) {
	r := reader{
		parser:   parser{data: data, left: l.Decoded, maxDepth: l.Depth, hold: l.Hold},
		records:  records,
		observed: observed,
	}
	r.skipBOM()
	for r.skipSpace(); r.pos < len(r.data); r.skipSpace() {
		start := r.pos
		r.countLines(start)
		text := r.event
		if r.data[start] == '[' {
			text = r.array
		}
		if err := text(r.records); err != nil {
			if r.refused != nil {
				return Report{}, r.refused
			}
			r.reject(err)
			r.resume(start)
		}
	}
	r.report.Accepted = records.Len()
	return r.report, nil
}

// reader is owned by the goroutine that calls Read.
type reader struct {
	parser
	records  plog.LogRecordSlice
	observed pcommon.Timestamp
	report   Report
	line     int // of counted, from 0
	counted  int // position up to which lines are counted
}

var errNoObject = errors.New("an event must be a JSON object")

// event appends the event at the current position to dst, or nothing.
func (r *reader) event(dst plog.LogRecordSlice) error {
	if r.data[r.pos] != '{' {
		return errNoObject
	}
	if err := r.spend(recordCost); err != nil {
		return err
	}
	record := plog.NewLogRecord()
	record.SetObservedTimestamp(r.observed)
	if err := r.value(record.Body(), 1); err != nil {
		return err
	}
	record.MoveTo(dst.AppendEmpty())
	return nil
}

// array appends the events of the array at the current position to dst, or
// nothing.
func (r *reader) array(dst plog.LogRecordSlice) error {
	before, events := r.report, plog.NewLogRecordSlice()
	if err := r.elements(events); err != nil {
		r.report = before
		return err
	}
	events.MoveAndAppendTo(dst)
	return nil
}

func (r *reader) elements(events plog.LogRecordSlice) error {
	r.pos++
	r.skipSpace()
	if r.accept(']') {
		return nil
	}
	for {
		r.skipSpace()
		if r.pos == len(r.data) {
			return errEnd
		}
		r.countLines(r.pos)
		if r.data[r.pos] == '{' {
			if err := r.event(events); err != nil {
				return err
			}
		} else {
			if err := r.value(pcommon.NewValueEmpty(), 1); err != nil {
				return err
			}
			r.reject(errNoObject)
		}
		r.skipSpace()
		switch {
		case r.accept(','):
		case r.accept(']'):
			return nil
		default:
			return r.unexpected("a comma or a bracket")
		}
	}
}

func (r *reader) reject(err error) {
	r.report.Rejected++
	if len(r.report.Faults) < maxFaults {
		r.report.Faults = append(r.report.Faults, Fault{Line: r.line + 1, Message: err.Error()})
	}
}

// resume goes to where reading can go on after a fault in the text at start.
func (r *reader) resume(start int) {
	if r.data[start] == '[' && bytes.IndexByte(r.data[start:r.pos], '\n') >= 0 {
		r.pos = len(r.data)
		return
	}
	for r.pos = start; ; {
		eol := bytes.IndexByte(r.data[r.pos:], '\n')
		if eol < 0 || r.pos+eol+1 == len(r.data) {
			r.pos = len(r.data)
			return
		}
		r.pos += eol + 1
		switch r.data[r.pos] {
		case ' ', '\t', '}', ']':
		default:
			return
		}
	}
}

// countLines sets line to that of pos.
func (r *reader) countLines(pos int) {
	r.line += bytes.Count(r.data[r.counted:pos], []byte{'\n'})
	r.counted = pos
}

func (r *reader) skipBOM() {
	const bom = "\xef\xbb\xbf"
	if len(r.data) >= len(bom) && string(r.data[:len(bom)]) == bom {
		r.pos = len(bom)
	}
}

// Message describes the faults of a report in one line.
func (r Report) Message() string {
	if len(r.Faults) == 0 {
		return ""
	}
	first := r.Faults[0]
	if r.Rejected == 1 {
		return fmt.Sprintf("line %d: %s", first.Line, first.Message)
	}
	return fmt.Sprintf("line %d: %s (and %d more)", first.Line, first.Message, r.Rejected-1)
}
