// Package otlpwire reads and rewrites OTLP trace data in its protobuf encoding
// without decoding it: opentelemetry/proto/trace/v1/trace.proto.
package otlpwire

import (
	"errors"

	"google.golang.org/protobuf/encoding/protowire"
)

// ErrMalformed is any departure from the protobuf encoding.
var ErrMalformed = errors.New("malformed OTLP trace data")

const (
	tracesResourceSpans     = 1
	resourceSpansResource   = 1
	resourceSpansScopeSpans = 2
	scopeSpansSpans         = 2
	resourceAttributes      = 1
)

// Visitor is called in the order of the data. What it is given is valid until
// the call returns, but for spans, which alias the data.
type Visitor interface {
	// Resource begins a ResourceSpans; head is all of it but the scope_spans.
	Resource(head []byte)
	// Scope begins a ScopeSpans; head is all of it but the spans.
	Scope(head []byte)
	// Span is called for each span of the scope.
	Span(span []byte) error
}

// Walk visits an encoded TracesData or ExportTraceServiceRequest.
func Walk(traces []byte, v Visitor) error {
	w := walker{visitor: v}
	return each(traces, func(num protowire.Number, resourceSpans []byte) error {
		if num != tracesResourceSpans {
			return nil
		}
		return w.resource(resourceSpans)
	})
}

type walker struct {
	visitor Visitor
	head    []byte
}

func (w *walker) resource(b []byte) error {
	if err := w.collect(b, resourceSpansScopeSpans); err != nil {
		return err
	}
	w.visitor.Resource(w.head)
	return each(b, func(num protowire.Number, scopeSpans []byte) error {
		if num != resourceSpansScopeSpans {
			return nil
		}
		return w.scope(scopeSpans)
	})
}

func (w *walker) scope(b []byte) error {
	if err := w.collect(b, scopeSpansSpans); err != nil {
		return err
	}
	w.visitor.Scope(w.head)
	return each(b, func(num protowire.Number, span []byte) error {
		if num != scopeSpansSpans {
			return nil
		}
		return w.visitor.Span(span)
	})
}

// collect puts every field but the given one into w.head. Fields may come in
// any order, so the head is gathered before anything below it is visited.
func (w *walker) collect(b []byte, but protowire.Number) error {
	w.head = w.head[:0]
	var f field
	for len(b) > 0 {
		n := f.read(b)
		if n < 0 {
			return ErrMalformed
		}
		if f.num != but {
			w.head = append(w.head, b[:n]...)
		}
		b = b[n:]
	}
	return nil
}

// each calls fn for every length-delimited field of a message.
func each(b []byte, fn func(num protowire.Number, value []byte) error) error {
	var f field
	for len(b) > 0 {
		n := f.read(b)
		if n < 0 {
			return ErrMalformed
		}
		if f.typ == protowire.BytesType {
			if err := fn(f.num, f.bytes); err != nil {
				return err
			}
		}
		b = b[n:]
	}
	return nil
}
