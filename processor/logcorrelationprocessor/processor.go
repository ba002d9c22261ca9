package logcorrelationprocessor

import (
	"context"

	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/spanlake/spanlake/processor/logcorrelationprocessor/internal/metadata"
)

// logsProcessor is immutable after construction, so that any number of
// goroutines may call process.
type logsProcessor struct {
	fields    *level
	telemetry *telemetry
}

func newLogsProcessor(cfg *Config, tb *metadata.TelemetryBuilder) *logsProcessor {
	return &logsProcessor{fields: compile(cfg.Fields.lists()), telemetry: newTelemetry(tb)}
}

func (p *logsProcessor) process(ctx context.Context, ld plog.Logs) (plog.Logs, error) {
	var t tally
	for i := range ld.ResourceLogs().Len() {
		scopes := ld.ResourceLogs().At(i).ScopeLogs()
		for j := range scopes.Len() {
			records := scopes.At(j).LogRecords()
			for k := range records.Len() {
				correlate(p.fields, records.At(k), &t)
			}
		}
	}
	p.telemetry.add(ctx, &t)
	return ld, nil
}

func (p *logsProcessor) shutdown(context.Context) error {
	p.telemetry.shutdown()
	return nil
}
