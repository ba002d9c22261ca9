package tokenotlpreceiver

import (
	"context"
	"encoding/json"
	"mime"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/body"
	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/conns"
	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/wireerr"
)

// eventsPath takes JSON log events.
const eventsPath = "/"

// maxHeaderBytes bounds the headers of a request: a token and what a browser
// sends, many times over.
const maxHeaderBytes = 64 << 10

// unlimited is longer than any request takes.
const unlimited = 24 * time.Hour

// unreadTimeout bounds how long net/http waits for the rest of a body after a
// refusal, up to 256 KiB, before it answers. Then it answers all the same.
const (
	unreadTimeout = 5 * time.Second
	// Where the headers are what there is no room for, they should go.
	unreadTimeoutHeaders = time.Second
)

// httpHandler answers OTLP/HTTP and JSON log events. It is safe for concurrent
// use.
type httpHandler struct {
	ingest *ingest
	tokens *tokenTable
	bodies *body.Reader
	// writeTimeout is that of the configuration.
	writeTimeout time.Duration
	// strangers are the answers over HTTP/2 that wait for a client without a token
	// to read them.
	strangers atomic.Int32
}

// exchange is one HTTP request and its answer.
type exchange struct {
	*httpHandler
	visit
	w http.ResponseWriter
	r *http.Request
	// writeTimeout bounds how long the client may take to read the answer; zero is
	// no bound.
	writeTimeout time.Duration
	// unreadTimeout bounds how long a refusal waits for what is left of the body.
	unreadTimeout time.Duration
	contentType   string // media type of the request, parameters cut off
}

// ServeHTTP implements http.Handler. Nothing is told, and none of the body read,
// before the token is known to be right.
func (h *httpHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := exchange{httpHandler: h, visit: h.ingest.visit(unknown, signalOf(r.URL.Path), overHTTP), w: w, r: r, writeTimeout: h.writeTimeout, unreadTimeout: unreadTimeout, contentType: mediaType(r)}
	source := h.tokens.authenticate(r.Header["Authorization"])
	if source == nil {
		x.refuseStranger()
		return
	}
	conn := conns.FromContext(r.Context())
	conn.Begin()
	x.source = source
	defer x.answered(r.Context())
	if !x.holdHeaders(conn) {
		x.unreadTimeout = unreadTimeoutHeaders
		x.refuse(wireerr.From(body.ErrBusy))
		return
	}
	if r.ProtoMajor > 1 && x.writeTimeout > 0 {
		// A stream that is late is closed before its answer. Without any deadline, the
		// one of extend could be set on a stream that has ended since.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(unlimited))
	}
	switch {
	case x.signal == none:
		x.refuse(wireerr.New(wireerr.NotFound, "no such path: OTLP is taken at /v1/traces, /v1/logs and /v1/metrics, JSON log events at /"))
	case !h.ingest.next.has(x.signal):
		x.refuse(wireerr.New(wireerr.NotFound, "no pipeline of this receiver takes "+x.signal.String()))
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		x.refuse(wireerr.New(wireerr.Method, "method "+r.Method+" is not allowed: use POST"))
	case r.URL.Path == eventsPath:
		x.events()
	default:
		x.export()
	}
}

func signalOf(path string) signal {
	switch path {
	case "/v1/traces":
		return traces
	case "/v1/logs", eventsPath:
		return logs
	case "/v1/metrics":
		return metrics
	default:
		return none
	}
}

// freeHeaders is what headers may take beside the budget, where a connection has
// one request at a time: more than those of ordinary clients.
const freeHeaders = 8 << 10

// holdHeaders takes the memory of the headers from the budget and reports whether
// there was enough. With HTTP/1 it is held until net/http is done with the
// request, which is after the handler.
func (x *exchange) holdHeaders(conn *conns.Conn) bool {
	n := headerCost(x.r.Header)
	if x.r.ProtoMajor == 1 && n <= freeHeaders {
		return true
	}
	if !x.bodies.Budget.Reserve(n) {
		return false
	}
	release := func() { x.bodies.Budget.Release(n) }
	if x.r.ProtoMajor == 1 && conn != nil {
		conn.AtEnd(release)
	} else {
		context.AfterFunc(x.r.Context(), release) // when its stream has ended
	}
	return true
}

// headerCost estimates the memory of headers: the texts, the slot of each name in
// the map, which may be half empty, and twice what is a slice of values, for
// include_metadata makes a copy of those.
func headerCost(h http.Header) int64 {
	const perName, perValue = 160, 32
	n := 0
	for name, values := range h {
		n += perName + len(name)
		for _, value := range values {
			n += perValue + len(value)
		}
	}
	return int64(n)
}

