package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// column is one figure of a result.
type column struct {
	title  string
	format string
	value  func(*result) float64
	// ratio is set where Spanlake's figure over the other's says something.
	ratio bool
}

var columns = []column{
	{"CPU s per million spans", "%.2f", (*result).cpuPerMillion, true},
	{"peak RSS, MiB", "%.0f", (*result).peakMiB, true},
	{"bytes on disk per span stored", "%.0f", (*result).diskPerSpan, true},
	{"spans stored", "%.0f", func(r *result) float64 { return float64(r.stored) }, false},
	{"spans/s taken", "%.0f", (*result).rate, false},
	{"retries", "%.0f", func(r *result) float64 { return float64(r.sent.Retries) }, false},
}

// report writes the medians of each process, and their ratios.
func report(o *options, in *input, results []result, facts string) string {
	var b strings.Builder
	protocol := "OTLP/HTTP protobuf"
	if o.grpc {
		protocol = "OTLP/gRPC"
	}
	pace := "as fast as taken"
	if o.rate > 0 {
		pace = fmt.Sprintf("%d spans/s", o.rate)
	}
	fmt.Fprintf(&b, "# Whole-process comparison\n\n")
	fmt.Fprintf(&b, "%s. Collector %s.\n\n", facts, collectorVersion)
	fmt.Fprintf(&b, "Input: %d spans in %d requests (%.0f bytes a span), seed %d, %s over %d connections, %s. Medians of %d runs each, interleaved.\n",
		in.stats.Spans, in.stats.Requests, float64(in.stats.Bytes)/float64(in.stats.Spans), o.seed, protocol, o.connections, pace, o.runs)
	for _, w := range o.workloads {
		fmt.Fprintf(&b, "\n## %s\n\n", strings.ToUpper(w.title[:1])+w.title[1:])
		writeTable(&b, o.subjects, ofWorkload(results, w.name))
	}
	return b.String()
}

func ofWorkload(results []result, name string) []result {
	return slices.DeleteFunc(slices.Clone(results), func(r result) bool { return r.workload != name })
}

func writeTable(b *strings.Builder, subjects []*subject, results []result) {
	b.WriteString("| |")
	for _, c := range columns {
		b.WriteString(" " + c.title + " |")
	}
	b.WriteString("\n|---|" + strings.Repeat("---:|", len(columns)) + "\n")
	medians := make([][]float64, len(subjects))
	for i, s := range subjects {
		b.WriteString("| " + s.title + " |")
		for _, c := range columns {
			m := median(results, s.name, c.value)
			medians[i] = append(medians[i], m)
			fmt.Fprintf(b, " "+c.format+" |", m)
		}
		b.WriteString("\n")
	}
	if len(subjects) != 2 {
		return
	}
	b.WriteString("| ratio |")
	for j, c := range columns {
		if c.ratio {
			fmt.Fprintf(b, " **%.2f** |", medians[0][j]/medians[1][j])
		} else {
			b.WriteString(" |")
		}
	}
	b.WriteString("\n")
}

// median of one figure over the runs of a process.
func median(results []result, subject string, value func(*result) float64) float64 {
	var vs []float64
	for i := range results {
		if results[i].subject == subject {
			vs = append(vs, value(&results[i]))
		}
	}
	slices.Sort(vs)
	n := len(vs)
	if n == 0 {
		return 0
	}
	return (vs[(n-1)/2] + vs[n/2]) / 2
}

// machine says what the figures were measured on.
func machine() string {
	cpu := ""
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
				cpu = " (" + strings.TrimSpace(value) + ")"
				break
			}
		}
	}
	return fmt.Sprintf("%s, %d cores%s, %s/%s, %s", time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(), cpu, runtime.GOOS, runtime.GOARCH, runtime.Version())
}
