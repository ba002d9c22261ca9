package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/cmd/spanlake-sql/internal/tracetree"
)

func TestATraceIsDrawn(t *testing.T) {
	dir := newShop(t)
	for _, id := range []string{"5b8efff798038103d269b633813fc60c", "5B8EFFF7-9803-8103-D269-B633813FC60C", "00-5b8efff798038103d269b633813fc60c-eee19b7ec3c1b174-01"} {
		got := runWith("", "--data", dir, "--ascii", "--trace", id)
		require.Empty(t, got.err)
		require.Equal(t, exitOK, got.code)
		require.Contains(t, got.out, "2 spans of 1 service, 1 error, 1 log record")
		lines := strings.Split(got.out, "\n")
		require.Contains(t, lines[3], "shop: GET /cart")
		require.Contains(t, lines[4], "`- ! shop: SELECT\\n\"cart\"")
		require.Contains(t, lines[5], ". ERROR cart lost")
	}
	got := runWith("", "--data", dir, "--format", "json", "--trace", "5b8efff798038103d269b633813fc60c")
	require.Equal(t, exitOK, got.code)
	require.Contains(t, got.out, `{"span_id":"eee19b7ec3c1b175","parent_span_id":"eee19b7ec3c1b174","depth":1,`)
}

func TestATraceThatIsNotThere(t *testing.T) {
	got := runWith("", "--data", newShop(t), "--trace", "d269b633813fc60c")
	require.Equal(t, result{code: exitFailed, err: "spanlake-sql: no trace 0000000000000000d269b633813fc60c in the store: it may not be written yet, not be sampled, or have expired\n"}, got)
}

func TestATraceIsShownWithoutAFileThatIsGone(t *testing.T) {
	dir := newShop(t)
	logs, err := filepath.Glob(filepath.Join(dir, "logs", "*", "*", "*", "*.parquet"))
	require.NoError(t, err)
	require.Len(t, logs, 1)
	require.NoError(t, os.Remove(logs[0]))
	got := runWith("", "--data", dir, "--trace", "5b8efff798038103d269b633813fc60c")
	require.Equal(t, exitOK, got.code)
	require.Contains(t, got.out, "GET /cart")
	require.Regexp(t, `^spanlake-sql: the rows of logs/.*\.parquet are left out: it is not there\n$`, got.err)
}

func TestStyle(t *testing.T) {
	f, err := os.Open(os.DevNull)
	require.NoError(t, err)
	defer f.Close()
	for name, tc := range map[string]struct {
		env   map[string]string
		ascii bool
	}{
		"nothing set":     {nil, false},
		"UTF-8":           {map[string]string{"LANG": "de_DE.UTF-8"}, false},
		"utf8":            {map[string]string{"LC_CTYPE": "C.utf8"}, false},
		"C":               {map[string]string{"LANG": "C"}, true},
		"LC_ALL counts":   {map[string]string{"LANG": "de_DE.UTF-8", "LC_ALL": "C"}, true},
		"LC_CTYPE counts": {map[string]string{"LANG": "C", "LC_CTYPE": "en_US.UTF-8"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tracetree.Style{Width: defaultWidth, ASCII: tc.ascii}, styleOf(f, func(name string) string { return tc.env[name] }))
		})
	}
}
