package otlpwire_test

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/protobuf/encoding/protowire"
	"pgregory.net/rapid"

	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/otlpwire"
)

// marshaled is what the encoder must write.
func marshaled(td ptrace.Traces) []byte {
	otlp, _ := (&ptrace.ProtoMarshaler{}).MarshalTraces(td) // it returns no error
	return otlp
}

func TestEncodeWritesWhatProtoMarshalerDoes(t *testing.T) {
	var e otlpwire.Encoder // one, so that nothing of a case may show in the next
	rapid.Check(t, func(t *rapid.T) {
		td := anyTraces(t)
		require.Equal(t, marshaled(td), append([]byte{}, e.Encode(td)...))
	})
}

func TestEncodeEdges(t *testing.T) {
	span := func(td ptrace.Traces) ptrace.Span {
		return td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	}
	attributes := func(td ptrace.Traces) pcommon.Map { return span(td).Attributes() }
	for _, tc := range []struct {
		name string
		fill func(ptrace.Traces)
	}{
		{"nothing", func(ptrace.Traces) {}},
		{"empty resource", func(td ptrace.Traces) { td.ResourceSpans().AppendEmpty() }},
		{"empty scope", func(td ptrace.Traces) { td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty() }},
		{"empty span", func(td ptrace.Traces) { span(td) }},
		{"empty key and value", func(td ptrace.Traces) { attributes(td).PutEmpty("") }},
		{"empty string", func(td ptrace.Traces) { attributes(td).PutStr("k", "") }},
		{"empty bytes", func(td ptrace.Traces) { attributes(td).PutEmptyBytes("k") }},
		{"empty map", func(td ptrace.Traces) { attributes(td).PutEmptyMap("k") }},
		{"empty slice", func(td ptrace.Traces) { attributes(td).PutEmptySlice("k") }},
		{"slice of empty values", func(td ptrace.Traces) { attributes(td).PutEmptySlice("k").AppendEmpty() }},
		{"zeros", func(td ptrace.Traces) {
			attributes(td).PutInt("i", 0)
			attributes(td).PutDouble("d", 0)
			attributes(td).PutBool("b", false)
		}},
		{"negative kind and status", func(td ptrace.Traces) {
			s := span(td)
			s.SetKind(-1)
			s.Status().SetCode(-1)
		}},
		{"greatest counts", func(td ptrace.Traces) {
			s := span(td)
			s.SetFlags(math.MaxUint32)
			s.SetDroppedLinksCount(math.MaxUint32)
			s.SetEndTimestamp(math.MaxUint64)
			s.Attributes().PutInt("i", math.MinInt64)
		}},
		{"empty link and event", func(td ptrace.Traces) {
			s := span(td)
			s.Links().AppendEmpty()
			s.Events().AppendEmpty()
		}},
		{"long span", func(td ptrace.Traces) { span(td).SetName(strings.Repeat("x", 1<<21)) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			td := ptrace.NewTraces()
			tc.fill(td)
			var e otlpwire.Encoder
			require.Equal(t, marshaled(td), append([]byte{}, e.Encode(td)...))
		})
	}
}

// Every length of a message around those where its own length takes a byte more.
func TestEncodeAtEveryWidthOfALength(t *testing.T) {
	var e otlpwire.Encoder
	for _, limit := range []int{1 << 7, 1 << 14, 1 << 21} {
		for n := limit - 80; n < limit+8; n++ {
			td := ptrace.NewTraces()
			s := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
			text := strings.Repeat("x", n)
			s.Attributes().PutStr("k", text)
			s.Attributes().PutEmptySlice("l").AppendEmpty().SetStr(text)
			s.Status().SetMessage(text)
			s.Events().AppendEmpty().SetName(text)
			s.Links().AppendEmpty().TraceState().FromRaw(text)
			want := marshaled(td)
			require.True(t, string(want) == string(e.Encode(td)), "length %d", n) //nolint:testifylint // megabytes
		}
	}
}

