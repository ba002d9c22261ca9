package otlpwire

import (
	"go.opentelemetry.io/collector/pdata/ptrace"
	"google.golang.org/protobuf/encoding/protowire"
)

const (
	spanDroppedAttributes = 10
	spanEvents            = 11
	spanDroppedEvents     = 12
	spanDroppedLinks      = 14
	spanFlags             = 16
	statusMessage         = 2
	eventTime             = 1
	eventName             = 2
	eventAttributes       = 3
	eventDropped          = 4
	linkTraceState        = 3
	linkAttributes        = 4
	linkDropped           = 5
	linkFlags             = 6
)

func (e *Encoder) span(b []byte, s ptrace.Span) []byte {
	b = putStatus(b, s.Status())
	b = putCount(b, spanDroppedLinks, s.DroppedLinksCount())
	links := s.Links()
	var start int
	for i := range links.Len() {
		b, start = open(b, spanLinks, 1)
		b = e.link(b, links.At(i))
		b = shut(b, start, 1)
	}
	b = putCount(b, spanDroppedEvents, s.DroppedEventsCount())
	events := s.Events()
	for i := range events.Len() {
		b, start = open(b, spanEvents, 2)
		b = e.event(b, events.At(i))
		b = shut(b, start, 2)
	}
	b = putCount(b, spanDroppedAttributes, s.DroppedAttributesCount())
	b = e.attributes(b, spanAttributes, s.Attributes())
	b = putTime(b, spanEnd, uint64(s.EndTimestamp()))
	b = putTime(b, spanStart, uint64(s.StartTimestamp()))
	if kind := s.Kind(); kind != 0 {
		b = appendVarint(append(b, varintTag(spanKind)), uint64(kind))
	}
	b = putText(b, spanName, s.Name())
	if flags := s.Flags(); flags != 0 {
		b = protowire.AppendTag(b, spanFlags, protowire.Fixed32Type)
		b = protowire.AppendFixed32(b, flags)
	}
	parent, id, trace := s.ParentSpanID(), s.SpanID(), s.TraceID()
	b = putID(b, spanParent, parent[:], parent.IsEmpty())
	b = putText(b, spanTraceState, s.TraceState().AsRaw())
	b = putID(b, spanID, id[:], id.IsEmpty())
	return putID(b, spanTraceID, trace[:], trace.IsEmpty())
}

func putStatus(b []byte, s ptrace.Status) []byte {
	var start int
	b, start = open(b, spanStatus, 1)
	if code := s.Code(); code != 0 {
		b = appendVarint(append(b, varintTag(statusCode)), uint64(code))
	}
	b = putText(b, statusMessage, s.Message())
	return shut(b, start, 1)
}

func (e *Encoder) event(b []byte, v ptrace.SpanEvent) []byte {
	b = putCount(b, eventDropped, v.DroppedAttributesCount())
	b = e.attributes(b, eventAttributes, v.Attributes())
	b = putText(b, eventName, v.Name())
	return putTime(b, eventTime, uint64(v.Timestamp()))
}

func (e *Encoder) link(b []byte, l ptrace.SpanLink) []byte {
	if flags := l.Flags(); flags != 0 {
		b = protowire.AppendTag(b, linkFlags, protowire.Fixed32Type)
		b = protowire.AppendFixed32(b, flags)
	}
	b = putCount(b, linkDropped, l.DroppedAttributesCount())
	b = e.attributes(b, linkAttributes, l.Attributes())
	b = putText(b, linkTraceState, l.TraceState().AsRaw())
	id, trace := l.SpanID(), l.TraceID()
	b = putID(b, linkSpanID, id[:], id.IsEmpty())
	return putID(b, linkTraceID, trace[:], trace.IsEmpty())
}
