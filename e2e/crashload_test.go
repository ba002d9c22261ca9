package e2e

import (
	"bytes"
	"container/heap"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

const (
	crashSenders   = 6
	tracesASecond  = 150
	maxBurst       = 20 // traces begun at once after a pause
	maxParts       = 6  // steps in a request
	repeatPercent  = 6  // of acknowledged requests that come a second time
	resendPercent  = 70 // of unanswered requests that come again after the restart
	refusedPause   = 200 * time.Millisecond
	senderIdle     = 5 * time.Millisecond
	requestTimeout = 30 * time.Second
)

// crashRequest is what was sent, kept to be sent again byte by byte.
type crashRequest struct {
	body  []byte
	parts []part
	acked bool
	// refused is the last answer.
	refused bool
}

// dueItem is something to send: a request again, or a step of a trace.
type dueItem struct {
	at    time.Time
	again *crashRequest
	part  part
}

type dueHeap []dueItem

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h dueHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *dueHeap) Push(x any)        { *h = append(*h, x.(dueItem)) }
func (h *dueHeap) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	*h = (*h)[:last]
	return x
}

// crashLoad sends traces from several connections, over restarts of the
// collector, and notes what was acknowledged.
type crashLoad struct {
	mu       sync.Mutex // guards the rest, and the traces
	random   *rand.Rand
	traces   map[string]*crashTrace // by hexadecimal ID
	due      dueHeap
	endpoint string // empty while no collector runs
	run      int    // of the collector, from 1
	first    chan struct{}
	// dying is set when requests may go without an answer; those are unanswered.
	dying      bool
	unanswered []*crashRequest
	inFlight   int
	ending     bool // no new traces
	newest     time.Time
	resends    int
	refusals   int
	faults     []string
}

func newCrashLoad(seed uint64) *crashLoad {
	return &crashLoad{random: rand.New(rand.NewPCG(seed, 1)), traces: map[string]*crashTrace{}}
}

// start sends until ctx ends.
func (l *crashLoad) start(ctx context.Context) *sync.WaitGroup {
	var senders sync.WaitGroup
	for range crashSenders {
		senders.Go(func() {
			client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}, Timeout: requestTimeout}
			defer client.CloseIdleConnections()
			for ctx.Err() == nil {
				request, endpoint := l.take(time.Now())
				if request == nil {
					select {
					case <-time.After(senderIdle):
					case <-ctx.Done():
					}
					continue
				}
				// Not bound to ctx: what is under way is waited for.
				l.settle(request, send(client, endpoint, request.body))
			}
		})
	}
	return &senders
}

// outcome is the status of an answer, or the error of none.
type outcome struct {
	status int
	body   []byte
	err    error
}

