package columnarexporter

import (
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	v1 "github.com/spanlake/spanlake/internal/schema/v1"
	"github.com/spanlake/spanlake/internal/wal"
)

// segment holds the rows of one segment of the log.
type segment struct {
	number uint64
	// arrived is when its first record came, in Unix nanoseconds; 0: not known.
	arrived int64
	traces  *v1.Rows
	logs    *v1.Rows
	marks   []mark
	// batches are the identities of the batches in it, and where they end.
	batches map[string]wal.Position
	// peak is the most bytes it held, about what its buffers have grown to.
	peak int64
}

// mark is the state behind one record.
type mark struct {
	end          int64
	traces, logs uint32 // rows
	batch        string
}

func newSegment(s schemas) *segment {
	return &segment{traces: v1.New(s.traces), logs: v1.New(s.logs), batches: map[string]wal.Position{}}
}

// rows is the number of rows of both signals.
func (s *segment) rows() int { return s.traces.Len() + s.logs.Len() }

// bytes is the memory that the rows fill.
func (s *segment) bytes() int64 { return s.traces.Bytes() + s.logs.Bytes() }

// appendTraces and appendLogs add the rows of one request.
func (s *segment) appendTraces(td ptrace.Traces, r retention) v1.Stats {
	return s.traces.AppendTraces(td, r.traces)
}

func (s *segment) appendLogs(ld plog.Logs, r retention) v1.Stats {
	return s.logs.AppendLogs(ld, r.logs)
}

// mark notes that the rows appended last belong to the record that ends at p.
func (s *segment) mark(p wal.Position, arrived int64, batch string) {
	if len(s.marks) == 0 {
		s.arrived = arrived
	}
	s.number = p.Segment
	s.marks = append(s.marks, mark{p.End, uint32(s.traces.Len()), uint32(s.logs.Len()), batch})
	if batch != "" {
		s.batches[batch] = p
	}
}

// cut removes the rows of records that end beyond end: they were refused.
func (s *segment) cut(end int64) {
	n := len(s.marks)
	for n > 0 && s.marks[n-1].end > end {
		delete(s.batches, s.marks[n-1].batch)
		n--
	}
	s.marks = s.marks[:n]
	traces, logs := 0, 0
	if n > 0 {
		traces, logs = int(s.marks[n-1].traces), int(s.marks[n-1].logs)
	}
	s.traces.Truncate(traces)
	s.logs.Truncate(logs)
}

// batchIDs lists the identities in the order of the log.
func (s *segment) batchIDs() []string {
	var ids []string
	for _, m := range s.marks {
		if m.batch != "" {
			ids = append(ids, m.batch)
		}
	}
	return ids
}

// reset empties the segment and keeps its buffers. It reports whether they are
// worth keeping: after a burst, segments that fill them no more give them up.
func (s *segment) reset() bool {
	used := s.bytes()
	s.peak = max(s.peak, used)
	s.number, s.arrived = 0, 0
	s.traces.Reset()
	s.logs.Reset()
	clear(s.marks)
	s.marks = s.marks[:0]
	clear(s.batches)
	return used >= s.peak/4
}

// retention of rows that carry none of their own.
type retention struct{ traces, logs string }
