package e2e

import (
	endian "encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
)

// crashClasses are a production table. The rates are powers of two, so that
// their thresholds are exact whatever their encoding.
const crashClasses = `
    classes:
      - {name: errors,   match: {status: error},          keep: 100%, retention: 30d}
      - {name: slow,     match: {min_duration: 1s},       keep: 100%, retention: 14d}
      - {name: health,   match: {routes: ["/health*"]},   keep: 0%,   retention: 1d}
      - {name: checkout, match: {routes: ["/checkout*"]}, keep: 50%,  retention: 14d}
      - {name: normal,                                    keep: 25%,  retention: 7d}
`

// stamps are what the store says of a span's class.
type stamps struct {
	class, retention string
	adjusted         string // a JSON number
}

var (
	errorStamps  = stamps{"errors", "30d", "1.0"}
	slowStamps   = stamps{"slow", "14d", "1.0"}
	shopStamps   = stamps{"checkout", "14d", "2.0"}
	normalStamps = stamps{"normal", "7d", "4.0"}
)

// Rejection thresholds: a trace is kept where its randomness is not below.
const (
	keepAll     uint64 = 0
	keepHalf    uint64 = 1 << 55
	keepQuarter uint64 = 3 << 54
	keepNone    uint64 = 1 << 56
)

// family is what a trace is made to be. Its first request has the span that
// decides its class, so that whatever part of it is known gives the same class.
type family struct {
	name      string
	share     int // of 100 traces
	route     string
	stamps    stamps
	threshold uint64
	// lateError families end with an error, which may come after the decision: of
	// a trace that is dropped only that span is certain to be kept.
	lateError bool
	// byRoute families are known by their root, which is the first span.
	byRoute bool
}

const noRoot = -1

var families = []*family{
	{name: "errors", share: 20, route: "/pay", stamps: errorStamps, threshold: keepAll},
	{name: "slow", share: 20, route: "/report", stamps: slowStamps, threshold: keepAll},
	{name: "health", share: 10, route: "/health/live", threshold: keepNone, byRoute: true},
	{name: "checkout", share: 20, route: "/checkout/{id}", stamps: shopStamps, threshold: keepHalf, byRoute: true},
	{name: "normal", share: 20, route: "/cart", stamps: normalStamps, threshold: keepQuarter},
	{name: "late error", share: 10, route: "/login", stamps: normalStamps, threshold: keepQuarter, lateError: true},
}

const (
	maxCrashSpans = 15
	maxCrashSteps = 4
	crashServices = 5
	// One span in largeSpans is large enough that memory runs short.
	largeSpans = 10
	largeSpan  = 64 << 10
	smallSpan  = 2 << 10

	shortTrace = 800 * time.Millisecond
	longSpan   = 1200 * time.Millisecond
)

// crashTrace is a trace and what became of it. The load's mutex guards it.
type crashTrace struct {
	family *family
	id     pcommon.TraceID
	number int
	start  time.Time
	spans  []crashSpan
	// root is the index of the root span; without one the trace waits longest.
	root int
	// cuts are where the steps end: step i has the spans from cuts[i-1] on. Each
	// step is sent when the one before was acknowledged.
	cuts []int
}

type crashSpan struct {
	sent  bool
	acked int // the run in which it was acknowledged first, from 1; 0: never
	again resent
}

// resent says why a span was sent more than once; it may be all of these.
type resent uint8

const (
	resentRefused    resent = 1 << iota // answered 503 or 429
	resentUnanswered                    // the collector was killed before it answered
	resentRepeated                      // acknowledged by the same run
	resentLater                         // acknowledged by an earlier run
)

func (r resent) String() string {
	var why []string
	for i, text := range []string{"refused", "not answered", "repeated", "repeated after a restart"} {
		if r&(1<<i) != 0 {
			why = append(why, text)
		}
	}
	if len(why) == 0 {
		return "sent once"
	}
	return "sent again (" + strings.Join(why, ", ") + ")"
}

