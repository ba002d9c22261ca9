package logcorrelationprocessor

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// correlateSpan removes the attributes of a span, or of its events, that say what
// the span says anyway. The IDs of a span are its own: nothing else sets them.
func (p *plan) correlateSpan(w *worker, span ptrace.Span, attributes, events bool) {
	of := properties{trace: span.TraceID(), span: span.SpanID(), flags: uint64(span.Flags()) & traceFlags}
	if attributes {
		w.before = of
		p.correlateAttributes(w, span.Attributes(), placeSpan)
	}
	if !events {
		return
	}
	for _, event := range span.Events().All() {
		w.before = of
		w.before.time = uint64(event.Timestamp())
		p.correlateAttributes(w, event.Attributes(), placeEvent)
		if w.found && w.after.time != w.before.time {
			event.SetTimestamp(pcommon.Timestamp(w.after.time))
		}
	}
}

func (p *plan) correlateAttributes(w *worker, attributes pcommon.Map, pl place) {
	w.reset()
	w.look(&p.reader, p.root, attributes, pl)
	if !w.found {
		return
	}
	for i := range w.hits {
		switch h := &w.hits[i]; h.e.kind {
		case kindTraceID, kindTraceIDHigh, kindSpanID, kindTraceFlags:
		case kindTimestamp:
			if pl == placeSpan {
				h.result = readNone
			}
		default: // a span has neither severity nor message
			h.result = readNone
		}
	}
	w.decide(true)
	remove(p.root, attributes, w.hits)
	w.count(p, true)
}
