package main

import (
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestParse(t *testing.T) {
	o, err := parse(nil, io.Discard)
	require.NoError(t, err)
	require.Equal(t, 5_000_000, o.spans)
	for args, want := range map[string]string{
		"-spans 0":       "-spans: 0 must be above 0",
		"-limit 0s":      "-limit: 0s must be above 0",
		"-journal-mib 0": "-journal-mib: 0 must be above 0",
	} {
		t.Run(args, func(t *testing.T) {
			_, err := parse(strings.Fields(args), io.Discard)
			require.ErrorContains(t, err, want)
		})
	}
}
