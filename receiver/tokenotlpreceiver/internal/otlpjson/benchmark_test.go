package otlpjson

import (
	"fmt"
	"math"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/wire"
)

var signalNames = map[wire.Signal]string{wire.Traces: "traces", wire.Logs: "logs", wire.Metrics: "metrics"}

func tenAttributes(m pcommon.Map) {
	for i := range 8 {
		m.PutStr(fmt.Sprintf("some.attribute.%d", i), "a value of some length")
	}
	m.PutInt("http.response.status_code", 200)
	m.PutBool("cache.hit", true)
}

// benchRequest is that of the receiver's benchmark: 500 items of ten attributes.
func benchRequest(s wire.Signal) request {
	const items = 500
	switch s {
	case wire.Traces:
		td := ptrace.NewTraces()
		spans := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
		for i := range items {
			span := spans.AppendEmpty()
			span.SetTraceID([16]byte{1, byte(i), byte(i >> 8)})
			span.SetSpanID([8]byte{1, byte(i), byte(i >> 8)})
			span.SetParentSpanID([8]byte{2, byte(i)})
			span.SetName("GET /api/orders/{id}")
			span.SetStartTimestamp(1_700_000_000_000_000_000)
			span.SetEndTimestamp(1_700_000_000_100_000_000)
			tenAttributes(span.Attributes())
		}
		return ptraceotlp.NewExportRequestFromTraces(td)
	case wire.Logs:
		ld := plog.NewLogs()
		records := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
		for range items {
			record := records.AppendEmpty()
			record.Body().SetStr("order 4711 has been paid by card")
			tenAttributes(record.Attributes())
		}
		return plogotlp.NewExportRequestFromLogs(ld)
	default:
		md := pmetric.NewMetrics()
		points := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty().SetEmptySum().DataPoints()
		for range items {
			p := points.AppendEmpty()
			p.SetIntValue(7)
			tenAttributes(p.Attributes())
		}
		return pmetricotlp.NewExportRequestFromMetrics(md)
	}
}

// BenchmarkDecode compares pdata's way from JSON to pdata with ours, whose output
// goes to a buffer that is used again, and shows our own share of that.
func BenchmarkDecode(b *testing.B) {
	for _, s := range []wire.Signal{wire.Traces, wire.Logs, wire.Metrics} {
		body := []byte(jsonOf(b, benchRequest(s)))
		run := func(name string, once func() error) {
			b.Run(signalNames[s]+"/"+name, func(b *testing.B) {
				b.SetBytes(int64(len(body)))
				b.ReportAllocs()
				for b.Loop() {
					if err := once(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		run("pdata", func() error { return newRequest(s).UnmarshalJSON(body) })
		var out []byte
		run("whole", func() (err error) {
			if out, _, err = Transcode(s, body, out[:0], roomy); err != nil {
				return err
			}
			if _, err = wire.Proto(s, out, wire.Limits{Depth: 64, Decoded: math.MaxInt64}); err != nil {
				return err
			}
			return newRequest(s).UnmarshalProto(out)
		})
		run("transcode", func() error {
			_, _, err := Transcode(s, body, out[:0], roomy)
			return err
		})
	}
}
