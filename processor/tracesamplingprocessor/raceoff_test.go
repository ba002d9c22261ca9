//go:build !race

package tracesamplingprocessor

const underRace = false
