package child

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStatusField(t *testing.T) {
	const status = "Name:\tspanlake\nVmHWM:\t  2048 kB\nVmRSS:\t    17 kB\nVmSwap:\n"
	require.Equal(t, int64(2<<20), statusField([]byte(status), "VmHWM:"))
	require.Equal(t, int64(17<<10), statusField([]byte(status), "VmRSS:"))
	require.Zero(t, statusField([]byte(status), "VmSwap:"))
	require.Zero(t, statusField([]byte(status), "VmPeak:"))
}
