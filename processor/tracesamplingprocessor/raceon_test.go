//go:build race

package tracesamplingprocessor

// underRace says that the race detector, which makes everything some ten times
// slower, is on.
const underRace = true
