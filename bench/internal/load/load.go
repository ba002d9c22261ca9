// Package load makes OTLP trace requests that look like those of a dozen
// services under production traffic. The same Config gives the same bytes.
package load

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// Config says what to make.
type Config struct {
	Seed uint64
	// Spans is the least number of spans; the last trace is completed.
	Spans int
	// Start is the time of the first trace.
	Start time.Time
	// Rate is the number of spans a second of simulated time.
	Rate int
}

// Class is what a trace is made to be. The classes exclude each other.
type Class uint8

const (
	// Normal traces have no error and last less than MaxNormal.
	Normal Class = iota
	// Error traces have spans with an error status and exception events.
	Error
	// Slow traces last longer than MinSlow, without an error.
	Slow
	// Health traces are probes of a health route, of one or two spans.
	Health
	// Classes is the number of classes.
	Classes
)

// Durations of whole traces lie on either side of one second, with a gap, so
// that no rounding puts a trace in another class.
const (
	MaxNormal = 900 * time.Millisecond
	MinSlow   = 1100 * time.Millisecond
)

// Shares of the classes among traces, in percent; the rest is normal.
const (
	ErrorPercent  = 2
	SlowPercent   = 1
	HealthPercent = 10
)

// Bounds of what is drawn, inclusive.
const (
	MinTraceSpans = 8
	MaxTraceSpans = 40
	MinAttributes = 8
	MaxAttributes = 15

	minRequestSpans = 128
	maxRequestSpans = 512
	minHealthSpans  = 1
	maxHealthSpans  = 2
	maxErrorTrail   = 4

	instancesPerService = 3
)

// Stats tells what was made.
type Stats struct {
	Requests, Spans, Events int
	Bytes                   int64
	Traces, ClassSpans      [Classes]int
}

// Generate calls emit with one encoded ExportTraceServiceRequest after the
// other, and the number of spans in it. Each request is one service instance's,
// as an SDK sends them, so that a trace is spread over many requests. The bytes
// are valid only during the call.
func Generate(cfg Config, emit func(request []byte, spans int) error) (Stats, error) {
	g := &generator{
		rand: rand.New(rand.NewPCG(cfg.Seed, 0x5bd1e995)),
		emit: emit,
		now:  cfg.Start,
	}
	for i := range services {
		g.instances = append(g.instances, newInstances(g.rand, &services[i])...)
	}
	for g.stats.Spans < cfg.Spans {
		made, err := g.trace()
		if err != nil {
			return g.stats, err
		}
		g.now = g.now.Add(time.Duration(made) * time.Second / time.Duration(cfg.Rate))
	}
	for _, in := range g.instances {
		if err := g.flush(in); err != nil {
			return g.stats, err
		}
	}
	return g.stats, nil
}

// generator is used by one goroutine.
type generator struct {
	rand      *rand.Rand
	emit      func([]byte, int) error
	now       time.Time // of the next trace
	instances []*instance
	stats     Stats

	nodes []node // of the trace being made, kept for its capacity
}

// between draws a number from low to high, inclusive.
func (g *generator) between(low, high int) int { return low + g.rand.IntN(high-low+1) }

func (g *generator) percent(p int) bool { return g.rand.IntN(100) < p }

// flush emits what an instance has buffered.
func (g *generator) flush(in *instance) error {
	n := in.spans
	if n == 0 {
		return nil
	}
	b, err := in.encode()
	if err != nil {
		return fmt.Errorf("encode request: %w", err)
	}
	g.stats.Requests++
	g.stats.Bytes += int64(len(b))
	in.reset(g.between(minRequestSpans, maxRequestSpans))
	return g.emit(b, n)
}
