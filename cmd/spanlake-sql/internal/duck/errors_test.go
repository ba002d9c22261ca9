package duck

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLowerError(t *testing.T) {
	for message, want := range map[string]string{
		"Binder Error: Referenced column \"X\" not found":  "binder error: referenced column \"X\" not found",
		"IO Error: No files found\n\nLINE 1: FROM x\n ^\n": "io error: no files found\n\nLINE 1: FROM x\n ^",
		"Invalid Input Error: JSON is malformed":           "invalid input error: JSON is malformed",
		"No colon":                                         "no colon",
		"Error: ":                                          "error:",
		"":                                                 "",
	} {
		require.EqualError(t, lowerError(message), want)
	}
}
