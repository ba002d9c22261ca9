//go:build race

package engine_test

// underRace says that the race detector, which makes everything some ten times
// slower, is on.
const underRace = true
