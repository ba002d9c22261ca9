package v1

import (
	"math"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// Positions of the columns that only traces have.
var spanAt = struct {
	duration, parent, traceState, name, kind, status, message int
	adjusted, trimmed, droppedEvents, droppedLinks            int
}{
	duration: Traces.Index(ColDuration), parent: Traces.Index(ColParentSpanID),
	traceState: Traces.Index(ColTraceState), name: Traces.Index(ColName), kind: Traces.Index(ColKind),
	status: Traces.Index(ColStatusCode), message: Traces.Index(ColStatusMessage),
	adjusted: Traces.Index(ColAdjustedCount), trimmed: Traces.Index(ColTrimmed),
	droppedEvents: Traces.Index(ColDroppedEvents), droppedLinks: Traces.Index(ColDroppedLinks),
}

// Positions in Traces.Lists.
const (
	listEvents = iota
	listLinks
)

// AppendTraces appends a row for each span, in order; td is only read. Spans
// without a retention of their own get the given one.
func (r *Rows) AppendTraces(td ptrace.Traces, retention string) Stats {
	var stats Stats
	for i, rss := 0, td.ResourceSpans(); i < rss.Len(); i++ {
		rs := rss.At(i)
		firstOfResource := r.rows
		for j, sss := 0, rs.ScopeSpans(); j < sss.Len(); j++ {
			ss := sss.At(j)
			firstOfScope := r.rows
			for k, spans := 0, ss.Spans(); k < spans.Len(); k++ {
				r.appendSpan(spans.At(k), retention, &stats)
			}
			if r.rows > firstOfScope {
				r.setScope(firstOfScope, ss.Scope(), ss.SchemaUrl())
			}
		}
		if r.rows > firstOfResource {
			r.setResource(firstOfResource, rs.Resource(), rs.SchemaUrl())
		}
		stats.Rows += r.rows - firstOfResource
	}
	return stats
}

func (r *Rows) appendSpan(span ptrace.Span, retention string, stats *Stats) {
	row := r.Grow(1)
	at := &tracesAt
	r.SetNum(at.timestamp, row, nanos(span.StartTimestamp()))
	if d, ok := duration(span); ok {
		r.SetNum(spanAt.duration, row, d)
	}
	traceID, spanID := span.TraceID(), span.SpanID()
	r.SetID(at.traceID, row, traceID[:])
	r.SetID(at.spanID, row, spanID[:])
	if parent := span.ParentSpanID(); !parent.IsEmpty() {
		r.SetID(spanAt.parent, row, parent[:])
	}
	r.setText(spanAt.traceState, row, span.TraceState().AsRaw())
	r.SetNum(at.flags, row, int64(span.Flags()))
	r.SetString(spanAt.name, row, span.Name())
	r.SetNum(spanAt.kind, row, int64(span.Kind()))
	r.SetNum(spanAt.status, row, int64(span.Status().Code()))
	r.setText(spanAt.message, row, span.Status().Message())
	r.setCount(at.dropped, row, span.DroppedAttributesCount())
	events, moreEvents := elements(span.Events().Len(), span.DroppedEventsCount())
	links, moreLinks := elements(span.Links().Len(), span.DroppedLinksCount())
	r.setCount(spanAt.droppedEvents, row, moreEvents)
	r.setCount(spanAt.droppedLinks, row, moreLinks)
	stats.ElementsDropped += span.Events().Len() - events + span.Links().Len() - links

	calling := span.Kind() == ptrace.SpanKindClient || span.Kind() == ptrace.SpanKindProducer
	r.attributes(row, span.Attributes(), calling, stats)
	r.setRetention(row, retention)
	if row >= len(r.cells[spanAt.adjusted].num) {
		r.SetNum(spanAt.adjusted, row, one)
	}

	for i := range events {
		event := span.Events().At(i)
		n := r.AddElement(listEvents)
		l := &r.lists[listEvents]
		l.SetNum(eventTimestamp, n, nanos(event.Timestamp()))
		l.SetString(eventName, n, event.Name())
		l.SetNum(eventDropped, n, int64(event.DroppedAttributesCount()))
		l.setAttributes(eventAttributes, n, event.Attributes())
	}
	for i := range links {
		link := span.Links().At(i)
		n := r.AddElement(listLinks)
		l := &r.lists[listLinks]
		traceID, spanID := link.TraceID(), link.SpanID()
		l.SetID(linkTraceID, n, traceID[:])
		l.SetID(linkSpanID, n, spanID[:])
		l.SetString(linkTraceState, n, link.TraceState().AsRaw())
		l.SetNum(linkFlags, n, int64(link.Flags()))
		l.SetNum(linkDropped, n, int64(link.DroppedAttributesCount()))
		l.setAttributes(linkAttributes, n, link.Attributes())
	}
}

// elements is how many of a list are stored, and how many were dropped before
// and now.
func elements(n int, dropped uint32) (int, uint32) {
	stored := min(n, MaxElements)
	return stored, uint32(min(uint64(dropped)+uint64(n-stored), math.MaxUint32))
}

// setAttributes sets a column to attributes of which none is lifted.
func (t *Table) setAttributes(column, row int, m pcommon.Map) {
	a := t.arena
	off := len(a.b)
	a.b = append(a.b, '{')
	for key, value := range m.All() {
		a.b = appendMember(a.b, key, value)
	}
	a.b = append(a.b, '}')
	t.setRef(column, row, a.since(off))
}

// duration is false for a span that has no end.
func duration(span ptrace.Span) (int64, bool) {
	start, end := span.StartTimestamp(), span.EndTimestamp()
	switch {
	case end == 0:
		return 0, false
	case end < start:
		return 0, true
	default:
		return nanos(end) - nanos(start), true
	}
}
