package logcorrelationprocessor

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/xpdata"

	"github.com/spanlake/spanlake/internal/attr"
)

// message returns the best message of some hits, or nil.
func message(hits []hit) *hit {
	var m *hit
	for i := range hits {
		if h := &hits[i]; h.e.kind == kindMessage && h.result == readOK && (m == nil || h.order < m.order) {
			m = h
		}
	}
	return m
}

// moveMessage makes the message of the record its body, and reports whether it
// did: a field of a map body, else, where there is no body, an attribute. A field
// that says what the body says goes.
func (p *plan) moveMessage(w *worker, attributes pcommon.Map, body pcommon.Value, fields pcommon.Map, isMap bool, ofAttributes int) bool {
	inAttributes, inBody := w.hits[:ofAttributes], w.hits[ofAttributes:]
	lifted := false
	switch {
	case isMap:
		m := message(inBody)
		if m == nil {
			return false
		}
		if !p.liftable(attributes, fields, m.text) {
			m.outcome = outcomeConflict
			return false
		}
		settleMessages(inBody, m.text)
		removeMessages(p.root, fields, m.text)
		join(attributes, fields)
		body.SetStr(m.text)
		lifted = true
	case body.Type() == pcommon.ValueTypeEmpty:
		m := message(inAttributes)
		if m == nil {
			return false
		}
		body.SetStr(m.text)
		lifted = true
	case body.Type() != pcommon.ValueTypeStr:
		return false
	}
	if settleMessages(inAttributes, body.Str()) {
		removeMessages(p.root, attributes, body.Str())
	}
	return lifted
}

func settleMessages(hits []hit, text string) bool {
	moved := false
	for i := range hits {
		if h := &hits[i]; h.e.kind == kindMessage && h.result == readOK && h.text == text {
			h.outcome, moved = outcomeMoved, true
		}
	}
	return moved
}

// fewPairs is how many comparisons of keys cost less than a map of them.
const fewPairs = 256

// liftable reports whether all fields but the message can become attributes:
// none has a key that is there already, or one that is not a sender's to set.
func (p *plan) liftable(attributes, fields pcommon.Map, text string) bool {
	var taken map[string]struct{}
	if attributes.Len()*fields.Len() > fewPairs {
		taken = make(map[string]struct{}, attributes.Len())
		for key := range attributes.All() {
			taken[key] = struct{}{}
		}
	}
	for key, v := range fields.All() {
		if isMessage(p.root.find(key), v, text) {
			continue
		}
		has := false
		if taken != nil {
			_, has = taken[key]
		} else if attributes.Len() > 0 {
			_, has = attributes.Get(key)
		}
		if has || attr.Reserved(key) {
			return false
		}
	}
	return true
}

// join moves fields, whose keys attributes has not, behind the attributes. Put
// would look for each key in all of them.
func join(attributes, fields pcommon.Map) {
	if attributes.Len() == 0 {
		if fields.Len() > 0 {
			fields.MoveTo(attributes)
		}
		return
	}
	if fields.Len() == 0 {
		return
	}
	var b xpdata.MapBuilder
	b.EnsureCapacity(attributes.Len() + fields.Len())
	for _, m := range [...]pcommon.Map{attributes, fields} {
		for key, v := range m.All() {
			v.MoveTo(b.AppendEmpty(key))
		}
	}
	b.UnsafeIntoMap(attributes)
}
