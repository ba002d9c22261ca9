package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHistoryIsKeptForTheNextPrompt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "spanlake", "sql_history")
	h := openHistory(path)
	for _, line := range []string{"select 1;", "select 1;", " secret", "", "select 2;", strings.Repeat("x", historyLine+1), "two\nlines"} {
		h.Add(line)
	}
	h = openHistory(path)
	require.Equal(t, 2, h.Len())
	require.Equal(t, "select 2;", h.At(0))
	require.Equal(t, "select 1;", h.At(1))
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
}

func TestHistoryIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sql_history")
	h := openHistory(path)
	for i := range historyLines + 10 {
		h.Add(fmt.Sprint(i))
	}
	require.Equal(t, historyLines, h.Len())
	require.Equal(t, historyLines, openHistory(path).Len())
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, historyLines, strings.Count(string(text), "\n"), "shortened when opened")
	require.True(t, strings.HasPrefix(string(text), "10\n"))
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, entries, 1)
}

func TestHistoryThatCannotBeKept(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for _, path := range []string{"", filepath.Join(file, "below")} {
		h := openHistory(path)
		h.Add("select 1;")
		require.Equal(t, "select 1;", h.At(0))
	}
}

func TestHistoryPath(t *testing.T) {
	for name, tc := range map[string]struct {
		env  map[string]string
		want string
	}{
		"home":     {map[string]string{"HOME": "/home/a"}, "/home/a/.local/state/spanlake/sql_history"},
		"state":    {map[string]string{"HOME": "/home/a", "XDG_STATE_HOME": "/state"}, "/state/spanlake/sql_history"},
		"relative": {map[string]string{"HOME": "/home/a", "XDG_STATE_HOME": "state"}, "/home/a/.local/state/spanlake/sql_history"},
		"named":    {map[string]string{"HOME": "/home/a", historyEnv: "/x"}, "/x"},
		"off":      {map[string]string{"HOME": "/home/a", historyEnv: ""}, ""},
		"no home":  {nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tc.want, historyPath(func(name string) (string, bool) { v, ok := tc.env[name]; return v, ok }))
		})
	}
}
