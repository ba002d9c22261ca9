// Package e2e tests the built binaries as a user runs them: bin/spanlake with
// config/local.yaml, fed by real clients, read through bin/spanlake-sql. Run
// make build first; SPANLAKE_BIN and SPANLAKE_SQL_BIN name other binaries.
package e2e
