package v1

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

// Positions of the columns that only logs have.
var logAt = struct {
	observed, isObserved, severity, severityText, body, bodyIsJSON, eventName int
}{
	observed: Logs.Index(ColObserved), isObserved: Logs.Index(ColIsObserved),
	severity: Logs.Index(ColSeverityNumber), severityText: Logs.Index(ColSeverityText),
	body: Logs.Index(ColBody), bodyIsJSON: Logs.Index(ColBodyIsJSON), eventName: Logs.Index(ColEventName),
}

// AppendLogs appends a row for each log record, in order; ld is only read.
// Records without a retention of their own get the given one.
func (r *Rows) AppendLogs(ld plog.Logs, retention string) Stats {
	var stats Stats
	for i, rls := 0, ld.ResourceLogs(); i < rls.Len(); i++ {
		rl := rls.At(i)
		firstOfResource := r.rows
		for j, sls := 0, rl.ScopeLogs(); j < sls.Len(); j++ {
			sl := sls.At(j)
			firstOfScope := r.rows
			for k, records := 0, sl.LogRecords(); k < records.Len(); k++ {
				r.appendRecord(records.At(k), retention, &stats)
			}
			if r.rows > firstOfScope {
				r.setScope(firstOfScope, sl.Scope(), sl.SchemaUrl())
			}
		}
		if r.rows > firstOfResource {
			r.setResource(firstOfResource, rl.Resource(), rl.SchemaUrl())
		}
		stats.Rows += r.rows - firstOfResource
	}
	return stats
}

func (r *Rows) appendRecord(record plog.LogRecord, retention string, stats *Stats) {
	row := r.Grow(1)
	at := &logsAt
	timestamp, observed := record.Timestamp(), record.ObservedTimestamp()
	if observed != 0 {
		r.SetNum(logAt.observed, row, nanos(observed))
	}
	if timestamp == 0 && observed != 0 {
		timestamp = observed
		r.SetNum(logAt.isObserved, row, 1)
	}
	r.SetNum(at.timestamp, row, nanos(timestamp))
	if id := record.TraceID(); !id.IsEmpty() {
		r.SetID(at.traceID, row, id[:])
	}
	if id := record.SpanID(); !id.IsEmpty() {
		r.SetID(at.spanID, row, id[:])
	}
	r.SetNum(at.flags, row, int64(record.Flags()))
	r.SetNum(logAt.severity, row, int64(record.SeverityNumber()))
	r.setText(logAt.severityText, row, record.SeverityText())
	r.setText(logAt.eventName, row, record.EventName())
	r.setCount(at.dropped, row, record.DroppedAttributesCount())
	r.setBody(row, record.Body())
	r.attributes(row, record.Attributes(), false, stats)
	r.setRetention(row, retention)
}

func (r *Rows) setBody(row int, body pcommon.Value) {
	switch body.Type() {
	case pcommon.ValueTypeEmpty:
	case pcommon.ValueTypeStr:
		r.SetString(logAt.body, row, body.Str())
	default:
		off := len(r.arena.b)
		r.arena.b = appendValue(r.arena.b, body)
		r.setRef(logAt.body, row, r.arena.since(off))
		r.SetNum(logAt.bodyIsJSON, row, 1)
	}
}
