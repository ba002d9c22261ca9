package tokenotlpreceiver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/body"
	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/wireerr"
)

// visit is a request from its token to its answer: what it is charged with and
// measured by. It belongs to the goroutine that serves the request.
type visit struct {
	in        *ingest
	source    *source
	signal    signal
	transport transport
	began     time.Time
	size      int64    // of the body, decompressed, once it has been read
	received  *counter // of the body as it comes, where that is charged
}

func (in *ingest) visit(s *source, sig signal, tr transport) visit {
	return visit{in: in, source: s, signal: sig, transport: tr, began: in.now()}
}

// admit refuses a source that has sent more than its rate allows. It is asked
// before the body is read.
func (v *visit) admit() error {
	b := v.source.bucket
	if b == nil {
		return nil
	}
	delay := b.wait(v.in.now())
	if delay == 0 {
		return nil
	}
	return wireerr.NewAfter(wireerr.RateLimited, fmt.Sprintf("over the rate limit of this source, %d bytes a second", b.rate), delay)
}

// watch returns src, counted if the source has a rate limit.
func (v *visit) watch(src io.Reader) io.Reader {
	if v.source.bucket == nil {
		return src
	}
	v.received = &counter{src: src}
	return v.received
}

// arrived measures a body, and charges it to the source.
func (v *visit) arrived(ctx context.Context, b *body.Body) {
	v.size = int64(len(b.Bytes()))
	v.in.telemetry.received(ctx, v.source, v.signal, v.transport, v.size)
	if v.source.bucket != nil {
		v.source.bucket.charge(v.in.now(), v.size)
	}
}

// unread charges a body that could not be read for what it was until then: else
// broken ones would be free.
func (v *visit) unread(err error) {
	if v.received == nil || v.received.n == 0 {
		return
	}
	n := v.received.n
	if unread, ok := errors.AsType[*body.UnreadError](err); ok {
		n = max(n, unread.Plain)
	}
	v.source.bucket.charge(v.in.now(), n)
}

// refused counts the request as refused.
func (v *visit) refused(ctx context.Context, reason wireerr.Reason) {
	v.in.telemetry.rejected(ctx, v.source, v.signal, v.transport, reason)
	if v.size > 0 {
		v.in.telemetry.rejectedBytes(ctx, v.source, v.signal, v.transport, reason, v.size)
	}
}

// answered measures how long the request took.
func (v *visit) answered(ctx context.Context) {
	v.in.telemetry.answered(ctx, v.source, v.signal, v.transport, v.in.now().Sub(v.began))
}

// counter counts what is read from src.
type counter struct {
	src io.Reader
	n   int64
}

// Read implements io.Reader.
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.src.Read(p)
	c.n += int64(n)
	return n, err
}
