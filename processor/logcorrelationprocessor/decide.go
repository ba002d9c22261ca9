package logcorrelationprocessor

import (
	"bytes"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// properties are what a record says itself.
type properties struct {
	trace    pcommon.TraceID
	span     pcommon.SpanID
	flags    uint64 // the W3C trace flags alone
	time     uint64
	severity uint64
	text     string // of the severity
}

// best are the fields that serve, by kind.
type best struct {
	hit   [kindCount]*hit
	order [kindCount]uint32
}

// offer takes h for kind k where its order is smaller. Strictly: of two equal
// keys in one map the first wins.
func (b *best) offer(k kind, h *hit, order uint32) {
	if b.hit[k] == nil || order < b.order[k] {
		b.hit[k], b.order[k] = h, order
	}
}

func flagsOrder(order uint32, flags uint64) uint32 {
	if flags == 0 {
		order |= orderZeroFlag
	}
	return order
}

// decideUndisputed does what decide does where it is plain, as in most records:
// no two fields are of one property, no field says more than that, and neither
// the record nor a wrapped text has said it. It reports whether it did.
func (w *worker) decideUndisputed() bool {
	if w.wrapped != (wrapped{}) {
		return false
	}
	w.after, w.differ = w.before, false
	for i := range w.hits {
		h := &w.hits[i]
		switch {
		case h.result == readNone || h.e.kind == kindMessage:
			h.outcome = outcomeNone
			continue
		case h.result != readOK:
			h.outcome = outcomeUnreadable
			continue
		case h.partial:
			return false
		}
		switch h.e.kind {
		case kindTraceID:
			if !w.after.trace.IsEmpty() || h.low || h.hasSpan || h.hasFlags {
				return false
			}
			w.after.trace = h.id
		case kindSpanID:
			if !w.after.span.IsEmpty() || h.e.variant == variantEnclosing {
				return false
			}
			copy(w.after.span[:], h.id[:])
		case kindTraceFlags:
			if w.after.flags != 0 || h.num == 0 {
				return false
			}
			w.after.flags = h.num
		case kindTimestamp:
			if w.after.time != 0 {
				return false
			}
			w.after.time = h.num
		case kindSeverity:
			if w.after.severity != 0 || w.after.text != "" {
				return false
			}
			w.after.severity, w.after.text = h.num, h.text
		default:
			return false
		}
		h.outcome = outcomeMoved
	}
	return true
}

// decide fixes what the record says after, and what becomes of each hit but the
// messages. What the record says before wins; fixed: even where it says nothing,
// for the IDs.
//
// It holds that no value is lost: a field is moved only where what it says is
// what the record says itself. It holds that deciding anew on what is left
// changes nothing: that contradicts the record or cannot be read, and which
// value wins depends on the record alone.
func (w *worker) decide(fixed bool) {
	var b best
	for i := range w.hits {
		h := &w.hits[i]
		if h.result != readOK {
			continue
		}
		order := h.order
		switch k := h.e.kind; {
		case k == kindTraceFlags:
			order = flagsOrder(order, h.num)
		case h.e.variant == variantEnclosing:
			order |= orderEnclosing
		case k == kindTraceID:
			if h.hasSpan {
				b.offer(kindSpanID, h, order|orderCompound)
			}
			if h.hasFlags {
				b.offer(kindTraceFlags, h, flagsOrder(order|orderCompound, uint64(h.flags)))
			}
		}
		b.offer(h.e.kind, h, order)
	}
	w.after = w.before
	w.decideTrace(&b, fixed)
	// Which of several traces a span ID or flags belong to is not known, and a
	// log joined to the wrong span is worse than one joined to none.
	if !w.differ && !fixed {
		w.decideSpan(&b)
	}
	switch h := b.hit[kindTimestamp]; {
	case w.before.time != 0:
	case w.wrapped.time != 0:
		w.after.time = w.wrapped.time
	case h != nil:
		w.after.time = h.num
	}
	switch h := b.hit[kindSeverity]; {
	case w.before.severity != 0:
	case w.before.text != "":
		w.after.severity = severityByText(w.before.text)
	case w.wrapped.severity != 0:
		w.after.severity, w.after.text = w.wrapped.severity, w.wrapped.text
	case h != nil:
		w.after.severity = h.num
	}
	w.settle()
}

func (w *worker) decideTrace(b *best, fixed bool) {
	switch h := b.hit[kindTraceID]; {
	case fixed:
	case w.before.trace.IsEmpty() && h != nil:
		w.after.trace = h.id
		if h.low {
			w.complete(b)
		}
	case !w.sent && w.hasLowTrace() && (h == nil || bytes.Equal(h.id[8:], w.after.trace[8:])): // of an earlier round
		w.complete(b)
	}
	w.differ = false
	for i := range w.hits {
		h := &w.hits[i]
		if h.result != readOK {
			continue
		}
		switch upper := w.after.trace[:8]; h.e.kind {
		case kindTraceID:
			w.differ = w.differ || !w.sameTrace(&h.reading) && !w.isLowOf(&h.reading)
		case kindTraceIDHigh:
			w.differ = w.differ || !allZero(upper) && !bytes.Equal(upper, h.id[:8])
		default:
		}
	}
}

// hasLowTrace reports whether the trace ID is one of 64 bits.
func (w *worker) hasLowTrace() bool { return !w.after.trace.IsEmpty() && allZero(w.after.trace[:8]) }

// isLowOf reports whether the trace ID of the record is the lower half of r's.
func (w *worker) isLowOf(r *reading) bool {
	return w.hasLowTrace() && bytes.Equal(r.id[8:], w.after.trace[8:])
}

// complete looks for the upper half of a trace ID whose lower half alone is
// known: in a whole ID that ends in it, else in a field of its own.
func (w *worker) complete(b *best) {
	order := uint32(orderNone)
	for i := range w.hits {
		h := &w.hits[i]
		if h.result == readOK && h.e.kind == kindTraceID && !h.low && h.order < order && bytes.Equal(h.id[8:], w.after.trace[8:]) {
			order = h.order
			copy(w.after.trace[:8], h.id[:8])
		}
	}
	if h := b.hit[kindTraceIDHigh]; h != nil && order == orderNone {
		copy(w.after.trace[:8], h.id[:8])
	}
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

func (w *worker) sameTrace(r *reading) bool {
	if r.low {
		return bytes.Equal(r.id[8:], w.after.trace[8:])
	}
	return r.id == w.after.trace
}

func (w *worker) decideSpan(b *best) {
	if h := b.hit[kindSpanID]; h != nil && w.before.span.IsEmpty() && (h.e.variant != variantEnclosing || w.hasEnclosingTrace()) {
		if h.e.kind == kindSpanID {
			copy(w.after.span[:], h.id[:])
		} else {
			w.after.span = h.span
		}
	}
	if h := b.hit[kindTraceFlags]; h != nil && w.before.flags == 0 {
		if h.e.kind == kindTraceFlags {
			w.after.flags = h.num
		} else {
			w.after.flags = uint64(h.flags)
		}
	}
}

// hasEnclosingTrace reports whether the trace ID is that of a field beside which
// enclosing IDs count.
func (w *worker) hasEnclosingTrace() bool {
	for i := range w.hits {
		if h := &w.hits[i]; h.result == readOK && h.e.namesEnclosing && w.sameTrace(&h.reading) {
			return true
		}
	}
	return false
}

// settle decides what becomes of each hit, and of the text of the severity: it
// is that of the best field that agrees with the record, which may not be the
// best field.
func (w *worker) settle() {
	hasText := w.after.text != ""
	agreed, order := w.after.text != w.before.text, uint32(orderNone)
	for i := range w.hits {
		h := &w.hits[i]
		switch {
		case h.result == readNone || h.e.kind == kindMessage:
			h.outcome = outcomeNone
			continue
		case h.result != readOK:
			h.outcome = outcomeUnreadable
			continue
		}
		switch {
		case h.e.kind == kindTraceID && !w.sameTrace(&h.reading) && w.isLowOf(&h.reading) && w.saysCompound(h):
			h.outcome = outcomeRead
		case !w.says(h):
			h.outcome = outcomeConflict
			if h.e.variant == variantEnclosing || h.e.kind == kindTraceIDHigh && w.after.trace.IsEmpty() {
				h.outcome = outcomeNone
			}
		case h.partial:
			h.outcome = outcomeRead
		default:
			h.outcome = outcomeMoved
		}
		if h.e.kind == kindSeverity && h.outcome != outcomeConflict {
			agreed = true
			if h.text != "" && h.order < order {
				order = h.order
				if !hasText {
					w.after.text = h.text
				}
			}
		}
	}
	if !agreed {
		w.after.severity = w.before.severity
	}
	for i := range w.hits {
		if h := &w.hits[i]; h.e.kind == kindSeverity && h.outcome == outcomeMoved && !w.saysText(h) {
			h.outcome = outcomeRead
		}
	}
}

// saysText reports whether the record has the text of the severity h, if it has
// one.
func (w *worker) saysText(h *hit) bool { return h.text == "" || sameSeverityText(h.text, w.after.text) }

// says reports whether the record says what the field says.
func (w *worker) says(h *hit) bool {
	switch h.e.kind {
	case kindTraceID:
		return w.sameTrace(&h.reading) && w.saysCompound(h)
	case kindTraceIDHigh:
		return bytes.Equal(w.after.trace[:8], h.id[:8])
	case kindSpanID:
		return !w.differ && bytes.Equal(w.after.span[:], h.id[:8])
	case kindTraceFlags:
		return !w.differ && w.sameFlags(h.num, h.mask)
	case kindTimestamp:
		return w.after.time == h.num
	default:
		return w.after.severity == h.num
	}
}

// saysCompound reports so of what comes with a trace ID.
func (w *worker) saysCompound(h *hit) bool {
	return (!h.hasSpan || !w.differ && h.span == w.after.span) &&
		(!h.hasFlags || !w.differ && w.sameFlags(uint64(h.flags), h.mask))
}

func (w *worker) sameFlags(flags uint64, mask uint8) bool {
	return (flags^w.after.flags)&uint64(mask) == 0
}
