package v1

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// spanLines are the spans as text, each with its resource and scope.
func spanLines(td ptrace.Traces) []string {
	lines := []string{}
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, span := range ss.Spans().All() {
				var b strings.Builder
				fmt.Fprintf(&b, "%s|%q|%s|%q|", resourceLine(rs.Resource()), rs.SchemaUrl(), scopeLine(ss.Scope()), ss.SchemaUrl())
				fmt.Fprintf(&b, "%s %s %s %q %d %q %d %d %d %d %q %d %d %d %s", span.TraceID(), span.SpanID(), span.ParentSpanID(), span.TraceState().AsRaw(),
					span.Flags(), span.Name(), span.Kind(), span.StartTimestamp(), span.EndTimestamp(), span.Status().Code(), span.Status().Message(),
					span.DroppedAttributesCount(), span.DroppedEventsCount(), span.DroppedLinksCount(), mapLine(span.Attributes()))
				for _, e := range span.Events().All() {
					fmt.Fprintf(&b, "|event %d %q %d %s", e.Timestamp(), e.Name(), e.DroppedAttributesCount(), mapLine(e.Attributes()))
				}
				for _, l := range span.Links().All() {
					fmt.Fprintf(&b, "|link %s %s %q %d %d %s", l.TraceID(), l.SpanID(), l.TraceState().AsRaw(), l.Flags(), l.DroppedAttributesCount(), mapLine(l.Attributes()))
				}
				lines = append(lines, b.String())
			}
		}
	}
	return lines
}

func recordLines(ld plog.Logs) []string {
	lines := []string{}
	for _, rl := range ld.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, r := range sl.LogRecords().All() {
				lines = append(lines, fmt.Sprintf("%s|%q|%s|%q|%d %d %s %s %d %d %q %q %d %s %s",
					resourceLine(rl.Resource()), rl.SchemaUrl(), scopeLine(sl.Scope()), sl.SchemaUrl(),
					r.Timestamp(), r.ObservedTimestamp(), r.TraceID(), r.SpanID(), r.Flags(), r.SeverityNumber(), r.SeverityText(),
					r.EventName(), r.DroppedAttributesCount(), valueLine(r.Body()), mapLine(r.Attributes())))
			}
		}
	}
	return lines
}

func resourceLine(r pcommon.Resource) string {
	return fmt.Sprintf("%d %s", r.DroppedAttributesCount(), mapLine(r.Attributes()))
}

func scopeLine(s pcommon.InstrumentationScope) string {
	return fmt.Sprintf("%q %q %d %s", s.Name(), s.Version(), s.DroppedAttributesCount(), mapLine(s.Attributes()))
}

func mapLine(m pcommon.Map) string {
	var members []string
	for k, v := range m.All() {
		members = append(members, fmt.Sprintf("%q:%s", k, valueLine(v)))
	}
	slices.Sort(members)
	return "{" + strings.Join(members, ",") + "}"
}

func valueLine(v pcommon.Value) string {
	switch v.Type() {
	case pcommon.ValueTypeDouble:
		if math.IsNaN(v.Double()) {
			return "double NaN"
		}
		return fmt.Sprintf("double %x", math.Float64bits(v.Double()))
	case pcommon.ValueTypeBytes:
		return fmt.Sprintf("bytes %x", v.Bytes().AsRaw())
	case pcommon.ValueTypeMap:
		return mapLine(v.Map())
	case pcommon.ValueTypeSlice:
		var elements []string
		for _, e := range v.Slice().All() {
			elements = append(elements, valueLine(e))
		}
		return "[" + strings.Join(elements, ",") + "]"
	default:
		return fmt.Sprintf("%s %q", v.Type(), v.AsString())
	}
}
