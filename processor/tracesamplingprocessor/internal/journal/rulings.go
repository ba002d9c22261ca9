package journal

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
)

// identity is the id of the log of spans, which says what refs refer to.
type identity [8]byte

func (id *identity) parse(text string) error {
	b, err := hex.DecodeString(text)
	if err == nil && len(b) != len(id) {
		err = fmt.Errorf("id %q is not %d bytes of hex", text, len(id))
	}
	copy(id[:], b)
	return err
}

const (
	flagKept = 1 << iota
	flagTrimmed
)

func appendKind(dst []byte, kind byte, spans identity) []byte {
	dst = append(dst, kind, formatVersion)
	return append(dst, spans[:]...)
}

// appendRulings writes a record of kind V or R.
func appendRulings(dst []byte, kind byte, spans identity, rulings []Ruling) []byte {
	var classes []Class
	for i := range rulings {
		if !slices.Contains(classes, rulings[i].Class) {
			classes = append(classes, rulings[i].Class)
		}
	}
	dst = appendKind(dst, kind, spans)
	dst = binary.AppendUvarint(dst, uint64(len(classes)))
	for _, c := range classes {
		dst = appendString(dst, c.Name)
		dst = appendString(dst, c.Retention)
	}
	dst = binary.AppendUvarint(dst, uint64(len(rulings)))
	for i := range rulings {
		r := &rulings[i]
		dst = append(dst, r.Trace[:]...)
		dst = binary.AppendUvarint(dst, uint64(slices.Index(classes, r.Class)))
		flags := byte(0)
		if r.Kept {
			flags |= flagKept
		}
		if r.Trimmed {
			flags |= flagTrimmed
		}
		dst = append(dst, flags)
		dst = binary.AppendUvarint(dst, r.Threshold)
		dst = binary.AppendUvarint(dst, uint64(len(r.Pieces)))
		for _, p := range r.Pieces {
			dst = appendRef(dst, p.Ref)
			dst = appendWords(dst, p.Skip)
		}
		dst = appendWords(dst, r.Fingerprints)
	}
	return dst
}

func appendString(dst []byte, s string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

func appendWords(dst []byte, words []uint64) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(words)))
	for _, w := range words {
		dst = binary.LittleEndian.AppendUint64(dst, w)
	}
	return dst
}

// appendDiscard writes a record of kind X.
func appendDiscard(dst []byte, spans identity, refs []Ref) []byte {
	dst = appendKind(dst, kindDiscard, spans)
	dst = binary.AppendUvarint(dst, uint64(len(refs)))
	for _, r := range refs {
		dst = appendRef(dst, r)
	}
	return dst
}

// appendDone writes a record of kind D.
func appendDone(dst []byte, spans identity, released place, rulings []Ruling) []byte {
	dst = appendKind(dst, kindDone, spans)
	dst = binary.AppendUvarint(dst, released.segment)
	dst = binary.AppendUvarint(dst, uint64(released.end))
	n := 0
	for i := range rulings {
		n += len(rulings[i].Pieces)
	}
	dst = binary.AppendUvarint(dst, uint64(n))
	for i := range rulings {
		for _, p := range rulings[i].Pieces {
			dst = appendRef(dst, p.Ref)
		}
	}
	return dst
}

// place is where a record of the log of rulings ends.
type place struct {
	segment uint64
	end     int64
}

// batchID names a batch by where its record is in the log of rulings with the
// given id. As no place is written twice, no ID is.
func batchID(log string, p place) string {
	return fmt.Sprintf("%s-%d-%d", log, p.segment, p.end)
}

// placeOf is the reverse of batchID; the zero place for an ID of another log.
func placeOf(log, id string) place {
	var p place
	if _, err := fmt.Sscanf(id, log+"-%d-%d", &p.segment, &p.end); err != nil {
		return place{}
	}
	return p
}

// rulingRecord is a decoded record of the log of rulings. Its slices, and those
// in its rulings, are valid until the next decode.
type rulingRecord struct {
	kind     byte
	spans    identity
	rulings  []Ruling // of V and R
	refs     []Ref    // of X and D
	released place    // of D

	names   map[string]string // each name once, however many records have it
	classes []Class
	pieces  []Piece
	words   []uint64
}

// decode returns false for what is no record of this version.
func (d *rulingRecord) decode(record []byte) bool {
	d.rulings, d.refs, d.classes, d.pieces, d.words = d.rulings[:0], d.refs[:0], d.classes[:0], d.pieces[:0], d.words[:0]
	c := cursor{b: record}
	d.kind = c.byte()
	version := c.byte()
	copy(d.spans[:], c.bytes(uint64(len(d.spans))))
	if c.bad || version != formatVersion {
		return false
	}
	switch d.kind {
	case kindVerdict, kindRelease:
		d.decodeRulings(&c)
	case kindDiscard:
		d.decodeRefs(&c)
	case kindDone:
		segment, end := c.uvarint(), c.uvarint()
		d.released = place{segment: segment, end: int64(end)}
		d.decodeRefs(&c)
	default:
		return false
	}
	return !c.bad && len(c.b) == 0
}

func (d *rulingRecord) decodeRefs(c *cursor) {
	n := c.count(2)
	d.refs = slices.Grow(d.refs, n)
	for range n {
		d.refs = append(d.refs, c.ref())
	}
}

func (d *rulingRecord) decodeRulings(c *cursor) {
	for range c.count(2) {
		name := d.name(c)
		d.classes = append(d.classes, Class{Name: name, Retention: d.name(c)})
	}
	n := c.count(16 + 4)
	d.rulings = slices.Grow(d.rulings, n)
	for range n {
		r := Ruling{Trace: c.trace()}
		class, flags := c.uvarint(), c.byte()
		if class >= uint64(len(d.classes)) || flags&^(flagKept|flagTrimmed) != 0 {
			c.fail()
			return
		}
		r.Class, r.Kept, r.Trimmed = d.classes[class], flags&flagKept != 0, flags&flagTrimmed != 0
		r.Threshold = c.uvarint()
		r.Pieces = d.decodePieces(c)
		r.Fingerprints = d.decodeWords(c)
		d.rulings = append(d.rulings, r)
	}
}

func (d *rulingRecord) decodePieces(c *cursor) []Piece {
	n := c.count(3)
	if n == 0 {
		return nil
	}
	from := len(d.pieces)
	for range n {
		d.pieces = append(d.pieces, Piece{Ref: c.ref(), Skip: d.decodeWords(c)})
	}
	return d.pieces[from:len(d.pieces):len(d.pieces)]
}

func (d *rulingRecord) decodeWords(c *cursor) []uint64 {
	n := c.count(8)
	if n == 0 {
		return nil
	}
	from := len(d.words)
	for range n {
		d.words = append(d.words, c.uint64())
	}
	return d.words[from:len(d.words):len(d.words)]
}

func (d *rulingRecord) name(c *cursor) string {
	b := c.bytes(c.uvarint())
	if s, ok := d.names[string(b)]; ok {
		return s
	}
	if d.names == nil {
		d.names = map[string]string{}
	}
	s := string(b)
	d.names[s] = s
	return s
}
