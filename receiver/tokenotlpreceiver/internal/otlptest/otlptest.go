// Package otlptest makes OTLP requests for tests: random ones that conform and
// use every field and kind of value, and ones of a usual size for benchmarks.
package otlptest

import (
	"fmt"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"pgregory.net/rapid"

	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/wire"
)

// Request is a request of any signal.
type Request interface {
	MarshalProto() ([]byte, error)
	UnmarshalProto(data []byte) error
	MarshalJSON() ([]byte, error)
	UnmarshalJSON(data []byte) error
}

// New returns an empty request.
func New(s wire.Signal) Request {
	switch s {
	case wire.Traces:
		return ptraceotlp.NewExportRequest()
	case wire.Logs:
		return plogotlp.NewExportRequest()
	default:
		return pmetricotlp.NewExportRequest()
	}
}

// Random returns a request with anything that is allowed.
func Random(t *rapid.T, s wire.Signal) Request {
	switch s {
	case wire.Traces:
		return ptraceotlp.NewExportRequestFromTraces(randomTraces(t))
	case wire.Logs:
		return plogotlp.NewExportRequestFromLogs(randomLogs(t))
	default:
		return pmetricotlp.NewExportRequestFromMetrics(randomMetrics(t))
	}
}

// Items is how many Usual has.
const Items = 500

// Usual returns a request whose items have ten attributes each.
func Usual(s wire.Signal) Request {
	switch s {
	case wire.Traces:
		td := ptrace.NewTraces()
		spans := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
		for i := range Items {
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
		for range Items {
			record := records.AppendEmpty()
			record.Body().SetStr("order 4711 has been paid by card")
			tenAttributes(record.Attributes())
		}
		return plogotlp.NewExportRequestFromLogs(ld)
	default:
		md := pmetric.NewMetrics()
		points := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty().SetEmptySum().DataPoints()
		for range Items {
			p := points.AppendEmpty()
			p.SetIntValue(7)
			tenAttributes(p.Attributes())
		}
		return pmetricotlp.NewExportRequestFromMetrics(md)
	}
}

func tenAttributes(m pcommon.Map) {
	for i := range 8 {
		m.PutStr(fmt.Sprintf("some.attribute.%d", i), "a value of some length")
	}
	m.PutInt("http.response.status_code", 200)
	m.PutBool("cache.hit", true)
}
