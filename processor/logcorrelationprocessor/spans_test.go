package logcorrelationprocessor

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/spanlake/spanlake/internal/traceid"
	"github.com/spanlake/spanlake/processor/logcorrelationprocessor/internal/metadatatest"
)

func TestSpans(t *testing.T) {
	fields := m{
		"trace_id": traceA, "context": m{"span_id": spanA, "user": "u"}, "traceparent": "00-" + traceA + "-" + spanB + "-01",
		"time": when, "level": "info", "message": "m", "dd.trace_id": "x",
	}
	ofSpan := m{
		"context": m{"user": "u"}, "traceparent": "00-" + traceA + "-" + spanB + "-01",
		"time": when, "level": "info", "message": "m", "dd.trace_id": "x",
	}
	ofEvent := m{
		"context": m{"user": "u"}, "traceparent": "00-" + traceA + "-" + spanB + "-01",
		"level": "info", "message": "m", "dd.trace_id": "x",
	}
	tests := []struct {
		name        string
		asked       Spans
		dry         bool
		span, event m
		time        uint64
	}{
		{"left alone unless asked", Spans{}, false, fields, fields, 0},
		{"attributes", Spans{Attributes: true}, false, ofSpan, fields, 0},
		{"events", Spans{Events: true}, false, fields, ofEvent, whenNs},
		{"both", Spans{Attributes: true, Events: true}, false, ofSpan, ofEvent, whenNs},
		{"a dry run", Spans{Attributes: true, Events: true}, true, fields, fields, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			td := ptrace.NewTraces()
			span := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
			trace, _ := traceid.ParseTrace(traceA)
			id, _ := traceid.ParseSpan(spanA)
			span.SetTraceID(trace)
			span.SetSpanID(id)
			require.NoError(t, span.Attributes().FromRaw(fields))
			require.NoError(t, span.Events().AppendEmpty().Attributes().FromRaw(fields))

			telemetry := newTelemetryForTest(t)
			cfg := createDefaultConfig().(*Config)
			cfg.Spans, cfg.DryRun = tt.asked, tt.dry
			sink := new(consumertest.TracesSink)
			p, err := NewFactory().CreateTraces(t.Context(), metadatatest.NewSettings(telemetry), cfg, sink)
			require.NoError(t, err)
			require.NoError(t, p.Start(t.Context(), componenttest.NewNopHost()))
			for range 2 { // the second time changes nothing
				require.NoError(t, p.ConsumeTraces(t.Context(), td))
				got := sink.AllTraces()[0].ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
				require.Equal(t, traceA, got.TraceID().String())
				require.Equal(t, spanA, got.SpanID().String())
				require.Equal(t, tt.span, got.Attributes().AsRaw())
				require.Equal(t, tt.event, got.Events().At(0).Attributes().AsRaw())
				require.Equal(t, pcommon.Timestamp(tt.time), got.Events().At(0).Timestamp())
			}
			require.NoError(t, p.Shutdown(t.Context()))
			if tt.name == "both" {
				metadatatest.AssertEqualLogCorrelationFields(t, telemetry, []metricdata.DataPoint[int64]{
					fieldsPoint("", "trace_id", "trace_id", "span", "hex", "moved", 1),
					fieldsPoint("", "span_id", "context.span_id", "span", "hex", "moved", 1),
					fieldsPoint("", "trace_id", "trace_id", "span_event", "hex", "moved", 1),
					fieldsPoint("", "span_id", "context.span_id", "span_event", "hex", "moved", 1),
					fieldsPoint("", "trace_id", "traceparent", "", "", "conflict", 4),
					fieldsPoint("", "trace_id", "dd.trace_id", "", "", "unreadable", 4),
					fieldsPoint("", "timestamp", "time", "span_event", "rfc3339", "moved", 1),
				}, metricdatatest.IgnoreTimestamp())
			}
		})
	}
}

// A span without IDs of its own gets none from its attributes.
func TestSpanWithoutIDs(t *testing.T) {
	p := planWith(t, nil)
	span := ptrace.NewSpan()
	attrs := m{"trace_id": traceA, "span_id": spanA}
	require.NoError(t, span.Attributes().FromRaw(attrs))
	p.correlateSpan(new(worker), span, true, true)
	require.True(t, span.TraceID().IsEmpty())
	require.Equal(t, attrs, span.Attributes().AsRaw())
}
