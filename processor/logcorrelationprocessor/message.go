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
// did: a field of a map body, or of text that is parsed, else, where there is no
// body, an attribute. A field that says what the body says goes.
func (p *plan) moveMessage(w *worker, attributes pcommon.Map, body pcommon.Value, isText bool, ofAttributes int) bool {
	inAttributes, inBody := w.hits[:ofAttributes], w.hits[ofAttributes:]
	lifted := false
	switch {
	case isText:
		m := message(inBody)
		if m == nil {
			return false
		}
		if !p.liftableNodes(attributes, w.parser, m.text) {
			m.outcome = outcomeConflict
			return false
		}
		settleMessages(inBody, m.text)
		for i := range inBody {
			if h := &inBody[i]; h.e.kind == kindMessage && h.outcome == outcomeMoved {
				w.parser.remove(h.top)
			}
		}
		w.parser.join(attributes)
		body.SetStr(m.text)
		lifted = true
	case body.Type() == pcommon.ValueTypeMap:
		m := message(inBody)
		if m == nil {
			return false
		}
		fields := body.Map()
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
	k := keysOf(attributes, fields.Len())
	for key, v := range fields.All() {
		if !isMessage(p.root.find(key), v, text) && !k.isFree(key) {
			return false
		}
	}
	return true
}

// liftableNodes is liftable for text.
func (p *plan) liftableNodes(attributes pcommon.Map, of *parser, text string) bool {
	k := keysOf(attributes, int(of.nodes[0].left))
	for i := 1; i < len(of.nodes); i = int(of.nodes[i].end) {
		n := &of.nodes[i]
		if n.gone || n.text == text && n.isText() && isMessageKey(p.root.find(n.key)) {
			continue
		}
		if !k.isFree(n.key) {
			return false
		}
	}
	return true
}

// keys are those of the attributes.
type keys struct {
	attributes pcommon.Map
	set        keySet
	taken      map[string]struct{} // of many
}

func keysOf(attributes pcommon.Map, fields int) keys {
	k := keys{attributes: attributes}
	if attributes.Len()*fields > fewPairs {
		k.taken = make(map[string]struct{}, attributes.Len())
	}
	for key := range attributes.All() {
		k.set.add(key)
		if k.taken != nil {
			k.taken[key] = struct{}{}
		}
	}
	return k
}

func (k *keys) isFree(key string) bool {
	if attr.Reserved(key) {
		return false
	}
	if k.set&keyBit(key) == 0 {
		return true
	}
	_, has := k.taken[key]
	if k.taken == nil {
		_, has = k.attributes.Get(key)
	}
	return !has
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

// join appends what is left of the text to the attributes, which have none of its
// keys.
func (p *parser) join(attributes pcommon.Map) {
	left := int(p.nodes[0].left)
	if left == 0 {
		return
	}
	b := &p.builders[0]
	b.EnsureCapacity(attributes.Len() + left)
	for key, v := range attributes.All() {
		v.MoveTo(b.AppendEmpty(key))
	}
	p.appendMembers(b, 0, 0)
	b.UnsafeIntoMap(attributes)
}
