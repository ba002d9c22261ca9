package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/spanlake/spanlake/bench/internal/pool"
	"github.com/spanlake/spanlake/bench/internal/process"
	"github.com/spanlake/spanlake/internal/scrape"
)

// readiness is of the restarted process.
type readiness struct {
	after  time.Duration // the first 200, from the start of the process
	whole  time.Duration // all traces of before are there; 0 if they never were
	traces int
	peak   int64 // bytes resident
}

func (r readiness) String() string {
	return fmt.Sprintf("after kill -9: spans accepted %s after the start; %d undecided traces after %s; peak RSS %d MiB",
		r.after.Round(time.Millisecond), r.traces, r.whole.Round(time.Millisecond), r.peak/mib)
}

// restart starts the process, asks it to take a request until it does, and looks
// for the traces of before.
func (o *options) restart(ctx context.Context, options process.Options, m pool.Message, traces int) (readiness, error) {
	ctx, cancel := context.WithTimeout(ctx, o.deadline)
	defer cancel()
	var r readiness
	start := time.Now()
	c, err := process.Launch(options)
	if err != nil {
		return r, err
	}
	defer c.Kill()
	body := m.AppendTo(nil)
	client := &http.Client{Timeout: askTimeout, Transport: &http.Transport{DisableKeepAlives: true}}
	err = c.Until(ctx, func() error { return ask(ctx, client, c.HTTP, body) })
	if err != nil {
		return r, err
	}
	r.after = time.Since(start)
	err = c.Until(ctx, func() error {
		metrics, err := scrape.Get(ctx, c.Metrics)
		if err != nil {
			return err
		}
		if r.traces = metrics.Sum(undecided); r.traces < traces {
			return fmt.Errorf("%d traces were undecided before the kill, %d after", traces, r.traces)
		}
		r.whole = time.Since(start)
		return nil
	})
	r.peak = c.Memory().Peak
	return r, err
}

// ask sends a request and returns nil if it was taken.
func ask(ctx context.Context, client *http.Client, address string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/v1/traces", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return nil
}
