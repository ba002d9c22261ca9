// Package wire walks an OTLP request as it came over the wire, before pdata
// decodes it, and answers what decoding it would cost: how deep its attribute
// values nest, how much memory it would take, and whether it carries a reserved
// key. A walk allocates nothing and visits each byte at most once.
//
// pdata decodes nested attribute values by recursion without a bound: six
// compressed megabytes of them overflow the goroutine's stack, which ends the
// process. And it spends some 230 bytes on a span that takes two on the wire.
// Hence nothing is decoded that has not been walked.
package wire

import "errors"

// Reasons to refuse a request.
var (
	ErrMalformed = errors.New("malformed message")
	ErrTooDeep   = errors.New("attribute values nest too deeply")
	ErrTooLarge  = errors.New("the decoded request would take too much memory")
)

// MaxDepth is the largest Limits.Depth.
const MaxDepth = 200

// Limits bound what a request may ask of the decoder.
type Limits struct {
	// Depth is how deep attribute values and log bodies may nest: 1 is a plain
	// value, 2 an array or map of plain values. At most MaxDepth.
	Depth int
	// Decoded is the estimated memory in bytes of the decoded request.
	Decoded int64
}

// Result is what a walk found out.
type Result struct {
	// Decoded is the estimated memory in bytes of the decoded request, the
	// strings included.
	Decoded int64
	// Reserved is false if no attribute or map key begins with attr.Prefix. It
	// may be true where none does.
	Reserved bool
	// Faulty is whether Mend has something to mend.
	Faulty bool
	// Growth is by how many bytes mending makes strings and IDs longer, at most.
	// Decoded includes it.
	Growth int64
}

// Signal selects the message a request holds.
type Signal uint8

// The signals whose export requests can be walked.
const (
	Traces Signal = iota
	Logs
	Metrics
)
