package otlpwire

import (
	"math/bits"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/xpdata/entity"
	"google.golang.org/protobuf/encoding/protowire"
)

const (
	resourceSpansSchemaURL = 3
	scopeSpansScope        = 1
	scopeSpansSchemaURL    = 3
	resourceDropped        = 2
	resourceEntityRefs     = 3
	entitySchemaURL        = 1
	entityType             = 2
	entityIDKeys           = 3
	entityDescriptionKeys  = 4
	scopeName              = 1
	scopeVersion           = 2
	scopeAttributes        = 3
	scopeDropped           = 4
)

// Encoder encodes decoded traces, byte for byte as ptrace.ProtoMarshaler does:
// fields in descending order of their numbers, elements of a list in order. It
// reuses its buffer and, as a rule, does not walk the data for sizes first: it leaves
// as much room for the length of a message as that most likely takes, and moves the
// message where it was wrong. Messages around values are four deep, so that no byte
// moves more often; values, which nest as deep as the sender likes, are measured.
//
// It leaves out what pdata decodes but shows to nobody: references into the string
// table of profiles, which trace.proto tells receivers to take for absent, and the
// scope_spans of OTLP before 0.15, which the receivers' decoder has moved.
//
// The zero value is ready. It is not safe for concurrent use.
type Encoder struct {
	buf []byte
	// sizes are the lengths of the arrays and maps in one attribute, in the order in
	// which they begin; the first taken of them are written.
	sizes []int
	taken int

	td    ptrace.Traces // while it is being encoded
	known bool          // td is measured: the buffer has room for all of it
}

const (
	// usualSpan is about what a span of an SDK takes, in bytes.
	usualSpan = 512
	// maxGuess is where a guess that is wrong begins to cost more than measuring.
	maxGuess = 1 << 20
	// guessedLengths is more than the room that open takes in excess at any time.
	guessedLengths = 32
)

// room returns an empty buffer that the encoding of e.td most likely fits in.
func (e *Encoder) room() []byte {
	size := e.td.SpanCount() * usualSpan
	if size > maxGuess {
		size = e.measureWhole()
	}
	if size > cap(e.buf) {
		return make([]byte, 0, size)
	}
	return e.buf[:0]
}

// ensure measures what is to come where b is nearly full: spans much larger than
// usual would make it grow, and be copied, many times.
func (e *Encoder) ensure(b []byte) []byte {
	if e.known || cap(b)-len(b) > cap(b)/16 {
		return b
	}
	size := e.measureWhole()
	return append(make([]byte, 0, size+size/8), b...)
}

func (e *Encoder) measureWhole() int {
	e.known = true
	var pdata ptrace.ProtoMarshaler
	return pdata.TracesSize(e.td) + guessedLengths
}

// Encode returns the encoding of td, valid until the next call. It keeps no
// reference to td.
func (e *Encoder) Encode(td ptrace.Traces) []byte {
	e.td, e.known = td, false
	b := e.room()
	all := td.ResourceSpans()
	for i := range all.Len() {
		var start int
		b, start = open(b, tracesResourceSpans, 3)
		b = e.resourceSpans(b, all.At(i))
		b = shut(b, start, 3)
	}
	e.buf, e.td = b, ptrace.Traces{}
	return b
}

// Footprint is the memory that e keeps for its next use, in bytes.
func (e *Encoder) Footprint() int {
	return cap(e.buf) + cap(e.sizes)*bits.UintSize/8
}

func (e *Encoder) resourceSpans(b []byte, rs ptrace.ResourceSpans) []byte {
	b = putText(b, resourceSpansSchemaURL, rs.SchemaUrl())
	scopes := rs.ScopeSpans()
	var start int
	for i := range scopes.Len() {
		b, start = open(b, resourceSpansScopeSpans, 3)
		b = e.scopeSpans(b, scopes.At(i))
		b = shut(b, start, 3)
	}
	b, start = open(b, resourceSpansResource, 2)
	b = e.resource(b, rs.Resource())
	return shut(b, start, 2)
}

func (e *Encoder) resource(b []byte, r pcommon.Resource) []byte {
	refs := entity.ResourceEntityRefs(r)
	for i := range refs.Len() {
		var start int
		b, start = open(b, resourceEntityRefs, 1)
		b = putEntityRef(b, refs.At(i))
		b = shut(b, start, 1)
	}
	b = putCount(b, resourceDropped, r.DroppedAttributesCount())
	return e.attributes(b, resourceAttributes, r.Attributes())
}

func putEntityRef(b []byte, ref entity.EntityRef) []byte {
	b = putKeys(b, entityDescriptionKeys, ref.DescriptionKeys())
	b = putKeys(b, entityIDKeys, ref.IdKeys())
	b = putText(b, entityType, ref.Type())
	return putText(b, entitySchemaURL, ref.SchemaUrl())
}

func putKeys(b []byte, num protowire.Number, keys pcommon.StringSlice) []byte {
	for i := range keys.Len() {
		b = append(b, lengthTag(num))
		b = protowire.AppendString(b, keys.At(i))
	}
	return b
}

func (e *Encoder) scopeSpans(b []byte, ss ptrace.ScopeSpans) []byte {
	b = putText(b, scopeSpansSchemaURL, ss.SchemaUrl())
	spans := ss.Spans()
	var start int
	for i := range spans.Len() {
		b, start = open(e.ensure(b), scopeSpansSpans, 2)
		b = e.span(b, spans.At(i))
		b = shut(b, start, 2)
	}
	b, start = open(b, scopeSpansScope, 1)
	b = e.scope(b, ss.Scope())
	return shut(b, start, 1)
}

func (e *Encoder) scope(b []byte, s pcommon.InstrumentationScope) []byte {
	b = putCount(b, scopeDropped, s.DroppedAttributesCount())
	b = e.attributes(b, scopeAttributes, s.Attributes())
	b = putText(b, scopeVersion, s.Version())
	return putText(b, scopeName, s.Name())
}
