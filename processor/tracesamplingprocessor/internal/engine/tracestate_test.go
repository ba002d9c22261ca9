package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/sampling"
	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/class"
	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/otlpwire"
)

// passesAll is a trace with the greatest randomness.
var passesAll = traceID{9: 0xff, 10: 0xff, 11: 0xff, 12: 0xff, 13: 0xff, 14: 0xff, 15: 0xff}

func newTestStamper(tb testing.TB) *stamper {
	tb.Helper()
	table, err := class.NewTable([]class.Config{{Name: "c", Keep: "50%"}})
	require.NoError(tb, err)
	return newStamper(New(Options{Table: table}))
}

// stampedState is the tracestate of a span of a class that keeps every second
// trace.
func stampedState(tb testing.TB, s *stamper, id traceID, state string) string {
	tb.Helper()
	span := otlpwire.AppendTraceState(nil, state)
	got, err := otlpwire.TraceState(append(span, s.stamp(verdict{threshold: 1 << 55}, id, []byte(state))...))
	require.NoError(tb, err)
	return string(got)
}

func TestTraceStateIsReadInSpiteOfTheRest(t *testing.T) {
	const rv = "rv:ffffffffffffff"
	long := "vendor=" + strings.Repeat("x", 1100)
	many := strings.TrimSuffix(strings.Repeat("a=1,", 40), ",")
	filler := "x:" + strings.Repeat("y", maxOT-len("th:c;x:"))
	for _, tc := range []struct{ name, state, want string }{
		{"no member ot", "a=b", "ot=th:8,a=b"},
		{"stricter", "ot=th:c", "ot=th:c"},
		{"looser", "ot=th:4", "ot=th:8"},
		{"keeps all", "ot=th:0", "ot=th:8"},
		{"moves to the front", "a=b,ot=th:c,c=d", "ot=th:c,a=b,c=d"},
		{"key of level 2", "1a=2,ot=th:c", "ot=th:c,1a=2"},
		{"key with a tenant", "1a@b=2,ot=th:c", "ot=th:c,1a@b=2"},
		{"long value", long + ",ot=th:c", "ot=th:c," + long},
		{"not ASCII", "ot=th:c,a=é\xff\x00", "ot=th:c,a=é\xff\x00"},
		{"upper-case key", "A=1,ot=th:c", "ot=th:c,A=1"},
		{"many members", many + ",ot=th:c", "ot=th:c," + many},
		{"same key twice", "a=1,ot=th:c,a=2", "ot=th:c,a=1,a=2"},
		{"no equals sign", "NOT VALID,ot=th:c", "ot=th:c,NOT VALID"},
		{"two equals signs", "a==b=c,ot=th:c", "ot=th:c,a==b=c"},
		{"spaces and tabs around members", " \ta=1 \t,\t ot=th:c ,b=2\t", "ot=th:c,a=1,b=2"},
		{"spaces within a member", "a= 1  2,ot=th:c", "ot=th:c,a= 1  2"},
		{"empty members", ",a=1,,ot=th:c, ,", "ot=th:c,a=1"},
		{"nothing but space", " ", "ot=th:8"},
		{"nothing but commas", ",,", "ot=th:8"},
		{"two members ot", "ot=th:c,a=1,ot=th:e;p:1", "ot=th:c,a=1"},
		{"second member ot in front of the third", "ot=p:1,ot=th:e,ot=th:d", "ot=th:8;p:1"},
		{"like a field, outside of ot", "x:1", "ot=th:8,x:1"},
		{"empty ot", "ot=,a=1", "ot=th:8,a=1"},
		{"ot without value", "ot,a=1", "ot=th:8,ot,a=1"},
		{"keys like ot", "OT=th:c,oth=th:c,o=1,ot@x=th:c", "ot=th:8,OT=th:c,oth=th:c,o=1,ot@x=th:c"},

		{"both fields", "ot=th:c;" + rv, "ot=" + rv + ";th:c"},
		{"other fields stay in order", "ot=p:3;th:c;r:10;x:", "ot=th:c;p:3;r:10;x:"},
		{"trailing semicolon", "ot=th:c;", "ot=th:c"},
		{"empty fields", "ot=;;th:c;;p:1", "ot=th:c;p:1"},
		{"rv is bad", "ot=th:c;rv:abc", "ot=th:c"},
		{"rv is not hexadecimal", "ot=rv:gggggggggggggg;th:c", "ot=th:c"},
		{"th is bad", "ot=" + rv + ";th:xyz", "ot=" + rv + ";th:8"},
		{"th is too long", "ot=th:100000000000000;p:1", "ot=th:8;p:1"},
		{"th is empty", "ot=th:", "ot=th:8"},
		{"upper-case digits", "ot=th:C", "ot=th:c"},
		{"trailing zeros", "ot=th:c00", "ot=th:c"},
		{"upper-case key of a field", "ot=TH:c", "ot=th:8"},
		{"th twice", "ot=th:c;th:d", "ot=th:d"},
		{"th twice, the second bad", "ot=th:c;th:x", "ot=th:c"},
		{"fields that break the syntax", "ot=p;:1;1p:1;th:c;pq:a b;p_:1;p: 1;ok:Az0.-_", "ot=th:c;ok:Az0.-_"},
		{"fields as long as can be", "ot=th:c;" + filler, "ot=th:c;" + filler},
		{"fields too long", "ot=th:c;" + filler + "y;p:1", "ot=th:c;p:1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			require.Equal(t, tc.want, stampedState(t, newTestStamper(t), passesAll, tc.state))
		})
	}
}

