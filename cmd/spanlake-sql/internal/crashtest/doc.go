// Package crashtest holds a test that kills the collector while it writes, merges
// and expires, and asks the store by open readers all the while.
package crashtest