func newCrashTrace(random *rand.Rand, number int) *crashTrace {
	t := &crashTrace{number: number, start: time.Now(), spans: make([]crashSpan, 1+random.IntN(maxCrashSpans))}
	n := random.IntN(100)
	for _, f := range families {
		if n -= f.share; n < 0 {
			t.family = f
			break
		}
	}
	endian.BigEndian.PutUint64(t.id[:8], random.Uint64())
	endian.BigEndian.PutUint64(t.id[8:], random.Uint64()|1)
	if !t.family.byRoute {
		t.root = []int{0, len(t.spans) - 1, noRoot}[random.IntN(3)]
	}
	steps := 1 + random.IntN(min(maxCrashSteps, len(t.spans)))
	for i := range steps {
		t.cuts = append(t.cuts, len(t.spans)*(i+1)/steps)
	}
	return t
}

// kept says what consistent probability makes of the trace.
func (t *crashTrace) kept() bool {
	return endian.BigEndian.Uint64(t.id[8:])&(1<<56-1) >= t.family.threshold
}

// must says that a span is stored if it was acknowledged, and may, that it is
// stored at all.
func (t *crashTrace) must(i int) bool { return t.kept() || t.isLateError(i) }

func (t *crashTrace) may() bool { return t.kept() || t.family.lateError }

func (t *crashTrace) isLateError(i int) bool { return t.family.lateError && i == len(t.spans)-1 }

// legal says whether a span may be stored under the stamps.
func (t *crashTrace) legal(i int, s stamps) bool {
	if t.isLateError(i) {
		return s == errorStamps
	}
	return s == t.family.stamps || t.family.lateError && s == errorStamps
}

// step returns the range of the spans of a step.
func (t *crashTrace) step(i int) (from, to int) {
	if i > 0 {
		from = t.cuts[i-1]
	}
	return from, t.cuts[i]
}

func (t *crashTrace) spanID(i int) (id pcommon.SpanID) {
	endian.BigEndian.PutUint64(id[:], uint64(t.number)<<16|uint64(i+2))
	return id
}

// part is a step of a trace in a request.
type part struct {
	trace *crashTrace
	step  int
}

// encodeParts makes a request. The same trace is in several services.
func encodeParts(random *rand.Rand, parts []part) []byte {
	td := ptrace.NewTraces()
	for _, p := range parts {
		rs := td.ResourceSpans().AppendEmpty()
		rs.Resource().Attributes().PutStr("service.name", fmt.Sprintf("service-%d", random.IntN(crashServices)))
		spans := rs.ScopeSpans().AppendEmpty().Spans()
		from, to := p.trace.step(p.step)
		for i := from; i < to; i++ {
			p.trace.fill(random, spans.AppendEmpty(), i)
			p.trace.spans[i].sent = true
		}
	}
	body, err := ptraceotlp.NewExportRequestFromTraces(td).MarshalProto()
	if err != nil {
		panic(err) // nothing in it can fail
	}
	return body
}

func (t *crashTrace) fill(random *rand.Rand, s ptrace.Span, i int) {
	s.SetTraceID(t.id)
	s.SetSpanID(t.spanID(i))
	start := t.start.Add(time.Duration(i) * time.Millisecond)
	end := t.start.Add(shortTrace)
	if i == 0 {
		s.Attributes().PutStr("http.route", t.family.route)
		if t.family.name == "slow" {
			end = t.start.Add(longSpan)
		}
	}
	if i != t.root {
		s.SetParentSpanID(t.spanID(t.root)) // that of noRoot is never sent
	}
	if t.family.name == "errors" && i == 0 || t.isLateError(i) {
		s.Status().SetCode(ptrace.StatusCodeError)
	}
	s.SetName(fmt.Sprintf("%s %d", t.family.name, i))
	s.SetStartTimestamp(pcommon.NewTimestampFromTime(start))
	s.SetEndTimestamp(pcommon.NewTimestampFromTime(end))
	size := random.IntN(smallSpan)
	if random.IntN(largeSpans) == 0 {
		size = largeSpan
	}
	s.Attributes().PutStr("padding", strings.Repeat("padding ", size/8))
}
