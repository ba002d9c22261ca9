package logcorrelationprocessor

import (
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/xpdata"
)

// nodeKind is what a value in a text is.
type nodeKind uint8

const (
	nodeNull nodeKind = iota
	nodeFalse
	nodeTrue
	// nodeInteger and nodeDouble are numbers, by how they are written.
	nodeInteger
	nodeDouble
	nodeString
	nodeMap
	nodeList
)

// node is one value in a text. What a map or a list has within comes behind it.
type node struct {
	key  string // of a member of a map
	text string // of a string or a number
	end  int16  // the position behind all within
	// parent is the position of the map or the list that the node is in.
	parent int16
	// left is how many members a map or a list has that are not gone.
	left int16
	kind nodeKind
	// gone is set where the record says what the node says.
	gone bool
}

const _ = int16(maxValues) // positions are no larger

// isText reports whether the node becomes text: a string, or a number that is not
// one of 64 bits and that no double holds.
func (n *node) isText() bool {
	if n.kind == nodeInteger || n.kind == nodeDouble {
		v := pcommon.NewValueEmpty()
		setNumber(v, n.text, n.kind == nodeInteger)
		return v.Type() == pcommon.ValueTypeStr
	}
	return n.kind == nodeString
}

// parser reads text into nodes, the first of which is the map of all. Of most of
// them, values are never made: the record itself says what they say. It is used
// again for the sake of its room.
type parser struct {
	text  string
	nodes []node
	// overLimit is set where there were too many values.
	overLimit bool
	builders  [maxJSONDepth]xpdata.MapBuilder // one for each level of nesting
	scratch   pcommon.Value
}

func newParser() *parser { return &parser{scratch: pcommon.NewValueEmpty()} }

func (p *parser) begin(text string) {
	p.text, p.overLimit = text, false
	p.nodes = append(p.nodes[:0], node{kind: nodeMap, end: 1})
}

// add appends a node to a map or list, if there may be another one.
func (p *parser) add(key string, parent int) (n *node, position int) {
	position = len(p.nodes)
	if position > maxValues {
		p.overLimit = true
		return nil, position
	}
	if position == cap(p.nodes) {
		p.nodes = slices.Grow(p.nodes, usualNodes)
	}
	p.nodes = p.nodes[:position+1]
	n = &p.nodes[position]
	*n = node{key: key, parent: int16(parent), end: int16(position + 1)}
	p.nodes[parent].left++
	return n, position
}

const (
	usualNodes = 16
	// maxIdleNodes is more values than all but odd texts have.
	maxIdleNodes = 128
)

// forget lets go of the text, and of the room that an odd one took.
func (p *parser) forget() {
	if cap(p.nodes) > maxIdleNodes {
		p.nodes = nil
	}
	clear(p.nodes[:cap(p.nodes)])
	p.text = ""
	if p.scratch.Type() != pcommon.ValueTypeEmpty {
		p.scratch = pcommon.NewValueEmpty()
	}
}

// hasTwice reports whether the map at self has a key twice.
func (p *parser) hasTwice(self int) bool {
	const few = 16 // up to here a scan is quicker than a map
	within := p.nodes[:p.nodes[self].end]
	if within[self].left > few {
		seen := make(map[string]struct{}, within[self].left)
		for i := self + 1; i < len(within); i = int(within[i].end) {
			seen[within[i].key] = struct{}{}
		}
		return len(seen) < int(within[self].left)
	}
	var seen keySet
	for i := self + 1; i < len(within); i = int(within[i].end) {
		if !seen.add(within[i].key) {
			continue
		}
		for j := self + 1; j < i; j = int(within[j].end) {
			if within[j].key == within[i].key {
				return true
			}
		}
	}
	return false
}

// keySet tells of most keys that they are none of some others, by a bit for each.
type keySet uint64

