package tokenotlpreceiver

import (
	"context"

	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"go.opentelemetry.io/collector/receiver/receiverhelper"
)

// consumers are the pipelines behind the receiver, nil where there is none.
type consumers struct {
	traces  consumer.Traces
	logs    consumer.Logs
	metrics consumer.Metrics
}

func (c *consumers) has(s signal) bool {
	switch s {
	case traces:
		return c.traces != nil
	case logs:
		return c.logs != nil
	default:
		return c.metrics != nil
	}
}

// batch is a decoded request, whatever its signal.
type batch interface {
	// items is the number of spans, log records or data points.
	items() int
	// strip removes the reserved attributes, save those that stamp sets.
	strip()
	// stamp names the source on every resource.
	stamp(s *source)
	// consume hands the batch to the pipeline.
	consume(ctx context.Context, obs *receiverhelper.ObsReport, format string) error
}

// decode reads an export request in protobuf. The batch does not refer to body.
func (c *consumers) decode(s signal, body []byte) (batch, error) {
	switch s {
	case traces:
		req := ptraceotlp.NewExportRequest()
		err := req.UnmarshalProto(body)
		return traceBatch{req.Traces(), c.traces}, err
	case logs:
		req := plogotlp.NewExportRequest()
		err := req.UnmarshalProto(body)
		return logBatch{req.Logs(), c.logs}, err
	default:
		req := pmetricotlp.NewExportRequest()
		err := req.UnmarshalProto(body)
		return metricBatch{req.Metrics(), c.metrics}, err
	}
}

type traceBatch struct {
	data ptrace.Traces
	next consumer.Traces
}

func (b traceBatch) items() int      { return b.data.SpanCount() }
func (b traceBatch) strip()          { stripTraces(b.data) }
func (b traceBatch) stamp(s *source) { stampAll(b.data.ResourceSpans().All(), s) }

func (b traceBatch) consume(ctx context.Context, obs *receiverhelper.ObsReport, format string) error {
	ctx, n := obs.StartTracesOp(ctx), b.items()
	err := b.next.ConsumeTraces(ctx, b.data)
	obs.EndTracesOp(ctx, format, n, err)
	return err
}

type logBatch struct {
	data plog.Logs
	next consumer.Logs
}

func (b logBatch) items() int      { return b.data.LogRecordCount() }
func (b logBatch) strip()          { stripLogs(b.data) }
func (b logBatch) stamp(s *source) { stampAll(b.data.ResourceLogs().All(), s) }

func (b logBatch) consume(ctx context.Context, obs *receiverhelper.ObsReport, format string) error {
	ctx, n := obs.StartLogsOp(ctx), b.items()
	err := b.next.ConsumeLogs(ctx, b.data)
	obs.EndLogsOp(ctx, format, n, err)
	return err
}

type metricBatch struct {
	data pmetric.Metrics
	next consumer.Metrics
}

func (b metricBatch) items() int      { return b.data.DataPointCount() }
func (b metricBatch) strip()          { stripMetrics(b.data) }
func (b metricBatch) stamp(s *source) { stampAll(b.data.ResourceMetrics().All(), s) }

func (b metricBatch) consume(ctx context.Context, obs *receiverhelper.ObsReport, format string) error {
	ctx, n := obs.StartMetricsOp(ctx), b.items()
	err := b.next.ConsumeMetrics(ctx, b.data)
	obs.EndMetricsOp(ctx, format, n, err)
	return err
}