func TestEveryFieldOfOTIsReadOnItsOwn(t *testing.T) {
	const half = 1 << 55
	for _, tc := range []struct {
		state  string
		th     uint64
		random randomness
	}{
		{"ot=rv:80000000000000;th:4", 1 << 54, randomness{half, true}},
		{"A=1,ot=rv:80000000000000;th:x", 0, randomness{half, true}},
		{"ot=th:4;rv:8", 1 << 54, randomness{}},
		{"ot=rv:80000000000000;rv:8", 0, randomness{half, true}},
		{"ot=p:1,ot=rv:80000000000000", 0, randomness{}},
		{"rv:80000000000000", 0, randomness{}},
		{"", 0, randomness{}},
		{strings.Repeat(" ", maxState) + "ot=rv:80000000000000", 0, randomness{}},
	} {
		t.Run(fmt.Sprintf("%.40q", tc.state), func(t *testing.T) {
			ot := readOT([]byte(tc.state))
			require.Equal(t, tc.th, ot.threshold.Unsigned())
			require.Equal(t, tc.random, ot.randomness)
		})
	}
}

// FuzzTraceState: the other members come out as they came in, what comes out reads
// as what went in, and pkg/sampling agrees where it accepts the tracestate.
func FuzzTraceState(f *testing.F) {
	for _, seed := range []string{
		"", "a=b", "ot=th:c", "ot=th:c;rv:80000000000000,a=b", "a=1,,ot=p:1;th:8 ,\tb=2", "ot=,A=é,ot=th:c;", "1a@b=2,ot=rv:7fffffffffffff;th:8;x:",
	} {
		f.Add([]byte(seed), uint64(0xb<<52))
	}
	s := newTestStamper(f)
	f.Fuzz(func(t *testing.T, state []byte, random uint64) {
		if len(state) == 0 || len(state) > maxState {
			return
		}
		var id traceID
		for i := range 8 {
			id[15-i] = byte(random >> (8 * i))
		}
		clear(s.made)
		got := stampedState(t, s, id, string(state))
		members, ots := otherMembers(string(state))
		gotMembers, gotOTs := otherMembers(got)
		require.Equal(t, members, gotMembers)
		require.Equal(t, 1, gotOTs)
		require.True(t, strings.HasPrefix(got, "ot="))

		in, out := readOT(state), readOT([]byte(got))
		require.Equal(t, in.randomness, out.randomness)
		require.Equal(t, max(1<<55, in.passed(id)), out.threshold.Unsigned())
		if ots == 0 {
			require.Equal(t, strings.Join(append([]string{"ot=th:8"}, members...), ","), got)
		}
		ot, _, _ := strings.Cut(strings.TrimPrefix(got, "ot="), ",")
		require.LessOrEqual(t, len(ot), maxOT)
		_, err := sampling.NewOpenTelemetryTraceState(ot)
		require.NoError(t, err)

		parsed, err := sampling.NewW3CTraceState(string(state))
		if err != nil || ots > 1 {
			return
		}
		theirs := parsed.OTelValue()
		given, explicit := theirs.RValueRandomness()
		require.Equal(t, randomness{given.Unsigned(), explicit}, in.randomness)
		if !explicit {
			given = sampling.TraceIDToRandomness(id)
		}
		th, err := sampling.UnsignedToThreshold(1 << 55)
		require.NoError(t, err)
		switch upstream, ok := theirs.TValueThreshold(); {
		case ok && !upstream.ShouldSample(given):
			theirs.ClearTValue()
		case ok && sampling.ThresholdGreater(upstream, th):
			th = upstream
		}
		require.NoError(t, theirs.UpdateTValueWithSampling(th))
		var want strings.Builder
		require.NoError(t, theirs.Serialize(&want))
		if want.Len() <= maxOT {
			want.Reset()
			require.NoError(t, parsed.Serialize(&want))
			require.Equal(t, want.String(), got)
		}
	})
}

// otherMembers returns the list members but for ot, of which it returns how many
// there are.
func otherMembers(state string) ([]string, int) {
	members := strings.Split(state, ",")
	for i := range members {
		members[i] = strings.Trim(members[i], " \t")
	}
	members = slices.DeleteFunc(members, func(m string) bool { return m == "" })
	all := len(members)
	members = slices.DeleteFunc(members, func(m string) bool { return strings.HasPrefix(m, "ot=") })
	return members, all - len(members)
}

func BenchmarkStampTraceState(b *testing.B) {
	s := newTestStamper(b)
	state := []byte("vendor=00f067aa0ba902b7,ot=rv:c123456789abcd;th:c,other=t61rcWkgMzE")
	b.ReportAllocs()
	for b.Loop() {
		s.stamp(verdict{threshold: 1 << 55}, passesAll, state)
	}
}
