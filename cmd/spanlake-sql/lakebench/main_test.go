package main

import (
	"bytes"
	"io"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRunsSmall(t *testing.T) {
	var out bytes.Buffer
	dir := filepath.Join(t.TempDir(), "lake")
	require.NoError(t, run(t.Context(), []string{"-spans", "12000", "-per-file", "250", "-rounds", "1", "-dir", dir}, &out, io.Discard))
	for _, part := range []string{"written and sorted: ", "compaction: ", "after compaction (bar 55 bytes): 2", "queries with an open hour"} {
		require.Contains(t, out.String(), part)
	}
	require.NoDirExists(t, dir)
}

func TestFlags(t *testing.T) {
	for _, args := range [][]string{{"-spans", "1"}, {"-per-file", "0"}, {"-rounds", "0"}, {"-nothing"}} {
		_, err := parse(args, io.Discard)
		require.Error(t, err, args)
	}
}
