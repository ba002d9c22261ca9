package main

import (
	"bufio"
	"context"
	"embed"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanlake/spanlake/bench/internal/load"
	"github.com/spanlake/spanlake/internal/lake"
)

// Paths below the repository's root, which is the working directory.
const (
	workDir      = "bench/_work"
	stockBinary  = "bench/_build/stockcol"
	stockBuilder = "bench/stock-builder.yaml"
	resultsFile  = "bench/RESULTS.md"
	builder      = ".tools/bin/builder"
	// collectorVersion is that of the builder, which equals the Collector's.
	collectorVersion = "v0.161.0"
)

//go:embed config/*.yaml
var configs embed.FS

// subject is one of the programs compared.
type subject struct {
	name, title string
	binary      string
	token       string
	// prepare makes sure that the binary is there.
	prepare func(ctx context.Context, log io.Writer) error
	// stored counts the spans below a data directory.
	stored func(data string) (int, error)
}

func newSpanlake(binary string) *subject {
	return &subject{
		name: "spanlake", title: "Spanlake", binary: binary, token: "token-of-the-bench",
		prepare: func(context.Context, io.Writer) error {
			if _, err := os.Stat(binary); err != nil {
				return fmt.Errorf("make build first: %w", err)
			}
			return nil
		},
		stored: func(data string) (int, error) {
			snapshot, err := lake.ReadSnapshot(filepath.Join(data, "lake"))
			if errors.Is(err, fs.ErrNotExist) {
				return 0, nil
			}
			if err != nil {
				return 0, err
			}
			n := 0
			for _, f := range snapshot.Files {
				n += int(f.Rows)
			}
			return n, nil
		},
	}
}

func newStock(binary string) *subject {
	return &subject{
		name: "stock", title: "stock Collector", binary: binary,
		prepare: func(ctx context.Context, log io.Writer) error { return buildStock(ctx, binary, log) },
		stored:  func(data string) (int, error) { return countFile(filepath.Join(data, "spans.otlp")) },
	}
}

// buildStock builds the stock Collector with ocb if it is not there.
func buildStock(ctx context.Context, binary string, log io.Writer) error {
	if _, err := os.Stat(binary); err == nil {
		return nil
	}
	if binary != stockBinary {
		return fmt.Errorf("%s is missing", binary)
	}
	const config = "--config=" + stockBuilder
	cmd := exec.CommandContext(ctx, builder, config)
	if _, err := os.Stat(builder); err != nil {
		cmd = exec.CommandContext(ctx, "go", "run", "go.opentelemetry.io/collector/cmd/builder@"+collectorVersion, config)
	}
	fmt.Fprintln(log, "building the stock Collector")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, out)
	}
	return nil
}

// countFile counts the spans in what the file exporter wrote in its format
// proto: messages, each after its length in four bytes, big-endian.
func countFile(name string) (int, error) {
	f, err := os.Open(name)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 1<<20)
	var head [4]byte
	var message []byte
	for n := 0; ; {
		if _, err := io.ReadFull(r, head[:]); err != nil {
			if errors.Is(err, io.EOF) {
				return n, nil
			}
			return n, fmt.Errorf("read %s: %w", name, err)
		}
		size := int(binary.BigEndian.Uint32(head[:]))
		if size > cap(message) {
			message = make([]byte, size)
		}
		message = message[:size]
		if _, err := io.ReadFull(r, message); err != nil {
			return n, fmt.Errorf("read %s: %w", name, err)
		}
		td, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(message)
		if err != nil {
			return n, fmt.Errorf("read %s: %w", name, err)
		}
		n += td.SpanCount()
	}
}

// workload is what a process is configured to do.
type workload struct {
	name, title string
	// keep is the share of each class of traces that is kept.
	keep [load.Classes]float64
}

var allWorkloads = []workload{
	{"sample", "sampling: errors and slower than 1 s 100 %, health checks 0.1 %, the rest 5 %", [load.Classes]float64{load.Error: 1, load.Slow: 1, load.Health: 0.001, load.Normal: 0.05}},
	{"keep", "keep everything", [load.Classes]float64{1, 1, 1, 1}},
}

// expected returns the number of spans to be kept, and by how many a right
// sampler may differ: six standard deviations of independent decisions on traces.
func (w *workload) expected(s load.Stats) (float64, float64) {
	var want, variance float64
	for c, p := range w.keep {
		want += p * float64(s.ClassSpans[c])
		if traces := float64(s.Traces[c]); traces > 0 {
			size := float64(s.ClassSpans[c]) / traces
			// Sizes are spread evenly from a third to five thirds of the mean:
			// the mean of their squares is below 1.2 times the mean's square.
			variance += p * (1 - p) * traces * 1.2 * size * size
		}
	}
	return want, 6 * math.Sqrt(variance)
}
