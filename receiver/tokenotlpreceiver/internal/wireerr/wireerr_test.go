package wireerr

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/body"
	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/logevent"
	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/wire"
)

func TestEveryErrorHasItsAnswer(t *testing.T) {
	for _, test := range []struct {
		err    error
		reason Reason
		http   int
		grpc   codes.Code
		retry  bool
	}{
		{wire.ErrMalformed, Malformed, 400, codes.InvalidArgument, false},
		{wire.ErrTooDeep, TooDeep, 400, codes.InvalidArgument, false},
		{wire.ErrTooLarge, TooLarge, 413, codes.ResourceExhausted, false},
		{logevent.ErrTooLarge, TooLarge, 413, codes.ResourceExhausted, false},
		{body.ErrTooLarge, TooLarge, 413, codes.ResourceExhausted, false},
		{body.ErrCorrupt, Malformed, 400, codes.InvalidArgument, false},
		{body.ErrEncoding, Encoding, 415, codes.Unimplemented, false},
		{body.ErrBusy, Busy, 503, codes.Unavailable, true},
		{fmt.Errorf("wrapped: %w", body.ErrBusy), Busy, 503, codes.Unavailable, true},
		{New(NotFound, "x"), NotFound, 404, codes.Unimplemented, false},
		{fmt.Errorf("wrapped: %w", New(Method, "x")), Method, 405, codes.Unimplemented, false},
		{New(ContentType, "x"), ContentType, 415, codes.InvalidArgument, false},
		{New(RateLimited, "x"), RateLimited, 429, codes.ResourceExhausted, true},
		{New(Unauthorized, "x"), Unauthorized, 401, codes.Unauthenticated, false},
		{errors.New("full"), Unavailable, 503, codes.Unavailable, true},
		{consumererror.NewPermanent(errors.New("never")), Refused, 400, codes.InvalidArgument, false},
		// A pipeline's status does not reach the client: Internal would be ours.
		{status.Error(codes.Internal, "x"), Unavailable, 503, codes.Unavailable, true},
		{consumererror.NewPermanent(status.Error(codes.Internal, "x")), Refused, 400, codes.InvalidArgument, false},
	} {
		t.Run(string(test.reason)+"/"+test.err.Error(), func(t *testing.T) {
			refusal := From(test.err)
			require.Equal(t, test.reason, refusal.Reason)
			for _, contentType := range []string{JSON, Protobuf} {
				rec := httptest.NewRecorder()
				refusal.WriteHTTP(rec, contentType)
				require.Equal(t, test.http, rec.Code)
				require.Equal(t, contentType, rec.Header().Get("Content-Type"))
				require.Equal(t, test.retry, rec.Header().Get("Retry-After") == "1")
				require.Equal(t, test.http == http.StatusUnauthorized, rec.Header().Get("WWW-Authenticate") == "Bearer")
			}
			st := status.Convert(refusal.GRPC())
			require.Equal(t, test.grpc, st.Code())
			require.Equal(t, test.retry, len(st.Details()) == 1)
		})
	}
}

func TestDelayIsTold(t *testing.T) {
	for delay, seconds := range map[time.Duration]string{
		-time.Second:            "1",
		0:                       "1",
		1:                       "1",
		time.Second:             "1",
		time.Second + 1:         "2",
		1500 * time.Millisecond: "2",
		time.Hour:               "3600",
	} {
		refusal := NewAfter(RateLimited, "x", delay)
		rec := httptest.NewRecorder()
		refusal.WriteHTTP(rec, JSON)
		require.Equal(t, http.StatusTooManyRequests, rec.Code)
		require.Equal(t, seconds, rec.Header().Get("Retry-After"), delay)
		require.JSONEq(t, `{"code":8,"message":"x"}`, rec.Body.String())
		st := status.Convert(refusal.GRPC())
		require.Equal(t, codes.ResourceExhausted, st.Code())
		require.Equal(t, max(delay, 1), st.Details()[0].(*errdetails.RetryInfo).GetRetryDelay().AsDuration())
	}
}

func TestEveryReasonHasAnAnswer(t *testing.T) {
	for reason := range answers {
		rec := httptest.NewRecorder()
		New(reason, "x").WriteHTTP(rec, "")
		require.GreaterOrEqual(t, rec.Code, 400)
		require.NotEqual(t, 500, rec.Code)
	}
}

func TestMessageIsFitForTheWire(t *testing.T) {
	long := New(Malformed, strings.Repeat("é", maxMessage))
	require.LessOrEqual(t, len(long.Message), maxMessage+len("…"))
	require.True(t, utf8.ValidString(long.Message))
	rec := httptest.NewRecorder()
	New(Malformed, "a\xff<b>\n\"").WriteHTTP(rec, JSON)
	//nolint:testifylint // The escapes are at issue.
	require.Equal(t, "{\"code\":3,\"message\":\"a\uFFFD<b>\\n\\\"\"}", rec.Body.String())
}
