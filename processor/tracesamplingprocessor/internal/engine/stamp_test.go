package engine_test

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/attr"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/class"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/otlpwire"
)

// withRandomness gives a trace the randomness of its ID's last 56 bits.
func withRandomness(s testSpan, r uint64) testSpan {
	binary.BigEndian.PutUint64(s.trace[8:], r)
	return s
}

func TestStamps(t *testing.T) {
	const half, most = 1 << 55, 1<<56 - 1
	enormous := "ot=th:c,a=" + strings.Repeat("x", 32<<10)
	for _, tc := range []struct {
		name      string
		keep      class.Rate
		random    uint64
		state     string
		wantState string
		wantCount float64
		dropped   bool
	}{
		{name: "all", keep: "100%", random: 0, wantState: "ot=th:0", wantCount: 1},
		{name: "half, at the threshold", keep: "50%", random: half, wantState: "ot=th:8", wantCount: 2},
		{name: "half, below the threshold", keep: "50%", random: half - 1, dropped: true},
		{name: "none, however random", keep: "0%", random: most, dropped: true},
		{name: "one in a thousand", keep: "0.1%", random: most, wantState: "ot=th:ffbe76c8b43958", wantCount: 1000},
		{name: "foreign members stay", keep: "50%", random: most, state: "vendor=x,ot=p:1", wantState: "ot=th:8;p:1,vendor=x", wantCount: 2},
		{name: "upstream is stricter", keep: "50%", random: most, state: "ot=th:c", wantState: "ot=th:c", wantCount: 4},
		{name: "upstream is looser", keep: "25%", random: most, state: "ot=th:8", wantState: "ot=th:c", wantCount: 4},
		{name: "upstream and keep all", keep: "100%", random: most, state: "ot=th:8", wantState: "ot=th:8", wantCount: 2},
		{name: "explicit randomness keeps", keep: "50%", random: 0, state: "ot=rv:80000000000000", wantState: "ot=rv:80000000000000;th:8", wantCount: 2},
		{name: "explicit randomness drops", keep: "50%", random: most, state: "ot=rv:7fffffffffffff", dropped: true},
		{name: "explicit randomness beside what is unreadable", keep: "50%", random: most, state: "A=1,ot=rv:7fffffffffffff", dropped: true},
		{name: "unreadable tracestate stays behind", keep: "50%", random: most, state: "NOT VALID", wantState: "ot=th:8,NOT VALID", wantCount: 2},
		{name: "enormous tracestate stays", keep: "50%", random: most, state: enormous, wantState: enormous, wantCount: 2},
		{name: "upstream at the randomness", keep: "50%", random: 0xc << 52, state: "ot=th:c", wantState: "ot=th:c", wantCount: 4},
		{name: "upstream beyond the randomness", keep: "50%", random: 0xc<<52 - 1, state: "ot=th:c", wantState: "ot=th:8", wantCount: 2},
		{name: "upstream beyond, keep all", keep: "100%", random: 0, state: "a=b,ot=th:ffffffffffffff", wantState: "ot=th:0,a=b", wantCount: 1},
		{name: "upstream beyond the explicit randomness", keep: "25%", random: most, state: "ot=rv:c0000000000000;th:d", wantState: "ot=rv:c0000000000000;th:c", wantCount: 4},
		{name: "upstream within the explicit randomness", keep: "25%", random: 0, state: "ot=th:d;rv:d0000000000000", wantState: "ot=rv:d0000000000000;th:d", wantCount: 16.0 / 3},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newT(t, class.Config{Name: "c", Keep: tc.keep, Retention: "9d"})
			s := withRandomness(root(1, 1), tc.random)
			s.state = tc.state
			h.mustIngest(s)
			h.pass(decisionWait)
			h.drain()
			h.requireBalanced()
			if tc.dropped {
				require.Empty(t, h.out)
				return
			}
			require.Equal(t, outcome{class: "c", retention: "9d", count: tc.wantCount, state: tc.wantState, service: "shop", scope: "lib"}, h.out[1])
		})
	}
}

