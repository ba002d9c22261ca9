package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// queryable is how long after the acknowledgement a record may take to be in
// SQL. A trace waits for its decision before.
const queryable = 10 * time.Second

// row is a result row. Numbers are json.Number, so that 5 and 5.0 differ.
type row map[string]any

// query runs SQL with bin/spanlake-sql.
func query(t *testing.T, lake, sql string) ([]row, error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), binary(t, "SPANLAKE_SQL_BIN", "spanlake-sql"), "--data", lake, "--format", "json", "--threads", "1", sql)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, &stderr)
	}
	var rows []row
	decoder := json.NewDecoder(bytes.NewReader(out))
	decoder.UseNumber()
	if err := decoder.Decode(&rows); err != nil {
		return nil, fmt.Errorf("decode %q: %w", out, err)
	}
	return rows, nil
}

func mustQuery(t *testing.T, lake, sql string) []row {
	t.Helper()
	rows, err := query(t, lake, sql)
	require.NoError(t, err)
	return rows
}

// waitRows polls until a query yields at least n rows.
func waitRows(t *testing.T, lake string, n int, sql string) []row {
	t.Helper()
	var rows []row
	require.NoError(t, poll(queryable, func() error {
		var err error
		if rows, err = query(t, lake, sql); err != nil {
			return err
		}
		if len(rows) < n {
			return fmt.Errorf("%d of %d rows", len(rows), n)
		}
		return nil
	}), sql)
	return rows
}

// literals writes strings as a list of SQL literals.
func literals(values []string) string {
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = "'" + strings.ReplaceAll(v, "'", "''") + "'"
	}
	return strings.Join(quoted, ", ")
}