func keyBit(key string) keySet {
	if key == "" {
		return 1
	}
	return 1 << ((key[0] + 7*key[len(key)-1] + 31*uint8(len(key))) % 64)
}

// add reports whether the key may have been there.
func (s *keySet) add(key string) bool {
	bit := keyBit(key)
	was := *s&bit != 0
	*s |= bit
	return was
}

func (p *parser) has(key string) bool {
	for i := 1; i < len(p.nodes); i = int(p.nodes[i].end) {
		if p.nodes[i].key == key {
			return true
		}
	}
	return false
}

// remove takes a member of a map from it, and a map that this emptied from the
// map that it is in.
func (p *parser) remove(i int) {
	for i != 0 {
		p.nodes[i].gone = true
		i = int(p.nodes[i].parent)
		of := &p.nodes[i]
		if of.left--; of.left > 0 || p.nodes[of.parent].kind != nodeMap {
			return
		}
	}
}

// appendMembers appends what is left of the map at self, whose level of nesting
// is depth.
func (p *parser) appendMembers(b *xpdata.MapBuilder, self, depth int) {
	for i, end := self+1, int(p.nodes[self].end); i < end; i = int(p.nodes[i].end) {
		if !p.nodes[i].gone {
			p.set(b.AppendEmpty(p.nodes[i].key), i, depth+1)
		}
	}
}

func (p *parser) setMap(dst pcommon.Map, self, depth int) {
	if left := int(p.nodes[self].left); left > 0 {
		b := &p.builders[depth]
		b.EnsureCapacity(left)
		p.appendMembers(b, self, depth)
		b.UnsafeIntoMap(dst)
	}
}

func (p *parser) set(dst pcommon.Value, i, depth int) {
	switch n := &p.nodes[i]; n.kind {
	case nodeString:
		dst.SetStr(n.text)
	case nodeInteger, nodeDouble:
		setNumber(dst, n.text, n.kind == nodeInteger)
	case nodeMap:
		p.setMap(dst.SetEmptyMap(), i, depth)
	case nodeList:
		list := dst.SetEmptySlice()
		list.EnsureCapacity(int(n.left))
		for i, end := i+1, int(n.end); i < end; i = int(p.nodes[i].end) {
			p.set(list.AppendEmpty(), i, depth+1)
		}
	case nodeTrue, nodeFalse:
		dst.SetBool(n.kind == nodeTrue)
	default: // a new value is null
	}
}

// lookInNodes is look for what is within the node at parent.
func (w *worker) lookInNodes(rd *reader, l *level, parent int, pl place) {
	nodes := w.parser.nodes
	for i, end := parent+1, int(nodes[parent].end); i < end; i = int(nodes[i].end) {
		if e := l.find(nodes[i].key); e != nil {
			w.lookAtNode(rd, e, i, pl)
		}
	}
}

func (w *worker) lookAtNode(rd *reader, e *entry, i int, pl place) {
	nodes := w.parser.nodes
	if e.children != nil {
		switch nodes[i].kind {
		case nodeMap:
			w.lookInNodes(rd, e.children, i, pl)
			return
		case nodeList:
			for element, end := i+1, int(nodes[i].end); element < end; element = int(nodes[element].end) {
				if nodes[element].kind == nodeMap {
					w.lookInNodes(rd, e.children, element, pl)
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
	h.e, h.order, h.top, h.place = e, e.order|orderBody, i, pl
	switch nodes[i].kind {
	case nodeNull:
	case nodeString:
		rd.readText(e, nodes[i].text, &h.reading)
	default:
		w.parser.set(w.parser.scratch, i, 0)
		rd.read(e, w.parser.scratch, &h.reading)
	}
	w.noteResult(h)
}

// removeNodes removes the fields of the text that moved.
func (w *worker) removeNodes(hits []hit) {
	for i := range hits {
		if h := &hits[i]; h.outcome == outcomeMoved {
			w.parser.remove(h.top)
		}
	}
}
