package tokenotlpreceiver

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/wireerr"
)

// row is a case of the contract: a request, the answer to it, and all that came
// of it.
type row struct {
	name string
	to   setup
	send sendable
	want reply

	arrived []string // items of the pipeline as JSON; nil: any
	whole   string   // what the pipeline got as JSON; empty: anything
	source  string   // whose token it has
	stamp   string   // whose items they are, if not the source's

	// What is counted.
	items   int            // taken
	reason  wireerr.Reason // of a refusal
	lost    int            // items that were read and refused
	repairs map[string]int64
	// uncounted is for what grpc-go answers by itself, with a right token.
	uncounted bool
}

// accepted is a request that is let in with so many items.
func accepted(name string, send sendable, items int) row {
	return row{name: name, send: send, want: send.success(), items: items, source: "shop"}
}

// refused is a request that is not let in.
func refused(name string, send sendable, why refusal) row {
	return row{name: name, send: send, want: send.refusal(why), reason: why.reason, source: "shop"}
}

func (r row) at(s setup) row { r.to = s; return r }

// uncountedByUs is for a refusal of grpc-go.
func (r row) uncountedByUs() row { r.uncounted = true; return r }

func (r row) from(source string) row { r.source = source; return r }

// arriving says what each item is when it arrives.
func (r row) arriving(items ...string) row { r.arrived, r.items = items, len(items); return r }

func (r row) losing(n int) row { r.lost = n; return r }

func (r row) mending(repair string, n int64) row {
	r.repairs = maps.Clone(r.repairs)
	if r.repairs == nil {
		r.repairs = make(map[string]int64)
	}
	r.repairs[repair] = n
	return r
}

// setup is a receiver that rows are sent to.
type setup uint8

const (
	usual     setup = iota
	small           // with smallLimits
	noTraces        // without a pipeline for traces
	noLogs          // without one for logs and metrics
	full            // the pipeline cannot take it now
	refusing        // the pipeline will never take it
	confused        // the pipeline answers with a status of gRPC
	tight           // with little left of what may be in flight
	spent           // with nothing left of it
	overdrawn       // shop has 1.5 s to wait; billing has no limit
	relayed         // shop is a relay
	setups
)

var setupNames = [setups]string{
	"usual", "small", "no traces", "no logs", "full", "refusing", "confused", "tight", "spent", "overdrawn", "relayed",
}

// room is what is left of max_in_flight_mib at tight.
const room = 512 << 10

var setupOptions = [setups]options{
	small:     {config: smallLimits},
	noTraces:  {next: &consumers{logs: failing{}}},
	noLogs:    {next: &consumers{traces: failing{}}},
	full:      {next: failingWith(errors.New("memory limit"))},
	refusing:  {next: failingWith(consumererror.NewPermanent(errors.New("bad \xff batch")))},
	confused:  {next: failingWith(errInternal)},
	tight:     {config: smallLimits},
	spent:     {config: smallLimits},
	overdrawn: {config: func(cfg *Config) { cfg.Sources[0].RateLimit = 10 }},
	relayed:   {config: relaying},
}

func startAs(t *testing.T, s setup) *harness {
	t.Helper()
	h := start(t, setupOptions[s])
	budget := h.receiver.bodies.Budget
	hold := func(n int64) {
		require.True(t, budget.Reserve(n))
		t.Cleanup(func() { budget.Release(n) })
	}
	switch s {
	case tight:
		hold(h.cfg.MaxInFlightMiB*mib - room)
	case spent:
		hold(h.cfg.MaxInFlightMiB * mib)
	case overdrawn:
		// A second's worth is free.
		require.Equal(t, 202, h.post("/", "", []byte(strings.Repeat(" ", 25))).status)
	default:
	}
	return h
}

// conformance is the contract, by concern.
var conformance = []func(t *testing.T) []row{
	successRows, emptyRows, codingRows, contentTypeRows,
	tokenRows, tokenFirstRows, tokenKindRows,
	pathRows, methodRows, noPipelineRows,
	sizeRows, bombRows, decodedRows, inFlightRows, rateRows, pipelineRows,
	protobufRows, framingRows, jsonRows, depthRows,
	traceIDRows, spanIDRows, otherIDRows, parentRows, partialRows,
	textRows, lenientRows, numberRows, reservedRows, relayRows,
	eventRows, eventFaultRows, eventValueRows,
}

func allRows(t *testing.T) []row {
	t.Helper()
	var all []row
	for _, rows := range conformance {
		all = append(all, rows(t)...)
	}
	return all
}

