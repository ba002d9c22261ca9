//go:generate mdatagen metadata.yaml

// Package columnarexporter stores spans and log records as Parquet, each
// exactly once: what it acknowledged is in its write-ahead log, and a sealed
// segment of the log is what it writes and commits as a whole.
package columnarexporter
