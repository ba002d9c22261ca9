package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/npmtest"
)

// The README's requests and queries do what it says of them, as printed but for
// the port and make.
func TestREADME(t *testing.T) {
	for _, program := range []string{"bash", "curl"} {
		npmtest.RequireProgram(t, program, program)
	}
	blocks := readmeBlocks(t)
	c := startCollector(t, t.TempDir())

	var setup string
	var answers []string
	for _, block := range blocks {
		switch {
		case strings.HasPrefix(block, "TOKEN="):
			setup = block
		case strings.HasPrefix(block, "curl "):
			script := "set -eu\n" + setup + strings.ReplaceAll(block, "http://localhost:4318", "http://"+c.ports.http)
			shell := exec.CommandContext(t.Context(), "bash", "-c", script)
			shell.Env = append(os.Environ(), "SPANLAKE_TOKEN="+token)
			out, err := shell.CombinedOutput()
			require.NoError(t, err, "%s\n%s", script, out)
			answers = append(answers, string(out))
		}
	}
	require.Len(t, answers, 4, "a span, several, one with an event, a log")
	require.Equal(t, []string{"{}", "{}", "{}"}, answers[:3])

	rows := waitRows(t, c.lake(), 5, `
		select service_name, name, kind, duration_ns, span_id, parent_span_id, status_code, status_message, "http.route", source
		from spans order by trace_id, timestamp`)
	span := func(service, name string, kind, duration int, id string, parent any) row {
		return row{
			"service_name": service, "name": name, "kind": number(kind), "duration_ns": number(duration), "span_id": id, "parent_span_id": parent,
			"status_code": number(0), "status_message": nil, "http.route": nil, "source": "local",
		}
	}
	failed := span("payment", "POST /charge", 2, 120_000_000, "a2fb4a1d1a96d312", nil)
	failed["status_code"], failed["status_message"] = number(2), "card declined"
	single := span("shop", "GET /cart", 2, 42_000_000, "eee19b7ec3c1b174", nil)
	single["http.route"] = "/cart"
	require.Equal(t, []row{
		span("shop", "POST /checkout", 2, 350_000_000, "b7ad6b7169203331", nil),
		span("shop", "POST", 3, 330_000_000, "00f067aa0ba902b7", "b7ad6b7169203331"),
		span("payment", "POST /charge", 2, 310_000_000, "53995c3f42cd8ad8", "00f067aa0ba902b7"),
		failed,
		single,
	}, rows)

	events := mustQuery(t, c.lake(), `select (events[1].timestamp - timestamp)::varchar as after, events[1].name as name, events[1].attributes as attributes
		from spans where len(events) > 0`)
	require.Len(t, events, 1)
	require.Equal(t, "00:00:00.11", events[0]["after"])
	require.Equal(t, "exception", events[0]["name"])
	require.JSONEq(t, `{"exception.type":"CardDeclined","exception.message":"insufficient funds"}`, events[0].text("attributes"))

	const body = "card declined"
	log := waitRows(t, c.lake(), 1, "select body, severity_number, trace_id, span_id, timestamp_is_observed, source from logs")
	require.Equal(t, []row{{
		"body": body, "severity_number": number(17), "source": "local", "timestamp_is_observed": false,
		"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "span_id": "a2fb4a1d1a96d312",
	}}, log)

	var results [][]row
	for _, block := range blocks {
		if sql, found := strings.CutPrefix(strings.TrimSpace(block), `make sql Q="`); found {
			results = append(results, mustQuery(t, c.lake(), strings.TrimSuffix(sql, `"`)))
		}
	}
	require.Len(t, results, 2)
	require.Len(t, results[0], 5)
	require.Equal(t, []row{{"service_name": "payment", "name": "POST /charge", "status_message": "card declined", "body": body}}, results[1])
}

func number(n int) json.Number {
	return json.Number(strconv.Itoa(n))
}

// readmeBlocks are the shell blocks of the README.
func readmeBlocks(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "README.md"))
	require.NoError(t, err)
	var blocks []string
	for _, match := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		blocks = append(blocks, match[1])
	}
	return blocks
}
