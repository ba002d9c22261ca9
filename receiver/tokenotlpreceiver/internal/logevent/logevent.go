// Package logevent reads JSON log events, as shell scripts and log shippers
// send them, into log records: one object, an array of objects, or one object a
// line. Each event becomes a record whose body is a map.
//
// What JSON leaves open is settled so: the last of equal keys counts. A number
// without point and exponent is an integer where 64 bits hold it, any other a
// double; a number that neither holds is kept as its text, so that no digit is
// lost. Invalid UTF-8 becomes U+FFFD.
//
// A fault costs the event it is in, and no other. That event is taken to end
// before the line of the fault if that line begins with { or [ and is indented no
// deeper than the event: it was cut off. Else it ends with that line and those
// after it that are indented deeper or begin with a closing bracket, but not
// before one that is an object or array as a whole. Where it was cut off just
// before a value, as in {"a":, the object on the lines after it would be its
// value: if the fault is at the start of a line, right behind such an object, the
// object is an event of its own. What begins with neither { nor [ is one line.
//
// Of an array the elements are events. After a fault in it the rest of it is read
// as lines; what was read stays.
package logevent

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

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
	Line     int    `json:"line"`                // on which it begins, from 1
	LastLine int    `json:"last_line,omitempty"` // with which it ends, if another
	Message  string `json:"message"`
}

// Report says what became of the events.
type Report struct {
	Accepted int     `json:"accepted"`
	Rejected int     `json:"rejected"`
	Faults   []Fault `json:"errors"` // the first of them
}

// Read appends a record for each event of data to records. What cannot be read is
// reported and left out. The error is ErrTooLarge or that of Hold; records is not
// to be used then.
func Read(data []byte, records plog.LogRecordSlice, observed pcommon.Timestamp, l Limits) (Report, error) {
	r := newReader(data, records, observed, l)
	if err := r.texts(); err != nil {
		return Report{}, err
	}
	return r.report, nil
}

// reader is owned by the goroutine that calls Read.
type reader struct {
	parser
	records  plog.LogRecordSlice
	observed pcommon.Timestamp
	report   Report
	from     int  // where the event begins that is being read, or was read last
	between  bool // reading is behind that event, in an array
	kept     int  // where the last event ended
	broken   openArray
	line     int // of counted, from 0
	counted  int // position up to which lines are counted
	looked   int // bytes parsed
}

func newReader(data []byte, records plog.LogRecordSlice, observed pcommon.Timestamp, l Limits) *reader {
	return &reader{
		parser:   parser{data: data, left: l.Decoded, maxDepth: l.Depth, hold: l.Hold},
		records:  records,
		observed: observed,
	}
}

func (r *reader) texts() error {
	r.skipBOM()
	for r.skipSpace(); r.pos < len(r.data); r.skipSpace() {
		if r.broken.open && r.accept(',') {
			continue
		}
		if r.broken.open && r.accept(']') {
			r.broken.open = false
			continue
		}
		r.begin()
		start, line := r.pos, r.line
		var err error
		if r.data[start] == '[' {
			err = r.array()
		} else {
			err = r.event()
		}
		r.looked += r.pos - start
		if err != nil && r.refused == nil {
			r.fault(start, line, err)
		}
		if r.refused != nil {
			return r.refused
		}
	}
	r.abandonArray()
	slices.SortStableFunc(r.report.Faults, func(a, b Fault) int { return a.Line - b.Line })
	r.report.Accepted = r.records.Len()
	return nil
}

// begin is called where an event or an array begins.
func (r *reader) begin() {
	r.from, r.between = r.pos, false
	r.countLines(r.pos)
}

var (
	errNoObject = errors.New("an event must be a JSON object")
	errNoEnd    = errors.New("an array without an end")
)

// event appends the event at the current position, or nothing.
func (r *reader) event() error {
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
	record.MoveTo(r.records.AppendEmpty())
	r.kept = r.pos
	return nil
}

// array appends the events of the array at the current position, up to a fault.
func (r *reader) array() error {
	r.pos++
	r.skipSpace()
	if r.accept(']') {
		return nil
	}
	for {
		r.skipSpace()
		if r.pos == len(r.data) {
			r.between = true
			return errEnd
		}
		r.begin()
		if r.data[r.pos] == '{' {
			if err := r.event(); err != nil {
				return err
			}
		} else {
			if err := r.value(pcommon.NewValueEmpty(), 1); err != nil {
				return err
			}
			r.reject(errNoObject, r.pos)
			r.kept = r.pos
		}
		r.skipSpace()
		switch {
		case r.accept(','):
		case r.accept(']'):
			return nil
		default:
			r.between = true
			return r.unexpected("a comma or a bracket")
		}
	}
}

// fault reports the fault at the current position in the text at start, and goes
// to where reading can go on.
func (r *reader) fault(start, line int, err error) {
	fault := r.pos
	if r.data[start] == '[' {
		r.abandonArray()
	}
	r.resume(fault)
	end := r.pos
	if r.between {
		if end <= fault { // what is bad is the bracket at the start
			r.line, r.counted, end = line, start, start
		} else {
			r.countLines(fault)
		}
	}
	if r.data[start] == '[' {
		rest := bytes.TrimRight(r.data[fault:max(fault, min(r.pos, r.nextLine(fault)))], " \t\r\n")
		closed := bytes.HasSuffix(rest, []byte{']'}) && (len(rest) > 1 || r.lineStart(fault) <= start)
		r.broken = openArray{open: !closed, line: line, named: r.line == line}
	}
	r.reject(err, end)
}

// abandonArray reports a broken array that has no end.
func (r *reader) abandonArray() {
	if r.broken.open && !r.broken.named {
		r.add(Fault{Line: r.broken.line + 1, Message: errNoEnd.Error()})
	}
	r.broken.open = false
}

// reject reports what begins at counted and ends before end.
func (r *reader) reject(err error, end int) {
	f := Fault{Line: r.line + 1, Message: err.Error()}
	text := bytes.TrimRight(r.data[r.counted:max(end, r.counted)], " \t\r\n")
	if more := bytes.Count(text, []byte{'\n'}); more > 0 {
		f.LastLine = f.Line + more
	}
	r.add(f)
}

func (r *reader) add(f Fault) {
	r.report.Rejected++
	if len(r.report.Faults) < maxFaults {
		r.report.Faults = append(r.report.Faults, f)
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
