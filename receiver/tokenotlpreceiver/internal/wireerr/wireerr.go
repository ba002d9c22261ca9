// Package wireerr is the one place where errors become answers: what a client
// is told, over HTTP and over gRPC, for each reason to refuse a request.
package wireerr

import (
	"errors"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/collector/consumer/consumererror"
	"google.golang.org/grpc/codes"

	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/body"
	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/logevent"
	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/wire"
)

// Reason is why a request is refused. The set is closed: it is an attribute of
// metrics.
type Reason string

// The reasons.
const (
	Unauthorized Reason = "unauthorized"
	NotFound     Reason = "not_found"
	Method       Reason = "method"
	ContentType  Reason = "content_type"
	Encoding     Reason = "encoding"
	TooLarge     Reason = "too_large"
	TooDeep      Reason = "too_deep"
	Malformed    Reason = "malformed"
	BadID        Reason = "bad_id"       // of spans, never of a request
	Slow         Reason = "slow"         // did not come whole in time
	Busy         Reason = "busy"         // too much in flight here
	RateLimited  Reason = "rate_limited" // too much from this source
	Unavailable  Reason = "unavailable"  // the pipeline may take it later
	Refused      Reason = "refused"      // the pipeline will never take it
)

// RetryDelay is what clients are asked to wait before they send again, where
// nothing better is known.
const RetryDelay = time.Second

// maxMessage bounds what of an error is told to the client.
const maxMessage = 1 << 10

// answer is how a reason is told: by OTLP/HTTP status and by gRPC code.
type answer struct {
	http  int
	grpc  codes.Code
	retry bool
}

var answers = map[Reason]answer{
	Unauthorized: {http.StatusUnauthorized, codes.Unauthenticated, false},
	NotFound:     {http.StatusNotFound, codes.Unimplemented, false},
	Method:       {http.StatusMethodNotAllowed, codes.Unimplemented, false},
	ContentType:  {http.StatusUnsupportedMediaType, codes.InvalidArgument, false},
	Encoding:     {http.StatusUnsupportedMediaType, codes.Unimplemented, false},
	TooLarge:     {http.StatusRequestEntityTooLarge, codes.ResourceExhausted, false},
	TooDeep:      {http.StatusBadRequest, codes.InvalidArgument, false},
	Malformed:    {http.StatusBadRequest, codes.InvalidArgument, false},
	Slow:         {http.StatusServiceUnavailable, codes.Unavailable, true},
	Busy:         {http.StatusServiceUnavailable, codes.Unavailable, true},
	RateLimited:  {http.StatusTooManyRequests, codes.ResourceExhausted, true},
	Unavailable:  {http.StatusServiceUnavailable, codes.Unavailable, true},
	Refused:      {http.StatusBadRequest, codes.InvalidArgument, false},
}

// Error is a refusal.
type Error struct {
	Reason  Reason
	Message string
	delay   time.Duration // before the request may be sent again; not positive: never
}

// New returns a refusal. Where its reason may pass, the client is asked to send
// again after RetryDelay.
func New(reason Reason, message string) *Error {
	e := &Error{Reason: reason, Message: clean(message)}
	if answers[reason].retry {
		e.delay = RetryDelay
	}
	return e
}

// NewAfter returns a refusal after which the client is to send again, once delay
// has passed.
func NewAfter(reason Reason, message string, delay time.Duration) *Error {
	return &Error{Reason: reason, Message: clean(message), delay: max(delay, 1)}
}

// Error implements error.
func (e *Error) Error() string { return e.Message }

// From returns err as a refusal. What is not known is the pipeline's: refused
// for good if permanent, else to be sent again.
func From(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return New(reasonOf(err), err.Error())
}

func reasonOf(err error) Reason {
	switch {
	case errors.Is(err, body.ErrTooLarge), errors.Is(err, wire.ErrTooLarge), errors.Is(err, logevent.ErrTooLarge):
		return TooLarge
	case errors.Is(err, body.ErrSlow):
		return Slow
	case errors.Is(err, wire.ErrTooDeep):
		return TooDeep
	case errors.Is(err, wire.ErrMalformed), errors.Is(err, body.ErrCorrupt):
		return Malformed
	case errors.Is(err, body.ErrEncoding):
		return Encoding
	case errors.Is(err, body.ErrBusy):
		return Busy
	case consumererror.IsPermanent(err):
		return Refused
	default:
		return Unavailable
	}
}

// clean makes a message fit for a protobuf string and a header.
func clean(message string) string {
	if len(message) > maxMessage {
		cut := maxMessage
		for cut > 0 && !utf8.RuneStart(message[cut]) {
			cut--
		}
		message = message[:cut] + "…"
	}
	return strings.ToValidUTF8(message, "\uFFFD")
}
