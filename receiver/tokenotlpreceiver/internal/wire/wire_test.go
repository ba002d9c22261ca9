package wire

import (
	"fmt"
	"math"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/protobuf/encoding/protowire"
)

var roomy = Limits{Depth: 64, Decoded: math.MaxInt64}

// nested sets v to depth-1 arrays or maps, one in the other, around a string.
func nested(v pcommon.Value, depth int, asMap bool) {
	for range depth - 1 {
		if asMap {
			v = v.SetEmptyMap().PutEmpty("k")
		} else {
			v = v.SetEmptySlice().AppendEmpty()
		}
	}
	v.SetStr("end")
}

// encoded is an export request.
type encoded struct {
	signal Signal
	proto  []byte
}

func encodeTraces(tb testing.TB, td ptrace.Traces) encoded {
	tb.Helper()
	req := ptraceotlp.NewExportRequestFromTraces(td)
	return encode(tb, Traces, req)
}

func encodeLogs(tb testing.TB, ld plog.Logs) encoded {
	tb.Helper()
	return encode(tb, Logs, plogotlp.NewExportRequestFromLogs(ld))
}

func encodeMetrics(tb testing.TB, md pmetric.Metrics) encoded {
	tb.Helper()
	return encode(tb, Metrics, pmetricotlp.NewExportRequestFromMetrics(md))
}

func encode(tb testing.TB, s Signal, req interface {
	MarshalProto() ([]byte, error)
},
) encoded {
	tb.Helper()
	p, err := req.MarshalProto()
	require.NoError(tb, err)
	return encoded{signal: s, proto: p}
}

// places puts an attribute or a value at every place where one may nest.
var places = map[string]func(t testing.TB, set func(pcommon.Value)) encoded{
	"resource": func(tb testing.TB, set func(pcommon.Value)) encoded {
		tb.Helper()
		td := ptrace.NewTraces()
		set(td.ResourceSpans().AppendEmpty().Resource().Attributes().PutEmpty("a"))
		return encodeTraces(tb, td)
	},
	"scope": func(tb testing.TB, set func(pcommon.Value)) encoded {
		tb.Helper()
		td := ptrace.NewTraces()
		set(td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Scope().Attributes().PutEmpty("a"))
		return encodeTraces(tb, td)
	},
	"span": func(tb testing.TB, set func(pcommon.Value)) encoded {
		tb.Helper()
		td := ptrace.NewTraces()
		set(td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty().Attributes().PutEmpty("a"))
		return encodeTraces(tb, td)
	},
	"event": func(tb testing.TB, set func(pcommon.Value)) encoded {
		tb.Helper()
		td := ptrace.NewTraces()
		set(td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty().Events().AppendEmpty().Attributes().PutEmpty("a"))
		return encodeTraces(tb, td)
	},
	"link": func(tb testing.TB, set func(pcommon.Value)) encoded {
		tb.Helper()
		td := ptrace.NewTraces()
		set(td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty().Links().AppendEmpty().Attributes().PutEmpty("a"))
		return encodeTraces(tb, td)
	},
	"log body": func(tb testing.TB, set func(pcommon.Value)) encoded {
		tb.Helper()
		ld := plog.NewLogs()
		set(ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().Body())
		return encodeLogs(tb, ld)
	},
	"log record": func(tb testing.TB, set func(pcommon.Value)) encoded {
		tb.Helper()
		ld := plog.NewLogs()
		set(ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().Attributes().PutEmpty("a"))
		return encodeLogs(tb, ld)
	},
	"number point": func(tb testing.TB, set func(pcommon.Value)) encoded {
		tb.Helper()
		md, m := oneMetric()
		set(m.SetEmptySum().DataPoints().AppendEmpty().Attributes().PutEmpty("a"))
		return encodeMetrics(tb, md)
	},
	"histogram point": func(tb testing.TB, set func(pcommon.Value)) encoded {
		tb.Helper()
		md, m := oneMetric()
		set(m.SetEmptyHistogram().DataPoints().AppendEmpty().Attributes().PutEmpty("a"))
		return encodeMetrics(tb, md)
	},
	"exponential point": func(tb testing.TB, set func(pcommon.Value)) encoded {
		tb.Helper()
		md, m := oneMetric()
		set(m.SetEmptyExponentialHistogram().DataPoints().AppendEmpty().Attributes().PutEmpty("a"))
		return encodeMetrics(tb, md)
	},
	"summary point": func(tb testing.TB, set func(pcommon.Value)) encoded {
		tb.Helper()
		md, m := oneMetric()
		set(m.SetEmptySummary().DataPoints().AppendEmpty().Attributes().PutEmpty("a"))
		return encodeMetrics(tb, md)
	},
	"exemplar": func(tb testing.TB, set func(pcommon.Value)) encoded {
		tb.Helper()
		md, m := oneMetric()
		set(m.SetEmptyGauge().DataPoints().AppendEmpty().Exemplars().AppendEmpty().FilteredAttributes().PutEmpty("a"))
		return encodeMetrics(tb, md)
	},
	"metric metadata": func(tb testing.TB, set func(pcommon.Value)) encoded {
		tb.Helper()
		md, m := oneMetric()
		set(m.Metadata().PutEmpty("a"))
		return encodeMetrics(tb, md)
	},
}

