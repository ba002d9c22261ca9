package logcorrelationprocessor

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"pgregory.net/rapid"
)

// spelled is one way to write a meaning. The meaning "" stands for values that
// are no field's business: unreadable ones and those that say nothing.
type spelled struct {
	meaning string
	raw     any
}

// spellings of few meanings, so that fields often agree and often differ.
func spellings(k kind) []spelled {
	switch k {
	case kindTraceID:
		return []spelled{
			{traceA, traceA},
			{traceA, strings.ToUpper(traceA)},
			{traceA, "4bf92f35-77b3-4da6-a3ce-929d0e0e4736"},
			{traceB, traceB},
			{"", "abc"},
			{"", int64(7)},
			{"", strings.Repeat("0", 32)},
			{"", m{"deep": "value"}},
		}
	case kindSpanID:
		return []spelled{{spanA, spanA}, {spanA, strings.ToUpper(spanA)}, {spanB, spanB}, {"", "0"}, {"", traceA}, {"", nil}}
	case kindTraceFlags:
		return []spelled{{"0", "00"}, {"0", int64(0)}, {"1", "01"}, {"1", 1.0}, {"3", int64(3)}, {"", "yes"}, {"", true}}
	case kindTimestamp:
		return []spelled{
			{fmt.Sprint(int64(whenNs)), when},
			{fmt.Sprint(int64(whenNs)), int64(whenNs / 1e6)},
			{fmt.Sprint(int64(whenNs)), fmt.Sprint(int64(whenNs))},
			{fmt.Sprint(int64(1.7e18)), 1.7e9},
			{"", "soon"},
			{"", int64(3)},
		}
	default:
		return []spelled{{"9", "info"}, {"9", "INFO"}, {"17", "error"}, {"17", "err"}, {"", "audit"}, {"", int64(30)}}
	}
}

// own returns what the record says for a kind, in the terms of spelled.
func own(k kind, lr plog.LogRecord) string {
	switch k {
	case kindTraceID:
		return lr.TraceID().String()
	case kindSpanID:
		return lr.SpanID().String()
	case kindTraceFlags:
		return fmt.Sprint(uint32(lr.Flags()) & 0xff)
	case kindTimestamp:
		return fmt.Sprint(int64(lr.Timestamp()))
	default:
		return fmt.Sprint(int32(lr.SeverityNumber()))
	}
}

// leaf is one value of a record, with the path of keys that leads to it.
type leaf struct {
	kind    kind
	meaning string
	path    []string // place first
	value   string
}

func (l leaf) String() string { return strings.Join(l.path, "→") + "=" + l.value }

// put draws a nesting of name and writes v there, unless something is there.
func put(t *rapid.T, root pcommon.Map, pl, name string, v spelled) (leaf, bool) {
	at, path, key := root, []string{pl}, ""
	for i, part := range strings.Split(name, ".") {
		if i == 0 {
			key = part
			continue
		}
		if !rapid.Bool().Draw(t, "nest") {
			key += "." + part
			continue
		}
		child, ok := at.GetOrPutEmpty(key)
		if ok && child.Type() != pcommon.ValueTypeMap {
			return leaf{}, false
		}
		if !ok {
			child.SetEmptyMap()
		}
		path = append(path, key)
		at, key = child.Map(), part
	}
	if _, ok := at.Get(key); ok {
		return leaf{}, false
	}
	val := at.PutEmpty(key)
	if err := val.FromRaw(v.raw); err != nil {
		t.Fatal(err)
	}
	return leaf{meaning: v.meaning, path: append(path, key), value: val.AsString()}, true
}

// leaves returns every value of lr that is not a map with members.
func leaves(lr plog.LogRecord) []string {
	var out []string
	var walk func(path []string, v pcommon.Value)
	walk = func(path []string, v pcommon.Value) {
		if v.Type() == pcommon.ValueTypeMap && v.Map().Len() > 0 {
			for k, child := range v.Map().All() {
				walk(append(slices.Clone(path), k), child)
			}
			return
		}
		out = append(out, leaf{path: path, value: v.AsString()}.String())
	}
	for k, v := range lr.Attributes().All() {
		walk([]string{"attributes", k}, v)
	}
	if lr.Body().Type() == pcommon.ValueTypeMap {
		for k, v := range lr.Body().Map().All() {
			walk([]string{"body", k}, v)
		}
	}
	slices.Sort(out)
	return out
}

