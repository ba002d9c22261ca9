package logcorrelationprocessor

import "go.opentelemetry.io/collector/component"

// The names that libraries use by themselves or by their documentation's
// examples. README.md says which is whose.
func createDefaultConfig() component.Config {
	return &Config{
		Settings: Settings{
			Fields: Fields{
				TraceID: []string{
					"trace_id", "traceId", "traceID", "TraceId", "TraceID", "traceid", "trace.id", "trace.trace_id",
					"span.trace_id", "context.trace_id", "otelTraceID", "mdc.trace_id", "mdc.traceId",
					"contextMap.trace_id", "contextMap.traceId", "record.extra.trace_id", "record.extra.otelTraceID",
					"Properties.TraceId", "Scopes.TraceId", "@fields.trace_id", "@tr", "dt.trace_id", "operation_Id",
					"logging.googleapis.com/trace", "trace", "X-B3-TraceId", "x-b3-traceid",
					"xray_trace_id", "AWS-XRAY-TRACE-ID", "X-Amzn-Trace-Id", "x-amzn-trace-id", "b3", "traceparent", "Traceparent",
				},
				DecimalTraceID: []string{"dd.trace_id", "dd_trace_id"},
				TraceIDHigh:    []string{"_dd.p.tid"},
				SpanID: []string{
					"span_id", "spanId", "spanID", "SpanId", "SpanID", "spanid", "span.id", "trace.span_id",
					"span.span_id", "context.span_id", "otelSpanID", "mdc.span_id", "mdc.spanId",
					"contextMap.span_id", "contextMap.spanId", "record.extra.span_id", "record.extra.otelSpanID",
					"Properties.SpanId", "Scopes.SpanId", "@fields.span_id", "@sp", "dt.span_id", "operation_ParentId",
					"logging.googleapis.com/spanId", "X-B3-SpanId", "x-b3-spanid",
				},
				DecimalSpanID:   []string{"dd.span_id", "dd_span_id"},
				EnclosingSpanID: []string{"transaction.id"},
				TraceFlags: []string{
					"trace_flags", "traceFlags", "TraceFlags", "context.trace_flags", "mdc.trace_flags", "contextMap.trace_flags", "@fields.trace_flags",
					"otelTraceSampled", "record.extra.otelTraceSampled", "mdc.sampled",
					"logging.googleapis.com/trace_sampled", "trace_sampled", "traceSampled", "X-B3-Sampled", "x-b3-sampled",
				},
				Timestamp: []string{
					"dt", "timestamp", "@timestamp", "time", "ts", "Timestamp", "@t", "instant", "timeMillis",
					"datetime", "asctime", "time_iso8601", "time_local", "record.time.timestamp", "__REALTIME_TIMESTAMP",
				},
				Severity:       []string{"severity_text", "severity", "level", "log.level", "levelname", "Level", "LogLevel", "@l", "lvl", "record.level.name", "@fields.level"},
				SeverityNumber: []string{"severity_number", "severityNumber", "SeverityNumber"},
				Message: []string{
					"message", "msg", "formattedMessage", "@m", "RenderedMessage", "Message", "short_message", "MESSAGE",
					"@message", "record.message", "textPayload", "jsonPayload.message", "body", "log", "event", "@mt", "MessageTemplate",
				},
			},
			ParseBody:       bodyNames[bodyAuto],
			NumericSeverity: scaleNames[scaleAuto],
		},
		Output: outputRecord,
	}
}
