package wire

import (
	"fmt"
	"strconv"
	"strings"
)

// Rejected is what is told of spans that were left out.
type Rejected struct {
	// Spans is how many they are.
	Spans  int
	faults [spanFaults]int
	first  firstRejected
}

// spanFault is what is wrong with the own IDs of a span.
type spanFault uint8

const (
	traceIDMissing spanFault = iota
	traceIDZero
	traceIDUnreadable
	spanIDMissing
	spanIDZero
	spanIDUnreadable
	spanFaults
)

var faultNames = [spanFaults]string{
	"trace ID missing", "trace ID zero", "trace ID unreadable",
	"span ID missing", "span ID zero", "span ID unreadable",
}

type firstRejected struct {
	at   position
	name string
}

// maxName bounds what is told of a span's name, in bytes.
const maxName = 64

// position counts the resources of a request, the scopes of the resource and
// the spans of the scope, from one.
type position struct{ resource, scope, span int }

func (p *position) enter(n node) {
	switch n {
	case resourceSpans:
		*p = position{resource: p.resource + 1}
	case scopeSpans:
		*p = position{resource: p.resource, scope: p.scope + 1}
	case span:
		p.span++
	default:
	}
}

// reject reports whether the span just mended must be left out.
func (m *mender) reject() bool {
	var fault spanFault
	switch {
	case m.span.traceID != idGood:
		fault = traceIDMissing + spanFault(m.span.traceID)
	case m.span.spanID != idGood:
		fault = spanIDMissing + spanFault(m.span.spanID)
	default:
		return false
	}
	if m.Spans == 0 {
		m.first = firstRejected{m.at, shorten(m.span.name)}
	}
	m.Spans++
	m.faults[fault]++
	return true
}

func shorten(name []byte) string {
	if len(name) > maxName {
		return strings.ToValidUTF8(string(name[:maxName]), "") + "…"
	}
	return string(name)
}

// Message says how many of all spans were rejected and why, and names the first.
func (r *Rejected) Message(all int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d of %d spans rejected (", r.Spans, all)
	separator := ""
	for fault, n := range r.faults {
		if n > 0 {
			fmt.Fprintf(&b, "%s%s: %d", separator, faultNames[fault], n)
			separator = ", "
		}
	}
	at := r.first.at
	fmt.Fprintf(&b, "); the first is resourceSpans[%d].scopeSpans[%d].spans[%d], named %s",
		at.resource-1, at.scope-1, at.span-1, strconv.Quote(r.first.name))
	return b.String()
}