func bytesOf(t require.TestingT, lr plog.LogRecord) string {
	ld := plog.NewLogs()
	lr.CopyTo(ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty())
	b, err := (&plog.ProtoMarshaler{}).MarshalLogs(ld)
	require.NoError(t, err)
	return string(b)
}

// Whatever fields a record has, in whatever spelling and nesting: what goes is
// what the record now says itself, what stays is untouched, what the record
// said stays said, and a second time changes nothing.
func TestNoValueIsLost(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	fields := compile(cfg.Fields.lists())
	rapid.Check(t, func(t *rapid.T) {
		lr := plog.NewLogRecord()
		lr.Body().SetEmptyMap()
		if rapid.Bool().Draw(t, "own trace") {
			lr.SetTraceID(pcommon.TraceID{1})
		}
		if rapid.Bool().Draw(t, "own flags") {
			lr.SetFlags(plog.LogRecordFlags(rapid.SampledFrom([]uint32{0x100, 1, 3}).Draw(t, "flags")))
		}
		if rapid.Bool().Draw(t, "own severity") {
			lr.SetSeverityNumber(plog.SeverityNumberInfo)
		}
		var in []leaf
		for range rapid.IntRange(0, 8).Draw(t, "fields") {
			l := rapid.SampledFrom(cfg.Fields.lists()).Draw(t, "kind")
			name := rapid.SampledFrom(l.names).Draw(t, "name")
			v := rapid.SampledFrom(spellings(l.kind)).Draw(t, "value")
			root, pl := lr.Attributes(), "attributes"
			if rapid.Bool().Draw(t, "in body") {
				root, pl = lr.Body().Map(), "body"
			}
			if f, ok := put(t, root, pl, name, v); ok {
				f.kind = l.kind
				in = append(in, f)
			}
		}
		lr.Attributes().PutStr("message", "hi")
		before := plog.NewLogRecord()
		lr.CopyTo(before)

		correlate(fields, lr, new(tally))

		rest := leaves(lr)
		for _, had := range leaves(before) {
			if i, ok := slices.BinarySearch(rest, had); ok {
				rest = slices.Delete(rest, i, i+1)
				continue
			}
			i := slices.IndexFunc(in, func(f leaf) bool { return f.String() == had })
			require.GreaterOrEqual(t, i, 0, "%s was no field and is gone", had)
			require.Equal(t, in[i].meaning, own(in[i].kind, lr), "%s is gone and the record does not say it", had)
		}
		require.Empty(t, rest, "values out of nowhere")
		for k := range kindCount {
			if had := own(k, before); had != "" && had != "0" {
				require.Equal(t, had, own(k, lr), "what the record said is overwritten")
			}
		}
		require.Equal(t, lr.Flags()&^0xff, before.Flags()&^0xff)

		once := bytesOf(t, lr)
		var second tally
		correlate(fields, lr, &second)
		require.Equal(t, once, bytesOf(t, lr), "a second time changes the record")
		requireNothingMoved(t, &second)
	})
}

// Any record at all, duplicate keys included: no panic, only fields go, as
// many as are counted, and a second time changes nothing.
func FuzzCorrelate(f *testing.F) {
	fields := defaultFields()
	for _, r := range []record{
		{attrs: m{"trace_id": traceA, "context": m{"span_id": spanA}}, body: m{"dt": when, "level": "info"}},
		{trace: traceB, attrs: m{"trace_id": traceA, "ts": 1.7e9}, body: m{"trace": m{"id": ""}, "log": m{"level": "x"}}},
		{body: []any{m{"trace_id": traceA}}},
	} {
		f.Add([]byte(bytesOf(f, r.build(f))))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		ld, err := (&plog.ProtoUnmarshaler{}).UnmarshalLogs(b)
		if err != nil {
			t.Skip()
		}
		forEach(ld, func(lr plog.LogRecord) {
			had := leaves(lr)
			var first, second tally
			correlate(fields, lr, &first)

			moved := 0
			for k := range first {
				for p := range first[k] {
					moved += int(first[k][p][outcomeMoved])
				}
			}
			left := leaves(lr)
			require.Len(t, left, len(had)-moved)
			for _, l := range left {
				require.Contains(t, had, l)
			}
			once := bytesOf(t, lr)
			correlate(fields, lr, &second)
			require.Equal(t, once, bytesOf(t, lr))
			requireNothingMoved(t, &second)
		})
	})
}

func forEach(ld plog.Logs, fn func(plog.LogRecord)) {
	for _, rl := range ld.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, lr := range sl.LogRecords().All() {
				fn(lr)
			}
		}
	}
}
