package otlpwire_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/otlpwire"
)

// pair is an attribute in comparable form; a double by its bits, for NaN.
type pair struct {
	key, text string
	kind      otlpwire.Kind
	number    uint64
}

// collect returns a visitor of attributes that writes them down.
func collect(pairs *[]pair) func(key, anyValue []byte) error {
	return func(key, anyValue []byte) error {
		var v otlpwire.Value
		if err := v.Parse(anyValue); err != nil {
			return err
		}
		p := pair{key: string(key), kind: v.Kind, text: string(v.Text)}
		switch v.Kind {
		case otlpwire.KindBool:
			if v.Bool() {
				p.number = 1
			}
		case otlpwire.KindInt:
			p.number = uint64(v.Int())
		case otlpwire.KindDouble:
			p.number = math.Float64bits(v.Double())
		default:
		}
		*pairs = append(*pairs, p)
		return nil
	}
}

// pairsOf reads a decoded map the same way.
func pairsOf(m pcommon.Map) []pair {
	var pairs []pair
	for key, v := range m.All() {
		p := pair{key: key, kind: otlpwire.KindOther}
		switch v.Type() {
		case pcommon.ValueTypeEmpty:
			p.kind = otlpwire.KindEmpty
		case pcommon.ValueTypeStr:
			p.kind, p.text = otlpwire.KindString, v.Str()
		case pcommon.ValueTypeBool:
			p.kind = otlpwire.KindBool
			if v.Bool() {
				p.number = 1
			}
		case pcommon.ValueTypeInt:
			p.kind, p.number = otlpwire.KindInt, uint64(v.Int())
		case pcommon.ValueTypeDouble:
			p.kind, p.number = otlpwire.KindDouble, math.Float64bits(v.Double())
		default:
		}
		pairs = append(pairs, p)
	}
	return pairs
}

func everyKind(m pcommon.Map) {
	m.PutStr("string", "s")
	m.PutStr("empty string", "")
	m.PutBool("true", true)
	m.PutBool("false", false)
	m.PutInt("negative", -1)
	m.PutInt("zero", 0)
	m.PutDouble("double", 1.5)
	m.PutDouble("nan", math.NaN())
	m.PutEmpty("empty")
	m.PutEmptyBytes("bytes").Append(1)
	m.PutEmptySlice("array").AppendEmpty().SetInt(1)
	m.PutEmptyMap("map").PutStr("k", "v")
}

func TestAttributesOfEveryKindAreReadAsPdataReadsThem(t *testing.T) {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.SetSchemaUrl("urn:x")
	everyKind(rs.Resource().Attributes())
	span := rs.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	everyKind(span.Attributes())
	r := &recorder{}
	require.NoError(t, otlpwire.Walk(marshal(t, td), r))
	var ofSpan, ofResource []pair
	require.NoError(t, otlpwire.EachAttribute([]byte(r.spans[0]), collect(&ofSpan)))
	require.NoError(t, otlpwire.EachResourceAttribute([]byte(r.resources[0]), collect(&ofResource)))
	require.Equal(t, pairsOf(span.Attributes()), ofSpan)
	require.Equal(t, ofSpan, ofResource)
}

func TestAttributesRefuseMalformedData(t *testing.T) {
	none := func([]byte, []byte) error { return nil }
	for _, tc := range []struct {
		name string
		b    []byte
		fn   func(key, anyValue []byte) error
	}{
		{"span", []byte{0x80}, none},
		{"key and value", []byte{0x4a, 1, 0x80}, none},
		{"value", []byte{0x4a, 3, 0x12, 1, 0x80}, collect(new([]pair))},
	} {
		t.Run(tc.name, func(t *testing.T) {
			require.ErrorIs(t, otlpwire.EachAttribute(tc.b, tc.fn), otlpwire.ErrMalformed)
		})
	}
	require.ErrorIs(t, otlpwire.EachResourceAttribute([]byte{0x80}, none), otlpwire.ErrMalformed)
	require.ErrorIs(t, otlpwire.EachResourceAttribute([]byte{0x0a, 1, 0x80}, none), otlpwire.ErrMalformed)
}

func TestRoutesTakeOnlyStrings(t *testing.T) {
	b := encodedSpan(t, func(s ptrace.Span) {
		s.Attributes().PutInt("http.route", 1)
		s.Attributes().PutStr("url.path", "/a")
	})
	var r otlpwire.Routes
	require.NoError(t, otlpwire.EachAttribute(b, r.Take))
	require.Equal(t, otlpwire.Routes{Path: []byte("/a")}, r)
}

// FuzzAttributes takes any bytes for one attribute, so that every odd encoding
// that pdata accepts is read as pdata reads it.
func FuzzAttributes(f *testing.F) {
	td := ptrace.NewTraces()
	everyKind(td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty().Attributes())
	r := &recorder{}
	require.NoError(f, otlpwire.Walk(marshal(f, td), r))
	require.NoError(f, otlpwire.EachAttribute([]byte(r.spans[0]), func(key, anyValue []byte) error {
		var kv []byte
		kv = protowire.AppendTag(kv, 1, protowire.BytesType)
		kv = protowire.AppendBytes(kv, key)
		kv = protowire.AppendTag(kv, 2, protowire.BytesType)
		f.Add(protowire.AppendBytes(kv, anyValue))
		return nil
	}))
	f.Add([]byte{0x12, 2, 0x10, 1, 0x12, 2, 0x18, 1, 0x0a, 1, 'k', 0x12, 0})
	f.Add([]byte{0x12, 2, 0x10, 1, 0x12, 2, 0x40, 1})
	f.Fuzz(func(t *testing.T, keyValue []byte) {
		span := protowire.AppendBytes(protowire.AppendTag(nil, 9, protowire.BytesType), keyValue)
		var got []pair
		err := otlpwire.EachAttribute(span, collect(&got))
		scope := otlpwire.AppendScopeSpans(nil, "", otlpwire.AppendSpan(nil, span, nil))
		td, pdataErr := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(otlpwire.AppendResourceSpans(nil, "", scope))
		if pdataErr != nil {
			return
		}
		want := pairsOf(td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).Attributes())
		if err == nil {
			require.Equal(t, want, got)
		}
		// pdata takes some malformed data; what it makes of that is well-formed.
		r := &recorder{}
		require.NoError(t, otlpwire.Walk(marshal(t, td), r))
		got = nil
		require.NoError(t, otlpwire.EachAttribute([]byte(r.spans[0]), collect(&got)))
		require.Equal(t, want, got)
	})
}
