package crashtest

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

const (
	senders = 3
	maxRows = 24 // of a request
	// pause is between requests of a sender.
	pause = 30 * time.Millisecond
)

// partitions are where rows go: hours ago, and days to keep them.
var partitions = []struct{ hours, days int }{
	{0, 7},  // open
	{2, 7},  // closed, so merged
	{26, 2}, //
	{24, 1}, // expires with the present hour
	{30, 1}, // over: each pass expires what has come since the one before
}

// load sends rows to the collector that runs, and never the same again: an
// unanswered request may be stored or not.
type load struct {
	ledger   *ledger
	endpoint atomic.Pointer[string]
}

// run sends until ctx ends.
func (l *load) run(ctx context.Context, seed uint64) *sync.WaitGroup {
	var running sync.WaitGroup
	for n := range uint64(senders) {
		running.Go(func() {
			random := rand.New(rand.NewPCG(seed, n))
			client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}, Timeout: 30 * time.Second}
			defer client.CloseIdleConnections()
			for ctx.Err() == nil {
				if endpoint := l.endpoint.Load(); endpoint != nil {
					l.send(client, *endpoint, random)
				}
				select {
				case <-ctx.Done():
				case <-time.After(time.Duration(random.Int64N(int64(2 * pause)))):
				}
			}
		})
	}
	return &running
}

// send sends some rows of one partition.
func (l *load) send(client *http.Client, endpoint string, random *rand.Rand) {
	p := partitions[random.IntN(len(partitions))]
	hour := time.Now().Truncate(time.Hour).Add(-time.Duration(p.hours) * time.Hour)
	rows := make([]entry, 1+random.IntN(maxRows))
	logs := random.IntN(2) == 0
	for i := range rows {
		rows[i] = entry{
			logs: logs,
			time: hour.Add(time.Duration(random.Int64N(int64(time.Hour)))),
			over: hour.Add(time.Hour + time.Duration(p.days)*24*time.Hour),
		}
	}
	first := l.ledger.begin(rows)
	path, body := encode(rows, first, strconv.Itoa(p.days)+"d")
	request, err := http.NewRequest(http.MethodPost, "http://"+endpoint+path, bytes.NewReader(body))
	if err != nil {
		panic(err)
	}
	request.Header.Set("Content-Type", "application/x-protobuf")
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := client.Do(request)
	if err != nil {
		return
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	switch {
	case response.StatusCode == http.StatusServiceUnavailable, response.StatusCode == http.StatusTooManyRequests:
		l.ledger.refuse()
	case response.StatusCode != http.StatusOK:
		l.ledger.fault("answer", "%d %q", response.StatusCode, text)
	case err == nil:
		l.ledger.acknowledge(first, len(rows))
	}
}

func encode(rows []entry, first int, keep string) (path string, body []byte) {
	var err error
	if rows[0].logs {
		ld := plog.NewLogs()
		records := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
		for i, e := range rows {
			r := records.AppendEmpty()
			r.SetTimestamp(pcommon.NewTimestampFromTime(e.time))
			r.SetSpanID(spanID(first + i))
			r.SetTraceID(traceID(first + i))
			r.Body().SetStr(strings.Repeat("x", i*20))
			r.Attributes().PutStr("keep", keep)
		}
		path = "/v1/logs"
		body, err = (&plog.ProtoMarshaler{}).MarshalLogs(ld)
	} else {
		td := ptrace.NewTraces()
		rs := td.ResourceSpans().AppendEmpty()
		rs.Resource().Attributes().PutStr("service.name", "service "+strconv.Itoa(first%5))
		spans := rs.ScopeSpans().AppendEmpty().Spans()
		for i, e := range rows {
			s := spans.AppendEmpty()
			s.SetStartTimestamp(pcommon.NewTimestampFromTime(e.time))
			s.SetEndTimestamp(pcommon.NewTimestampFromTime(e.time.Add(time.Second)))
			s.SetSpanID(spanID(first + i))
			s.SetTraceID(traceID(first + i))
			s.SetName("GET /" + strconv.Itoa(i))
			s.Attributes().PutStr("keep", keep)
			s.Events().AppendEmpty().SetName("event")
		}
		path = "/v1/traces"
		body, err = (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
	}
	if err != nil {
		panic(err)
	}
	return path, body
}

// spanID is never 0, which would be none.
func spanID(number int) (id pcommon.SpanID) {
	binary.BigEndian.PutUint64(id[:], uint64(number)+1)
	return id
}

// traceID of a row is its own, so that a bloom filter is asked for it alone.
func traceID(number int) (id pcommon.TraceID) {
	const odd = 0x9e3779b97f4a7c15 // spreads the numbers
	binary.BigEndian.PutUint64(id[:8], uint64(number)*odd)
	binary.BigEndian.PutUint64(id[8:], uint64(number)+1)
	return id
}
