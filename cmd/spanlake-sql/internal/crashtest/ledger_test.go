package crashtest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// entry is a row that was sent: a span or a log record.
type entry struct {
	logs  bool
	time  time.Time
	over  time.Time // when its partition expires
	acked bool
	seen  bool // by a reader
}

// ledger knows the rows by number, from 0, which are their span IDs.
type ledger struct {
	mu      sync.Mutex // guards the rest
	entries []entry
	acked   int
	refused int
	faults  map[string][]string
}

func newLedger() *ledger { return &ledger{faults: map[string][]string{}} }

// begin notes rows that are about to be sent, and returns the first number.
func (l *ledger) begin(rows []entry) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = append(l.entries, rows...)
	return len(l.entries) - len(rows)
}

func (l *ledger) acknowledge(first, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range n {
		l.entries[first+i].acked = true
	}
	l.acked += n
}

func (l *ledger) refuse() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refused++
}

func (l *ledger) fault(kind, format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults[kind] = append(l.faults[kind], fmt.Sprintf(format, args...))
}

// explain gives the first examples of each fault.
func (l *ledger) explain() string {
	const examples = 5
	l.mu.Lock()
	defer l.mu.Unlock()
	var text strings.Builder
	for kind, list := range l.faults {
		fmt.Fprintf(&text, "%s: %d\n", kind, len(list))
		for _, line := range list[:min(examples, len(list))] {
			fmt.Fprintf(&text, "  %s\n", line)
		}
	}
	return text.String()
}

// due are the numbers of rows for which want holds.
func (l *ledger) due(want func(entry) bool) []int {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []int
	for i, e := range l.entries {
		if want(e) {
			list = append(list, i)
		}
	}
	return list
}

// lasting are those of the rows whose time is not over.
func (l *ledger) lasting(numbers []int) []int {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(numbers), func(i int) bool { return !l.entries[i].over.After(now) })
}

// view is the one that has a row.
func (l *ledger) view(number int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.entries[number].logs {
		return "logs"
	}
	return "spans"
}

// settle compares the answer to a query with the rows that had to be in it. Those
// whose time is over by now need not be. All in it have been seen from now on.
func (l *ledger) settle(query string, due, answer []int) {
	now := time.Now()
	found := make(map[int]int, len(answer))
	for _, i := range answer {
		found[i]++
	}
	missing, twice, strange := []int{}, []int{}, []int{}
	l.mu.Lock()
	for i, n := range found {
		switch {
		case i < 0 || i >= len(l.entries):
			strange = append(strange, i)
			continue
		case n > 1:
			twice = append(twice, i)
		}
		l.entries[i].seen = true
	}
	for _, i := range due {
		if found[i] == 0 && l.entries[i].over.After(now) {
			missing = append(missing, i)
		}
	}
	l.mu.Unlock()
	for _, i := range strange {
		l.fault("never sent", "row %d in %s", i, query)
	}
	for _, i := range twice {
		l.fault("twice", "row %d, %d times in %s", i, found[i], query)
	}
	for _, i := range missing {
		l.fault("missing", "row %d in %s", i, query)
	}
}
