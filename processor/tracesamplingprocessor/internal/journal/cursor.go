package journal

import "encoding/binary"

// cursor reads a record from its front. Once something was missing, bad is set
// and everything read is zero.
type cursor struct {
	b   []byte
	bad bool
}

func (c *cursor) bytes(n uint64) []byte {
	if n > uint64(len(c.b)) {
		c.fail()
		return nil
	}
	taken := c.b[:n:n]
	c.b = c.b[n:]
	return taken
}

func (c *cursor) fail() { c.b, c.bad = nil, true }

func (c *cursor) uvarint() uint64 {
	v, n := binary.Uvarint(c.b)
	if n <= 0 {
		c.fail()
		return 0
	}
	c.b = c.b[n:]
	return v
}

// count reads how many items of at least size bytes follow. A number that
// cannot be is refused here, before anything is made for so many.
func (c *cursor) count(size int) int {
	n := c.uvarint()
	if n > uint64(len(c.b)/size) {
		c.fail()
		return 0
	}
	return int(n)
}

func (c *cursor) uint32() uint32 {
	if b := c.bytes(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (c *cursor) uint64() uint64 {
	if b := c.bytes(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (c *cursor) byte() byte {
	if b := c.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (c *cursor) trace() [16]byte {
	if b := c.bytes(16); b != nil {
		return [16]byte(b)
	}
	return [16]byte{}
}

func (c *cursor) ref() Ref {
	segment, offset := c.uvarint(), c.uvarint()
	if segment>>32 != 0 || offset>>32 != 0 {
		c.fail()
	}
	if c.bad {
		return Ref{}
	}
	return Ref{Segment: uint32(segment), Offset: uint32(offset)}
}

func appendRef(dst []byte, r Ref) []byte {
	dst = binary.AppendUvarint(dst, uint64(r.Segment))
	return binary.AppendUvarint(dst, uint64(r.Offset))
}
