package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// crashBooks compare what was acknowledged with what is stored.
type crashBooks struct {
	acked, stored, lost, twice int
	faults                     map[string][]string // spans by what is wrong with them
}

const (
	faultLost     = "lost"
	faultTwice    = "stored more than once, " // and how often it was sent
	faultUndue    = "stored though dropped by its class"
	faultStamps   = "stored under the wrong class"
	faultStranger = "never sent"
)

func (b *crashBooks) fault(kind, format string, args ...any) {
	b.faults[kind] = append(b.faults[kind], fmt.Sprintf(format, args...))
}

// explain gives the first examples of each fault.
func (b *crashBooks) explain() string {
	const examples = 5
	var text strings.Builder
	for _, kind := range slices.Sorted(maps.Keys(b.faults)) {
		list := b.faults[kind]
		fmt.Fprintf(&text, "%s: %d\n", kind, len(list))
		for _, line := range list[:min(examples, len(list))] {
			fmt.Fprintf(&text, "  %s\n", line)
		}
	}
	return text.String()
}

// check compares the load with the lake. Nothing may be sent meanwhile.
func (l *crashLoad) check(t *testing.T, lake string) *crashBooks {
	t.Helper()
	return l.compare(t, mustQuery(t, lake, "select trace_id, class, retention, adjusted_count, list(span_id) as ids from spans group by all"))
}

func (l *crashLoad) compare(t *testing.T, rows []row) *crashBooks {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	b := &crashBooks{faults: map[string][]string{}}
	copies := map[string]int{} // by trace ID and span ID
	for _, r := range rows {
		trace := r.text("trace_id")
		s := stamps{r.text("class"), r.text("retention"), fmt.Sprint(r["adjusted_count"])}
		ids, isList := r["ids"].([]any)
		require.True(t, isList, "ids are %v", r["ids"])
		for _, id := range ids {
			b.stored++
			copies[trace+id.(string)]++
			l.traces[trace].checkStored(b, trace, id.(string), s)
		}
	}
	for id, trace := range l.traces {
		trace.checkSpans(b, id, copies)
	}
	return b
}

// checkStored checks a row, which may belong to no trace.
func (t *crashTrace) checkStored(b *crashBooks, trace, id string, s stamps) {
	i := -1
	if t != nil {
		i = slices.IndexFunc(t.indices(), func(i int) bool { return t.spans[i].sent && t.spanID(i).String() == id })
	}
	switch {
	case i < 0:
		b.fault(faultStranger, "span %s of trace %s", id, trace)
	case !t.may():
		b.fault(faultUndue, "span %s of trace %s (%s)", id, trace, t.family.name)
	case !t.legal(i, s):
		b.fault(faultStamps, "span %s of trace %s (%s): %+v", id, trace, t.family.name, s)
	}
}

func (t *crashTrace) indices() []int {
	indices := make([]int, len(t.spans))
	for i := range indices {
		indices[i] = i
	}
	return indices
}

// checkSpans looks for what is missing, and for what is there too often.
func (t *crashTrace) checkSpans(b *crashBooks, trace string, copies map[string]int) {
	for i, s := range t.spans {
		if s.acked > 0 {
			b.acked++
		}
		id := t.spanID(i).String()
		n := copies[trace+id]
		where := fmt.Sprintf("span %s, number %d of %d in trace %s (%s), acknowledged by run %d", id, i+1, len(t.spans), trace, t.family.name, s.acked)
		if n == 0 && s.acked > 0 && t.must(i) {
			b.lost++
			b.fault(faultLost, "%s, %s", where, s.again)
		}
		if n > 1 {
			b.twice++
			b.fault(faultTwice+s.again.String(), "%s: %d times", where, n)
		}
	}
}
