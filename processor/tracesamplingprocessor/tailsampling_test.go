package tracesamplingprocessor

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/tailsamplingprocessor"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/featuregate"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"

	"github.com/spanlake/spanlake/internal/attr"
)

// sameClass is one class in the words of each, in YAML.
type sameClass struct{ name, match, policy string }

// dropClasses keep nothing. Contrib asks drop policies before all others, so these
// classes have to be the first.
var dropClasses = []sameClass{
	{"drop service", `{services: [noise], routes: ["/health", "/livez"], any_span: true}`, `type: drop, drop: {drop_sub_policy: [
		{name: s, type: string_attribute, string_attribute: {key: service.name, values: [noise]}},
		{name: r, type: string_attribute, string_attribute: {key: http.route, values: [/health, /livez]}}]}`},
}

// keepClasses keep everything.
var keepClasses = []sameClass{
	{"status_code", `{status: error}`, `type: status_code, status_code: {status_codes: [ERROR]}`},
	// Contrib compares whole milliseconds, and wants more than the limit.
	{"latency 1s", `{min_duration: 1s}`, `type: latency, latency: {threshold_ms: 999}`},
	{"latency 2501ms", `{min_duration: 2501ms}`, `type: latency, latency: {threshold_ms: 2500}`},
	{
		"string_attribute route", `{routes: [/health, /livez], any_span: true}`,
		`type: string_attribute, string_attribute: {key: http.route, values: [/health, /livez]}`,
	},
	{
		"string_attribute regex", `{routes: ["/checkout*"], any_span: true}`,
		`type: string_attribute, string_attribute: {key: http.route, values: ["^/checkout"], enabled_regex_matching: true}`,
	},
	{
		"string_attribute service", `{services: [mail]}`,
		`type: string_attribute, string_attribute: {key: service.name, values: [mail]}`,
	},
	{"and", `{status: error, services: [billing], min_duration: 1s}`, `type: and, and: {and_sub_policy: [
		{name: e, type: status_code, status_code: {status_codes: [ERROR]}},
		{name: s, type: string_attribute, string_attribute: {key: service.name, values: [billing]}},
		{name: l, type: latency, latency: {threshold_ms: 999}}]}`},
	{
		"ottl_condition root", `{routes: [/payments]}`,
		`type: ottl_condition, ottl_condition: {span: ['IsRootSpan() and span.attributes["http.route"] == "/payments"']}`,
	},
}

// Both processors get the same requests. In every round the order of the classes is
// another, so that each has come first; where two classes match, the order decides
// for both.
func TestDecidesAsTailSampling(t *testing.T) {
	enableGate(t, "processor.tailsamplingprocessor.recordpolicy")
	rounds := 20
	if underRace {
		rounds = 2
	}
	var mu sync.Mutex
	seen := map[string]int{}
	t.Run("rounds", func(t *testing.T) {
		for round := range rounds {
			t.Run(fmt.Sprint(round), func(t *testing.T) {
				t.Parallel()
				random := rand.New(rand.NewPCG(uint64(round), 1))
				classes := make([]sameClass, len(keepClasses))
				for i, j := range random.Perm(len(keepClasses)) {
					classes[i] = keepClasses[j]
				}
				const tracesPerRound = 5000
				requests := (&population{random: random, stated: 0.5}).requests(tracesPerRound)
				rest := round%2 == 0 // kept, too
				ours := decisions(t, NewFactory(), ourTable(classes, rest), requests)
				theirs := decisions(t, tailsamplingprocessor.NewFactory(), theirTable(classes, rest), requests)
				requireSame(t, theirs, ours)
				require.Less(t, len(ours), tracesPerRound, "some are dropped")
				mu.Lock()
				defer mu.Unlock()
				for _, d := range ours {
					seen[d.class]++
				}
			})
		}
	})
	for _, c := range append(keepClasses, sameClass{name: "always_sample"}) {
		require.Greater(t, seen[c.name], rounds, c.name)
	}
}