func oneMetric() (pmetric.Metrics, pmetric.Metric) {
	md := pmetric.NewMetrics()
	return md, md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
}

func TestDepthIsBoundedAtEveryPlace(t *testing.T) {
	for place, build := range places {
		for _, asMap := range []bool{false, true} {
			for _, limit := range []int{1, 2, 64, MaxDepth} {
				t.Run(fmt.Sprintf("%s/map=%v/%d", place, asMap, limit), func(t *testing.T) {
					limits := Limits{Depth: limit, Decoded: math.MaxInt64}

					allowed := build(t, func(v pcommon.Value) { nested(v, limit, asMap) })
					_, err := Proto(allowed.signal, allowed.proto, limits)
					require.NoError(t, err)

					deeper := build(t, func(v pcommon.Value) { nested(v, limit+1, asMap) })
					_, err = Proto(deeper.signal, deeper.proto, limits)
					require.ErrorIs(t, err, ErrTooDeep)
				})
			}
		}
	}
}

func TestReservedKeyIsSeenAtEveryPlace(t *testing.T) {
	for place, build := range places {
		if place == "log body" {
			continue // the body itself has no key
		}
		t.Run(place, func(t *testing.T) {
			// places names its attribute "a": rename it on the wire.
			r := build(t, func(v pcommon.Value) { v.SetEmptyMap().PutStr("spanlake.class", "x") })
			res, err := Proto(r.signal, r.proto, roomy)
			require.NoError(t, err)
			require.True(t, res.Reserved)

			r = build(t, func(v pcommon.Value) { v.SetStr("x") })
			res, err = Proto(r.signal, r.proto, roomy)
			require.NoError(t, err)
			require.False(t, res.Reserved)
		})
	}
}

func TestFieldNumbersAreCutToThirtyTwoBits(t *testing.T) {
	// Field 1<<32 | 5 is field 5, an array, to pdata.
	tag := uint64(1)<<35 | 5<<3 | protowireLen
	inner := protowire.AppendVarint(nil, tag)
	inner = append(inner, 0)
	value := lengthDelimited(2, inner)
	body := lengthDelimited(1, lengthDelimited(1, lengthDelimited(1, value)))
	_, err := Proto(Traces, body, Limits{Depth: 1, Decoded: math.MaxInt64})
	require.ErrorIs(t, err, ErrTooDeep)
}

const protowireLen = uint64(protowire.BytesType)

func lengthDelimited(field protowire.Number, val []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, field, protowire.BytesType), val)
}

func TestMalformedFramingIsRefused(t *testing.T) {
	for name, body := range map[string][]byte{
		"length beyond the message": {0x0a, 0x05, 0x00},
		"huge length":               {0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
		"negative length":           {0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01},
		"tag cut off":               {0x8a},
		"endless varint":            {0x10, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01},
		"field zero":                {0x02, 0x00},
		"negative field":            {0x82, 0x80, 0x80, 0x80, 0x40, 0x00},
		"group":                     {0x7b, 0x7c},
		"wire type 6":               {0x7e},
		"fixed64 cut off":           {0x79, 0, 0, 0},
		"fixed32 cut off":           {0x7d, 0},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Proto(Traces, body, roomy)
			require.ErrorIs(t, err, ErrMalformed)
		})
	}
}

