package v1

import (
	"fmt"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// Traces turns the rows from (included) to to (excluded) back into spans, in
// order; neighbours of equal resource and scope share one. What differs from
// the spans appended is told in FORMAT.md. An error means a damaged row.
func (r *Rows) Traces(from, to int) (ptrace.Traces, error) {
	td := ptrace.NewTraces()
	var rs ptrace.ResourceSpans
	var ss ptrace.ScopeSpans
	for row := from; row < to; row++ {
		newResource := row == from || !r.sameResource(row-1, row)
		if newResource {
			rs = td.ResourceSpans().AppendEmpty()
			if err := r.resource(row, rs.Resource()); err != nil {
				return td, fmt.Errorf("row %d: resource: %w", row, err)
			}
			rs.SetSchemaUrl(r.text(tracesAt.resourceURL, row))
		}
		if newResource || !r.sameScope(row-1, row) {
			ss = rs.ScopeSpans().AppendEmpty()
			if err := r.scope(row, ss.Scope()); err != nil {
				return td, fmt.Errorf("row %d: scope: %w", row, err)
			}
			ss.SetSchemaUrl(r.text(tracesAt.scopeURL, row))
		}
		if err := r.span(row, ss.Spans().AppendEmpty()); err != nil {
			return td, fmt.Errorf("row %d: span: %w", row, err)
		}
	}
	return td, nil
}

func (r *Rows) span(row int, span ptrace.Span) error {
	at := &tracesAt
	start := r.num(at.timestamp, row)
	span.SetStartTimestamp(pcommon.Timestamp(start))
	if d, ok := r.Num(spanAt.duration, row); ok {
		span.SetEndTimestamp(pcommon.Timestamp(start + d))
	}
	span.SetTraceID(pcommon.TraceID(r.id(at.traceID, row)))
	span.SetSpanID(pcommon.SpanID(r.id(at.spanID, row)))
	span.SetParentSpanID(pcommon.SpanID(r.id(spanAt.parent, row)))
	span.TraceState().FromRaw(r.text(spanAt.traceState, row))
	span.SetFlags(uint32(r.num(at.flags, row)))
	span.SetName(r.text(spanAt.name, row))
	span.SetKind(ptrace.SpanKind(r.num(spanAt.kind, row)))
	span.Status().SetCode(ptrace.StatusCode(r.num(spanAt.status, row)))
	span.Status().SetMessage(r.text(spanAt.message, row))
	span.SetDroppedAttributesCount(uint32(r.num(at.dropped, row)))
	span.SetDroppedEventsCount(uint32(r.num(spanAt.droppedEvents, row)))
	span.SetDroppedLinksCount(uint32(r.num(spanAt.droppedLinks, row)))
	r.unlift(row, span.Attributes())
	if err := r.attributesOf(at.attributes, row, span.Attributes()); err != nil {
		return err
	}
	l := &r.lists[listEvents]
	for n, end := l.Range(row); n < end; n++ {
		event := span.Events().AppendEmpty()
		event.SetTimestamp(pcommon.Timestamp(l.num(eventTimestamp, n)))
		event.SetName(l.text(eventName, n))
		event.SetDroppedAttributesCount(uint32(l.num(eventDropped, n)))
		if err := l.attributesOf(eventAttributes, n, event.Attributes()); err != nil {
			return fmt.Errorf("event: %w", err)
		}
	}
	l = &r.lists[listLinks]
	for n, end := l.Range(row); n < end; n++ {
		link := span.Links().AppendEmpty()
		link.SetTraceID(pcommon.TraceID(l.id(linkTraceID, n)))
		link.SetSpanID(pcommon.SpanID(l.id(linkSpanID, n)))
		link.TraceState().FromRaw(l.text(linkTraceState, n))
		link.SetFlags(uint32(l.num(linkFlags, n)))
		link.SetDroppedAttributesCount(uint32(l.num(linkDropped, n)))
		if err := l.attributesOf(linkAttributes, n, link.Attributes()); err != nil {
			return fmt.Errorf("link: %w", err)
		}
	}
	return nil
}