func ourTable(keep []sameClass, rest bool) string {
	var y strings.Builder
	y.WriteString("decision_wait: 1h\nroot_wait: 1h\nshutdown_timeout: 10m\nmemory_limit_mib: 4096\nclasses:\n")
	for _, c := range dropClasses {
		fmt.Fprintf(&y, "  - {name: %s, match: %s, keep: 0%%}\n", c.name, c.match)
	}
	for _, c := range keep {
		fmt.Fprintf(&y, "  - {name: %s, match: %s, keep: 100%%}\n", c.name, c.match)
	}
	fmt.Fprintf(&y, "  - {name: always_sample, keep: %s}\n", map[bool]string{true: "100%", false: "0%"}[rest])
	return y.String()
}

const theirHead = "decision_wait: 1h\nnum_traces: 1000000\nsample_on_first_match: true\npolicies:\n"

func theirTable(keep []sameClass, rest bool) string {
	var y strings.Builder
	y.WriteString(theirHead)
	for _, c := range append(dropClasses[:len(dropClasses):len(dropClasses)], keep...) {
		fmt.Fprintf(&y, "  - {name: %s, %s}\n", c.name, strings.ReplaceAll(c.policy, "\t", " "))
	}
	if rest {
		y.WriteString("  - {name: always_sample, type: always_sample}\n")
	}
	return y.String()
}

const (
	ourRates = `
decision_wait: 1h
root_wait: 1h
shutdown_timeout: 10m
memory_limit_mib: 4096
classes:
  - {name: health, match: {routes: [/health, /livez], any_span: true}, keep: 1%}
  - {name: checkout, match: {services: [shop]}, keep: 50%}
  - {name: rest, keep: 5%}
`
	theirRates = theirHead + `
  - name: health
    type: and
    and: {and_sub_policy: [
      {name: r, type: string_attribute, string_attribute: {key: http.route, values: [/health, /livez]}},
      {name: p, type: probabilistic, probabilistic: {sampling_percentage: 1}}]}
  - name: checkout
    type: and
    and: {and_sub_policy: [
      {name: r, type: not, not: {not_sub_policy: {name: n, type: string_attribute, string_attribute: {key: http.route, values: [/health, /livez]}}}},
      {name: s, type: string_attribute, string_attribute: {key: service.name, values: [shop]}},
      {name: p, type: probabilistic, probabilistic: {sampling_percentage: 50}}]}
  - name: rest
    type: and
    and: {and_sub_policy: [
      {name: r, type: not, not: {not_sub_policy: {name: n, type: string_attribute, string_attribute: {key: http.route, values: [/health, /livez]}}}},
      {name: s, type: not, not: {not_sub_policy: {name: n, type: string_attribute, string_attribute: {key: service.name, values: [shop]}}}},
      {name: p, type: probabilistic, probabilistic: {sampling_percentage: 5}}]}
`
)

// Where the tracestate has sampling information and contrib is told to heed it,
// both compare the same randomness with the same threshold: the traces kept are the
// same ones, and what the tracestate says of them is the same.
func TestKeepsTheSameShareAsTailSampling(t *testing.T) {
	enableGate(t, "processor.tailsamplingprocessor.recordpolicy")
	enableGate(t, "processor.tailsamplingprocessor.usetracestate")
	requests := (&population{random: rand.New(rand.NewPCG(3, 3)), stated: 1}).requests(20_000)
	ours := statedDecisions(t, NewFactory(), ourRates, requests)
	theirs := statedDecisions(t, tailsamplingprocessor.NewFactory(), theirRates, requests)
	requireSame(t, theirs, ours)
	require.Greater(t, len(ours), 1000)
}

