package v1

import (
	"fmt"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

// Logs turns the rows from (included) to to (excluded) back into log records,
// in order; neighbours of equal resource and scope share one. What differs
// from the records appended is told in FORMAT.md. An error means a damaged row.
func (r *Rows) Logs(from, to int) (plog.Logs, error) {
	ld := plog.NewLogs()
	var rl plog.ResourceLogs
	var sl plog.ScopeLogs
	for row := from; row < to; row++ {
		newResource := row == from || !r.sameResource(row-1, row)
		if newResource {
			rl = ld.ResourceLogs().AppendEmpty()
			if err := r.resource(row, rl.Resource()); err != nil {
				return ld, fmt.Errorf("row %d: resource: %w", row, err)
			}
			rl.SetSchemaUrl(r.text(logsAt.resourceURL, row))
		}
		if newResource || !r.sameScope(row-1, row) {
			sl = rl.ScopeLogs().AppendEmpty()
			if err := r.scope(row, sl.Scope()); err != nil {
				return ld, fmt.Errorf("row %d: scope: %w", row, err)
			}
			sl.SetSchemaUrl(r.text(logsAt.scopeURL, row))
		}
		if err := r.record(row, sl.LogRecords().AppendEmpty()); err != nil {
			return ld, fmt.Errorf("row %d: log record: %w", row, err)
		}
	}
	return ld, nil
}

func (r *Rows) record(row int, record plog.LogRecord) error {
	at := &logsAt
	if r.num(logAt.isObserved, row) == 0 {
		record.SetTimestamp(pcommon.Timestamp(r.num(at.timestamp, row)))
	}
	record.SetObservedTimestamp(pcommon.Timestamp(r.num(logAt.observed, row)))
	record.SetTraceID(pcommon.TraceID(r.id(at.traceID, row)))
	record.SetSpanID(pcommon.SpanID(r.id(at.spanID, row)))
	record.SetFlags(plog.LogRecordFlags(uint32(r.num(at.flags, row))))
	record.SetSeverityNumber(plog.SeverityNumber(r.num(logAt.severity, row)))
	record.SetSeverityText(r.text(logAt.severityText, row))
	record.SetEventName(r.text(logAt.eventName, row))
	record.SetDroppedAttributesCount(uint32(r.num(at.dropped, row)))
	r.unlift(row, record.Attributes())
	if err := r.attributesOf(at.attributes, row, record.Attributes()); err != nil {
		return err
	}
	body, ok := r.String(logAt.body, row)
	switch {
	case !ok:
	case r.num(logAt.bodyIsJSON, row) == 0:
		record.Body().SetStr(string(body))
	default:
		if err := readValue(body, record.Body()); err != nil {
			return fmt.Errorf("body: %w", err)
		}
	}
	return nil
}
