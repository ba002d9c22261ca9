package logcorrelationprocessor

import (
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// hit is a field that was come by.
type hit struct {
	reading
	e *entry
	// order is that of the entry with the bit of the place.
	order uint32
	// top is the position of the field, or of its outermost parent, in its map; of
	// a field of a text, that of its node.
	top     int
	place   place
	outcome outcome
	nested  bool // has a parent
}

// worker holds the work on one record. One goroutine has it at a time; it is
// used again, so that a record without fields costs no allocation.
type worker struct {
	hits []hit
	// found is set where a field has a value.
	found bool
	// numeric is set where a severity is a number of unknown scale.
	numeric bool
	// message is set where there is one.
	message bool

	before, after properties
	// sent is set where the record came with its trace ID.
	sent bool
	// wrapped is what the message of the body says, peeked whether it was asked.
	wrapped wrapped
	peeked  bool
	// overLimit is set where text was kept because of a limit.
	overLimit bool
	// differ is set when the readable trace IDs are not all of one trace.
	differ bool
	tally  tally

	// parser, which is there once a text may have had fields, is for that.
	parser *parser
	// within, which is there once a message was text with fields, is for that.
	within *worker
}

const (
	usualHits = 8
	// maxIdleHits is more fields than all but odd records have; what more there
	// are is not kept for the next.
	maxIdleHits = 64
)

// forget lets go of the texts of records, and of the room that odd ones took.
func (w *worker) forget() {
	if cap(w.hits) > maxIdleHits {
		w.hits = nil
	}
	clear(w.hits[:cap(w.hits)])
	if w.parser != nil {
		w.parser.forget()
	}
	w.wrapped, w.before, w.after = wrapped{}, properties{}, properties{}
	if w.within != nil {
		w.within.forget()
	}
}

func (w *worker) reset() {
	w.hits = w.hits[:0]
	w.found, w.numeric, w.message = false, false, false
}

// look appends the fields of m to the hits: those of its maps as well, and those
// of the maps in its lists, where l knows the key.
func (w *worker) look(rd *reader, l *level, m pcommon.Map, p place) {
	top := 0
	for key, v := range m.All() {
		if e := l.find(key); e != nil {
			w.lookAt(rd, e, v, p, top, false)
		}
		top++
	}
}

func (w *worker) lookAt(rd *reader, e *entry, v pcommon.Value, p place, top int, nested bool) {
	if e.children != nil {
		switch v.Type() {
		case pcommon.ValueTypeMap:
			w.lookInto(rd, e.children, v.Map(), p, top)
			return
		case pcommon.ValueTypeSlice:
			for _, element := range v.Slice().All() {
				if element.Type() == pcommon.ValueTypeMap {
					w.lookInto(rd, e.children, element.Map(), p, top)
				}
			}
			return
		default:
		}
	}
	if !e.isField {
		return
	}
	h := w.next()
	h.e, h.order, h.top, h.place, h.nested = e, e.order, top, p, nested
	if p != placeAttributes {
		h.order |= orderBody
	}
	rd.read(e, v, &h.reading)
	w.noteResult(h)
}

// next appends an empty hit, in place because it is large.
func (w *worker) next() *hit {
	n := len(w.hits)
	if n == cap(w.hits) {
		w.hits = slices.Grow(w.hits, usualHits)
	}
	w.hits = w.hits[:n+1]
	w.hits[n] = hit{}
	return &w.hits[n]
}

func (w *worker) noteResult(h *hit) {
	w.found = w.found || h.result != readNone
	w.numeric = w.numeric || h.result == readLevel
	w.message = w.message || h.form == formText
}

func (w *worker) lookInto(rd *reader, l *level, m pcommon.Map, p place, top int) {
	for key, v := range m.All() {
		if e := l.find(key); e != nil {
			w.lookAt(rd, e, v, p, top, true)
		}
	}
}

// remove removes the fields that were moved, and a map that this emptied. hits
// are those of m. A message is left to removeMessages.
func remove(l *level, m pcommon.Map, hits []hit) {
	gone, ok := flatGone(hits)
	if ok {
		if gone == 0 {
			return
		}
		m.RemoveIf(func(string, pcommon.Value) bool {
			is := gone&1 != 0
			gone >>= 1
			return is
		})
		return
	}
	r := remover{hits: hits}
	r.seek()
	m.RemoveIf(func(key string, v pcommon.Value) bool {
		top := r.top
		r.top++
		if top != r.wanted {
			return false
		}
		var gone bool
		if r.hits[r.next].nested {
			gone = r.at(l.find(key), v)
		} else {
			gone = r.take()
		}
		r.seek()
		return gone
	})
}

// flatGone has a bit for the position of each field that moved, where all are
// among the first and none is nested, as is usual.
func flatGone(hits []hit) (gone uint64, ok bool) {
	for i := range hits {
		switch h := &hits[i]; {
		case h.outcome != outcomeMoved:
		case h.nested || h.top >= 64:
			return 0, false
		default:
			gone |= 1 << h.top
		}
	}
	return gone, true
}

// remover comes by the same fields in the same order as look.
type remover struct {
	hits []hit
	next int
	// top is the position in the outermost map, wanted the next one there with
	// a hit that was moved.
	top, wanted int
}

// seek finds wanted, and goes past the hits before.
func (r *remover) seek() {
	first := r.next // of the hits at one position
	for i := r.next; i < len(r.hits); i++ {
		if r.hits[i].top != r.hits[first].top {
			first = i
		}
		if r.hits[i].outcome == outcomeMoved {
			r.next, r.wanted = first, r.hits[i].top
			return
		}
	}
	r.next, r.wanted = len(r.hits), -1
}

// at reports whether v is to be removed.
func (r *remover) at(e *entry, v pcommon.Value) bool {
	if e == nil {
		return false
	}
	if e.children != nil {
		switch v.Type() {
		case pcommon.ValueTypeMap:
			return r.into(e.children, v.Map())
		case pcommon.ValueTypeSlice:
			for _, element := range v.Slice().All() {
				if element.Type() == pcommon.ValueTypeMap {
					r.into(e.children, element.Map())
				}
			}
			return false
		default:
		}
	}
	if !e.isField {
		return false
	}
	return r.take()
}

// take goes past a hit and reports whether its field is to be removed.
func (r *remover) take() bool {
	h := &r.hits[r.next]
	r.next++
	return h.outcome == outcomeMoved && h.e.kind != kindMessage
}

// into reports whether it emptied m.
func (r *remover) into(l *level, m pcommon.Map) bool {
	if m.Len() == 0 {
		return false
	}
	m.RemoveIf(func(key string, v pcommon.Value) bool { return r.at(l.find(key), v) })
	return m.Len() == 0
}

// removeMessages removes the fields of m that say just the message, and a map
// that this emptied.
func removeMessages(l *level, m pcommon.Map, message string) {
	m.RemoveIf(func(key string, v pcommon.Value) bool {
		e := l.find(key)
		if e == nil {
			return false
		}
		if e.children != nil {
			switch v.Type() {
			case pcommon.ValueTypeMap:
				if v.Map().Len() == 0 {
					return false
				}
				removeMessages(e.children, v.Map(), message)
				return v.Map().Len() == 0
			case pcommon.ValueTypeSlice:
				for _, element := range v.Slice().All() {
					if element.Type() == pcommon.ValueTypeMap {
						removeMessages(e.children, element.Map(), message)
					}
				}
				return false
			default:
			}
		}
		return isMessage(e, v, message)
	})
}

func isMessage(e *entry, v pcommon.Value, message string) bool {
	return isMessageKey(e) && v.Type() == pcommon.ValueTypeStr && v.Str() == message
}

func isMessageKey(e *entry) bool { return e != nil && e.isField && e.kind == kindMessage }