func send(client *http.Client, endpoint string, body []byte) outcome {
	request, err := http.NewRequest(http.MethodPost, "http://"+endpoint+"/v1/traces", bytes.NewReader(body))
	if err != nil {
		return outcome{err: err}
	}
	request.Header.Set("Content-Type", "application/x-protobuf")
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := client.Do(request)
	if err != nil {
		return outcome{err: err}
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return outcome{status: response.StatusCode, body: text, err: err}
}

// take returns the next request, nil if nothing is due.
func (l *crashLoad) take(now time.Time) (*crashRequest, string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.endpoint == "" {
		return nil, ""
	}
	request := &crashRequest{}
	for len(l.due) > 0 && !l.due[0].at.After(now) && len(request.parts) < maxParts {
		if again := l.due[0].again; again != nil {
			if len(request.parts) > 0 {
				break
			}
			heap.Pop(&l.due)
			l.inFlight++
			l.again(again)
			return again, l.endpoint
		}
		request.parts = append(request.parts, heap.Pop(&l.due).(dueItem).part)
	}
	for len(request.parts) < maxParts && l.mayBegin(now) {
		t := newCrashTrace(l.random, len(l.traces)+1)
		l.traces[t.id.String()] = t
		request.parts = append(request.parts, part{t, 0})
	}
	if len(request.parts) == 0 {
		return nil, ""
	}
	request.body = encodeParts(l.random, request.parts)
	l.inFlight++
	return request, l.endpoint
}

// again notes why a request is sent once more.
func (l *crashLoad) again(r *crashRequest) {
	l.resends++
	for _, p := range r.parts {
		from, to := p.trace.step(p.step)
		for i := from; i < to; i++ {
			s := &p.trace.spans[i]
			switch {
			case r.refused:
				s.again |= resentRefused
			case !r.acked:
				s.again |= resentUnanswered
			case s.acked == l.run:
				s.again |= resentRepeated
			default:
				s.again |= resentLater
			}
		}
	}
}

// mayBegin paces new traces.
func (l *crashLoad) mayBegin(now time.Time) bool {
	const interval = time.Second / tracesASecond
	if oldest := now.Add(-maxBurst * interval); l.newest.Before(oldest) {
		l.newest = oldest
	}
	if l.ending || now.Sub(l.newest) < interval {
		return false
	}
	l.newest = l.newest.Add(interval)
	return true
}

func (l *crashLoad) settle(r *crashRequest, o outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inFlight--
	now := time.Now()
	r.refused = o.err == nil && (o.status == http.StatusServiceUnavailable || o.status == http.StatusTooManyRequests)
	switch {
	case o.err != nil && l.dying:
		l.unanswered = append(l.unanswered, r)
	case o.err != nil:
		l.faults = append(l.faults, "no answer though nothing was killed: "+o.err.Error())
	case r.refused:
		l.refusals++
		heap.Push(&l.due, dueItem{at: now.Add(refusedPause), again: r})
	case o.status != http.StatusOK || len(o.body) > 0:
		l.faults = append(l.faults, fmt.Sprintf("answered %d %q", o.status, o.body))
	default:
		l.acknowledge(r, now)
	}
}

func (l *crashLoad) acknowledge(r *crashRequest, now time.Time) {
	if l.first != nil {
		close(l.first)
		l.first = nil
	}
	if r.acked {
		return
	}
	r.acked = true
	for _, p := range r.parts {
		from, to := p.trace.step(p.step)
		for i := from; i < to; i++ {
			p.trace.spans[i].acked = l.run
		}
		l.proceed(p, now)
	}
	if l.random.IntN(100) < repeatPercent {
		heap.Push(&l.due, dueItem{at: now.Add(l.pause()), again: r})
	}
}

// proceed makes the step after p due.
func (l *crashLoad) proceed(p part, now time.Time) {
	if p.step+1 < len(p.trace.cuts) {
		heap.Push(&l.due, dueItem{at: now.Add(l.pause()), part: part{p.trace, p.step + 1}})
	}
}

// pause is at once, about root_wait, or after the decision.
func (l *crashLoad) pause() time.Duration {
	switch n := l.random.IntN(100); {
	case n < 50:
		return between(l.random, 0, crashRootWait)
	case n < 80:
		return between(l.random, crashRootWait, crashDecisionWait)
	default:
		return between(l.random, crashDecisionWait, 2*crashDecisionWait)
	}
}

func between(random *rand.Rand, low, high time.Duration) time.Duration {
	return low + time.Duration(random.Int64N(int64(high-low)))
}

// up points the load at a collector that has been started. What was not
// answered by the one before is sent again, or given up. The channel is closed
// with the first acknowledgement.
func (l *crashLoad) up(endpoint string) <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for _, r := range l.unanswered {
		if l.random.IntN(100) < resendPercent {
			heap.Push(&l.due, dueItem{at: now.Add(between(l.random, 0, time.Second)), again: r})
			continue
		}
		for _, p := range r.parts {
			// Without the step that decides its class, a trace has no certain one.
			if p.step > 0 && !r.acked && l.random.IntN(2) == 0 {
				l.proceed(p, now)
			}
		}
	}
	l.unanswered, l.dying, l.endpoint = nil, false, endpoint
	l.run++
	first := make(chan struct{})
	l.first = first
	return first
}

// fall says that from now on requests may go without an answer.
func (l *crashLoad) fall() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dying = true
}

// down stops sending, and returns when nothing is under way.
func (l *crashLoad) down() error {
	l.mu.Lock()
	l.endpoint, l.first = "", nil
	l.mu.Unlock()
	return poll(requestTimeout, func() error {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.inFlight > 0 {
			return fmt.Errorf("%d requests are under way", l.inFlight)
		}
		return nil
	})
}

// finish begins no more traces, and returns when those begun are sent.
func (l *crashLoad) finish() error {
	l.mu.Lock()
	l.ending = true
	l.mu.Unlock()
	return poll(requestTimeout, func() error {
		l.mu.Lock()
		defer l.mu.Unlock()
		if len(l.faults) > 0 {
			return final{fmt.Errorf("%d requests went wrong, such as: %s", len(l.faults), l.faults[0])}
		}
		if n := len(l.due) + l.inFlight; n > 0 {
			return fmt.Errorf("%d requests are still to be sent", n)
		}
		return nil
	})
}
