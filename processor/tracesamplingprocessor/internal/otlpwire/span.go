package otlpwire

import (
	"google.golang.org/protobuf/encoding/protowire"
)

const (
	spanTraceID    = 1
	spanID         = 2
	spanTraceState = 3
	spanParent     = 4
	spanName       = 5
	spanKind       = 6
	spanStart      = 7
	spanEnd        = 8
	spanAttributes = 9
	spanLinks      = 13
	spanStatus     = 15
	linkTraceID    = 1
	linkSpanID     = 2
	statusCode     = 3
)

// Fault is a set of what Mend puts right.
type Fault uint8

// Faults of a span that do not cost the span.
const (
	// SelfParent is a span that is its own parent: it becomes a root.
	SelfParent Fault = 1 << iota
	// EmptyLink is a link without trace or span ID: it is removed.
	EmptyLink
	// EndBeforeStart is a span that ends before it starts: it ends at its start.
	EndBeforeStart
)

// Span is what a sampler wants to know of a span. Its slices alias the encoded
// span.
type Span struct {
	TraceID    [16]byte
	ID         [8]byte
	Start, End uint64
	StatusCode uint64
	Kind       uint64
	TraceState []byte
	Name       []byte
	// Root is set where the span has no parent but itself.
	Root   bool
	Faults Fault
}

// Parse reads an encoded span. IDs of a wrong length read as zero.
func (s *Span) Parse(b []byte) error {
	*s = Span{}
	var parent [8]byte
	var f field
	for len(b) > 0 {
		n := f.read(b)
		if n < 0 {
			return ErrMalformed
		}
		switch {
		case f.typ == protowire.Fixed64Type && f.num == spanStart:
			s.Start = f.number
		case f.typ == protowire.Fixed64Type && f.num == spanEnd:
			s.End = f.number
		case f.typ == protowire.VarintType && f.num == spanKind:
			s.Kind = f.number
		case f.typ == protowire.BytesType:
			if f.num == spanParent {
				setID(parent[:], f.bytes)
			} else if err := s.parseBytes(f.num, f.bytes); err != nil {
				return err
			}
		}
		b = b[n:]
	}
	s.Root = parent == [8]byte{}
	if !s.Root && parent == s.ID {
		s.Root = true
		s.Faults |= SelfParent
	}
	if s.End != 0 && s.End < s.Start {
		s.End = s.Start
		s.Faults |= EndBeforeStart
	}
	return nil
}

func (s *Span) parseBytes(num protowire.Number, value []byte) error {
	switch num {
	case spanTraceID:
		setID(s.TraceID[:], value)
	case spanID:
		setID(s.ID[:], value)
	case spanTraceState:
		s.TraceState = value
	case spanName:
		s.Name = value
	case spanLinks:
		empty, err := emptyLink(value)
		if empty {
			s.Faults |= EmptyLink
		}
		return err
	case spanStatus:
		return s.parseStatus(value)
	default:
	}
	return nil
}

func (s *Span) parseStatus(status []byte) error {
	var f field
	for len(status) > 0 {
		n := f.read(status)
		if n < 0 {
			return ErrMalformed
		}
		if f.num == statusCode && f.typ == protowire.VarintType {
			s.StatusCode = f.number
		}
		status = status[n:]
	}
	return nil
}

// Mend appends to dst the encoded span b, which s was parsed from, without its
// faults.
func (s *Span) Mend(dst, b []byte) ([]byte, error) {
	var f field
	for len(b) > 0 {
		n := f.read(b)
		if n < 0 {
			return nil, ErrMalformed
		}
		drop, err := s.faulty(&f)
		if err != nil {
			return nil, err
		}
		if !drop {
			dst = append(dst, b[:n]...)
		}
		b = b[n:]
	}
	if s.Faults&EndBeforeStart != 0 {
		dst = protowire.AppendTag(dst, spanEnd, protowire.Fixed64Type)
		dst = protowire.AppendFixed64(dst, s.End)
	}
	return dst, nil
}

func (s *Span) faulty(f *field) (bool, error) {
	switch f.num {
	case spanParent:
		return s.Faults&SelfParent != 0, nil
	case spanEnd:
		return s.Faults&EndBeforeStart != 0, nil
	case spanLinks:
		return emptyLink(f.bytes)
	default:
		return false, nil
	}
}

func emptyLink(link []byte) (bool, error) {
	var trace [16]byte
	var span [8]byte
	err := each(link, func(num protowire.Number, id []byte) error {
		switch num {
		case linkTraceID:
			setID(trace[:], id)
		case linkSpanID:
			setID(span[:], id)
		default:
		}
		return nil
	})
	return trace == [16]byte{} || span == [8]byte{}, err
}

// setID leaves an ID zero where its length is wrong.
func setID(dst, id []byte) {
	clear(dst)
	if len(id) == len(dst) {
		copy(dst, id)
	}
}
