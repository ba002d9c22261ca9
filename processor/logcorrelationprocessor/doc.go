//go:generate mdatagen metadata.yaml

// Package logcorrelationprocessor implements the log_correlation processor. It
// moves the trace ID, the span ID, the trace flags, the time, the severity and
// the message of a log record from where loggers write them to the record itself.
package logcorrelationprocessor
