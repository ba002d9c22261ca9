package logcorrelationprocessor

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

// candidate is the best field of a kind seen so far.
type candidate struct {
	value
	order uint32
	set   bool
}

// maxReadings is more fields than all but odd records have.
const maxReadings = 6

// Bits above a field's own order. An attribute comes before a field of the
// body. A zero flag comes last of all: flags of zero are the same as none, so
// were a zero chosen before another field's value, a second pass would choose
// that other value.
const (
	orderBody     = 1 << 30
	orderZeroFlag = 1 << 31
)

func bodyBit(p place) uint32 {
	if p == placeBody {
		return orderBody
	}
	return 0
}

// correlation is the work on one record, in two passes: look reads the fields
// and picks the best of each kind, settle removes those whose value the record
// now has. A record without fields is not written to.
type correlation struct {
	// found is set for a place that has a field with a value.
	found [placeCount]bool
	best  [kindCount]candidate
	// differ is set when the readable trace IDs are not all the same.
	differ bool

	// readings holds what look read, in its order, for settle, which comes by
	// the same fields in the same order. Those beyond are read again.
	readings [maxReadings]reading
	// next counts the fields come by in the pass under way.
	next int

	final    [kindCount]value
	severity struct {
		text  string
		order uint32
		set   bool
	}
}

// correlate moves the fields of lr that fields knows to the record's own
// properties.
//
// It holds that no value is lost: a field is removed only where the record's
// own property equals it. It holds that a second call changes nothing: the
// values that are left contradict the record or are unreadable, and which
// value wins depends on the record alone.
func correlate(fields *level, lr plog.LogRecord, t *tally) {
	var c correlation
	c.look(lr.Attributes(), fields, placeAttributes)
	inBody := c.next
	isMap := lr.Body().Type() == pcommon.ValueTypeMap
	if isMap {
		c.look(lr.Body().Map(), fields, placeBody)
	}
	if !c.found[placeAttributes] && !c.found[placeBody] {
		return
	}
	c.decide(lr)
	if c.found[placeAttributes] {
		c.next = 0
		c.settle(lr.Attributes(), fields, placeAttributes, t)
	}
	if c.found[placeBody] {
		c.next = inBody
		c.settle(lr.Body().Map(), fields, placeBody, t)
	}
	c.setSeverity(lr)
}

func (c *correlation) look(m pcommon.Map, l *level, p place) {
	for key, v := range m.All() {
		e := l.find(key)
		if e == nil {
			continue
		}
		if e.children != nil && v.Type() == pcommon.ValueTypeMap {
			c.look(v.Map(), e.children, p)
			continue
		}
		if !e.isField {
			continue
		}
		r := read(e.kind, v)
		if c.next < maxReadings {
			c.readings[c.next] = r
		}
		c.next++
		if r.result != readNone {
			c.found[p] = true
		}
		if r.result == readOK {
			c.offer(e, r.value, p)
		}
	}
}

func (c *correlation) offer(e *entry, val value, p place) {
	order := e.order | bodyBit(p)
	if e.kind == kindTraceFlags && val.num == 0 {
		order |= orderZeroFlag
	}
	b := &c.best[e.kind]
	if e.kind == kindTraceID && b.set && b.value != val {
		c.differ = true
	}
	// Strictly smaller: of two equal keys in one map the first wins.
	if !b.set || order < b.order {
		*b = candidate{value: val, order: order, set: true}
	}
}

// decide fixes the final value of each kind and writes it to the record. What
// the record has already wins.
func (c *correlation) decide(lr plog.LogRecord) {
	if own := lr.TraceID(); !own.IsEmpty() {
		c.final[kindTraceID].id = own
		c.differ = c.differ || c.best[kindTraceID].set && c.best[kindTraceID].id != own
	} else if b := &c.best[kindTraceID]; b.set {
		c.final[kindTraceID] = b.value
		lr.SetTraceID(b.id)
	}

	// Which of several traces a span ID or flags belong to is not known, and a
	// log joined to the wrong span is worse than one joined to none.
	if !c.differ {
		c.decideSpan(lr)
	}

	if own := lr.Timestamp(); own != 0 {
		c.final[kindTimestamp].num = uint64(own)
	} else if b := &c.best[kindTimestamp]; b.set {
		c.final[kindTimestamp] = b.value
		lr.SetTimestamp(pcommon.Timestamp(b.num))
	}

	c.final[kindSeverity] = c.best[kindSeverity].value
	if own := lr.SeverityNumber(); own != plog.SeverityNumberUnspecified {
		c.final[kindSeverity].num = uint64(own)
	} else if text := lr.SeverityText(); text != "" {
		c.final[kindSeverity].num = severityByName(text)
	}
}

func (c *correlation) decideSpan(lr plog.LogRecord) {
	if own := lr.SpanID(); !own.IsEmpty() {
		copy(c.final[kindSpanID].id[:], own[:])
	} else if b := &c.best[kindSpanID]; b.set {
		c.final[kindSpanID] = b.value
		lr.SetSpanID(pcommon.SpanID(b.id[:8]))
	}

	const traceFlags = 0xff // the W3C trace flags within the record's flags
	if own := uint64(lr.Flags()) & traceFlags; own != 0 {
		c.final[kindTraceFlags].num = own
	} else if b := &c.best[kindTraceFlags]; b.set {
		c.final[kindTraceFlags] = b.value
		lr.SetFlags(lr.Flags() | plog.LogRecordFlags(b.num))
	}
}

// settle removes the fields whose value is the final one, and a map that it
// emptied, and counts every field.
func (c *correlation) settle(m pcommon.Map, l *level, p place, t *tally) {
	m.RemoveIf(func(key string, v pcommon.Value) bool {
		e := l.find(key)
		if e == nil {
			return false
		}
		if e.children != nil && v.Type() == pcommon.ValueTypeMap {
			if v.Map().Len() == 0 {
				return false
			}
			c.settle(v.Map(), e.children, p, t)
			return v.Map().Len() == 0
		}
		if !e.isField {
			return false
		}
		r := c.reread(e, v)
		if r.result == readNone {
			return false
		}
		o := c.outcome(e, r)
		t[e.kind][p][o]++
		if o == outcomeMoved && e.kind == kindSeverity {
			c.noteSeverity(e, v.Str(), p)
		}
		return o == outcomeMoved
	})
}

func (c *correlation) reread(e *entry, v pcommon.Value) reading {
	i := c.next
	c.next++
	if i < maxReadings {
		return c.readings[i]
	}
	return read(e.kind, v)
}

func (c *correlation) outcome(e *entry, r reading) outcome {
	switch {
	case r.result == readNot:
		return outcomeUnreadable
	case c.differ && (e.kind == kindSpanID || e.kind == kindTraceFlags), r.value != c.final[e.kind]:
		return outcomeConflict
	default:
		return outcomeMoved
	}
}

// noteSeverity remembers the text of the best field that agreed with the
// record, which may not be the best field.
func (c *correlation) noteSeverity(e *entry, text string, p place) {
	order := e.order | bodyBit(p)
	if s := &c.severity; !s.set || order < s.order {
		s.text, s.order, s.set = text, order, true
	}
}

// setSeverity completes the record's severity where a field agreed with it.
func (c *correlation) setSeverity(lr plog.LogRecord) {
	if !c.severity.set {
		return
	}
	lr.SetSeverityNumber(plog.SeverityNumber(c.final[kindSeverity].num))
	if lr.SeverityText() == "" {
		lr.SetSeverityText(c.severity.text)
	}
}
