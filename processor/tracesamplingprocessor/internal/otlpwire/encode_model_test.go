package otlpwire_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/xpdata/entity"
	"google.golang.org/protobuf/encoding/protowire"
	"pgregory.net/rapid"
)

// message is what visible knows of a message of trace.proto: the messages in it,
// by field, and the fields to remove.
type message struct {
	parts  map[protowire.Number]*message
	hidden protowire.Number
}

var tracesMessage = func() *message {
	value := &message{hidden: 8}                                                    // string_value_strindex
	keyValue := &message{parts: map[protowire.Number]*message{2: value}, hidden: 3} // key_strindex
	value.parts = map[protowire.Number]*message{
		5: {parts: map[protowire.Number]*message{1: value}},
		6: {parts: map[protowire.Number]*message{1: keyValue}},
	}
	holder := func(attributes protowire.Number) *message {
		return &message{parts: map[protowire.Number]*message{attributes: keyValue}}
	}
	span := &message{parts: map[protowire.Number]*message{9: keyValue, 11: holder(3), 13: holder(4)}}
	scope := &message{parts: map[protowire.Number]*message{1: holder(3), 2: span}}
	resource := &message{parts: map[protowire.Number]*message{1: holder(1), 2: scope}, hidden: 1000}
	return &message{parts: map[protowire.Number]*message{1: resource}}
}()

// visible removes what pdata shows to nobody from an encoded TracesData.
func visible(tb testing.TB, otlp []byte) []byte {
	tb.Helper()
	return tracesMessage.visible(tb, otlp)
}

func (m *message) visible(tb testing.TB, b []byte) []byte {
	tb.Helper()
	out := []byte{}
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeField(b)
		require.Positive(tb, n)
		_, _, tag := protowire.ConsumeTag(b)
		part := m.parts[num]
		switch {
		case num == m.hidden:
		case part != nil && typ == protowire.BytesType:
			body, _ := protowire.ConsumeBytes(b[tag:])
			out = protowire.AppendTag(out, num, typ)
			out = protowire.AppendBytes(out, part.visible(tb, body))
		default:
			out = append(out, b[:n]...)
		}
		b = b[n:]
	}
	return out
}

// drawn fills pdata with all that it can hold.
type drawn struct{ *rapid.T }

func anyTraces(t *rapid.T) ptrace.Traces {
	d := drawn{t}
	td := ptrace.NewTraces()
	for range d.n(2) {
		rs := td.ResourceSpans().AppendEmpty()
		d.resource(rs.Resource())
		rs.SetSchemaUrl(d.text())
		for range d.n(2) {
			ss := rs.ScopeSpans().AppendEmpty()
			ss.SetSchemaUrl(d.text())
			ss.Scope().SetName(d.text())
			ss.Scope().SetVersion(d.text())
			ss.Scope().SetDroppedAttributesCount(d.count())
			d.attributes(ss.Scope().Attributes(), 2)
			for range d.n(3) {
				d.span(ss.Spans().AppendEmpty())
			}
		}
	}
	return td
}

func (d drawn) n(limit int) int { return rapid.IntRange(0, limit).Draw(d.T, "n") }

func (d drawn) count() uint32 { return rapid.Uint32().Draw(d.T, "count") }

func (d drawn) text() string {
	return rapid.OneOf(rapid.Just(""), rapid.StringN(0, 20, 40), rapid.StringN(100, 300, 400)).Draw(d.T, "text")
}

func (d drawn) time() pcommon.Timestamp { return pcommon.Timestamp(rapid.Uint64().Draw(d.T, "time")) }

func (d drawn) id(to []byte) {
	if rapid.Bool().Draw(d.T, "set") {
		copy(to, rapid.SliceOfN(rapid.Byte(), len(to), len(to)).Draw(d.T, "id"))
	}
}

func (d drawn) resource(r pcommon.Resource) {
	d.attributes(r.Attributes(), 3)
	r.SetDroppedAttributesCount(d.count())
	for range d.n(2) {
		ref := entity.ResourceEntityRefs(r).AppendEmpty()
		ref.SetSchemaUrl(d.text())
		ref.SetType(d.text())
		for range d.n(2) {
			ref.IdKeys().Append(d.text())
			ref.DescriptionKeys().Append(d.text(), d.text())
		}
	}
}

func (d drawn) span(s ptrace.Span) {
	var trace pcommon.TraceID
	var id, parent pcommon.SpanID
	d.id(trace[:])
	d.id(id[:])
	d.id(parent[:])
	s.SetTraceID(trace)
	s.SetSpanID(id)
	s.SetParentSpanID(parent)
	s.TraceState().FromRaw(d.text())
	s.SetFlags(d.count())
	s.SetName(d.text())
	s.SetKind(ptrace.SpanKind(rapid.Int32().Draw(d.T, "kind")))
	s.SetStartTimestamp(d.time())
	s.SetEndTimestamp(d.time())
	d.attributes(s.Attributes(), 3)
	s.SetDroppedAttributesCount(d.count())
	s.SetDroppedEventsCount(d.count())
	s.SetDroppedLinksCount(d.count())
	s.Status().SetMessage(d.text())
	s.Status().SetCode(ptrace.StatusCode(rapid.Int32().Draw(d.T, "code")))
	for range d.n(2) {
		e := s.Events().AppendEmpty()
		e.SetName(d.text())
		e.SetTimestamp(d.time())
		e.SetDroppedAttributesCount(d.count())
		d.attributes(e.Attributes(), 1)
	}
	for range d.n(2) {
		l := s.Links().AppendEmpty()
		d.id(trace[:])
		d.id(id[:])
		l.SetTraceID(trace)
		l.SetSpanID(id)
		l.TraceState().FromRaw(d.text())
		l.SetFlags(d.count())
		l.SetDroppedAttributesCount(d.count())
		d.attributes(l.Attributes(), 1)
	}
}

func (d drawn) attributes(m pcommon.Map, depth int) {
	for range d.n(4) {
		d.value(m.PutEmpty(d.text()), depth)
	}
}

func (d drawn) value(v pcommon.Value, depth int) {
	kinds := 5
	if depth > 0 {
		kinds = 7
	}
	switch d.n(kinds) {
	case 0: // empty
	case 1:
		v.SetStr(d.text())
	case 2:
		v.SetInt(rapid.Int64().Draw(d.T, "int"))
	case 3:
		special := rapid.SampledFrom([]float64{math.NaN(), math.Inf(-1), math.Copysign(0, -1)})
		v.SetDouble(rapid.OneOf(rapid.Float64(), special).Draw(d.T, "double"))
	case 4:
		v.SetBool(rapid.Bool().Draw(d.T, "bool"))
	case 5:
		v.SetEmptyBytes().FromRaw([]byte(d.text()))
	case 6:
		list := v.SetEmptySlice()
		for range d.n(3) {
			d.value(list.AppendEmpty(), depth-1)
		}
	case 7:
		d.attributes(v.SetEmptyMap(), depth-1)
	}
}
