//go:generate mdatagen metadata.yaml

// Package logcorrelationprocessor implements the log_correlation processor. It
// moves the trace ID, the span ID, the trace flags, the time and the severity
// of a log record from the fields where loggers write them to the record's own.
package logcorrelationprocessor