func TestEncodeDeepValues(t *testing.T) {
	const depth = 10_000
	td := ptrace.NewTraces()
	v := td.ResourceSpans().AppendEmpty().Resource().Attributes().PutEmpty("k")
	for i := range depth {
		if i%2 == 0 {
			v = v.SetEmptySlice().AppendEmpty()
		} else {
			v = v.SetEmptyMap().PutEmpty("k")
		}
	}
	v.SetBool(true)
	var e otlpwire.Encoder
	require.Equal(t, marshaled(td), e.Encode(td))
}

func TestEncodeLeavesOutWhatIsHidden(t *testing.T) {
	message := func(num protowire.Number, fields ...[]byte) []byte {
		var body []byte
		for _, f := range fields {
			body = append(body, f...)
		}
		return protowire.AppendBytes(protowire.AppendTag(nil, num, protowire.BytesType), body)
	}
	number := func(num protowire.Number) []byte {
		return protowire.AppendVarint(protowire.AppendTag(nil, num, protowire.VarintType), 5)
	}
	otlp := message(1, message(1, message(1, message(1, []byte("k")), number(3), message(2, number(8)))))
	td := unmarshal(t, otlp)
	require.Contains(t, string(marshaled(td)), string(number(8)))
	want := ptrace.NewTraces()
	want.ResourceSpans().AppendEmpty().Resource().Attributes().PutEmpty("k")
	var e otlpwire.Encoder
	require.Equal(t, marshaled(want), e.Encode(td))

	old := message(1, message(1000, message(2, message(5, []byte("name")))))
	request := ptraceotlp.NewExportRequest()
	require.NoError(t, request.UnmarshalProto(old))
	require.Equal(t, marshaled(request.Traces()), e.Encode(request.Traces()))
	require.Equal(t, 1, request.Traces().SpanCount())
}

func TestEncodeReusesItsBuffer(t *testing.T) {
	var e otlpwire.Encoder
	long, short := ptrace.NewTraces(), ptrace.NewTraces()
	list := long.ResourceSpans().AppendEmpty().Resource().Attributes().PutEmptySlice("k")
	for range 1000 {
		list.AppendEmpty().SetEmptyMap().PutStr("secret", "long ago")
	}
	short.ResourceSpans().AppendEmpty().SetSchemaUrl("s")
	require.Equal(t, marshaled(long), append([]byte{}, e.Encode(long)...))
	footprint := e.Footprint()
	require.Greater(t, footprint, len(marshaled(long)))
	require.Equal(t, marshaled(short), append([]byte{}, e.Encode(short)...))
	require.Equal(t, footprint, e.Footprint())
	require.Zero(t, testing.AllocsPerRun(10, func() { e.Encode(long) }))
}

// However large the spans, their bytes are copied once more at most, and however
// small, the buffer is in proportion.
func TestEncodeGrowsItsBufferOnceAtMost(t *testing.T) {
	for _, tc := range []struct {
		name                string
		spans, size, allocs int
	}{
		{"usual", 1000, 400, 1},
		{"many", 10_000, 400, 1},
		{"large", 1000, 10_000, 2},
		{"small", 20_000, 0, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			td := ptrace.NewTraces()
			spans := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
			for range tc.spans {
				spans.AppendEmpty().SetName(strings.Repeat("x", tc.size))
			}
			allocs := testing.AllocsPerRun(1, func() {
				var e otlpwire.Encoder
				e.Encode(td)
			})
			require.LessOrEqual(t, int(allocs), tc.allocs)
			var e otlpwire.Encoder
			otlp := e.Encode(td)
			require.True(t, string(marshaled(td)) == string(otlp)) //nolint:testifylint // megabytes
			require.LessOrEqual(t, e.Footprint(), max(1<<20, 2*len(otlp)))
		})
	}
}

func FuzzEncode(f *testing.F) {
	f.Add([]byte{})
	f.Add(marshaled(nested()))
	for seed := range 20 {
		f.Add(marshaled(rapid.Custom(anyTraces).Example(seed)))
	}
	var e otlpwire.Encoder
	f.Fuzz(func(t *testing.T, otlp []byte) {
		td, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(otlp)
		if err != nil {
			return
		}
		require.Equal(t, visible(t, marshaled(td)), append([]byte{}, e.Encode(td)...))
	})
}