// builders decode to n small messages each: the request that costs the decoder
// most for its size.
var builders = map[string]func(t testing.TB, n int) encoded{
	"spans": func(tb testing.TB, n int) encoded {
		tb.Helper()
		td := ptrace.NewTraces()
		spans := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
		for range n {
			spans.AppendEmpty()
		}
		return encodeTraces(tb, td)
	},
	"resources": func(tb testing.TB, n int) encoded {
		tb.Helper()
		td := ptrace.NewTraces()
		for range n {
			td.ResourceSpans().AppendEmpty()
		}
		return encodeTraces(tb, td)
	},
	"scopes": func(tb testing.TB, n int) encoded {
		tb.Helper()
		td := ptrace.NewTraces()
		rs := td.ResourceSpans().AppendEmpty()
		for range n {
			rs.ScopeSpans().AppendEmpty()
		}
		return encodeTraces(tb, td)
	},
	"events": func(tb testing.TB, n int) encoded {
		tb.Helper()
		td := ptrace.NewTraces()
		span := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
		for range n {
			span.Events().AppendEmpty()
		}
		return encodeTraces(tb, td)
	},
	"links": func(tb testing.TB, n int) encoded {
		tb.Helper()
		td := ptrace.NewTraces()
		span := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
		for range n {
			span.Links().AppendEmpty()
		}
		return encodeTraces(tb, td)
	},
	"string attributes": func(tb testing.TB, n int) encoded {
		tb.Helper()
		td := ptrace.NewTraces()
		spans := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
		for range n / 10 {
			attrs := spans.AppendEmpty().Attributes()
			for i := range 10 {
				attrs.PutStr(fmt.Sprintf("attribute.%d", i), "some value")
			}
		}
		return encodeTraces(tb, td)
	},
	"values in an array": func(tb testing.TB, n int) encoded {
		tb.Helper()
		ld := plog.NewLogs()
		s := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().Body().SetEmptySlice()
		for range n {
			s.AppendEmpty().SetInt(1)
		}
		return encodeLogs(tb, ld)
	},
	"log records": func(tb testing.TB, n int) encoded {
		tb.Helper()
		ld := plog.NewLogs()
		records := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
		for range n {
			records.AppendEmpty()
		}
		return encodeLogs(tb, ld)
	},
	"metrics": func(tb testing.TB, n int) encoded {
		tb.Helper()
		md := pmetric.NewMetrics()
		metrics := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics()
		for range n {
			metrics.AppendEmpty().SetEmptyGauge()
		}
		return encodeMetrics(tb, md)
	},
	"exponential points": func(tb testing.TB, n int) encoded {
		tb.Helper()
		md, m := oneMetric()
		points := m.SetEmptyExponentialHistogram().DataPoints()
		for range n {
			points.AppendEmpty()
		}
		return encodeMetrics(tb, md)
	},
	"number points": func(tb testing.TB, n int) encoded {
		tb.Helper()
		md, m := oneMetric()
		points := m.SetEmptySum().DataPoints()
		for range n {
			points.AppendEmpty().SetIntValue(1)
		}
		return encodeMetrics(tb, md)
	},
	"buckets": func(tb testing.TB, n int) encoded {
		tb.Helper()
		md, m := oneMetric()
		counts := make([]uint64, n)
		m.SetEmptyExponentialHistogram().DataPoints().AppendEmpty().Positive().BucketCounts().FromRaw(counts)
		return encodeMetrics(tb, md)
	},
	"summary quantiles": func(tb testing.TB, n int) encoded {
		tb.Helper()
		md, m := oneMetric()
		q := m.SetEmptySummary().DataPoints().AppendEmpty().QuantileValues()
		for range n {
			q.AppendEmpty()
		}
		return encodeMetrics(tb, md)
	},
	"exemplars": func(tb testing.TB, n int) encoded {
		tb.Helper()
		md, m := oneMetric()
		e := m.SetEmptySum().DataPoints().AppendEmpty().Exemplars()
		for range n {
			e.AppendEmpty()
		}
		return encodeMetrics(tb, md)
	},
}

func TestEstimateFollowsDecodedMemory(t *testing.T) {
	const n = 30_000
	for name, build := range builders {
		e := build(t, n)
		t.Run(name, func(t *testing.T) {
			res, err := Proto(e.signal, e.proto, roomy)
			require.NoError(t, err)
			taken := heapTaken(func() any { return decodeProto(t, e) })
			require.Greater(t, float64(res.Decoded), 0.9*float64(taken), "estimate %d, taken %d", res.Decoded, taken)
			require.Less(t, float64(res.Decoded), 2*float64(taken), "estimate %d, taken %d", res.Decoded, taken)
		})
	}
}

func heapTaken(decode func() any) int64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.GC() // pools keep what they hold for one collection
	runtime.ReadMemStats(&before)
	decoded := decode()
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(decoded)
	return int64(after.HeapAlloc) - int64(before.HeapAlloc)
}

func decodeProto(tb testing.TB, e encoded) any {
	tb.Helper()
	req := newRequest(e.signal)
	require.NoError(tb, req.UnmarshalProto(e.proto))
	return req
}

type request interface {
	UnmarshalProto([]byte) error
	MarshalJSON() ([]byte, error)
}

func newRequest(s Signal) request {
	switch s {
	case Logs:
		return plogotlp.NewExportRequest()
	case Metrics:
		return pmetricotlp.NewExportRequest()
	default:
		return ptraceotlp.NewExportRequest()
	}
}

func TestDecodedLimitIsTheLastByteThatPasses(t *testing.T) {
	for name, build := range builders {
		e := build(t, 100)
		t.Run(name, func(t *testing.T) {
			res, err := Proto(e.signal, e.proto, roomy)
			require.NoError(t, err)
			_, err = Proto(e.signal, e.proto, Limits{Depth: 64, Decoded: res.Decoded})
			require.NoError(t, err)
			_, err = Proto(e.signal, e.proto, Limits{Depth: 64, Decoded: res.Decoded - 1})
			require.ErrorIs(t, err, ErrTooLarge)
		})
	}
}

func TestWalkDoesNotAllocate(t *testing.T) {
	e := builders["string attributes"](t, 1000)
	require.Zero(t, testing.AllocsPerRun(10, func() {
		_, _ = Proto(e.signal, e.proto, roomy)
	}))
}

func BenchmarkProto(b *testing.B) {
	e := builders["string attributes"](b, 5000) // 500 spans
	b.SetBytes(int64(len(e.proto)))
	b.ReportAllocs()
	for b.Loop() {
		_, _ = Proto(e.signal, e.proto, roomy)
	}
}
