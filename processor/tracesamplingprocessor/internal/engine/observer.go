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
)

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
	// Dropped counts those of them that no trace got.
	Dropped(reason Reason, spans int)
	// Mended counts spans that were put right.
	Mended(fault otlpwire.Fault, spans int)
	// Decided counts traces and spans by verdict; late spans with no trace.
	Decided(class int, kept bool, traces, spans int)
	// Late counts spans that followed a recorded verdict.
	Late(outcome Late, spans int)
	// Early counts traces decided before their time to free memory.
	Early(traces int)
	// Waited is the time from a trace's first span to its decision.
	Waited(d time.Duration)
}
