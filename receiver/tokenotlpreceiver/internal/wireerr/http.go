package wireerr

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// Content types of OTLP/HTTP.
const (
	JSON     = "application/json"
	Protobuf = "application/x-protobuf"
)

// unauthorizedBody is the JSON answer to a request without a valid token. It is
// a promise to clients, unlike the messages of other answers.
const unauthorizedBody = `{"message":"Unauthorized"}`

// WriteHTTP answers with a google.rpc.Status in the encoding the request had,
// which is Protobuf or else JSON.
func (e *Error) WriteHTTP(w http.ResponseWriter, contentType string) {
	a := answers[e.Reason]
	h := w.Header()
	if e.delay > 0 {
		// RFC 9110 has whole seconds here; rounded down, the next try would fail.
		seconds := (e.delay-1)/time.Second + 1
		h.Set("Retry-After", strconv.FormatInt(int64(seconds), 10))
	}
	if e.Reason == Unauthorized {
		h.Set("WWW-Authenticate", "Bearer")
	}
	var body []byte
	switch {
	case contentType == Protobuf:
		body = e.protobuf(a)
	case e.Reason == Unauthorized:
		contentType, body = JSON, []byte(unauthorizedBody)
	default:
		contentType, body = JSON, e.json(a)
	}
	h.Set("Content-Type", contentType)
	w.WriteHeader(a.http)
	_, _ = w.Write(body) // the client is gone, then
}

// Field numbers of google.rpc.Status.
const (
	statusCode    = 1
	statusMessage = 2
)

func (e *Error) protobuf(a answer) []byte {
	b := protowire.AppendTag(nil, statusCode, protowire.VarintType)
	b = protowire.AppendVarint(b, uint64(a.grpc))
	b = protowire.AppendTag(b, statusMessage, protowire.BytesType)
	return protowire.AppendString(b, e.Message)
}

func (e *Error) json(a answer) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	err := enc.Encode(struct {
		Code    uint32 `json:"code"`
		Message string `json:"message"`
	}{uint32(a.grpc), e.Message})
	if err != nil { // not with a number and a string
		return fmt.Appendf(nil, `{"code":%d}`, a.grpc)
	}
	return bytes.TrimRight(buf.Bytes(), "\n")
}