func TestConformance(t *testing.T) {
	var rows [setups][]row
	for _, r := range allRows(t) {
		rows[r.to] = append(rows[r.to], r)
	}
	for s, rows := range rows {
		t.Run(setupNames[s], func(t *testing.T) {
			h := startAs(t, setup(s))
			before := h.counters()
			for _, r := range rows {
				t.Run(r.name, func(t *testing.T) {
					of := *h
					of.t = t
					of.resetSinks()
					r.run(&of, before)
				})
				before = h.counters()
			}
		})
	}
}

func TestConformanceHasARowForEveryCase(t *testing.T) {
	rows := allRows(t)
	require.GreaterOrEqual(t, len(rows), 120)
	names, reasons, tried := make(map[string]bool), make(map[wireerr.Reason]bool), make(map[setup]bool)
	for _, r := range rows {
		require.False(t, names[r.name], "%s: twice", r.name)
		names[r.name], reasons[r.reason], tried[r.to] = true, true, true
	}
	require.Len(t, tried, int(setups), "a receiver that no row is sent to")
	for _, reason := range []wireerr.Reason{
		wireerr.Unauthorized, wireerr.NotFound, wireerr.Method, wireerr.ContentType, wireerr.Encoding, wireerr.TooLarge,
		wireerr.TooDeep, wireerr.Malformed, wireerr.Busy, wireerr.RateLimited, wireerr.Unavailable, wireerr.Refused,
	} {
		require.True(t, reasons[reason], reason)
	}
}

// run sends the request of the row and looks at everything it does.
func (r row) run(h *harness, before map[string]int64) {
	h.t.Helper()
	got := r.send.send(h)
	require.Equal(h.t, r.want, got)
	if setupOptions[r.to].next == nil {
		require.Equal(h.t, r.items, h.items(), "items that arrived")
	}
	sig := r.send.signal()
	if r.items > 0 && r.arrived != nil {
		require.Equal(h.t, r.arrived, h.itemsOf(sig))
	}
	if r.whole != "" {
		require.Equal(h.t, r.whole, h.received(sig))
	}
	if r.stamp == "" {
		r.stamp = r.source
	}
	for _, source := range h.stamps(sig) {
		require.Equal(h.t, r.stamp, source)
	}
	require.Equal(h.t, r.moves(), difference(h.counters(), before), "what was counted")
}

// moves are the counters that the row moves, and by how much.
func (r row) moves() map[string]int64 {
	source, lostFor := r.source, r.reason
	if r.reason == wireerr.Unauthorized {
		source = ""
	}
	where := " " + source + " " + signalName(r.send.signal()) + " " + r.send.transport()
	moves := make(map[string]int64)
	add := func(counter, last string, n int64) {
		if n > 0 {
			moves[strings.TrimSpace(counter+where+" "+last)] = n
		}
	}
	add("accepted_items", "", int64(r.items))
	if r.reason != "" && !r.uncounted {
		add("rejected_requests", string(r.reason), 1)
	}
	if lostFor == "" && r.send.signal() == traces {
		lostFor = wireerr.BadID
	} else if lostFor == "" {
		lostFor = wireerr.Malformed
	}
	add("rejected_items", string(lostFor), int64(r.lost))
	for repair, n := range r.repairs {
		add("repairs", repair, n)
	}
	return moves
}

// counters are those of the receiver that only grow, each by name and attributes,
// but for bytes.
func (h *harness) counters() map[string]int64 {
	h.t.Helper()
	const prefix = "otelcol_token_otlp_"
	var all metricdata.ResourceMetrics
	require.NoError(h.t, h.telemetry.Reader.Collect(h.t.Context(), &all))
	counters := make(map[string]int64)
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			name, own := strings.CutPrefix(m.Name, prefix)
			sum, ok := m.Data.(metricdata.Sum[int64])
			if !own || !ok || !sum.IsMonotonic || m.Unit == "By" {
				continue
			}
			for _, p := range sum.DataPoints {
				series := name
				for _, key := range []attribute.Key{"source", "signal", "transport", "reason", "repair"} {
					if value, ok := p.Attributes.Value(key); ok {
						series += " " + value.AsString()
					}
				}
				counters[series] = p.Value
			}
		}
	}
	return counters
}

func difference(after, before map[string]int64) map[string]int64 {
	moved := make(map[string]int64)
	for key, n := range after {
		if n != before[key] {
			moved[key] = n - before[key]
		}
	}
	return moved
}