// Without it contrib hashes the trace ID: the share is the same, not the traces.
// Each may be 4 standard errors of a binomial off.
func TestKeepsAsManyAsTailSampling(t *testing.T) {
	enableGate(t, "processor.tailsamplingprocessor.recordpolicy")
	requests := (&population{random: rand.New(rand.NewPCG(4, 4))}).requests(20_000)
	sizes := map[string]int{}
	for _, d := range decisions(t, NewFactory(), strings.NewReplacer("1%", "100%", "50%", "100%", "5%", "100%").Replace(ourRates), requests) {
		sizes[d.class]++
	}
	ours := decisions(t, NewFactory(), ourRates, requests)
	theirs := decisions(t, tailsamplingprocessor.NewFactory(), theirRates, requests)
	for class, p := range map[string]float64{"health": 0.01, "checkout": 0.5, "rest": 0.05} {
		n := float64(sizes[class])
		for who, kept := range map[string]map[pcommon.TraceID]decision{"ours": ours, "contrib": theirs} {
			got := 0
			for _, d := range kept {
				if d.class == class {
					got++
				}
			}
			require.InDelta(t, n*p, got, 4*math.Sqrt(n*p*(1-p)), "%s of %s", class, who)
		}
	}
}

// requireSame names a few of the traces that were decided otherwise.
func requireSame(t *testing.T, theirs, ours map[pcommon.TraceID]decision) {
	t.Helper()
	var differ []string
	for id, d := range theirs {
		if ours[id] != d {
			differ = append(differ, fmt.Sprintf("%s: contrib %+v, ours %+v", id, d, ours[id]))
		}
	}
	for id, d := range ours {
		if _, both := theirs[id]; !both {
			differ = append(differ, fmt.Sprintf("%s: contrib drops, ours %+v", id, d))
		}
	}
	require.Empty(t, differ[:min(len(differ), 10)], "%d traces", len(differ))
}

func enableGate(t *testing.T, id string) {
	t.Helper()
	require.NoError(t, featuregate.GlobalRegistry().Set(id, true))
	t.Cleanup(func() { require.NoError(t, featuregate.GlobalRegistry().Set(id, false)) })
}

// decision is what became of a trace that was kept.
type decision struct {
	class  string
	spans  int
	states string // the tracestate; of every span where they differ
}

// decisions runs the requests through a processor and returns what it kept.
func decisions(t *testing.T, f processor.Factory, yaml string, requests []ptrace.Traces) map[pcommon.TraceID]decision {
	t.Helper()
	return run(t, &decisionSink{kept: map[pcommon.TraceID]decision{}}, f, yaml, requests)
}

// statedDecisions looks at tracestates, too.
func statedDecisions(t *testing.T, f processor.Factory, yaml string, requests []ptrace.Traces) map[pcommon.TraceID]decision {
	t.Helper()
	return run(t, &decisionSink{kept: map[pcommon.TraceID]decision{}, stated: true}, f, yaml, requests)
}

func run(t *testing.T, sink *decisionSink, f processor.Factory, yaml string, requests []ptrace.Traces) map[pcommon.TraceID]decision {
	t.Helper()
	p := startProcessor(t, f, yaml, sink)
	for _, td := range requests {
		require.NoError(t, p.ConsumeTraces(t.Context(), td))
	}
	require.NoError(t, p.Shutdown(t.Context()))
	return sink.kept
}

type decisionSink struct {
	stated bool
	mu     sync.Mutex
	kept   map[pcommon.TraceID]decision
}

func (*decisionSink) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (s *decisionSink) ConsumeTraces(_ context.Context, td ptrace.Traces) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			policy, theirs := ss.Scope().Attributes().Get("tailsampling.policy")
			for _, span := range ss.Spans().All() {
				name := policy
				if !theirs {
					name, _ = span.Attributes().Get(attr.Class)
				}
				d := s.kept[span.TraceID()]
				d.class = name.Str()
				d.spans++
				if state := span.TraceState().AsRaw(); s.stated && !strings.HasSuffix(d.states, state+"\n") {
					d.states += state + "\n"
				}
				s.kept[span.TraceID()] = d
			}
		}
	}
	return nil
}
