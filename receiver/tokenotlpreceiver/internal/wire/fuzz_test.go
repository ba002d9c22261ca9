package wire

import (
	"errors"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/spanlake/spanlake/internal/attr"
)

// fuzzDepth is low, so that mutations reach it.
const fuzzDepth = 4

// FuzzProto holds the walk against the decoder: what the decoder accepts passes
// the walk, and what passes the walk nests no deeper than allowed, hides no
// reserved key and, where no fault was seen, has none.
func FuzzProto(f *testing.F) {
	for _, build := range places {
		for _, depth := range []int{1, fuzzDepth, fuzzDepth + 1} {
			e := build(f, func(v pcommon.Value) { nested(v, depth, depth%2 == 0) })
			f.Add(uint8(e.signal), e.proto)
		}
	}
	f.Fuzz(func(t *testing.T, signal uint8, body []byte) {
		s := Signal(signal % 3)
		res, err := Proto(s, body, Limits{Depth: fuzzDepth, Decoded: math.MaxInt64})
		req := newRequest(s)
		if decodeErr := req.UnmarshalProto(body); decodeErr != nil {
			return
		}
		if err != nil {
			// Groups are the one thing that only the decoder takes.
			require.Truef(t, errors.Is(err, ErrTooDeep) || hasGroup(body), "%v", err)
			return
		}
		checkDecoded(t, req, res)
		if !res.Faulty {
			text, err := req.MarshalJSON() // which copies strings as they are
			require.NoError(t, err)
			require.True(t, utf8.Valid(text), "%q", text)
		}
	})
}

// hasGroup reports whether some byte of body could be the tag of a group.
func hasGroup(body []byte) bool {
	for _, b := range body {
		if b&7 == 3 || b&7 == 4 {
			return true
		}
	}
	return false
}

// checkDecoded looks at what may hold values in traces and logs; metrics share
// the code of the walk.
func checkDecoded(t *testing.T, req request, res Result) {
	t.Helper()
	check := func(m pcommon.Map) {
		for k, v := range m.All() {
			require.LessOrEqual(t, depthOf(v), fuzzDepth)
			if strings.HasPrefix(k, attr.Prefix) {
				require.True(t, res.Reserved, "key %q was not seen", k)
			}
		}
	}
	switch req := req.(type) {
	case ptraceotlp.ExportRequest:
		for _, rs := range req.Traces().ResourceSpans().All() {
			check(rs.Resource().Attributes())
			for _, ss := range rs.ScopeSpans().All() {
				check(ss.Scope().Attributes())
				for _, span := range ss.Spans().All() {
					check(span.Attributes())
					for _, e := range span.Events().All() {
						check(e.Attributes())
					}
					for _, l := range span.Links().All() {
						check(l.Attributes())
					}
					if !res.Faulty {
						require.False(t, span.TraceID().IsEmpty() || span.SpanID().IsEmpty())
					}
				}
			}
		}
	case plogotlp.ExportRequest:
		for _, rl := range req.Logs().ResourceLogs().All() {
			check(rl.Resource().Attributes())
			for _, sl := range rl.ScopeLogs().All() {
				check(sl.Scope().Attributes())
				for _, record := range sl.LogRecords().All() {
					check(record.Attributes())
					require.LessOrEqual(t, depthOf(record.Body()), fuzzDepth)
					if record.Body().Type() == pcommon.ValueTypeMap {
						check(record.Body().Map())
					}
				}
			}
		}
	}
}

// depthOf is 1 for a plain value.
func depthOf(v pcommon.Value) int {
	inner := 0
	switch v.Type() {
	case pcommon.ValueTypeMap:
		inner = 1
		for _, child := range v.Map().All() {
			inner = max(inner, depthOf(child))
		}
	case pcommon.ValueTypeSlice:
		inner = 1
		for _, child := range v.Slice().All() {
			inner = max(inner, depthOf(child))
		}
	default:
	}
	return inner + 1
}
