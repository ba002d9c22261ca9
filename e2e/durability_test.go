package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Everything that was accepted before SIGINT is in SQL: traces that were not
// decided yet are decided by then.
func TestSIGINTKeepsWhatWasAccepted(t *testing.T) {
	const traces = 50
	data := t.TempDir()
	c := startCollector(t, data)
	var bodies, names []string
	for i := range traces {
		now := time.Now()
		name := fmt.Sprintf("span %d", i)
		got := c.post(t, "/v1/traces", spanJSON(fmt.Sprintf("%032x", i+1), fmt.Sprintf("%016x", i+1), "", name, now, now.Add(time.Millisecond)))
		require.Equal(t, "200 {}", got.line())
		names = append(names, name)

		body := fmt.Sprintf("log %d", i)
		got = c.post(t, "/v1/logs", logJSON(now, body))
		require.Equal(t, "200 {}", got.line())
		bodies = append(bodies, body)
	}
	c.stop(t)

	c = startCollector(t, data) // which stores what the first left in its log
	defer c.stop(t)
	spans := waitRows(t, c.lake(), traces, "select name from spans")
	require.ElementsMatch(t, names, column(spans, "name"))
	logs := waitRows(t, c.lake(), traces, "select body from logs")
	require.ElementsMatch(t, bodies, column(logs, "body"))
}

// Logs go straight to the exporter's log on disk: those that were acknowledged
// survive kill -9, and none comes twice.
func TestKillKeepsAcknowledgedLogsOnce(t *testing.T) {
	data := t.TempDir()
	sent := &ledger{}
	for round, kills := range []int{1, 40, 400} { // with one record, within a flush, around it
		c := startCollector(t, data)
		sent.sendUntil(t, c, round, kills)
		require.GreaterOrEqual(t, sent.count(), kills)
	}

	c := startCollector(t, data)
	defer c.stop(t)
	acknowledged := sent.acknowledged()
	var rows []row
	require.NoError(t, poll(queryable, func() error {
		var err error
		if rows, err = query(t, c.lake(), "select body, count(*) as copies from logs group by all"); err != nil {
			return err
		}
		if missing := difference(acknowledged, column(rows, "body")); len(missing) > 0 {
			return fmt.Errorf("%d of %d acknowledged logs are missing, such as %s", len(missing), len(acknowledged), missing[0])
		}
		return nil
	}))
	for _, r := range rows {
		require.Equal(t, number(1), r["copies"], r["body"])
	}
	require.Empty(t, difference(column(rows, "body"), sent.attempted()), "stored, but never sent")
}

// ledger notes what was sent and what was acknowledged.
type ledger struct {
	mu    sync.Mutex // guards the rest
	sent  []string
	acked []string
}

// sendUntil sends log records from several connections at once, and kills the
// collector at the moment in which the n-th of this round is acknowledged.
func (l *ledger) sendUntil(t *testing.T, c *collector, round, n int) {
	t.Helper()
	const senders = 4
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	acks := make(chan struct{})
	var running sync.WaitGroup
	for sender := range senders {
		running.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for i := 0; ctx.Err() == nil; i++ {
				body := fmt.Sprintf("round %d sender %d log %d", round, sender, i)
				if err := l.send(ctx, client, c, body); err != nil {
					return // the collector is gone
				}
				select {
				case acks <- struct{}{}:
				case <-ctx.Done():
				}
			}
		})
	}
	for range n {
		select {
		case <-acks:
		case <-time.After(startDeadline):
			t.Fatal("the collector acknowledges no more")
		}
	}
	c.Kill()
	cancel()
	running.Wait()
}

func (l *ledger) send(ctx context.Context, client *http.Client, c *collector, body string) error {
	l.mu.Lock()
	l.sent = append(l.sent, body)
	l.mu.Unlock()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+c.ports.http+"/v1/logs", strings.NewReader(logJSON(time.Now(), body)))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", contentType)
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acked = append(l.acked, body)
	return nil
}

func (l *ledger) acknowledged() []string { return l.copyOf(&l.acked) }
func (l *ledger) attempted() []string    { return l.copyOf(&l.sent) }
func (l *ledger) count() int             { return len(l.acknowledged()) }

func (l *ledger) copyOf(list *[]string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), *list...)
}

func column(rows []row, name string) []string {
	var values []string
	for _, r := range rows {
		values = append(values, r.text(name))
	}
	return values
}

// difference is what is in a and not in b.
func difference(a, b []string) []string {
	has := make(map[string]bool, len(b))
	for _, s := range b {
		has[s] = true
	}
	var rest []string
	for _, s := range a {
		if !has[s] {
			rest = append(rest, s)
		}
	}
	return rest
}
