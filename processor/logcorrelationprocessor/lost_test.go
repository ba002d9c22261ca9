package logcorrelationprocessor

import (
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

// leaf is one value of a record: of an attribute or of a field of the body, or
// the body itself, whose path is empty. Maps and lists without values are none.
type leaf struct {
	path  []string
	e     *entry // of a field
	value pcommon.Value
}

func (l leaf) String() string {
	return fmt.Sprintf("%s=%s %s", strings.Join(l.path, "→"), l.value.Type(), l.value.AsString())
}

// plain leaves out the type, because JSON writes 1.0 as 1.
func (l leaf) plain() string { return strings.Join(l.path, "→") + "=" + l.value.AsString() }

// leaves returns the values of a map in the order in which they are there.
func leaves(l *level, path []string, m pcommon.Map) []leaf {
	var out []leaf
	for key, v := range m.All() {
		var e *entry
		if l != nil {
			e = l.find(key)
		}
		out = append(out, leavesOf(e, append(slices.Clip(path), key), v)...)
	}
	return out
}

func leavesOf(e *entry, path []string, v pcommon.Value) []leaf {
	var below *level
	if e != nil {
		if e.children == nil {
			return []leaf{{path: path, e: e, value: v}}
		}
		below = e.children
	}
	switch v.Type() {
	case pcommon.ValueTypeMap:
		return leaves(below, path, v.Map())
	case pcommon.ValueTypeSlice:
		var out []leaf
		for i, element := range v.Slice().All() {
			at := append(slices.Clip(path), fmt.Sprint(i))
			if element.Type() == pcommon.ValueTypeMap {
				out = append(out, leaves(below, at, element.Map())...)
			} else {
				out = append(out, leaf{path: at, value: element})
			}
		}
		return out
	default:
		if e != nil && !e.isField {
			e = nil
		}
		return []leaf{{path: path, e: e, value: v}}
	}
}

func leavesOfRecord(p *plan, lr plog.LogRecord) []leaf {
	out := leaves(p.root, nil, lr.Attributes())
	switch body := lr.Body(); body.Type() {
	case pcommon.ValueTypeMap:
		out = append(out, leaves(p.root, nil, body.Map())...)
	case pcommon.ValueTypeEmpty:
	default:
		out = append(out, leaf{value: body})
	}
	return out
}

// requireNothingLost holds that each value of before is still there in after, or
// is said by after itself, or is text whose values are; and that after has no
// other values. It returns how many the record took.
func requireNothingLost(t require.TestingT, p *plan, before, after plog.LogRecord) (moved int) {
	left := make(map[string]int)
	for _, l := range leavesOfRecord(p, after) {
		left[l.String()]++
	}
	todo := leavesOfRecord(p, before)
	for len(todo) > 0 {
		l := todo[0]
		todo = todo[1:]
		if left[l.String()] > 0 {
			left[l.String()]--
			continue
		}
		isMessage := l.e != nil && l.e.kind == kindMessage
		if isMessage {
			moved++
		}
		if (isMessage || len(l.path) == 0) && l.value.Type() == pcommon.ValueTypeStr {
			if body := (leaf{value: l.value}).String(); left[body] > 0 {
				left[body]--
				continue
			} else if after.Body().Type() == pcommon.ValueTypeStr && after.Body().Str() == l.value.Str() {
				continue
			}
			fields, ok := parse((*parser).parseJSON, l.value.Str())
			if !ok {
				fields, ok = parse((*parser).parseLogfmt, l.value.Str())
			}
			require.True(t, ok, "%s is gone", l)
			todo = append(todo, leaves(p.root, nil, fields)...)
			continue
		}
		require.NotNil(t, l.e, "%s was no field and is gone", l)
		h := hit{e: l.e}
		p.read(l.e, l.value, &h.reading)
		if h.result == readLevel {
			h.setLevel(pinoLevels, formPino)
		}
		require.Equal(t, readOK, h.result, "%s cannot be read and is gone", l)
		var w worker
		w.load(after)
		w.after = w.before
		require.True(t, w.says(&h), "%s is gone and the record does not say it", l)
		require.True(t, h.e.kind != kindSeverity || w.saysText(&h), "%s is gone and the record has another text", l)
		moved++
	}
	for text, n := range left {
		require.Zero(t, n, "%s is from nowhere", text)
	}
	return moved
}

func bytesOf(t require.TestingT, lr plog.LogRecord) string {
	ld := plog.NewLogs()
	lr.CopyTo(ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty())
	b, err := (&plog.ProtoMarshaler{}).MarshalLogs(ld)
	require.NoError(t, err)
	return string(b)
}

// requireSound holds what is promised of any record.
func requireSound(t require.TestingT, p *plan, lr plog.LogRecord) {
	before := plog.NewLogRecord()
	lr.CopyTo(before)
	first := correlate(p, lr)
	moved := requireNothingLost(t, p, before, lr)
	require.Equal(t, moved, outcomes(first)[outcomeMoved])

	same := plog.NewLogRecord()
	before.CopyTo(same)
	correlate(p, same)
	once := bytesOf(t, lr)
	require.Equal(t, once, bytesOf(t, same), "the same record, another result")

	if outcomes(first)[outcomeOverLimit] > 0 { // a second time opens what the first kept
		return
	}
	second := correlate(p, lr)
	require.Equal(t, once, bytesOf(t, lr), "a second time changes the record")
	require.Zero(t, outcomes(second)[outcomeMoved], "a second time moves something")
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

// runtimeStats is how much was ever allocated.
type runtimeStats struct{ allocated uint64 }

func (s *runtimeStats) read() {
	var of runtime.MemStats
	runtime.ReadMemStats(&of)
	s.allocated = of.TotalAlloc
}

func manyKeys(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, `,"k%d":%d`, i, i)
	}
	return b.String()
}

func manyPairs(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, ` k%d=%d`, i, i)
	}
	return b.String()
}

// nestedMessages is a message within a message and so on, as long as escaping
// lets it be at most n bytes.
func nestedMessages(n int) string {
	s := `{"level":"info","message":"m"}`
	for {
		text, err := json.Marshal(map[string]string{"message": s})
		if err != nil || len(text) > n {
			return s
		}
		s = string(text)
	}
}

// nestedLines is a line within a line and so on, escaped such that it grows
// little by each and there are many.
func nestedLines(n int) string {
	escape := strings.NewReplacer(`\`, `\u005c`, `"`, `\u0022`)
	s := "x"
	for len(s) < n {
		s = `{"log":"` + escape.Replace(s) + `"}`
	}
	return s
}
