package tracesamplingprocessor

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
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
type sameClass struct{ name, class, policy string }

// moreClasses are those that the README's tables do not have.
var moreClasses = []sameClass{
	{"latency 2501ms", `match: {min_duration: 2501ms}`, `type: latency, latency: {threshold_ms: 2500}`},
	{"and", `match: {status: error, services: [billing]}`, `type: and, and: {and_sub_policy: [
		{name: e, type: status_code, status_code: {status_codes: [ERROR]}},
		{name: s, type: string_attribute, string_attribute: {key: service.name, values: [billing]}}]}`},
	{
		"route of the root", `match: {routes: [/payments]}`,
		`type: ottl_condition, ottl_condition: {span: ['IsRootSpan() and span.attributes["http.route"] == "/payments"']}`,
	},
	{
		"route glob", `match: {routes: ["/check*"], any_span: true}`,
		`type: string_attribute, string_attribute: {key: http.route, values: ["^/check"], enabled_regex_matching: true}`,
	},
	{"resource number", `match: {attributes: [{key: cell, min: 5}]}`, `type: numeric_attribute, numeric_attribute: {key: cell, min_value: 5}`},
	{"resource boolean", `match: {attributes: [{key: canary, values: ["true"]}]}`, `type: boolean_attribute, boolean_attribute: {key: canary, value: true}`},
	{"present", `match: {attributes: [{key: debug}]}`, `type: ottl_condition, ottl_condition: {span: ['span.attributes["debug"] != nil']}`},
	{"double", `match: {attributes: [{key: load, min: 0.5}]}`, `type: ottl_condition, ottl_condition: {span: ['span.attributes["load"] >= 0.5']}`},
	{
		"kinds", `match: {kinds: [producer, consumer]}`,
		`type: ottl_condition, ottl_condition: {span: ['span.kind == SPAN_KIND_PRODUCER', 'span.kind == SPAN_KIND_CONSUMER']}`,
	},
	{"kind of the root", `match: {kinds: [server], root_only: true}`, `type: ottl_condition, ottl_condition: {span: ['IsRootSpan() and span.kind == SPAN_KIND_SERVER']}`},
	{
		"condition of resource and span", `match: {condition: 'resource.attributes["canary"] == false and span.attributes["http.response.status_code"] >= 599'}`,
		`type: ottl_condition, ottl_condition: {span: ['resource.attributes["canary"] == false and span.attributes["http.response.status_code"] >= 599']}`,
	},
	{"not of and", `match: {min_spans: 8, not: {status: error}, services: [shop]}`, `type: and, and: {and_sub_policy: [
		{name: c, type: span_count, span_count: {min_spans: 8}},
		{name: n, type: not, not: {not_sub_policy: {name: e, type: status_code, status_code: {status_codes: [ERROR]}}}},
		{name: s, type: string_attribute, string_attribute: {key: service.name, values: [shop]}}]}`},
	{
		"string invert_match", `match: {not: {attributes: [{key: tenant.tier, values: [free, gold]}]}}`,
		`type: string_attribute, string_attribute: {key: tenant.tier, values: [free, gold], invert_match: true}`,
	},
	{
		"boolean invert_match", `match: {not: {attributes: [{key: debug, values: ["false"]}]}}`,
		`type: boolean_attribute, boolean_attribute: {key: debug, value: false, invert_match: true}`,
	},
	{"drop canaries", `match: {attributes: [{key: canary, values: ["true"]}], not: {status: error}}, keep: 0%`, `type: drop, drop: {drop_sub_policy: [
		{name: c, type: boolean_attribute, boolean_attribute: {key: canary, value: true}},
		{name: n, type: not, not: {not_sub_policy: {name: e, type: status_code, status_code: {status_codes: [ERROR]}}}}]}`},
}

// split takes apart what keeps everything and what keeps nothing. Contrib asks drop
// policies before all others, so these classes have to be the first. The class that
// takes the rest is in neither.
func split(all []sameClass) (keep, drop []sameClass) {
	for _, c := range all {
		switch {
		case !strings.HasPrefix(c.class, "match:"):
		case strings.HasSuffix(c.class, "keep: 0%"):
			drop = append(drop, c)
		default:
			keep = append(keep, c)
		}
	}
	return keep, drop
}

