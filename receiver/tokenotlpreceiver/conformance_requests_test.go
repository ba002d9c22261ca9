package tokenotlpreceiver

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	grpcmetadata "google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/spanlake/spanlake/internal/attr"
)

// sendable is a request over either transport.
type sendable interface {
	send(h *harness) reply
	signal() signal
	transport() string
	// success and refusal are how the contract answers this request.
	success() reply
	refusal(why refusal) reply
}

// post is a request with the shop's token.
func post(path, contentType string, body []byte) call {
	c := call{path: path, headers: bearer(), body: body}
	if contentType != "" {
		c.headers["Content-Type"] = contentType
	}
	return c
}

func (c call) with(name, value string) call {
	c.headers = maps.Clone(c.headers)
	c.headers[name] = value
	return c
}

// authorized has other Authorization headers, or none.
func (c call) authorized(values ...string) call {
	c.headers = maps.Clone(c.headers)
	delete(c.headers, "Authorization")
	c.authorization = values
	return c
}

func (c call) by(method string) call { c.method = method; return c }

func (c call) inChunks() call { c.chunked = true; return c }

func (c call) packed(t *testing.T, coding string) call {
	t.Helper()
	c.body = compress(t, coding, c.body)
	return c.with("Content-Encoding", strings.TrimSuffix(coding, " block"))
}

func (c call) send(h *harness) reply { return h.http(c).reply(h.t) }

func (c call) transport() string { return "http" }

func (c call) signal() signal {
	path, _, _ := strings.Cut(c.path, "?")
	for s, p := range paths {
		if path == p {
			return signal(s)
		}
	}
	if path == "/" {
		return logs
	}
	return none
}

func (c call) inProtobuf() bool {
	contentType, _, _ := strings.Cut(c.headers["Content-Type"], ";")
	return strings.EqualFold(contentType, protoType)
}

func (c call) success() reply {
	switch {
	case c.path == "/":
		return httpReply(http.StatusAccepted, jsonType, "{}", nil)
	case c.inProtobuf():
		return httpReply(http.StatusOK, protoType, "", nil)
	default:
		return httpReply(http.StatusOK, jsonType, "{}", nil)
	}
}

func (c call) refusal(why refusal) reply {
	r := why.inHTTP(c.inProtobuf())
	if c.method == http.MethodHead {
		r.body = ""
	}
	return r
}

// rpc is a call of gRPC.
type rpc struct {
	method        string
	authorization []string
	message       []byte
	compressor    string
	// frames, unless nil, are sent in place of the message, and compressor is
	// what they are said to be.
	frames []byte
}

// export is a call with the shop's token.
func export(s signal, message []byte) rpc {
	return rpc{method: exportMethod(s), authorization: []string{"Bearer " + shopToken}, message: message}
}

// framed is a call that sends these bytes, message framing and all.
func inFrame(compressor string, frames ...byte) rpc {
	if frames == nil {
		frames = []byte{}
	}
	return rpc{method: exportMethod(traces), frames: frames, compressor: compressor}
}

func (c rpc) authorized(values ...string) rpc { c.authorization = values; return c }

func (c rpc) packed(compressor string) rpc { c.compressor = compressor; return c }

func (c rpc) send(h *harness) reply {
	if c.frames != nil {
		return grpcReply(h, "", h.rawCall(c.compressor, c.frames))
	}
	ctx := h.t.Context()
	for _, value := range c.authorization {
		ctx = grpcmetadata.AppendToOutgoingContext(ctx, "authorization", value)
	}
	body, err := h.send(ctx, c.method, c.message, grpc.UseCompressor(c.compressor))
	if err != nil {
		body = nil
	}
	return grpcReply(h, string(body), status.Convert(err))
}

func grpcReply(h *harness, body string, st *status.Status) reply {
	r := reply{body: body, code: st.Code(), message: st.Message(), details: len(st.Details())}
	if r.details > 0 {
		info, ok := st.Details()[0].(*errdetails.RetryInfo)
		require.True(h.t, ok)
		r.retry = info.GetRetryDelay().AsDuration()
	}
	return r
}

