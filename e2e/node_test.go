package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/npmtest"
)

func TestNodeSDK(t *testing.T) {
	modules := npmtest.Modules(t, filepath.Join("testdata", "node"))
	c := startCollector(t, t.TempDir())
	for _, protocol := range []string{"http/json", "http/protobuf", "grpc"} {
		t.Run(strings.ReplaceAll(protocol, "/", "_"), func(t *testing.T) {
			service := "node-" + protocol
			ended, err := runShop(t.Context(), modules, c.ports, protocol, service, token)
			require.NoError(t, err)
			require.Len(t, ended.Spans, 8, "two visits, each with a client, a server and a manual span")
			require.Len(t, ended.Logs, 5)

			var spans []span
			for _, s := range ended.Spans {
				spans = append(spans, s.span(t))
			}
			for _, r := range requireSpans(t, c.lake(), spans) {
				require.Equal(t, service, r["service_name"])
			}
			var logs []logRecord
			for _, l := range ended.Logs {
				logs = append(logs, l.logRecord(t))
			}
			requireLogs(t, c.lake(), service, logs)

			failed := mustQuery(t, c.lake(), `
				select s.name, (e.attributes->>'$."exception.type"') as type, s.class, l.severity_text
				from (select *, unnest(events) as e from spans) s join logs l using (trace_id, span_id)
				where e.name = 'exception' and s.service_name = `+literals([]string{service}))
			require.Equal(t, []row{{"name": "reserve", "type": "TypeError", "class": "errors", "severity_text": "WARN"}}, failed)
		})
	}

	// The SDK's metrics took the way that leads to Prometheus.
	require.Contains(t, get(t, c.ports.prometheus, "/metrics"), "http_server_request_duration")
}

// shopping is what shop.js prints: all that its SDK was given to export.
type shopping struct {
	Spans []nodeSpan
	Logs  []nodeLog
}

// runShop runs shop.js to its end.
func runShop(ctx context.Context, modules string, to ports, protocol, service, token string) (shopping, error) {
	endpoint := to.http
	if protocol == "grpc" {
		endpoint = to.grpc
	}
	program := exec.CommandContext(ctx, "node", filepath.Join("testdata", "node", "shop.js"))
	program.Env = append(os.Environ(),
		"NODE_PATH="+modules,
		"OTEL_SERVICE_NAME="+service,
		"OTEL_EXPORTER_OTLP_PROTOCOL="+protocol,
		"OTEL_EXPORTER_OTLP_ENDPOINT=http://"+endpoint,
		"OTEL_EXPORTER_OTLP_HEADERS=Authorization=Bearer%20"+token,
	)
	var stderr bytes.Buffer
	program.Stderr = &stderr
	out, err := program.Output()
	if err != nil {
		return shopping{}, fmt.Errorf("shop.js: %w: %s", err, &stderr)
	}
	var ended shopping
	decoder := json.NewDecoder(bytes.NewReader(out))
	decoder.UseNumber()
	err = decoder.Decode(&ended)
	return ended, err
}

// nodeSpan is what shop.js prints of a span.
type nodeSpan struct {
	TraceID, SpanID, Parent, Name string
	Kind                          int64
	Start, End                    string
	Status                        struct {
		Code    int64
		Message string
	}
	Attributes, Resource map[string]any
	Events               []struct {
		Time, Name string
		Attributes map[string]any
	}
	Links []struct {
		TraceID, SpanID string
		Attributes      map[string]any
	}
	Scope scope
}

func (n *nodeSpan) span(t *testing.T) span {
	t.Helper()
	start, end := nanoseconds(t, n.Start), nanoseconds(t, n.End)
	s := span{
		TraceID: n.TraceID, SpanID: n.SpanID, Parent: n.Parent, Name: n.Name,
		Kind:  n.Kind + 1, // the API counts from INTERNAL, OTLP from UNSPECIFIED
		Start: start, Duration: end - start,
		Status: n.Status.Code, StatusMessage: n.Status.Message,
		Attributes: javaScript(t, n.Attributes), Resource: javaScript(t, n.Resource), Scope: n.Scope,
	}
	s.Scope.Attributes = map[string]any{}
	for _, e := range n.Events {
		s.Events = append(s.Events, event{Time: nanoseconds(t, e.Time), Name: e.Name, Attributes: javaScript(t, e.Attributes)})
	}
	for _, l := range n.Links {
		s.Links = append(s.Links, link{TraceID: l.TraceID, SpanID: l.SpanID, Attributes: javaScript(t, l.Attributes)})
	}
	return s
}

// nodeLog is what shop.js prints of a log record.
type nodeLog struct {
	Time, Observed             string
	Severity                   int64
	SeverityText               string
	Body                       any
	EventName, TraceID, SpanID string
	Attributes, Resource       map[string]any
	Scope                      scope
}

func (n *nodeLog) logRecord(t *testing.T) logRecord {
	t.Helper()
	l := logRecord{
		Time: nanoseconds(t, n.Time), Observed: nanoseconds(t, n.Observed),
		Severity: n.Severity, SeverityText: n.SeverityText, Body: typed(t, n.Body), EventName: n.EventName,
		TraceID: n.TraceID, SpanID: n.SpanID,
		Attributes: javaScript(t, n.Attributes), Resource: javaScript(t, n.Resource), Scope: n.Scope,
	}
	l.Scope.Attributes = map[string]any{}
	return l
}

// javaScript types attributes as the SDK does: a whole number is an integer.
func javaScript(t *testing.T, attributes map[string]any) map[string]any {
	t.Helper()
	values, isMap := typed(t, attributes).(map[string]any)
	require.True(t, isMap)
	return values
}

func nanoseconds(t *testing.T, text string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(text, 10, 64)
	require.NoError(t, err)
	return n
}

func get(t *testing.T, endpoint, path string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+endpoint+path, http.NoBody)
	require.NoError(t, err)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, http.StatusOK, response.StatusCode)
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return string(text)
}

// The lock file pins contents by hash and leaves the registry to npm's own
// configuration.
func TestTheNodeLockFileNamesNoRegistry(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "node", "package-lock.json"))
	require.NoError(t, err)
	var lock struct {
		Packages map[string]struct {
			Resolved, Integrity string
		}
	}
	require.NoError(t, json.Unmarshal(data, &lock))
	require.NotEmpty(t, lock.Packages)
	for name, p := range lock.Packages {
		require.Empty(t, p.Resolved, name)
		if name != "" {
			require.NotEmpty(t, p.Integrity, name)
		}
	}
}
