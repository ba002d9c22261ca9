package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/contrib/bridges/otelslog"
	"go.opentelemetry.io/otel/attribute"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Services under load log into files of JSON, which are sent as events, and by
// way of OTLP: each line with a context is at its span in SQL, at a time within
// the span.
func TestLogsJoinTheirSpans(t *testing.T) {
	modules := nodeModules(t)
	c := startCollector(t, t.TempDir())
	files := map[string]string{"node": filepath.Join(t.TempDir(), "node.log"), "go": filepath.Join(t.TempDir(), "go.log")}
	var services sync.WaitGroup
	var nodeErr, goErr error
	services.Go(func() { nodeErr = runCart(t.Context(), modules, c.ports, files["node"]) })
	services.Go(func() { goErr = sellUnderLoad(t.Context(), c.ports, files["go"]) })
	services.Wait()
	require.NoError(t, nodeErr)
	require.NoError(t, goErr)

	sent := 0
	for _, file := range files {
		postFile(t, c, file)
		sent += len(linesOf(t, file))
	}
	// Each line is there twice: from the file, and by OTLP.
	rows := waitRows(t, c.lake(), 2*sent, `
		select l.body, l.trace_id, l.span_id, l.severity_number, l.service_name, l.timestamp_is_observed, l.attributes,
			s.span_id is not null as joined,
			epoch_ns(l.timestamp) - epoch_ns(s.timestamp) between 0 and s.duration_ns as within
		from logs l left join spans s using (trace_id, span_id)
		where not exists (select 1 from logs m where m.trace_id is not null and m.trace_id not in (select trace_id from spans))`)
	require.Len(t, rows, 2*sent)

	for language, file := range files {
		lines := linesOf(t, file)
		for _, service := range []string{"", language + "-otlp"} {
			t.Run(fmt.Sprintf("%s %s", language, service), func(t *testing.T) {
				found := 0
				for _, r := range rows {
					line, known := lines[r.text("body")]
					if !known || r.text("service_name") != service {
						continue
					}
					found++
					require.Equal(t, false, r["timestamp_is_observed"])
					require.Equal(t, line.severity(), r.integer(t, "severity_number"))
					require.Equal(t, line.TraceID, r.text("trace_id"))
					require.Equal(t, line.SpanID, r.text("span_id"))
					require.Equal(t, line.N, decodeMap(t, r.text("attributes"))["n"])
					if line.TraceID == "" {
						continue
					}
					require.Equal(t, true, r["joined"], "%v", r)
					require.Equal(t, true, r["within"], "%v", r)
				}
				require.Equal(t, len(lines), found)
			})
		}
	}
}

// loggedLine is what the test knows of a line in a file of logs.
type loggedLine struct {
	Msg     string
	Level   any
	TraceID string `json:"trace_id"`
	SpanID  string `json:"span_id"`
	Number  *int64 `json:"n"`
	N       any    `json:"-"`
}

func (l loggedLine) severity() int64 {
	if l.Level == "WARN" || l.Level == 40.0 {
		return 13
	}
	return 9
}

// linesOf returns the lines of a file by their message, of which there are no
// two alike.
func linesOf(t *testing.T, file string) map[string]loggedLine {
	t.Helper()
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	lines := make(map[string]loggedLine)
	for s := bufio.NewScanner(bytes.NewReader(data)); s.Scan(); {
		var l loggedLine
		require.NoError(t, json.Unmarshal(s.Bytes(), &l), s.Text())
		if l.Number != nil {
			l.N = *l.Number
		}
		require.NotContains(t, lines, l.Msg)
		lines[l.Msg] = l
	}
	require.Greater(t, len(lines), 1000)
	return lines
}

// postFile sends a file as log events.
func postFile(t *testing.T, c *collector, file string) {
	t.Helper()
	f, err := os.Open(file)
	require.NoError(t, err)
	defer f.Close()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+c.ports.http+"/", f)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+token)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusAccepted, response.StatusCode, "%s", body)
}

// runCart runs cart.js to its end.
func runCart(ctx context.Context, modules string, to ports, file string) error {
	program := exec.CommandContext(ctx, "node", filepath.Join("testdata", "node", "cart.js"))
	program.Env = append(os.Environ(),
		"NODE_PATH="+modules,
		"LOG_FILE="+file,
		"OTEL_SERVICE_NAME=node-otlp",
		"OTEL_EXPORTER_OTLP_ENDPOINT=http://"+to.http,
		"OTEL_EXPORTER_OTLP_HEADERS=Authorization=Bearer%20"+token,
	)
	if out, err := program.CombinedOutput(); err != nil {
		return fmt.Errorf("cart.js: %w: %s", err, out)
	}
	return nil
}

// withIDs adds the IDs of the span to what a handler writes.
type withIDs struct{ slog.Handler }

func (h withIDs) Handle(ctx context.Context, r slog.Record) error {
	if s := trace.SpanContextFromContext(ctx); s.IsValid() {
		r.AddAttrs(slog.String("trace_id", s.TraceID().String()), slog.String("span_id", s.SpanID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

// sellUnderLoad is a Go service that logs with slog into a file and to OTLP.
func sellUnderLoad(ctx context.Context, to ports, file string) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer f.Close()
	spans, err := transports["http"].spans(ctx, to)
	if err != nil {
		return err
	}
	logs, err := transports["grpc"].logs(ctx, to)
	if err != nil {
		return err
	}
	const workers, requests, room = 8, 100, 20_000 // queues with room for all there is
	shop := resource.NewSchemaless(attribute.String("service.name", "go-otlp"))
	tracing := sdktrace.NewTracerProvider(sdktrace.WithResource(shop), sdktrace.WithBatcher(spans, sdktrace.WithMaxQueueSize(room)))
	logging := sdklog.NewLoggerProvider(sdklog.WithResource(shop), sdklog.WithProcessor(sdklog.NewBatchProcessor(logs, sdklog.WithMaxQueueSize(room))))
	tracer := tracing.Tracer("shop")
	logger := slog.New(slog.NewMultiHandler(
		withIDs{slog.NewJSONHandler(f, nil)},
		otelslog.NewHandler("shop", otelslog.WithLoggerProvider(logging)),
	))

	logger.InfoContext(ctx, "go started")
	var load sync.WaitGroup
	for worker := range workers {
		load.Go(func() {
			for i := range requests {
				n := worker*requests + i
				ctx, request := tracer.Start(ctx, "POST /checkout")
				logger.InfoContext(ctx, fmt.Sprint("go request ", n), "n", n)
				ctx, reserve := tracer.Start(ctx, "reserve")
				logger.WarnContext(ctx, fmt.Sprint("go reserve ", n), "n", n, slog.Group("item", "name", "socks"))
				reserve.End()
				request.End()
			}
		})
	}
	load.Wait()
	if err := tracing.Shutdown(ctx); err != nil {
		return err
	}
	return logging.Shutdown(ctx)
}
