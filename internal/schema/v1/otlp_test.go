package v1

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanlake/spanlake/internal/attr"
	"github.com/spanlake/spanlake/internal/schema/schematest"
)

// legal makes a map as FORMAT.md says it comes back, in itself: mended, of a
// repeated key the first. Reserved keys, which no client can send, go.
func legal(m pcommon.Map) {
	out := pcommon.NewMap()
	for key, v := range m.All() {
		key = strings.ToValidUTF8(key, "\uFFFD")
		if strings.HasPrefix(key, attr.Prefix) {
			continue
		}
		if to, known := out.GetOrPutEmpty(key); !known {
			legalValue(v)
			v.CopyTo(to)
		}
	}
	out.CopyTo(m)
}

func legalValue(v pcommon.Value) {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		v.SetStr(strings.ToValidUTF8(v.Str(), "\uFFFD"))
	case pcommon.ValueTypeMap:
		legal(v.Map())
	case pcommon.ValueTypeSlice:
		for _, e := range v.Slice().All() {
			legalValue(e)
		}
	default:
	}
}

func legalText(get func() string, set func(string)) { set(strings.ToValidUTF8(get(), "\uFFFD")) }

func legalTime(get func() pcommon.Timestamp, set func(pcommon.Timestamp)) {
	set(min(get(), math.MaxInt64-1))
}

func legalScope(s pcommon.InstrumentationScope) {
	legal(s.Attributes())
	legalText(s.Name, s.SetName)
	legalText(s.Version, s.SetVersion)
}

func legalTraces(td ptrace.Traces) {
	for _, rs := range td.ResourceSpans().All() {
		legal(rs.Resource().Attributes())
		legalText(rs.SchemaUrl, rs.SetSchemaUrl)
		for _, ss := range rs.ScopeSpans().All() {
			legalScope(ss.Scope())
			legalText(ss.SchemaUrl, ss.SetSchemaUrl)
			for _, s := range ss.Spans().All() {
				legal(s.Attributes())
				legalText(s.Name, s.SetName)
				legalText(s.TraceState().AsRaw, s.TraceState().FromRaw)
				legalText(s.Status().Message, s.Status().SetMessage)
				legalTime(s.StartTimestamp, s.SetStartTimestamp)
				legalTime(s.EndTimestamp, s.SetEndTimestamp)
				for _, e := range s.Events().All() {
					legal(e.Attributes())
					legalText(e.Name, e.SetName)
					legalTime(e.Timestamp, e.SetTimestamp)
				}
				for _, l := range s.Links().All() {
					legal(l.Attributes())
					legalText(l.TraceState().AsRaw, l.TraceState().FromRaw)
				}
			}
		}
	}
}

func legalLogs(ld plog.Logs) {
	for _, rl := range ld.ResourceLogs().All() {
		legal(rl.Resource().Attributes())
		legalText(rl.SchemaUrl, rl.SetSchemaUrl)
		for _, sl := range rl.ScopeLogs().All() {
			legalScope(sl.Scope())
			legalText(sl.SchemaUrl, sl.SetSchemaUrl)
			for _, r := range sl.LogRecords().All() {
				legal(r.Attributes())
				legalValue(r.Body())
				legalText(r.SeverityText, r.SetSeverityText)
				legalText(r.EventName, r.SetEventName)
				legalTime(r.Timestamp, r.SetTimestamp)
				legalTime(r.ObservedTimestamp, r.SetObservedTimestamp)
			}
		}
	}
}

// withoutReserved removes what only the sampler and the receiver set.
func withoutReserved(m pcommon.Map) {
	m.RemoveIf(func(key string, _ pcommon.Value) bool { return attr.Reserved(key) })
}

// oddSpan is a request of a span with repeated keys and broken text, among
// attributes with columns and older names too. pdata would not make it, so keys
// of the same length are renamed in it.
func oddSpan(tb testing.TB) []byte {
	tb.Helper()
	td := ptrace.NewTraces()
	span := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	span.SetName("a\xff\xffb")
	m := span.Attributes()
	var names []string
	for _, key := range []string{"http.route", "http.status_code", "x.string", "plain"} {
		for i, value := range []any{7, "text\xff", 8} {
			renamed := key[:len(key)-1] + string(rune('0'+i))
			names = append(names, renamed, key)
			require.NoError(tb, m.PutEmpty(renamed).FromRaw(value))
		}
	}
	inner := m.PutEmptyMap("inner")
	inner.PutStr("@bytes", "no base64")
	inner.PutStr("@byte0", "again")
	data, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
	require.NoError(tb, err)
	return []byte(strings.NewReplacer(append(names, "@byte0", "@bytes")...).Replace(string(data)))
}

// Any spans that OTLP can carry come back as FORMAT.md says, whatever columns
// the schema has.
func FuzzOTLPSpansComeBack(f *testing.F) {
	for seed := range uint64(3) {
		data, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(schematest.New(seed, time.Unix(1_800_000_000, 0)).Traces(1))
		require.NoError(f, err)
		f.Add(data)
	}
	f.Add(oddSpan(f))
	f.Add([]byte("\n\x08\x12\x06\x12\x04j\x00j\x00\n\x00"))
	schema, err := Extend(Traces, everyLift)
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, data []byte) {
		td, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(data)
		if err != nil || len(data) > 100_000 {
			return
		}
		for _, rs := range td.ResourceSpans().All() {
			withoutReserved(rs.Resource().Attributes())
			for _, ss := range rs.ScopeSpans().All() {
				for _, s := range ss.Spans().All() {
					withoutReserved(s.Attributes())
				}
			}
		}
		var got [][]string
		for _, s := range []*Schema{Traces, schema} {
			rows := New(s)
			rows.AppendTraces(td, "7d")
			back, err := rows.Traces(0, rows.Len())
			require.NoError(t, err)
			got = append(got, spanLines(back))
		}
		legalTraces(td)
		want := spanLines(normalise(td))
		require.Equal(t, want, got[0])
		require.Equal(t, want, got[1])
	})
}

func FuzzOTLPLogRecordsComeBack(f *testing.F) {
	data, err := (&plog.ProtoMarshaler{}).MarshalLogs(schematest.New(1, time.Unix(1_800_000_000, 0)).Logs(2))
	require.NoError(f, err)
	f.Add(data)
	f.Add([]byte("\n\x08\x12\x06\x12\x04*\x02:\x00\n\x00"))
	schema, err := Extend(Logs, everyLift)
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, data []byte) {
		ld, err := (&plog.ProtoUnmarshaler{}).UnmarshalLogs(data)
		if err != nil || len(data) > 100_000 {
			return
		}
		for _, rl := range ld.ResourceLogs().All() {
			withoutReserved(rl.Resource().Attributes())
			for _, sl := range rl.ScopeLogs().All() {
				for _, r := range sl.LogRecords().All() {
					withoutReserved(r.Attributes())
				}
			}
		}
		var got [][]string
		for _, s := range []*Schema{Logs, schema} {
			rows := New(s)
			rows.AppendLogs(ld, "3d")
			back, err := rows.Logs(0, rows.Len())
			require.NoError(t, err)
			got = append(got, recordLines(back))
		}
		legalLogs(ld)
		want := recordLines(normaliseLogs(ld))
		require.Equal(t, want, got[0])
		require.Equal(t, want, got[1])
	})
}