// mediaType returns the Content-Type without its parameters, empty where there
// is none or it is malformed.
func mediaType(r *http.Request) string {
	switch ct := r.Header.Get("Content-Type"); ct {
	case wireerr.JSON, wireerr.Protobuf:
		return ct
	default:
		mt, _, err := mime.ParseMediaType(ct)
		if err != nil {
			return ""
		}
		return mt
	}
}

// export takes an OTLP export request.
func (x *exchange) export() {
	var e encoding
	switch x.contentType {
	case wireerr.Protobuf:
		e = inProtobuf
	case wireerr.JSON:
		e = inJSON
	default:
		x.refuse(wireerr.New(wireerr.ContentType, "unsupported content type: use "+wireerr.JSON+" or "+wireerr.Protobuf))
		return
	}
	b := x.read()
	if b == nil {
		return
	}
	took, err := x.ingest.export(x.r.Context(), x.request(b, e))
	if err != nil {
		x.refuse(wireerr.From(err))
		return
	}
	x.answer(http.StatusOK, x.contentType, took.answer(e))
}

// events takes JSON log events, whatever their content type is said to be.
func (x *exchange) events() {
	b := x.read()
	if b == nil {
		return
	}
	report, err := x.ingest.events(x.r.Context(), x.request(b, inJSON))
	if err != nil {
		x.refuse(wireerr.From(err))
		return
	}
	answer := emptyObject
	if report.Rejected > 0 {
		if answer, err = json.Marshal(report); err != nil {
			answer = emptyObject // numbers and strings always encode
		}
	}
	x.answer(http.StatusAccepted, wireerr.JSON, answer)
}

// read returns the body, or nil when the request has been refused for it.
func (x *exchange) read() *body.Body {
	if err := x.admit(); err != nil {
		x.refuse(wireerr.From(err))
		return nil
	}
	if x.bodies.Budget.Spent() {
		x.refuse(wireerr.From(body.ErrBusy))
		return nil
	}
	encodings := x.r.Header.Values("Content-Encoding")
	b, err := x.bodies.Read(strings.ToLower(strings.Join(encodings, ", ")), x.watch(x.r.Body), x.r.ContentLength)
	if err != nil {
		x.unread(err)
		refusal := wireerr.From(err)
		if refusal.Reason == wireerr.Encoding {
			x.w.Header().Set("Accept-Encoding", body.Encodings)
		}
		x.refuse(refusal)
		return nil
	}
	x.arrived(x.r.Context(), b)
	return b
}

func (x *exchange) request(b *body.Body, e encoding) request {
	return request{source: x.source, signal: x.signal, transport: overHTTP, encoding: e, body: b}
}

func (x *exchange) refuse(refusal *wireerr.Error) {
	x.refused(x.r.Context(), refusal.Reason)
	if x.r.ProtoMajor == 1 && refusal.Reason != wireerr.Slow {
		_ = http.NewResponseController(x.w).SetReadDeadline(time.Now().Add(x.unreadTimeout))
	}
	x.extend()
	refusal.WriteHTTP(x.w, x.contentType)
}

const (
	// maxStrangers bounds httpHandler.strangers: each holds its headers. Beyond it,
	// the answer has no body, for which alone a client can make a server wait.
	maxStrangers = 64
	// strangerTimeout bounds how long each waits.
	strangerTimeout = time.Second
)

// refuseStranger refuses a request without a valid token.
func (x *exchange) refuseStranger() {
	refusal := wireerr.New(wireerr.Unauthorized, "Unauthorized")
	if x.r.ProtoMajor == 1 {
		x.refuse(refusal)
		return
	}
	defer x.strangers.Add(-1)
	if x.strangers.Add(1) > maxStrangers {
		x.w = bodiless{x.w}
		x.refuse(refusal)
		return
	}
	x.writeTimeout = strangerTimeout
	x.refuse(refusal)
	_ = http.NewResponseController(x.w).Flush() // here, where it is counted
}

// bodiless writes no body.
type bodiless struct{ http.ResponseWriter }

// Write implements http.ResponseWriter.
func (bodiless) Write(b []byte) (int, error) { return len(b), nil }

// extend has writeTimeout begin with the answer. net/http has it begin with the
// request, and cuts off the answer of a pipeline that took longer: the client
// would send again what was taken.
func (x *exchange) extend() {
	if x.writeTimeout > 0 {
		_ = http.NewResponseController(x.w).SetWriteDeadline(time.Now().Add(x.writeTimeout))
	}
}

func (x *exchange) answer(status int, contentType string, content []byte) {
	x.extend()
	x.w.Header().Set("Content-Type", contentType)
	x.w.WriteHeader(status)
	_, _ = x.w.Write(content) // the client is gone, then
}
