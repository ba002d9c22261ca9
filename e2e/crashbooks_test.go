package e2e

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// storedRow is a row of what check asks for.
func storedRow(trace *crashTrace, s stamps, spans ...int) row {
	ids := make([]any, len(spans))
	for i, span := range spans {
		ids[i] = trace.spanID(span).String()
	}
	return row{
		"trace_id": trace.id.String(), "class": s.class, "retention": s.retention,
		"adjusted_count": json.Number(s.adjusted), "ids": ids,
	}
}

func TestCrashBooksFindEachFault(t *testing.T) {
	family := func(name string) *family {
		return families[slices.IndexFunc(families, func(f *family) bool { return f.name == name })]
	}
	// Randomness of half: kept by a rate of 50 %, not by one of 25 %.
	half := [16]byte{0: 1, 9: 0x80}
	late := [16]byte{0: 2, 9: 0x80}
	full := [16]byte{0: 3, 9: 0xff}
	acked := []crashSpan{{sent: true, acked: 1}, {sent: true, acked: 1}}
	checkout := &crashTrace{family: family("checkout"), id: half, number: 1, spans: acked}
	error2 := &crashTrace{family: family("late error"), id: late, number: 2, spans: acked}
	normal := &crashTrace{family: family("normal"), id: full, number: 3, spans: []crashSpan{{sent: true, acked: 1}, {sent: true}, {}}}
	dropped := &crashTrace{family: family("normal"), id: [16]byte{0: 4, 9: 0xbf}, number: 4, spans: acked}
	health := &crashTrace{family: family("health"), id: [16]byte{0: 5, 9: 0xff}, number: 5, spans: acked}
	stranger := &crashTrace{id: [16]byte{0: 6}, number: 6}

	whole := []row{storedRow(checkout, shopStamps, 0, 1), storedRow(error2, errorStamps, 1), storedRow(normal, normalStamps, 0)}
	for name, tc := range map[string]struct {
		rows []row
		want []string
	}{
		"none":                        {whole, nil},
		"not acknowledged and stored": {append(slices.Clone(whole), storedRow(normal, normalStamps, 1)), nil},
		"before a late error":         {append(slices.Clone(whole), storedRow(error2, normalStamps, 0)), nil},
		"lost":                        {whole[1:], []string{faultLost}},
		"late error lost":             {[]row{whole[0], whole[2]}, []string{faultLost}},
		"twice":                       {append(slices.Clone(whole), whole[0]), []string{faultTwice + "sent once"}},
		"dropped by its rate":         {append(slices.Clone(whole), storedRow(dropped, normalStamps, 0)), []string{faultUndue}},
		"dropped by its class":        {append(slices.Clone(whole), storedRow(health, stamps{"health", "1d", "1.0"}, 0)), []string{faultUndue}},
		"wrong class":                 {[]row{storedRow(checkout, normalStamps, 0, 1), whole[1], whole[2]}, []string{faultStamps}},
		"wrong count":                 {[]row{storedRow(checkout, stamps{"checkout", "14d", "1.0"}, 0, 1), whole[1], whole[2]}, []string{faultStamps}},
		"late error as normal":        {[]row{whole[0], storedRow(error2, normalStamps, 1), whole[2]}, []string{faultStamps}},
		"never sent span":             {append(slices.Clone(whole), storedRow(normal, normalStamps, 2)), []string{faultStranger}},
		"never sent trace":            {append(slices.Clone(whole), storedRow(stranger, normalStamps, 0)), []string{faultStranger}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newCrashLoad(1)
			for _, trace := range []*crashTrace{checkout, error2, normal, dropped, health} {
				l.traces[trace.id.String()] = trace
			}
			b := l.compare(t, tc.rows)
			require.Equal(t, 9, b.acked)
			require.Equal(t, tc.want, slices.Sorted(maps.Keys(b.faults)), "%s", b.explain())
		})
	}
}
