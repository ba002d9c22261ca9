package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spanlake/spanlake/bench/internal/pool"
)

const (
	requestTimeout = 30 * time.Second
	maxAnswer      = 1 << 20

	// Every largeEvery requests begin a trace that is in all of the next largeRun.
	largeEvery = 400
	largeRun   = 8
	// While there is a giant trace, all but one in giantShare requests belong to it,
	// so that it comes within root_wait.
	giantShare = 4
)

// counts are of spans, but for those named otherwise.
type counts struct {
	offered, accepted, refused int
	// skipped were not sent for want of an idle connection, unanswered were sent.
	skipped, unanswered int
	acceptedBytes       int
	refusals            map[int]int // requests by status
	wrong               map[string]int
}

func (c *counts) clone() counts {
	n := *c
	n.refusals, n.wrong = maps.Clone(c.refusals), maps.Clone(c.wrong)
	return n
}

// loader offers spans at a rate whatever the answers are.
type loader struct {
	url, token string
	cursor     *pool.Cursor
	jobs       chan job
	senders    sync.WaitGroup

	mu    sync.Mutex // guards count
	count counts

	sequence int          // of the requests offered
	large    pool.TraceID // of the run at hand
	giant    *giant       // nil for none; only the goroutine of offer changes it
	giants   []*giant
}

// giant is a trace that grows until a number of bytes was accepted.
type giant struct {
	id   pool.TraceID
	left atomic.Int64
}

type job struct {
	message pool.Message
	giant   *giant
}

func newLoader(address, token string, p *pool.Pool, seed uint64, connections int) *loader {
	l := &loader{url: "http://" + address + "/v1/traces", token: token, cursor: p.Cursor(seed), jobs: make(chan job)}
	l.count.refusals, l.count.wrong = map[int]int{}, map[string]int{}
	for range connections {
		l.senders.Go(l.send)
	}
	return l
}

// close waits for what is under way.
func (l *loader) close() {
	close(l.jobs)
	l.senders.Wait()
}

func (l *loader) counts() counts {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count.clone()
}

// grow begins a giant trace.
func (l *loader) grow(size int64) {
	l.giant = &giant{id: l.cursor.TraceID()}
	l.giant.left.Store(size)
	l.giants = append(l.giants, l.giant)
}

// grown returns how many giant traces were accepted whole.
func (l *loader) grown() int {
	n := 0
	for _, g := range l.giants {
		if g.left.Load() <= 0 {
			n++
		}
	}
	return n
}

// offer offers rate spans a second for d. A request for which no connection is
// idle when it is due is not sent.
func (l *loader) offer(ctx context.Context, rate float64, d time.Duration) error {
	start := time.Now()
	for offered := 0; ; {
		due := start.Add(time.Duration(float64(offered) / rate * float64(time.Second)))
		if due.Sub(start) >= d {
			return nil
		}
		if wait := time.Until(due); wait > 0 {
			select {
			case <-time.After(wait):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		j := l.next()
		offered += j.message.Spans
		sent := false
		select {
		case l.jobs <- j:
			sent = true
		default:
		}
		l.mu.Lock()
		l.count.offered += j.message.Spans
		if !sent {
			l.count.skipped += j.message.Spans
		}
		l.mu.Unlock()
	}
}

func (l *loader) next() job {
	j := job{message: l.cursor.Next()}
	if l.giant != nil && l.giant.left.Load() <= 0 {
		l.giant = nil
	}
	switch at := l.sequence % largeEvery; {
	case l.giant != nil && l.sequence%giantShare > 0:
		j.giant = l.giant
		j.message.OneTrace(l.giant.id)
	case at == 0:
		l.large = l.cursor.TraceID()
		j.message.OneTrace(l.large)
	case at < largeRun:
		j.message.OneTrace(l.large)
	}
	l.sequence++
	return j
}

// send is one connection.
func (l *loader) send() {
	client := &http.Client{Timeout: requestTimeout, Transport: &http.Transport{MaxConnsPerHost: 1, DisableCompression: true}}
	defer client.CloseIdleConnections()
	var body []byte
	for j := range l.jobs {
		body = j.message.AppendTo(body[:0])
		status, err := l.post(client, body)
		if status == http.StatusOK && err == nil && j.giant != nil {
			j.giant.left.Add(-int64(len(body)))
		}
		l.note(j.message.Spans, len(body), status, err)
	}
}

var errPartial = errors.New("answered with a partial success")

func (l *loader) post(client *http.Client, body []byte) (int, error) {
	// Not bound to a context: what is under way is waited for.
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, l.url, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	req.Header.Set("Authorization", "Bearer "+l.token)
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err == nil && resp.StatusCode == http.StatusOK && len(answer) > 0 {
		err = errPartial
	}
	return resp.StatusCode, err
}

func (l *loader) note(spans, size, status int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case errors.Is(err, errPartial):
		l.count.wrong[err.Error()]++
	case status == http.StatusOK && err == nil:
		l.count.accepted += spans
		l.count.acceptedBytes += size
	case status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests:
		l.count.refused += spans
		l.count.refusals[status]++
	case status == 0 || status == http.StatusOK:
		l.count.unanswered += spans
	default:
		l.count.wrong[fmt.Sprint("status ", status)]++
	}
}
