package logcorrelationprocessor

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

// plan is how the records of a source are worked on. It is read-only.
type plan struct {
	reader
	source   uint16 // index of its name
	root     *level
	body     bodyMode
	patterns []pattern
	// written are the entries, if any, of the attributes that output:
	// span_fields writes. That they are read back is not counted.
	writesSpanFields bool
	written          [2]*entry
}

// traceFlags are the W3C trace flags within the flags of a record.
const traceFlags = 0xff

// correlate moves the fields of lr to the record's own properties. A message
// that was lifted may be text with fields in turn, as where a container runtime
// wraps the lines of its containers: each round is on a shorter body.
func (p *plan) correlate(w *worker, lr plog.LogRecord) {
	w.sent = !lr.TraceID().IsEmpty()
	w.wrapped, w.peeked, w.overLimit = wrapped{}, false, false
	again := false
	for depth := 0; p.round(w, lr, depth); depth++ {
		again = true
	}
	if w.overLimit {
		w.countOverLimit(p)
	}
	switch {
	case w.sent:
		w.tally.records[recordSent]++
	case (w.found || again) && !lr.TraceID().IsEmpty():
		w.tally.records[recordFound]++
	default:
		w.tally.records[recordMissing]++
	}
	if p.writesSpanFields {
		writeSpanFields(lr)
	}
}

// round works on what is within depth messages, and reports whether the new body
// is worth another.
func (p *plan) round(w *worker, lr plog.LogRecord, depth int) bool {
	attributes, body := lr.Attributes(), lr.Body()
	w.reset()
	w.look(&p.reader, p.root, attributes, placeAttributes)
	ofAttributes := len(w.hits)
	isText := false // that stands for a map of fields
	bodyType := body.Type()
	switch bodyType {
	case pcommon.ValueTypeMap:
		w.look(&p.reader, p.root, body.Map(), placeBody)
	case pcommon.ValueTypeStr:
		isText = p.lookInText(w, body.Str())
	default:
	}
	if !w.found {
		return false
	}
	if w.numeric {
		w.readLevels(func(key string) bool {
			_, has := attributes.Get(key)
			if !has && bodyType == pcommon.ValueTypeMap {
				_, has = body.Map().Get(key)
			}
			return has || isText && w.parser.has(key)
		})
	}
	ofBody := w.hits[ofAttributes:]
	if w.message && !w.peeked {
		if m := message(ofBody); m != nil && m.e.isWrapper {
			w.wrapped, w.peeked = p.peek(w, m.text, depth+1), true
		}
	}
	w.load(lr)
	if !w.decideUndisputed() {
		w.decide(false)
	}

	remove(p.root, attributes, w.hits[:ofAttributes])
	isText = isText && p.worthParsing(w, ofBody, attributes)
	if isText {
		w.removeNodes(ofBody)
	} else if bodyType == pcommon.ValueTypeMap {
		remove(p.root, body.Map(), ofBody)
	}
	lifted := w.message && p.moveMessage(w, attributes, body, isText, ofAttributes)
	if isText && !lifted {
		w.parser.setMap(body.SetEmptyMap(), 0, 0)
	}
	w.store(lr)
	again := lifted && p.worthLooking(body.Str())
	if again && depth == maxWrapped && p.mayHaveFields(trim(body.Str())) {
		again, w.overLimit = false, true
	}
	w.count(p, !again)
	return again
}

func anyMoved(hits []hit) bool {
	for i := range hits {
		if hits[i].outcome == outcomeMoved {
			return true
		}
	}
	return false
}

// load reads what the record says.
func (w *worker) load(lr plog.LogRecord) {
	w.before = properties{
		trace: lr.TraceID(), span: lr.SpanID(), flags: uint64(lr.Flags()) & traceFlags,
		time: uint64(lr.Timestamp()), severity: uint64(lr.SeverityNumber()), text: lr.SeverityText(),
	}
}

// store writes what the record says now.
func (w *worker) store(lr plog.LogRecord) {
	if w.after.trace != w.before.trace {
		lr.SetTraceID(w.after.trace)
	}
	if w.after.span != w.before.span {
		lr.SetSpanID(w.after.span)
	}
	if w.after.flags != w.before.flags {
		lr.SetFlags(lr.Flags()&^traceFlags | plog.LogRecordFlags(w.after.flags))
	}
	if w.after.time != w.before.time {
		lr.SetTimestamp(pcommon.Timestamp(w.after.time))
	}
	if w.after.severity != w.before.severity {
		lr.SetSeverityNumber(plog.SeverityNumber(w.after.severity))
	}
	if w.after.text != w.before.text {
		lr.SetSeverityText(w.after.text)
	}
}

// readLevels reads the severities that are numbers, by what stands beside them:
// in the attributes or the body, because lifting a message joins the two.
func (w *worker) readLevels(has func(key string) bool) {
	isPino := has("pid") && has("hostname")
	for i := range w.hits {
		h := &w.hits[i]
		if h.result != readLevel {
			continue
		}
		if h.result = readNot; isPino {
			h.setLevel(pinoLevels, formPino)
		}
	}
}

// Keys that output: span_fields writes.
const (
	spanFieldTrace = "span.trace_id"
	spanFieldSpan  = "span.span_id"
)

// writeSpanFields comes after the fields of these names were moved.
func writeSpanFields(lr plog.LogRecord) {
	if id := lr.TraceID(); !id.IsEmpty() {
		putIfFree(lr.Attributes(), spanFieldTrace, id.String())
	}
	if id := lr.SpanID(); !id.IsEmpty() {
		putIfFree(lr.Attributes(), spanFieldSpan, id.String())
	}
}

// putIfFree leaves a field that contradicts the record where it is.
func putIfFree(m pcommon.Map, key, text string) {
	if v, had := m.GetOrPutEmpty(key); !had {
		v.SetStr(text)
	}
}
