package otlpwire

import "google.golang.org/protobuf/encoding/protowire"

// field is one field of a message: bytes holds a length-delimited value, number
// any other.
type field struct {
	num    protowire.Number
	typ    protowire.Type
	bytes  []byte
	number uint64
}

// read reads the first field of b, which must not be empty, and returns its
// size; negative where b is malformed. A sampler calls it some 50 times for each
// span, most often on tags and lengths of one byte, hence the short cuts.
func (f *field) read(b []byte) int {
	tag, n := uint64(b[0]), 1
	if tag >= 0x80 {
		if tag, n = protowire.ConsumeVarint(b); n < 0 {
			return n
		}
	}
	f.num, f.typ = protowire.DecodeTag(tag)
	if f.num < protowire.MinValidNumber {
		return -1
	}
	if f.typ == protowire.BytesType {
		return f.readBytes(b, n)
	}
	return f.readNumber(b, n)
}

func (f *field) readBytes(b []byte, at int) int {
	if at == len(b) {
		return -1
	}
	size, n := uint64(b[at]), 1
	if size >= 0x80 {
		if size, n = protowire.ConsumeVarint(b[at:]); n < 0 {
			return n
		}
	}
	at += n
	if size > uint64(len(b)-at) {
		return -1
	}
	f.bytes = b[at : at+int(size)]
	return at + int(size)
}

func (f *field) readNumber(b []byte, at int) int {
	var n int
	f.bytes = nil
	switch f.typ {
	case protowire.VarintType:
		f.number, n = protowire.ConsumeVarint(b[at:])
	case protowire.Fixed64Type:
		f.number, n = protowire.ConsumeFixed64(b[at:])
	default:
		n = protowire.ConsumeFieldValue(f.num, f.typ, b[at:])
	}
	if n < 0 {
		return n
	}
	return at + n
}
