// Package tracesamplingprocessor holds the spans of each trace until the trace
// is complete, then keeps or drops it whole by the first class it matches.
package tracesamplingprocessor

//go:generate mdatagen metadata.yaml
