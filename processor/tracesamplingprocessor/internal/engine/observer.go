package engine

import (
	"time"

	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/otlpwire"
)

// Reason is why a span was dropped without a verdict.
type Reason string

// Reasons of the engine.
const (
	// InProgress is a span without end time.
	InProgress Reason = "in_progress"
	// InvalidID is a span without trace ID or span ID.
	InvalidID Reason = "invalid_id"
	// Duplicate is a span that its trace has already, identical in everything.
	Duplicate Reason = "duplicate"
	// Trimmed is a span for which its trace, too large, had no room.
	Trimmed Reason = "trimmed"
	// JournalDamaged is a kept span whose bytes on disk are not what was written.
	JournalDamaged Reason = "journal_damaged"
)

// Outcome is what was decided about a trace.
type Outcome int

// Outcomes of a decision.
const (
	// Dropped by the rate of the class.
	Dropped Outcome = iota
	// Kept of the class.
	Kept
	// Limited is dropped for the bound on the class's traces per second.
	Limited

	outcomes = 3
)

func (o Outcome) String() string { return [...]string{"dropped", "kept", "limited"}[o] }

// Late is what became of spans that came after their trace's decision.
type Late string

// Outcomes of late spans. Overruled is counted beside the one that followed.
const (
	LateKept      Late = "kept"
	LateDropped   Late = "dropped"
	LateOverruled Late = "overruled"
)

// Observer is told what happens, in sums: once for a batch or a sweep, but for
// Waited, which is told of each trace. It is called by whichever goroutine
// called the engine, with no lock held.
type Observer interface {
	// Received counts the spans of an accepted batch.
	Received(spans int)
	// Dropped counts spans that were accepted and ended without a verdict, or
	// could not be handed on.
	Dropped(reason Reason, spans int)
	// Mended counts spans that were put right.
	Mended(fault otlpwire.Fault, spans int)
	// Decided counts traces and spans by class and outcome; late spans with no
	// trace.
	Decided(class string, outcome Outcome, traces, spans int)
	// Late counts spans that followed a recorded verdict.
	Late(outcome Late, spans int)
	// Early counts traces decided before their time to make room.
	Early(traces int)
	// TracesTrimmed counts traces that have lost spans for their size.
	TracesTrimmed(traces int)
	// Waited is the time from a trace's first span to its decision.
	Waited(d time.Duration)
}
