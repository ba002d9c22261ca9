package otlpwire

import "google.golang.org/protobuf/encoding/protowire"

// AppendSpan appends a span, with more fields at its end, to an encoded
// ScopeSpans.
func AppendSpan(scopeSpans, span, more []byte) []byte {
	return appendMessage(scopeSpans, scopeSpansSpans, span, more)
}

// SpanSize is what AppendSpan adds for a span of n bytes.
func SpanSize(n int) int {
	return protowire.SizeTag(scopeSpansSpans) + protowire.SizeBytes(n)
}

// AppendScopeSpans appends a ScopeSpans, made of a head and spans, to an encoded
// ResourceSpans.
func AppendScopeSpans(resourceSpans []byte, head string, spans []byte) []byte {
	return appendMessage(resourceSpans, resourceSpansScopeSpans, head, spans)
}

// AppendResourceSpans appends a ResourceSpans, made of a head and scopes, to an
// encoded TracesData.
func AppendResourceSpans(traces []byte, head string, scopes []byte) []byte {
	return appendMessage(traces, tracesResourceSpans, head, scopes)
}

func appendMessage[T string | []byte](dst []byte, num protowire.Number, head T, tail []byte) []byte {
	dst = protowire.AppendTag(dst, num, protowire.BytesType)
	dst = protowire.AppendVarint(dst, uint64(len(head)+len(tail)))
	dst = append(dst, head...)
	return append(dst, tail...)
}

// EachSpan calls fn for every span of an encoded ScopeSpans.
func EachSpan(scopeSpans []byte, fn func(span []byte) error) error {
	return each(scopeSpans, func(num protowire.Number, span []byte) error {
		if num != scopeSpansSpans {
			return nil
		}
		return fn(span)
	})
}

// TraceState returns the tracestate of an encoded span.
func TraceState(span []byte) ([]byte, error) {
	var state []byte
	err := each(span, func(num protowire.Number, value []byte) error {
		if num == spanTraceState {
			state = value
		}
		return nil
	})
	return state, err
}

// AppendTraceState appends a tracestate to an encoded span; it replaces any that
// is already there, as the last occurrence of a singular field counts.
func AppendTraceState[T string | []byte](span []byte, state T) []byte {
	return appendMessage(span, spanTraceState, state, nil)
}
