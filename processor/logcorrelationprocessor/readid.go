package logcorrelationprocessor

import (
	"encoding/binary"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/spanlake/spanlake/internal/traceid"
)

// Lengths of text. No two forms with the same length can be read from one
// value: what has one of these lengths and no dash, bar or slash is for traceid,
// and the others have their separators in different places.
const (
	hexTrace       = 32
	hexSpan        = 16
	xrayLen        = len("1-5759e988-bd862e3fe1be46a994272793")
	traceparentLen = len("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	requestIDLen   = len("|4bf92f3577b34da6a3ce929d0e0e4736.00f067aa0ba902b7.")
)

// readTraceID reads a trace ID alone or with what compound forms bring.
func readTraceID(s string, r *reading) {
	if id, ok := traceid.ParseTrace(s); ok {
		r.id = id
		r.low = len(s) == hexSpan
		r.ok(traceForm(len(s)))
		return
	}
	switch {
	case strings.HasPrefix(s, "1-"):
		readXRay(s, r)
	case len(s) == traceparentLen && s[2] == '-':
		readTraceparent(s, r)
	case s[0] == '|':
		readRequestID(s, r)
	case strings.HasPrefix(s, "projects/"):
		readGoogle(s, r)
	case strings.HasPrefix(s, xrayMDC):
		readXRay(s[len(xrayMDC):], r)
	case strings.Contains(s, "Root="):
		readXRayHeader(s, r)
	default:
		readB3(s, r)
	}
}

func traceForm(length int) form {
	switch length {
	case hexTrace:
		return formHex
	case hexSpan:
		return formHex64
	case 36:
		return formUUID
	case 24:
		return formBase64
	case 44:
		return formBase64Hex
	default:
		return formHexBase64
	}
}

// readIDBytes reads an ID that is no text.
func readIDBytes(k kind, b pcommon.ByteSlice, r *reading) {
	const halfSize = len(pcommon.SpanID{})
	switch n := b.Len(); {
	case n == 0:
		r.result = readNone
		return
	case k == kindTraceID && (n == len(r.id) || n == halfSize):
		r.low = n == halfSize
		for i := range n {
			r.id[len(r.id)-n+i] = b.At(i)
		}
	case k != kindTraceID && n == halfSize:
		for i := range n {
			r.id[i] = b.At(i)
		}
	default:
		return
	}
	r.ok(formBytes)
}

func readSpanID(s string, r *reading) {
	if id, ok := traceid.ParseSpan(s); ok {
		copy(r.id[:], id[:])
		switch {
		case len(s) == hexSpan:
			r.ok(formHex)
		case len(s) == 12:
			r.ok(formBase64)
		case strings.HasSuffix(s, "="): // no digit is
			r.ok(formBase64Hex)
		default:
			r.ok(formHexBase64)
		}
		return
	}
	// |trace.span. is an operation_ParentId of Application Insights.
	if s[0] == '|' {
		var compound reading
		readRequestID(s, &compound)
		if compound.result == readOK {
			copy(r.id[:], compound.span[:])
			r.partial = true // the trace ID
			r.ok(formRequestID)
		}
	}
}

// readHigh reads the upper half of a trace ID.
func readHigh(s string, r *reading) {
	if len(s) != hexSpan {
		return
	}
	if id, ok := traceid.ParseSpan(s); ok {
		copy(r.id[:], id[:])
		r.ok(formHex)
	}
}

// readDecimal reads an ID of 64 bits as Datadog writes it: a decimal number. A
// trace ID may be 32 hexadecimal digits instead, which no such number has.
func readDecimal(s string, k kind, r *reading) {
	if k == kindTraceID && len(s) == hexTrace {
		readTraceID(s, r)
		return
	}
	if n, err := strconv.ParseUint(s, 10, 64); err == nil && s[0] != '+' {
		setDecimal(n, k, r)
	}
}

func setDecimal(n uint64, k kind, r *reading) {
	switch {
	case n == 0:
		r.result = readNone
		return
	case k == kindTraceID:
		binary.BigEndian.PutUint64(r.id[8:], n)
		r.low = true
	default:
		binary.BigEndian.PutUint64(r.id[:], n)
	}
	r.ok(formDecimal)
}

func parseHexTrace(s string) (id pcommon.TraceID, ok bool) {
	if len(s) == hexTrace {
		id, ok = traceid.ParseTrace(s)
	}
	return id, ok && !id.IsEmpty()
}

func parseHexSpan(s string) (id pcommon.SpanID, ok bool) {
	if len(s) == hexSpan {
		id, ok = traceid.ParseSpan(s)
	}
	return id, ok && !id.IsEmpty()
}

// setCompound sets a trace ID with its span ID and reports whether both are ones.
func setCompound(trace, span string, r *reading) bool {
	var okTrace, okSpan bool
	r.id, okTrace = parseHexTrace(trace)
	r.span, okSpan = parseHexSpan(span)
	r.hasSpan = okSpan
	return okTrace && okSpan
}

// readTraceparent reads the W3C header, version 00 (w3.org/TR/trace-context).
// Later versions may have more behind it.
func readTraceparent(s string, r *reading) {
	if s[:3] != "00-" || s[35] != '-' || s[52] != '-' {
		return
	}
	flags, err := strconv.ParseUint(s[53:], 16, 8)
	if err != nil || !setCompound(s[3:35], s[36:52], r) {
		return
	}
	r.flags, r.mask, r.hasFlags = uint8(flags), 0xff, true
	r.ok(formTraceparent)
}

// readRequestID reads |trace.span. as Application Insights writes it where it
// uses W3C IDs. Its older hierarchical IDs have other parts.
func readRequestID(s string, r *reading) {
	if len(s) != requestIDLen || s[33] != '.' || s[50] != '.' || !setCompound(s[1:33], s[34:50], r) {
		return
	}
	r.ok(formRequestID)
}

// readB3 reads the single header trace-span[-sampled[-parent]] of Zipkin. The
// parent and the debug flag have no place in a record.
func readB3(s string, r *reading) {
	trace, others, found := strings.Cut(s, "-")
	if !found {
		return
	}
	id, ok := traceid.ParseTrace(trace)
	if !ok || id.IsEmpty() || len(trace) != hexTrace && len(trace) != hexSpan {
		return
	}
	spanText, others, more := strings.Cut(others, "-")
	span, ok := parseHexSpan(spanText)
	if !ok {
		return
	}
	if more {
		sampled, parent, hasParent := strings.Cut(others, "-")
		switch sampled {
		case "0", "1":
			r.flags = sampled[0] - '0'
		case "d":
			r.flags, r.partial = 1, true
		default:
			return
		}
		r.mask, r.hasFlags = 1, true
		if hasParent {
			if _, ok := parseHexSpan(parent); !ok {
				return
			}
			r.partial = true
		}
	}
	r.id, r.low = id, len(trace) == hexSpan
	r.span, r.hasSpan = span, true
	r.ok(formB3)
}

// xrayMDC stands before the ID in what the X-Ray SDK for Java puts into the MDC.
const xrayMDC = "AWS-XRAY-TRACE-ID: "

// readXRay reads 1-time-random, and with @ behind it a segment's ID, which is a
// span's.
func readXRay(s string, r *reading) {
	root, segment, hasSegment := strings.Cut(s, "@")
	id, ok := parseXRay(root)
	if !ok {
		return
	}
	if hasSegment {
		if r.span, r.hasSpan = parseHexSpan(segment); !r.hasSpan {
			return
		}
	}
	r.id = id
	r.ok(formXRay)
}

func parseXRay(s string) (pcommon.TraceID, bool) {
	if len(s) != xrayLen || s[:2] != "1-" || s[10] != '-' {
		return pcommon.TraceID{}, false
	}
	return parseHexTrace(s[2:10] + s[11:])
}

// readXRayHeader reads Root=…;Parent=…;Sampled=…, in any order. Other members
// (Self, Lineage) have no place in a record.
func readXRayHeader(s string, r *reading) {
	var seen reading
	hasRoot := false
	for member := range strings.SplitSeq(s, ";") {
		key, text, _ := strings.Cut(strings.TrimSpace(member), "=")
		ok := true
		switch key {
		case "Root":
			ok = !hasRoot
			hasRoot = true
			if ok {
				seen.id, ok = parseXRay(text)
			}
		case "Parent":
			ok = !seen.hasSpan
			if ok {
				seen.span, ok = parseHexSpan(text)
				seen.hasSpan = ok
			}
		case "Sampled":
			switch {
			case seen.hasFlags:
				ok = false
			case text == "0" || text == "1":
				seen.flags, seen.mask, seen.hasFlags = text[0]-'0', 1, true
			default: // ? asks for a decision
				seen.partial = true
			}
		default:
			seen.partial = true
		}
		if !ok {
			return
		}
	}
	if hasRoot {
		seen.ok(formXRayHeader)
		*r = seen
	}
}

// readGoogle reads projects/…/traces/… and projects/…/traces/…/spans/…. The
// project has no place in a record.
func readGoogle(s string, r *reading) {
	project, others, found := strings.Cut(s[len("projects/"):], "/traces/")
	if !found || project == "" || strings.Contains(project, "/") {
		return
	}
	trace, span, hasSpan := strings.Cut(others, "/spans/")
	id, ok := parseHexTrace(trace)
	if !ok {
		return
	}
	if hasSpan {
		if r.span, r.hasSpan = parseHexSpan(span); !r.hasSpan {
			return
		}
	}
	r.id, r.partial = id, true
	r.ok(formGoogle)
}