// Both processors get the same requests. In every round another class comes first,
// and some others in random order; where two classes match, the order decides for
// both.
func TestDecidesAsTailSampling(t *testing.T) {
	enableGate(t, "processor.tailsamplingprocessor.recordpolicy")
	readme, _ := readmeTranslations(t)
	keep, drop := split(append(readme, moreClasses...))
	traces := 100_000
	if underRace {
		traces = 4000
	}
	var mu sync.Mutex
	seen := map[string]int{}
	t.Run("first", func(t *testing.T) {
		for round := range keep {
			t.Run(keep[round].name, func(t *testing.T) {
				t.Parallel()
				random := rand.New(rand.NewPCG(uint64(round), 1))
				classes := append(slices.Clone(drop), keep[round])
				for _, i := range random.Perm(len(keep)) {
					if i != round && random.IntN(4) == 0 {
						classes = append(classes, keep[i])
					}
				}
				requests := (&population{random: random, stated: 0.5}).requests(traces/len(keep) + 1)
				rest := round%2 == 0 // kept, too
				ours := decisions(t, NewFactory(), ourTable(classes, map[bool]string{true: "keep: 100%", false: "keep: 0%"}[rest]), requests)
				theirs := decisions(t, tailsamplingprocessor.NewFactory(), theirTable(classes, rest), requests)
				requireSame(t, theirs, ours)
				mu.Lock()
				defer mu.Unlock()
				for _, d := range ours {
					seen[d.class]++
				}
			})
		}
	})
	if underRace {
		return
	}
	for _, c := range append(keep, sameClass{name: "rest"}) {
		require.Greater(t, seen[c.name], 50, c.name)
	}
	kept := 0
	for _, n := range seen {
		kept += n
	}
	require.Less(t, kept, traces*9/10, "some are dropped")
}

func ourTable(classes []sameClass, rest string) string {
	var y strings.Builder
	y.WriteString("decision_wait: 1h\nroot_wait: 1h\nshutdown_timeout: 10m\nmemory_limit_mib: 4096\nclasses:\n")
	for _, c := range classes {
		keep := ", keep: 100%"
		if strings.Contains(c.class, "keep:") {
			keep = ""
		}
		fmt.Fprintf(&y, "  - {name: %s, %s%s}\n", c.name, c.class, keep)
	}
	fmt.Fprintf(&y, "  - {name: rest, %s}\n", rest)
	return y.String()
}

const theirHead = "decision_wait: 1h\nnum_traces: 1000000\nsample_on_first_match: true\npolicies:\n"

func theirTable(classes []sameClass, rest bool) string {
	var y strings.Builder
	y.WriteString(theirHead)
	for _, c := range classes {
		fmt.Fprintf(&y, "  - {name: %s, %s}\n", c.name, strings.ReplaceAll(c.policy, "\t", " "))
	}
	if rest {
		y.WriteString("  - {name: rest, type: always_sample}\n")
	}
	return y.String()
}

// Latency with an upper bound is another: contrib keeps a trace whose spans came in
// such an order that it was within the bounds for a while.
func TestKeepsNoTraceAboveMaxDuration(t *testing.T) {
	enableGate(t, "processor.tailsamplingprocessor.recordpolicy")
	requests := (&population{random: rand.New(rand.NewPCG(2, 2))}).requests(20_000)
	within := sameClass{"within", `match: {min_duration: 1s, max_duration: 2500999999ns}`, `type: latency, latency: {threshold_ms: 999, upper_threshold_ms: 2500}`}
	above := sameClass{"above", `match: {min_duration: 2501ms}`, `type: latency, latency: {threshold_ms: 2500}`}
	ours := decisions(t, NewFactory(), ourTable([]sameClass{within, above}, "keep: 0%"), requests)
	theirs := decisions(t, tailsamplingprocessor.NewFactory(), theirTable([]sameClass{above, within}, false), requests)
	requireSame(t, theirs, ours)
	require.Greater(t, len(ours), 1000)
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
