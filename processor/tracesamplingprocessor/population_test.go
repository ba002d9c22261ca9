package tracesamplingprocessor

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// population generates traces that lie on both sides of every limit in the tables
// of tailsampling_test.go, and exactly on it.
type population struct {
	random *rand.Rand
	stated float64 // share of traces with sampling information in their tracestate
}

// genSpan is a generated span and what is said of its resource.
type genSpan struct {
	service int
	span    ptrace.Span
}

var (
	genServices = []string{"shop", "billing", "search", "noise", "gateway", "mail"}
	genRoutes   = []string{"/", "/", "/health", "/livez", "/checkout", "/checkout/{id}", "/payments", "/pay", ""}
	// Of a whole trace: around one second and two and a half, to the nanosecond.
	genDurations = []time.Duration{
		time.Second, time.Second - 1, time.Second + 1, 999 * time.Millisecond, 2500 * time.Millisecond,
		2501*time.Millisecond - 1, 2501 * time.Millisecond, 1500 * time.Millisecond,
	}
)

func pick[T any](random *rand.Rand, values ...T) T { return values[random.IntN(len(values))] }

// requests generates traces and deals their spans, in random order, to requests of
// 400 spans.
func (p *population) requests(traceCount int) []ptrace.Traces {
	var all []genSpan
	for range traceCount {
		all = append(all, p.trace()...)
	}
	p.random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	var requests []ptrace.Traces
	for request := range slices.Chunk(all, 400) {
		td := ptrace.NewTraces()
		resources := map[int]ptrace.SpanSlice{}
		for _, s := range request {
			spans, ok := resources[s.service]
			if !ok {
				spans = p.resource(td.ResourceSpans().AppendEmpty(), s.service)
				resources[s.service] = spans
			}
			s.span.MoveTo(spans.AppendEmpty())
		}
		requests = append(requests, td)
	}
	return requests
}

func (p *population) resource(rs ptrace.ResourceSpans, service int) ptrace.SpanSlice {
	a := rs.Resource().Attributes()
	a.PutStr("service.name", genServices[service])
	a.PutBool("canary", service == 4)
	a.PutInt("cell", int64(service))
	rs.ScopeSpans().AppendEmpty().Scope().SetName("http")
	return rs.ScopeSpans().At(0).Spans()
}

// trace has 1 to 30 spans, 6 on the average. One trace in ten has lost its root.
func (p *population) trace() []genSpan {
	random := p.random
	n := 1 + min(29, int(random.ExpFloat64()*5))
	var id [16]byte
	binary.BigEndian.PutUint64(id[:], random.Uint64())
	binary.BigEndian.PutUint64(id[8:], random.Uint64())
	total := time.Duration(random.Int64N(int64(800 * time.Millisecond)))
	if random.IntN(4) == 0 {
		total = pick(random, genDurations...)
	}
	state := p.state()
	fails := random.IntN(10) == 0
	home := random.IntN(len(genServices))
	spans := make([]genSpan, 0, n)
	for i := range n {
		s := ptrace.NewSpan()
		s.SetTraceID(id)
		s.SetSpanID([8]byte{byte(i + 1), 1})
		if i > 0 || random.IntN(10) == 0 {
			s.SetParentSpanID([8]byte{byte(i), 1})
		}
		start, end := time.Duration(0), total
		if i > 0 {
			start = time.Duration(random.Int64N(int64(total) + 1))
			end = start + time.Duration(random.Int64N(int64(total-start)+1))
		}
		s.SetStartTimestamp(pcommon.Timestamp(1_700_000_000_000_000_000 + start))
		s.SetEndTimestamp(pcommon.Timestamp(1_700_000_000_000_000_000 + end))
		s.TraceState().FromRaw(state)
		if fails && random.IntN(n) == 0 {
			s.Status().SetCode(ptrace.StatusCodeError)
		}
		p.fill(s)
		service := home
		if random.IntN(4) == 0 {
			service = random.IntN(len(genServices))
		}
		spans = append(spans, genSpan{service, s})
	}
	return spans
}

// fill sets what any span may have; rare enough that many traces have it nowhere.
func (p *population) fill(s ptrace.Span) {
	random := p.random
	s.SetName(pick(random, "GET", "query", "publish"))
	s.SetKind(pick(random, ptrace.SpanKindInternal, ptrace.SpanKindServer, ptrace.SpanKindClient))
	if random.IntN(4) == 0 {
		a := s.Attributes()
		if route := pick(random, genRoutes...); route != "" {
			a.PutStr("http.route", route)
		}
		a.PutInt("http.response.status_code", pick[int64](random, 200, 200, 200, 404, 499, 500, 503, 599, 600))
		a.PutStr("tenant.tier", pick(random, "free", "free", "gold", "platinum", "plated"))
	}
	switch random.IntN(60) {
	case 0:
		s.SetKind(pick(random, ptrace.SpanKindProducer, ptrace.SpanKindConsumer, ptrace.SpanKindUnspecified))
	case 1:
		s.Attributes().PutBool("debug", random.IntN(2) == 0)
	case 2:
		s.Attributes().PutDouble("load", random.Float64())
	case 3:
		s.SetFlags(pick[uint32](random, 1, 0x301, 2, 0x100))
	case 4, 5:
		s.Status().SetCode(ptrace.StatusCodeOk)
	case 6:
		if s.TraceState().AsRaw() == "" {
			s.TraceState().FromRaw("vendor=" + pick(random, "blue", "red"))
		}
	}
}

// state is explicit randomness, and for some the threshold of a sampler upstream
// that let the trace pass.
func (p *population) state() string {
	randomness := p.random.Uint64N(1 << 56)
	switch {
	case p.random.Float64() >= p.stated:
		return ""
	case p.random.IntN(4) == 0:
		randomness |= 0xc << 52
		return fmt.Sprintf("ot=rv:%014x;th:c,vendor=red", randomness)
	}
	return fmt.Sprintf("ot=rv:%014x", randomness)
}
