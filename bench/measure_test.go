package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Tokens tell the fake collector how to behave.
const (
	behave       = "behave"
	loseSpans    = "lose"
	failAtEnd    = "fail at end"
	endAtOnce    = "end at once"
	endWhileSent = "end while sent to"
	refuse       = "refuse"
)

// fakeCollector takes requests and stores them as the file exporter does.
func fakeCollector() int {
	behaviour := os.Getenv("BENCH_TOKEN")
	fmt.Fprintln(os.Stderr, "fake collector:", behaviour)
	if behaviour == endAtOnce {
		return 3
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	f, err := os.Create(filepath.Join(os.Getenv("BENCH_DATA"), "spans.otlp"))
	if err != nil {
		return 4
	}
	defer f.Close()
	var mu sync.Mutex // guards f
	traces := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		switch {
		case err != nil || behaviour == refuse:
			w.WriteHeader(http.StatusBadRequest)
		case behaviour == endWhileSent:
			os.Exit(5)
		case behaviour != loseSpans:
			mu.Lock()
			defer mu.Unlock()
			_ = binary.Write(f, binary.BigEndian, uint32(len(body)))
			_, _ = f.Write(body)
		}
	})
	go func() { _ = http.ListenAndServe(os.Getenv("BENCH_HTTP"), traces) }()
	go func() {
		_ = http.ListenAndServe(os.Getenv("BENCH_HEALTH"), http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	}()
	<-ctx.Done()
	if behaviour == failAtEnd {
		return 6
	}
	return 0
}

func TestMeasure(t *testing.T) {
	t.Setenv("GOMEMLIMIT", "1MiB") // must not reach the process
	self, err := os.Executable()
	require.NoError(t, err)
	o := &options{spans: 5_000, connections: 2, seed: 1}
	in, err := generate(o, filepath.Join(t.TempDir(), "requests"), io.Discard)
	require.NoError(t, err)
	keep := allWorkloads[1]

	run := func(t *testing.T, behaviour string) (result, error) {
		t.Helper()
		s := newStock(self)
		s.token = behaviour
		return measure(t.Context(), o, s, keep, in, t.TempDir())
	}

	t.Run("a process that behaves", func(t *testing.T) {
		r, err := run(t, behave)
		require.NoError(t, err)
		require.Equal(t, in.stats.Spans, r.sent.Spans)
		require.Equal(t, in.stats.Spans, r.stored)
		require.Equal(t, in.stats.Bytes+4*int64(in.stats.Requests), r.disk)
		require.Positive(t, r.usage.CPU)
		require.Positive(t, r.usage.Peak)
	})
	for behaviour, want := range map[string]string{
		loseSpans:    "0 spans stored, expected",
		failAtEnd:    "exit status 6\nfake collector: fail at end",
		endAtOnce:    "exit status 3\nfake collector: end at once",
		endWhileSent: "exit status 5\nfake collector: end while sent to",
		refuse:       "request refused: 400",
	} {
		t.Run("a process told to "+behaviour, func(t *testing.T) {
			_, err := run(t, behaviour)
			require.ErrorContains(t, err, want)
		})
	}
}

func TestCountFileRefusesATornFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "spans.otlp")
	require.NoError(t, os.WriteFile(name, append(binary.BigEndian.AppendUint32(nil, 10), "short"...), 0o600))
	_, err := countFile(name)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
}

func TestExpected(t *testing.T) {
	in, err := generate(&options{spans: 50_000, seed: 1}, filepath.Join(t.TempDir(), "requests"), io.Discard)
	require.NoError(t, err)
	spans, tolerance := allWorkloads[1].expected(in.stats)
	require.InDelta(t, float64(in.stats.Spans), spans, 0.5)
	require.Zero(t, tolerance, "everything is exact")

	spans, tolerance = allWorkloads[0].expected(in.stats)
	require.InDelta(t, 0.08, spans/float64(in.stats.Spans), 0.02)
	require.Positive(t, tolerance)
	require.Less(t, tolerance, spans)
}

func TestReport(t *testing.T) {
	o, err := parse([]string{"-workloads", "keep"}, io.Discard)
	require.NoError(t, err)
	in := &input{}
	in.stats.Spans, in.stats.Requests, in.stats.Bytes = 1_000_000, 4_000, 500_000_000
	var results []result
	add := func(subject string, cpu float64, mib, stored int) {
		r := result{subject: subject, workload: "keep", stored: stored, disk: int64(stored) * 50}
		r.sent.Spans, r.sent.Elapsed = 1_000_000, 40e9
		r.usage.CPU, r.usage.Peak = secondsOf(cpu), int64(mib)<<20
		results = append(results, r)
	}
	add("spanlake", 5, 100, 10)
	add("spanlake", 50, 900, 10)
	add("spanlake", 4, 200, 10)
	add("stock", 10, 400, 10)
	add("stock", 30, 300, 10)
	add("stock", 20, 1000, 10)
	var want bytes.Buffer
	fmt.Fprintf(&want, `# Whole-process comparison

a machine. Collector %s.

Input: 1000000 spans in 4000 requests (500 bytes a span), seed 1, OTLP/HTTP protobuf over 8 connections, 25000 spans/s. Medians of 3 runs each, interleaved.

## Keep everything

| | CPU s per million spans | peak RSS, MiB | bytes on disk per span stored | spans stored | spans/s taken | retries |
|---|---:|---:|---:|---:|---:|---:|
| Spanlake | 5.00 | 200 | 50 | 10 | 25000 | 0 |
| stock Collector | 20.00 | 400 | 50 | 10 | 25000 | 0 |
| ratio | **0.25** | **0.50** | **1.00** | | | |
`, collectorVersion)
	require.Equal(t, want.String(), report(o, in, results, "a machine"))
}

func secondsOf(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
