// Package attr names the attributes through which Spanlake's components speak
// to each other. They travel inside pdata from the receiver to the exporter,
// which moves them to columns; no component imports another.
package attr

import "strings"

// Prefix is reserved: a receiver removes every key that begins with it from
// what a client sent, at resource, scope, span and record.
const Prefix = "spanlake."

// Keys of resource attributes.
const (
	// Source is the name of the source whose token the request carried.
	Source = "spanlake.source"
	// Batch identifies one hand-over from the sampler to the exporter, so that
	// the same batch arriving twice is stored once. It is not stored.
	Batch = "spanlake.batch"
)

// Keys of span attributes, set by the sampler.
const (
	// Class is the name of the sampling class that decided the span's trace.
	Class = "spanlake.class"
	// Retention is how long to keep the span, as days: "30d".
	Retention = "spanlake.retention"
	// AdjustedCount is 1/probability as a double: sum it for unbiased counts.
	AdjustedCount = "spanlake.adjusted_count"
	// Trimmed is true on the spans of a trace that exceeded its size.
	Trimmed = "spanlake.trimmed"
)

// Reserved reports whether key belongs to Spanlake, whoever wrote it.
func Reserved(key string) bool { return strings.HasPrefix(key, Prefix) }
