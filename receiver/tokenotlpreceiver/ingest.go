package tokenotlpreceiver

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/receiver/receiverhelper"

	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/body"
	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/logevent"
	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/wire"
	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/wireerr"
)

// encoding is that of an export request.
type encoding uint8

const (
	inProtobuf encoding = iota
	inJSON
)

func (e encoding) String() string {
	return [...]string{inProtobuf: "protobuf", inJSON: "json"}[e]
}

// formatEvents is the format of JSON log events in the receiver's own telemetry.
const formatEvents = "json_events"

// request is an authenticated request whose body is in memory.
type request struct {
	source    *source
	signal    signal
	transport transport
	encoding  encoding
	body      *body.Body
}

// ingest takes requests from the servers to the pipelines. It is safe for
// concurrent use.
type ingest struct {
	next      *consumers
	obs       [transports]*receiverhelper.ObsReport
	telemetry telemetry
	limits    wire.Limits
	budget    *body.Budget // of what requests hold
	now       func() time.Time
	shut      atomic.Bool // the pipeline is not to be called any more
}

var errShuttingDown = errors.New("the receiver is shutting down")

var wireSignals = [signals]wire.Signal{traces: wire.Traces, logs: wire.Logs, metrics: wire.Metrics}

// export takes an OTLP export request, and closes its body. When it returns nil,
// the pipeline has taken every item but those that taken names.
func (in *ingest) export(ctx context.Context, r request) (taken, error) {
	decoded := in.budget.Hold()
	defer decoded.Release()
	b, mended, err := in.decode(r, &decoded)
	if err != nil {
		return taken{}, err
	}
	b.stamp(r.source)
	n := b.items()
	if err := in.consume(ctx, r, b, r.encoding.String()); err != nil {
		return taken{}, err
	}
	return in.mended(ctx, r, mended, n), nil
}

// decode turns the body of a request into pdata, whose estimated size it adds to
// decoded. No more than two forms of the request are in memory at once, and the
// body is closed before the pipeline has it, which may take its time.
func (in *ingest) decode(r request, decoded *body.Holding) (b batch, mended wire.Mended, err error) {
	form := r.body
	defer func() { form.Close() }()
	signal, idsRead := wireSignals[r.signal], 0
	if r.encoding == inJSON {
		inProto, n, err := in.transcode(signal, form.Bytes())
		if err != nil {
			return nil, mended, err
		}
		form.Close()
		form, idsRead = inProto, n
	}
	found, err := wire.Proto(signal, form.Bytes(), in.limits)
	if err != nil {
		return nil, mended, err
	}
	if found.Faulty {
		var good *body.Body
		if good, mended, err = in.mend(signal, form.Bytes(), found); err != nil {
			return nil, mended, err
		}
		form.Close()
		form = good
	}
	mended.IDsRead += idsRead
	if err := decoded.More(found.Decoded); err != nil {
		return nil, mended, err
	}
	if b, err = in.next.decode(r.signal, form.Bytes()); err != nil {
		return nil, mended, wireerr.New(wireerr.Malformed, err.Error())
	}
	if found.Reserved {
		b.strip()
	}
	return b, mended, nil
}

// mended tells of what was mended in a request, once that was taken.
func (in *ingest) mended(ctx context.Context, r request, m wire.Mended, accepted int) taken {
	in.telemetry.repaired(ctx, r, m)
	if m.Spans == 0 {
		return taken{}
	}
	in.telemetry.rejectedItems(ctx, r, wireerr.BadID, m.Spans)
	return taken{rejected: m.Spans, message: m.Message(m.Spans + accepted)}
}

// consume hands over a batch that has items; one without is taken as it is.
func (in *ingest) consume(ctx context.Context, r request, b batch, format string) error {
	n := b.items()
	if n == 0 {
		return nil
	}
	if in.shut.Load() { // the pipeline may be gone
		return errShuttingDown
	}
	err := b.consume(withoutToken(ctx), in.obs[r.transport], format)
	if err != nil {
		refusal := wireerr.From(err)
		in.telemetry.rejectedItems(ctx, r, refusal.Reason, n)
		return refusal
	}
	in.telemetry.accepted(ctx, r, n)
	return nil
}

// events takes JSON log events, and closes the body. It returns an error where none of them could be
// read, or the pipeline did not take them.
func (in *ingest) events(ctx context.Context, r request) (logevent.Report, error) {
	data := plog.NewLogs()
	rl := data.ResourceLogs().AppendEmpty()
	records := rl.ScopeLogs().AppendEmpty().LogRecords()
	held := in.budget.Hold()
	defer held.Release()
	limits := logevent.Limits{Depth: in.limits.Depth, Decoded: in.limits.Decoded, Hold: held.More}
	report, err := logevent.Read(r.body.Bytes(), records, pcommon.NewTimestampFromTime(in.now()), limits)
	r.body.Close()
	if err != nil {
		return report, err
	}
	if report.Rejected > 0 {
		in.telemetry.rejectedItems(ctx, r, wireerr.Malformed, report.Rejected)
		if report.Accepted == 0 {
			return report, wireerr.New(wireerr.Malformed, "no event could be read: "+report.Message())
		}
	}
	b := logBatch{data: data, next: in.next.logs}
	b.stamp(r.source)
	return report, in.consume(ctx, r, b, formatEvents)
}

// withoutToken keeps the token from the pipeline where include_metadata hands
// on the headers of requests.
func withoutToken(ctx context.Context) context.Context {
	info := client.FromContext(ctx)
	if len(info.Metadata.Get("authorization")) == 0 {
		return ctx
	}
	kept := make(map[string][]string)
	for key := range info.Metadata.Keys() {
		if key != "authorization" {
			kept[key] = info.Metadata.Get(key)
		}
	}
	info.Metadata = client.NewMetadata(kept)
	return client.NewContext(ctx, info)
}
