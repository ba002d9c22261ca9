// Package tokenotlpreceiver receives OTLP over gRPC and HTTP, and JSON log
// events over HTTP, from sources that are told apart by bearer tokens.
package tokenotlpreceiver

//go:generate mdatagen metadata.yaml