func (c rpc) transport() string { return "grpc" }

func (c rpc) signal() signal {
	for s := range signals {
		if c.method == exportMethod(s) {
			return s
		}
	}
	return none
}

func (c rpc) success() reply { return reply{} }

func (c rpc) refusal(why refusal) reply { return why.inGRPC() }

// signalName is the name of a signal in metrics.
func signalName(s signal) string {
	return map[signal]string{traces: "traces", logs: "logs", metrics: "metrics", none: "none"}[s]
}

// ways are the three that a request of a signal can take.
func ways(s signal, inJSON, inProto []byte) map[string]sendable {
	return map[string]sendable{
		"JSON":     post(paths[s], jsonType, inJSON),
		"protobuf": post(paths[s], protoType, inProto),
		"gRPC":     export(s, inProto),
	}
}

// waysOf sends the usual request of a signal.
func waysOf(t *testing.T, s signal) map[string]sendable {
	t.Helper()
	return ways(s, jsonOf(t, requestOf(s)), protoOf(t, requestOf(s)))
}

// anyWay makes a row of each way.
func anyWay(name string, sent map[string]sendable, made func(name string, s sendable) row) []row {
	var rows []row
	for _, way := range []string{"JSON", "protobuf", "gRPC"} {
		if s, ok := sent[way]; ok {
			rows = append(rows, made(name+", "+way, s))
		}
	}
	return rows
}

// refusedAnyWay is refused in each way.
func refusedAnyWay(name string, sent map[string]sendable, why refusal) []row {
	return anyWay(name, sent, func(name string, s sendable) row { return refused(name, s, why) })
}

// itemsOf returns the items in the sink of a signal, each as pdata writes it in
// JSON; of metrics, the metrics.
func (h *harness) itemsOf(s signal) []string {
	h.t.Helper()
	names := [signals][2]string{traces: {"scopeSpans", "spans"}, logs: {"scopeLogs", "logRecords"}, metrics: {"scopeMetrics", "metrics"}}[s]
	items := []string{}
	h.eachResource(s, func(resource map[string]json.RawMessage) {
		var scopes []map[string]json.RawMessage
		h.decode(resource[names[0]], &scopes)
		for _, scope := range scopes {
			var of []json.RawMessage
			h.decode(scope[names[1]], &of)
			for _, item := range of {
				items = append(items, string(item))
			}
		}
	})
	return items
}

// stamps returns the sources that the resources in the sink of a signal are of,
// which is all that is reserved in them.
func (h *harness) stamps(s signal) []string {
	h.t.Helper()
	var sources []string
	h.eachResource(s, func(resource map[string]json.RawMessage) {
		var of struct {
			Attributes []struct {
				Key   string
				Value struct{ StringValue string }
			}
		}
		h.decode(resource["resource"], &of)
		stamps := 0
		for _, a := range of.Attributes {
			if strings.HasPrefix(a.Key, attr.Prefix) {
				stamps++
				require.Equal(h.t, "spanlake.source", a.Key)
				sources = append(sources, a.Value.StringValue)
			}
		}
		require.Equal(h.t, 1, stamps)
	})
	return sources
}

func (h *harness) eachResource(s signal, see func(map[string]json.RawMessage)) {
	h.t.Helper()
	if s == none {
		return
	}
	for line := range strings.Lines(h.received(s)) {
		var requests map[string][]map[string]json.RawMessage
		h.decode(json.RawMessage(line), &requests)
		for _, resources := range requests {
			for _, resource := range resources {
				see(resource)
			}
		}
	}
}

// decode leaves v as it is if there is nothing.
func (h *harness) decode(text json.RawMessage, v any) {
	h.t.Helper()
	if len(text) > 0 {
		require.NoError(h.t, json.Unmarshal(text, v))
	}
}

func (h *harness) resetSinks() {
	h.traceSink.Reset()
	h.logSink.Reset()
	h.metricSink.Reset()
}
