// Package scrape reads a Collector's own metrics.
package scrape

import (
	"context"
	"fmt"
	"io"
	"iter"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// maxBody bounds what is read of an answer.
const maxBody = 16 << 20

// Metrics are the samples of one moment.
type Metrics struct{ text string }

// Get reads the metrics that a Collector exposes in Prometheus' text format.
func Get(ctx context.Context, address string) (Metrics, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/metrics", http.NoBody)
	if err != nil {
		return Metrics{}, fmt.Errorf("scrape: %w", err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return Metrics{}, fmt.Errorf("scrape: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return Metrics{}, fmt.Errorf("scrape: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return Metrics{}, fmt.Errorf("scrape: %s: %q", resp.Status, body)
	}
	return Metrics{string(body)}, nil
}

// Sum adds up the series of a metric that have all of the labels, written as
// name="value". A metric that is not there is zero: a counter begins with its
// first increment.
func (m Metrics) Sum(name string, labels ...string) int {
	sum := 0.0
	for series, value := range m.series(name) {
		if !slices.ContainsFunc(labels, func(l string) bool { return !strings.Contains(series, l) }) {
			sum += value
		}
	}
	return int(sum)
}

// By adds up a metric by the values of one label.
func (m Metrics) By(name, label string) map[string]int {
	sums := map[string]int{}
	for series, value := range m.series(name) {
		_, rest, ok := strings.Cut(series, label+`="`)
		if !ok {
			continue
		}
		key, _, _ := strings.Cut(rest, `"`)
		sums[key] += int(value)
	}
	return sums
}

// series yields the labels and values of a metric; the labels may be empty.
func (m Metrics) series(name string) iter.Seq2[string, float64] {
	return func(yield func(string, float64) bool) {
		for line := range strings.Lines(m.text) {
			rest, found := strings.CutPrefix(line, name)
			if !found || rest == "" || rest[0] != '{' && rest[0] != ' ' {
				continue
			}
			end := strings.LastIndexByte(rest, ' ')
			value, err := strconv.ParseFloat(strings.TrimSpace(rest[end+1:]), 64)
			if err != nil {
				continue // a comment, or not Prometheus' format
			}
			if !yield(rest[:end], value) {
				return
			}
		}
	}
}