func TestSixtyFourBitTraceIDIsSampledByItsLowBits(t *testing.T) {
	h := newT(t, class.Config{Name: "c", Keep: "50%"})
	keep, drop := root(0, 1), root(0, 2)
	keep.trace, drop.trace = [16]byte{15: 1, 9: 0x80}, [16]byte{15: 1, 9: 0x7f}
	h.mustIngest(keep, drop)
	h.pass(decisionWait)
	h.drain()
	require.Len(t, h.out, 1)
	require.Contains(t, h.out, uint64(1))
}

func TestEverySpanHasItsOwnUpstreamThreshold(t *testing.T) {
	h := newT(t, class.Config{Name: "c", Keep: "50%"})
	a, b, c := root(1, 1), child(1, 2), child(1, 3)
	b.state = "ot=th:c"
	c.state = "ot=th:8"
	for i, s := range []*testSpan{&a, &b, &c} {
		*s = withRandomness(*s, 1<<56-1)
		s.scope = string(rune('a' + i%2))
	}
	h.mustIngest(a, b, c)
	h.pass(decisionWait)
	h.drain()
	require.Equal(t, map[uint64]float64{1: 2, 2: 4, 3: 2}, map[uint64]float64{1: h.out[1].count, 2: h.out[2].count, 3: h.out[3].count})
}

// Spans of one batch share stamps; the same tracestate may be right for one trace
// and impossible for another.
func TestEveryTraceHasItsOwnRandomness(t *testing.T) {
	h := newT(t, class.Config{Name: "c", Keep: "50%"})
	passes, fails := withRandomness(root(1, 1), 0xc<<52), withRandomness(root(2, 2), 0xb<<52)
	explicit := withRandomness(root(3, 3), 0)
	passes.state, fails.state, explicit.state = "ot=th:c", "ot=th:c", "ot=th:c;rv:c0000000000000"
	h.mustIngest(passes, fails, explicit)
	h.pass(decisionWait)
	h.drain()
	require.Equal(t, map[uint64]float64{1: 4, 2: 2, 3: 4}, map[uint64]float64{1: h.out[1].count, 2: h.out[2].count, 3: h.out[3].count})
	require.Equal(t, []string{"ot=th:c", "ot=th:8", "ot=rv:c0000000000000;th:c"}, []string{h.out[1].state, h.out[2].state, h.out[3].state})
}

func TestClassWithoutRetentionLeavesItToTheStore(t *testing.T) {
	h := newT(t, class.Config{Name: "c", Keep: "100%"})
	h.mustIngest(root(1, 1))
	h.DecideAll(h.now)
	b := h.TryNext()
	require.NotNil(t, b)
	defer b.Done()
	td := h.decode(b)
	_, ok := td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).Attributes().Get(attr.Retention)
	require.False(t, ok)
}

func TestStampsOfAnotherSamplerAreReplaced(t *testing.T) {
	h := newT(t, keepAll())
	otlp := encode(t, root(1, 1))
	var spans [][]byte
	require.NoError(t, otlpwire.Walk(otlp, &collector{spans: &spans}))
	stamped := otlpwire.AppendDoubleAttribute(otlpwire.AppendStringAttribute(spans[0], attr.Class, "forged"), attr.AdjustedCount, 1e9)
	batch := otlpwire.AppendResourceSpans(nil, "", otlpwire.AppendScopeSpans(nil, "", otlpwire.AppendSpan(nil, stamped, nil)))
	require.NoError(t, h.Ingest(h.now, batch))
	h.DecideAll(h.now)
	b := h.TryNext()
	defer b.Done()
	span := h.decode(b).ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
	require.Equal(t, map[string]any{attr.Class: "all", attr.Retention: "7d", attr.AdjustedCount: 1.0}, span.Attributes().AsRaw())
	require.Equal(t, 3, span.Attributes().Len())
}

type collector struct{ spans *[][]byte }

func (*collector) Resource([]byte) {}
func (*collector) Scope([]byte)    {}
func (c *collector) Span(b []byte) error {
	*c.spans = append(*c.spans, b)
	return nil
}
