// Package send sends encoded OTLP trace requests over a fixed number of
// connections, and sends again what the server says it could not take yet.
package send

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Options say where and how fast to send.
type Options struct {
	// Endpoint is host:port.
	Endpoint string
	// GRPC sends by OTLP/gRPC instead of OTLP/HTTP with protobuf.
	GRPC bool
	// Token is the bearer token; empty sends none.
	Token string
	// Connections is the number of connections, with one request under way on each.
	Connections int
	// Rate is the number of spans a second to keep to; 0 sends as fast as the
	// server takes them.
	Rate int

	// clock and sleep are the system's when nil.
	clock func() time.Time
	sleep func(context.Context, time.Duration) error
}

// Result says what became of the requests.
type Result struct {
	Requests, Spans int
	// Retries counts answers that asked to send again.
	Retries int
	Elapsed time.Duration
}

// defaultRetry is the wait after a retryable answer that names none.
const defaultRetry = time.Second

// answer is what a server said to one request.
type answer struct {
	retry    bool
	after    time.Duration // of a retry
	rejected int64         // spans that it refused for good
	message  string
}

// exporter is one connection. It is used by one goroutine.
type exporter interface {
	export(ctx context.Context, request []byte) (answer, error)
	io.Closer
}

// Run sends what next returns until io.EOF. It ends with an error at the first
// request that is refused for good, in part or as a whole.
func Run(ctx context.Context, o Options, next func() ([]byte, int, error)) (Result, error) {
	if o.clock == nil {
		o.clock = time.Now
	}
	if o.sleep == nil {
		o.sleep = sleep
	}
	type request struct {
		body  []byte
		spans int
	}
	group, ctx := errgroup.WithContext(ctx)
	requests := make(chan request)
	start := o.clock()
	group.Go(func() error {
		defer close(requests)
		sent := 0
		for {
			body, spans, err := next()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			if err := o.pace(ctx, start, sent); err != nil {
				return err
			}
			select {
			case requests <- request{body, spans}:
				sent += spans
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})

	var mu sync.Mutex // guards total
	var total Result
	for range o.Connections {
		group.Go(func() error {
			e, err := connect(o)
			if err != nil {
				return err
			}
			defer e.Close()
			for r := range requests {
				retries, err := o.deliver(ctx, e, r.body)
				if err != nil {
					return err
				}
				mu.Lock()
				total.Requests++
				total.Spans += r.spans
				total.Retries += retries
				mu.Unlock()
			}
			return nil
		})
	}
	err := group.Wait()
	total.Elapsed = o.clock().Sub(start)
	return total, err
}

func connect(o Options) (exporter, error) {
	if o.GRPC {
		return newGRPC(o)
	}
	return newHTTP(o), nil
}

// pace waits until the span after sent ones is due.
func (o *Options) pace(ctx context.Context, start time.Time, sent int) error {
	if o.Rate <= 0 {
		return nil
	}
	due := start.Add(time.Duration(float64(sent) / float64(o.Rate) * float64(time.Second)))
	if wait := due.Sub(o.clock()); wait > 0 {
		return o.sleep(ctx, wait)
	}
	return nil
}

// deliver sends one request until it is taken and returns the number of retries.
func (o *Options) deliver(ctx context.Context, e exporter, body []byte) (int, error) {
	for retries := 0; ; retries++ {
		a, err := e.export(ctx, body)
		switch {
		case err != nil:
			return retries, err
		case a.rejected > 0:
			return retries, fmt.Errorf("%d spans rejected: %s", a.rejected, a.message)
		case !a.retry:
			return retries, nil
		}
		if err := o.sleep(ctx, a.after); err != nil {
			return retries, fmt.Errorf("%w while told to retry: %s", err, a.message)
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
